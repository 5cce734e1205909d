"""The rules that a contract can set its rows, each checked by `transforms.normalisation.rules`."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from schemas.contract_parts import IDENTIFIER, Strict

Severity = Literal["critical", "warning"]
Scope = Literal["row", "file"]


class _Rule(Strict):
    id: str = Field(pattern=IDENTIFIER)
    severity: Severity = "critical"
    rejects: Scope = "row"
    """What a critical break rejects: the row or the whole file."""


class RangeRule(_Rule):
    """The number in a column lies between min and max, both included."""

    check: Literal["range"]
    column: str
    min: Decimal | None = None
    max: Decimal | None = None


class InRule(_Rule):
    """The text in a column is one of these."""

    check: Literal["in"]
    column: str
    values: tuple[str, ...]


class PatternRule(_Rule):
    """The whole text in a column matches a regular expression (RE2)."""

    check: Literal["pattern"]
    column: str
    pattern: str


class RequiredRule(_Rule):
    """The cell is not empty."""

    check: Literal["required"]
    column: str


class UniqueRule(_Rule):
    """No two rows of the file have the same texts in these columns; all that do break it."""

    check: Literal["unique"]
    columns: tuple[str, ...]


class CompareRule(_Rule):
    """The number in one column compares so with that in another; empty cells pass."""

    check: Literal["compare"]
    left: str
    op: Literal["<", "<=", "=", ">=", ">", "!="]
    right: str


class ChangeRule(_Rule):
    """A value differs from its series' previous period by at most this share (0.5 is 50 %).

    It warns and cannot reject: what stood before depends on the order of arrival, what is published must not.
    """

    check: Literal["change"]
    concept: str
    max_share: Decimal
    severity: Literal["warning"] = "warning"


Rule = Annotated[
    RangeRule | InRule | PatternRule | RequiredRule | UniqueRule | CompareRule | ChangeRule,
    Field(discriminator="check"),
]
