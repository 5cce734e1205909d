"""The validation rules of a contract, each checked by `transforms.normalisation.rules`."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from schemas.contract_parts import IDENTIFIER, Strict

Severity = Literal["critical", "warning"]
Scope = Literal["row", "file"]


class _Rule(Strict):
    id: str = Field(pattern=IDENTIFIER)
    """Name of the rule, unique in the contract."""
    severity: Severity = "critical"
    """`critical` rejects, `warning` keeps the row and lists it."""
    rejects: Scope = "row"
    """What a critical break rejects: the row or the whole file."""


class RangeRule(_Rule):
    """The number in a column lies between min and max, both included."""

    check: Literal["range"]
    """Selects this rule."""
    column: str
    """The column."""
    min: Decimal | None = None
    """Least value."""
    max: Decimal | None = None
    """Greatest value."""


class InRule(_Rule):
    """The text in a column is one of these."""

    check: Literal["in"]
    """Selects this rule."""
    column: str
    """The column."""
    values: tuple[str, ...]
    """Allowed texts."""


class PatternRule(_Rule):
    """The whole text in a column matches a regular expression (RE2)."""

    check: Literal["pattern"]
    """Selects this rule."""
    column: str
    """The column."""
    pattern: str
    """The regular expression."""


class RequiredRule(_Rule):
    """The cell is not empty."""

    check: Literal["required"]
    """Selects this rule."""
    column: str
    """The column."""


class UniqueRule(_Rule):
    """No two rows of the file have the same texts in these columns; all rows that do break the rule."""

    check: Literal["unique"]
    """Selects this rule."""
    columns: tuple[str, ...]
    """The columns of the key."""


class CompareRule(_Rule):
    """The comparison of the numbers in two columns is true; empty cells pass."""

    check: Literal["compare"]
    """Selects this rule."""
    left: str
    """Column on the left."""
    op: Literal["<", "<=", "=", ">=", ">", "!="]
    """Comparison that must hold."""
    right: str
    """Column on the right."""


class ChangeRule(_Rule):
    """A value differs from its series' previous period by at most this share (0.5 is 50 %).

    It warns and cannot reject: the previous value depends on the order of arrival, and published values must not.
    """

    check: Literal["change"]
    """Selects this rule."""
    concept: str
    """Concept of the series."""
    max_share: Decimal
    """Greatest allowed change, as a share of the previous value."""
    severity: Literal["warning"] = "warning"


Rule = Annotated[
    RangeRule | InRule | PatternRule | RequiredRule | UniqueRule | CompareRule | ChangeRule,
    Field(discriminator="check"),
]
