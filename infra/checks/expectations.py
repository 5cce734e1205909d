"""The expectations on each published table: its declared columns, and conditions between columns."""

from dataclasses import dataclass
from typing import Final

from schemas.claims import PUBLISHED_TABLES, Column
from schemas.kind import Kind
from schemas.overlap import MEASURED_TABLES
from schemas.record_tables import published_kind_tables


@dataclass(frozen=True)
class Shape:
    """The expectations on one table, in addition to its declared columns."""

    columns: tuple[Column, ...]
    key: str | None = None
    """The column whose values are unique."""
    null_only_where: tuple[tuple[str, str, str], ...] = ()
    """(column, other, value): the column is null only in rows where the other column has that value."""
    filled_where: tuple[tuple[str, str, str], ...] = ()
    """(column, other, value): the list has elements in rows where the other column has that value, and in no others."""
    at_least_one: tuple[str, ...] = ()
    """Columns with counts that are never zero."""
    not_less_than: tuple[tuple[str, str], ...] = ()
    """(column, other): the first is at least the other."""

    def checked_columns(self) -> set[str]:
        """Return the columns whose values are checked; of the others only nulls are checked, if at all."""
        others = {other for _, other, _ in (*self.null_only_where, *self.filled_where)}
        compared = {column for pair in self.not_less_than for column in pair}
        return {c.name for c in self.columns if c.values} | set(self.at_least_one) | others | compared

    def may_be_null(self, column: str) -> bool:
        """Return whether the column may be null in any row."""
        nullable = {c.name for c in self.columns if c.nullable} - {c for c, _, _ in self.null_only_where}
        return column in nullable


SHAPES: Final = {
    "observations": Shape(
        PUBLISHED_TABLES["observations"],
        key="item_id",
        null_only_where=(("value", "obs_status", "Q"),),
        at_least_one=("reports", "reporters"),
        not_less_than=(("reports", "reporters"),),
    ),
    "sources": Shape(PUBLISHED_TABLES["sources"]),
    "conflicts": Shape(PUBLISHED_TABLES["conflicts"]),
    "changes": Shape(
        PUBLISHED_TABLES["changes"],
        null_only_where=(("agreement_before", "change", "added"), ("agreement_after", "change", "removed")),
    ),
    "overlap": Shape(
        MEASURED_TABLES["overlap"],
        at_least_one=("items",),
        not_less_than=(("expected", "items"), ("items", "agreeing"), ("items", "consistent"), ("items", "conflicting")),
    ),
    "overlap_reporters": Shape(
        MEASURED_TABLES["overlap_reporters"],
        at_least_one=("items",),
        not_less_than=(("items", "agreeing"), ("items", "consistent"), ("items", "conflicting")),
    ),
    "burden": Shape(
        MEASURED_TABLES["burden"],
        at_least_one=("reports", "figures"),
        not_less_than=(("figures", "reports"), ("figures", "figures_elsewhere"), ("hours_high", "hours_low")),
    ),
    "coverage": Shape(MEASURED_TABLES["coverage"], at_least_one=("items",)),
    "redundancy": Shape(
        MEASURED_TABLES["redundancy"],
        not_less_than=(("figures", "items"), ("figures", "figures_elsewhere"), ("reports", "reports_unknown")),
    ),
    "suspected": Shape(MEASURED_TABLES["suspected"], at_least_one=("common",), not_less_than=(("common", "agreeing"),)),
}
"""Table of observations or of overlap -> its shape."""


def shapes(kind: Kind) -> dict[str, Shape]:
    """Return published table -> its shape, for a record kind."""
    name, columns = kind.kind, published_kind_tables(kind)
    found = {table: Shape(own) for table, own in columns.items()}
    found[name] = Shape(
        columns[name],
        key="item_id",
        filled_where=(("conflicting", "agreement", "conflict"),),
        at_least_one=("reports", "reporters"),
        not_less_than=(("reports", "reporters"),),
    )
    found[f"{name}_sources"] = Shape(columns[f"{name}_sources"], key="claim_id")
    sides = (("before", "added"), ("after", "removed"))
    found[f"{name}_changes"] = Shape(
        columns[f"{name}_changes"],
        null_only_where=tuple((f"{c}_{side}", "change", v) for side, v in sides for c in ("agreement", "reports")),
    )
    return found
