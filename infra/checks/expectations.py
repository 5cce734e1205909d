"""What is expected of each published table: its declared columns and what must be so between them."""

from dataclasses import dataclass
from typing import Final

from schemas.claims import PUBLISHED, Column
from schemas.kind import Kind
from schemas.record_tables import published


@dataclass(frozen=True)
class Shape:
    """The expectations of one table, beyond what its columns say of themselves."""

    columns: tuple[Column, ...]
    key: str | None = None
    """The column in which nothing may stand twice."""
    null_only_where: tuple[tuple[str, str, str], ...] = ()
    """(column, other, value): the column is null only in rows whose other column has that value."""
    filled_where: tuple[tuple[str, str, str], ...] = ()
    """(column, other, value): the list holds something in rows whose other column has that value, and in no others."""
    at_least_one: tuple[str, ...] = ()
    """Columns that count something which is there."""
    not_less_than: tuple[tuple[str, str], ...] = ()
    """(column, other): the first is at least the other."""

    def looked_at(self) -> set[str]:
        """Return the columns whose values are checked; of the others only whether they are null, if that matters."""
        others = {other for _, other, _ in (*self.null_only_where, *self.filled_where)}
        return {c.name for c in self.columns if c.values} | set(self.at_least_one) | others

    def may_be_null(self, column: str) -> bool:
        """Tell whether nothing is expected of the column's nulls."""
        nullable = {c.name for c in self.columns if c.nullable} - {c for c, _, _ in self.null_only_where}
        return column in nullable


SHAPES: Final = {
    "observations": Shape(
        PUBLISHED["observations"],
        key="item_id",
        null_only_where=(("value", "agreement", "conflict"), ("value", "obs_status", "Q")),
        at_least_one=("reports", "reporters"),
        not_less_than=(("reports", "reporters"),),
    ),
    "sources": Shape(PUBLISHED["sources"]),
    "conflicts": Shape(PUBLISHED["conflicts"]),
    "changes": Shape(
        PUBLISHED["changes"],
        null_only_where=(("agreement_before", "change", "added"), ("agreement_after", "change", "removed")),
    ),
}
"""Those of the tables of observations, by name."""


def shapes(kind: Kind) -> dict[str, Shape]:
    """Return those of the published tables of a record kind, by name."""
    name, columns = kind.kind, published(kind)
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
