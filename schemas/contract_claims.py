"""What the rows of a delivery state: the claims that each makes, and columns that become rows."""

import re
from decimal import Decimal
from typing import Annotated, Literal, Self, TypeAlias

import polars as pl
from pydantic import Field, model_validator

from schemas.claims import OBS_STATUS, PERCENT
from schemas.contract_parts import Strict, Take, group_names

Percentage: TypeAlias = Annotated[str, Field(pattern=r"^[0-9]{1,2}(\.[0-9]{1,4})? ?%$")]
"""A share in percent, with its sign: `1%`, `0.25%`."""


class ClaimSpec(Strict):
    """One claim that a row makes."""

    concept: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    """What is measured. Two contracts that use one concept report the same item."""
    column: str
    """The column that holds the value."""
    when: dict[str, str | tuple[str, ...]] | None = None
    """Column -> the text, or texts, of the rows that make this claim: for files in which a column names what the value
    is. Each row must make a claim, or be ignored. By default every row makes the claim."""
    reported_by: Take
    """Whose statement the claim is. A publisher that repeats another's figures names the other as a constant: its
    claims are more sources, and no second opinion."""
    unit_measure: Take
    """What the value counts: an ISO 4217 currency, `persons`, ..."""
    scale: Decimal = Field(default=Decimal(1), gt=0)
    """The factor: 1000 when the form is filled in thousands."""
    decimals: Annotated[int, Field(ge=-28, le=28)] | Literal["exact", "as_written"] | Take | None = None
    """Accuracy; by default that of the scale (1000 -> -3), exact for scale 1. A cell has a whole number or `exact`."""
    missing: Literal["skip", "reject"] = "reject"
    """What an empty cell gives: no claim, or a reject. A row whose cells are all empty is ignored."""
    missing_values: tuple[str, ...] | None = None
    """Texts that state that there is no figure: a cell with one gives no claim and no reject."""
    missing_pattern: str | None = None
    """Regular expression (RE2) of whole cells that state that there is no figure, as those suppressed as `<5`."""
    flags: dict[str, str] | None = None
    """Mark written after the figure, `12*` or `3 (r)` -> its SDMX observation status. The figure is read without it; a
    mark counts before `obs_status`."""
    breakdown: dict[str, Take] = Field(default_factory=dict)
    """Further dimensions of this claim only."""
    precedence: int | Take | None = None
    """Rank in a conflict, lowest first; without one, conflicting values are withheld. From the sender, a column or an
    option by a map to whole numbers, where not all rows rank alike."""
    tolerance: Percentage | None = None
    """How far another value of the same item may be from this one and still agree, in percent of this one: `0.5%`. By
    default as far as the accuracy of both allows."""
    obs_status: Take | None = None
    """SDMX observation status of the value."""
    confidential: Take | None = None
    """Whether the sender marks the value as confidential: a map to `true`, `false`."""

    def takes(self) -> list[Take]:
        """Return every `Take` of the claim."""
        own = (self.reported_by, self.unit_measure, self.decimals, self.obs_status, self.confidential, self.precedence)
        return [t for t in (*own, *self.breakdown.values()) if isinstance(t, Take)]

    def tolerated(self) -> int | None:
        """Return the tolerance in millionths of the value; None without one."""
        return None if self.tolerance is None else int(Decimal(self.tolerance.rstrip(" %")) * PERCENT) or None

    def conditions(self) -> dict[str, tuple[str, ...]]:
        """Return `when` with a tuple of texts for each column."""
        given = self.when or {}
        return {column: (texts,) if isinstance(texts, str) else texts for column, texts in given.items()}

    def cell_form(self) -> tuple[object, ...]:
        """Return how the cell is read, before its number."""
        return self.missing_values, self.missing_pattern, tuple((self.flags or {}).items())

    def problems(self) -> list[str]:
        """Return what is wrong with its own texts."""
        flags = self.flags or {}
        found = [f"flags: {s!r} is none of {', '.join(OBS_STATUS)}" for s in flags.values() if s not in OBS_STATUS]
        found += [f"flags: {mark!r} is empty or a number" for mark in flags if re.fullmatch("[0-9 ]*", mark)]
        return found + (_bad_ranks(self.precedence) if isinstance(self.precedence, Take) else [])


def _bad_ranks(precedence: Take) -> list[str]:
    """Return what is wrong with the ranks that a `Take` can give."""
    ranks = [*(precedence.map or {}).values(), precedence.map_default or "0"]
    ranks += [precedence.value or ("" if precedence.map is None else "0")]
    return [f"precedence: {r!r} is no whole number" for r in ranks if not re.fullmatch("[0-9]{1,4}", r)]


class Unpivot(Strict):
    """Columns that become rows: each of their cells is a row of its own, with what the name of its column states.

    The other columns are the same in all rows of one delivered row. A cell that is rejected costs its own claims; the
    delivered row is then counted as rejected, whatever its other cells give.
    """

    columns: tuple[str, ...] | dict[str, dict[str, str]] = ()
    """The columns: a list of names, or name -> the texts of the new columns, by name."""
    pattern: str | None = None
    """Regular expression (RE2) of whole names of columns. Its named groups become columns: `POP(?<year>[0-9]{4})`."""
    name: str | None = None
    """The new column that holds the delivered column's name."""
    value: str = "value"
    """The new column that holds the cell."""

    def groups(self) -> list[str]:
        """Return the names of the groups of its pattern."""
        return group_names(self.pattern)

    def made(self) -> list[str]:
        """Return the new columns."""
        stated = [name for texts in self.columns.values() for name in texts] if isinstance(self.columns, dict) else []
        return list(dict.fromkeys((*((self.name,) if self.name else ()), *self.groups(), *stated, self.value)))

    def listed(self) -> list[str]:
        """Return the columns that it names."""
        return list(self.columns)

    @model_validator(mode="after")
    def _has_columns(self) -> Self:
        if not self.columns and self.pattern is None:
            raise ValueError("give columns or pattern")
        if self.value in (self.name, *self.groups()):
            raise ValueError(f"value: {self.value!r} is the name of another new column")
        if self.pattern is not None:
            try:
                pl.Series([""]).str.contains(self.pattern)
            except pl.exceptions.ComputeError as error:
                raise ValueError(f"{self.pattern!r} is not a regular expression: {error}") from error
        return self
