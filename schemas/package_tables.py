"""The tables of an analyst's package: what each holds, its key, what it refers to, and the order of its rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from schemas.claims import EXPORTED_SUBMISSION, IDENTITY, OBSERVATION, PUBLISHED_TABLES, REASONS, VALUE, Column
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.kind import Kind
from schemas.overlap import MEASURED_TABLES
from schemas.record_tables import published_kind_tables

PUBLISHED_REJECT: Final = (
    Column("submission_id", pl.String, "The submission"),
    Column("contract", pl.String, "The contract it was read with"),
    Column("row", pl.Int32, "Record number in the file, null for the whole file", nullable=True),
    Column("column", pl.String, "The column, if it is one that the contract names", nullable=True),
    Column("reason", pl.String, "Reason code", values=tuple(REASONS)),
    Column("means", pl.String, "What the reason is"),
    Column("rule", pl.String, "The contract's rule, if one was broken", nullable=True),
    Column("severity", pl.String, "critical: the row is rejected; warning: it counts", values=("critical", "warning")),
)
"""`rejects` of a package: why rows were rejected. No delivered text is in it, for anybody may have written anything."""
PUBLISHED_RELEASE: Final = (
    Column("release", pl.Int32, "Number of the release"),
    Column("published_at", pl.Datetime("us"), "When it was published, UTC"),
    Column("digest", pl.String, "Digest of what it publishes"),
    Column("items", pl.Int64, "How many items it has"),
)
HISTORY_ITEM: Final = (
    Column("item_id", pl.String, "The item"),
    *(column for column in OBSERVATION if column.name in {"concept", "unit_id", "unit_kind", "unit_code", "unit_name"}),
    *IDENTITY[2:],
    Column("change", pl.String, "What the release did", values=("added", "changed", "removed")),
    Column("value", VALUE, "Its value since this release; null when withheld or removed", nullable=True),
    Column("agreement", pl.String, "How its reports agree since this release; null when removed", nullable=True),
    Column("release", pl.Int32, "The release that changed it"),
    Column("partition", pl.String, "Month of period_start, YYYY-MM"),
)
"""`history` of a package: every item in every release up to this one, a row for each change."""


@dataclass(frozen=True)
class PackageTable:
    """One table of a package.

    means: what a row is. key: the columns whose values no two rows share; none where rows have no key. order: what rows
    are sorted by within a month. refers: column -> the table whose key it is.
    """

    name: str
    means: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    refers: dict[str, str] = field(default_factory=dict)


_ITEM_ORDER: Final = ("concept", "unit_id", "period_start", "breakdown", "item_id")
_ABOUT_ITEM: Final = {"item_id": "observations"}
_ALL_COLUMNS: Final = {**PUBLISHED_TABLES, **MEASURED_TABLES, **DESCRIPTION_TABLES}


def _table(
    name: str,
    means: str,
    key: tuple[str, ...] = (),
    *,
    order: tuple[str, ...] = (),
    columns: tuple[Column, ...] = (),
    refers: dict[str, str] | None = None,
) -> PackageTable:
    columns = columns or _ALL_COLUMNS[name]
    plain = tuple(column.name for column in columns if not isinstance(column.dtype, pl.List))
    return PackageTable(name, means, columns, key, _by_month(columns, order or key or plain), refers or {})


def _by_month(columns: tuple[Column, ...], order: tuple[str, ...]) -> tuple[str, ...]:
    """Return an order of rows in which months follow each other, as they are written."""
    first = tuple(column.name for column in columns if column.name == "partition")
    return (*first, *(name for name in order if name not in first))


COMMON_TABLES: Final = (
    _table("observations", "One published figure: an item once, however many reported it", ("item_id",),
           order=_ITEM_ORDER),
    _table("sources", "One claim behind an item: who stated what, in which cell of which file",
           order=("item_id", "claim_id"),
           refers={**_ABOUT_ITEM, "submission_id": "submissions"}),
    _table("conflicts", "One claim of an item whose claims contradict each other", order=(*_ITEM_ORDER, "claim_id"),
           refers=_ABOUT_ITEM),
    _table("changes", "One item that this release added, changed or removed", ("item_id",)),
    _table("history", "One change of an item, of all releases up to this one", ("item_id", "release"),
           columns=HISTORY_ITEM, order=(*_ITEM_ORDER, "release")),
    _table("submissions", "One delivered file behind the release", ("submission_id",), columns=EXPORTED_SUBMISSION,
           order=("received_at", "submission_id")),
    _table("rejects", "One reason why a row or a file was rejected, or a warning of it", columns=PUBLISHED_REJECT,
           order=("submission_id", "row", "column", "reason", "rule", "severity")),
    _table("releases", "One release up to this one", ("release",), columns=PUBLISHED_RELEASE),
    _table("obligations", "One contract that answers a reporting duty", ("obligation", "contract", "version")),
    _table("concepts", "One concept: what can be measured", ("concept",)),
    _table("dimensions", "One code of a dimension of breakdowns"),
    _table("units", "One reporting unit in the time of one code and name"),
    _table("overlap", "Items of one concept and period that two obligations both ask for",
           ("obligation_a", "obligation_b", "concept", "period_start")),
    _table("overlap_reporters", "Items of one concept and period that two reporters both state",
           ("reporter_a", "reporter_b", "concept", "period_start")),
    _table("burden", "What the reports of one obligation and period cost, and what of it others have too",
           ("obligation", "period_start", "unit_kind")),
    _table("redundancy", "Figures and hours of one agency, sender or unit, and the part that is superfluous",
           ("scope", "name", "release")),
    _table("coverage", "Items that the same obligations have, and have most accurately"),
    _table("suspected", "Two series, or a sum, that agree too often for chance, and what a person decided"),
)  # fmt: skip
"""The tables that every package has."""


def package_tables(kinds: Iterable[Kind] = ()) -> tuple[PackageTable, ...]:
    """Return the tables of a package: those of every one, then those of its record kinds."""
    return (*COMMON_TABLES, *(table for kind in kinds for table in _kind_tables(kind)))


def _kind_tables(kind: Kind) -> tuple[PackageTable, ...]:
    name, columns = kind.kind, published_kind_tables(kind)
    about = {"item_id": name}
    means: dict[str, tuple[str, tuple[str, ...], dict[str, str]]] = {
        name: (f"One item of the kind {name}: a record once, however many reported it", ("item_id",), {}),
        f"{name}_sources": ("One report behind such an item", ("item_id", "claim_id"), about),
        f"{name}_conflicts": ("One report and field on which the reports of an item differ", (), about),
        f"{name}_changes": ("One item that this release added, changed or removed", ("item_id",), {}),
        f"{name}_history": ("What happened to one id: merged, split, retired", (), {}),
    }
    return tuple(
        PackageTable(table, text, columns[table], key, _by_month(columns[table], key or ("item_id", "release")), refers)
        for table, (text, key, refers) in means.items()
    )
