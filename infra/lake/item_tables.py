"""The lake's tables of observations or of one record kind: what a later release replaced, left out and compacted.

A night writes what changed, not all that is around it. A row that a later release replaces stays where it is, and its
item (or report) is listed in the `retired` table until its partition is compacted. A row is live in a release when no
release up to it retired one of its ids later:

    live(table) = rows whose `release` >= the greatest `retired.release` of each of their ids

The tables of a record kind come into being with its first record and may gain columns: one that is not there reads as
empty, and a column that the kind has and the table has not is null.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from infra.lake import delta
from infra.lake.partitions import group_partitions, partition_rows
from infra.storage.places import Place
from schemas.claims import PUBLISHED_TABLES, Column, empty, frame_schema
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.kind import Kind
from schemas.overlap import MEASURED_TABLES, OVERLAP_COUNTS
from schemas.record_tables import internal_kind_tables, published_kind_tables, record_columns

Retired = Literal["item", "report"]
BY_ITEM: Final[tuple[Retired, tuple[str, ...]]] = ("item", ("item_id",))
COMPACT_ROWS: Final = 50_000
COMPACT_SHARE: Final = 0.1
COMPACT_BATCH: Final = 500_000
"""A partition is rewritten when it is small, or this share of it is retired: the work stays in proportion to change."""
_NONE_RETIRED: Final = {"id": pl.String, "partition": pl.String, "_until": pl.Int32}


@dataclass(frozen=True)
class ItemTables:
    """The tables of observations, or of one record kind.

    items: the name of the table of items. prefix: what the names of the other tables begin with. published: the columns
    of the tables that a release publishes; columns: those of all tables. replaced: the tables in which a later release
    replaces rows: by what, and the columns that hold its ids. weighed: the tables whose rows are compared with the
    number of retired ids to decide about compaction. fixed: whether every installation has them, with these columns.
    """

    root: Place
    items: str
    prefix: str
    published: Mapping[str, tuple[Column, ...]]
    columns: Mapping[str, tuple[Column, ...]]
    replaced: Mapping[str, tuple[Retired, tuple[str, ...]]]
    weighed: tuple[str, ...]
    fixed: bool

    def append(self, name: str, frame: pl.DataFrame) -> None:
        """Add rows to a table in one commit; raises `StoreError` if the store does not take them."""
        delta.append(self.root, name, frame, None if self.fixed else self.columns[name])

    def scan(self, name: str, version: int | None = None, partitions: list[str] | None = None) -> pl.LazyFrame:
        """Return a table as it is in the lake, retired rows included, lazily; the newest version by default."""
        if version is None and not self.fixed and not delta.exists(self.root, name):  # a version is of what there is
            return empty(self.columns[name]).lazy()
        rows = delta.scan(self.root, name, version, partitions)
        stored, schema = rows.collect_schema(), frame_schema(self.columns[name])
        return rows.select(pl.col(c) if c in stored else pl.lit(None, dtype=schema[c]).alias(c) for c in schema)

    def live(self, name: str, versions: Mapping[str, int], partitions: list[str] | None = None) -> pl.LazyFrame:
        """Return the rows of a table that belong to a release (the versions of its tables), lazily."""
        if name not in versions:
            return empty(self.columns[name]).lazy()
        rows = self.scan(name, versions[name], partitions)
        if name not in self.replaced:
            return rows
        what, ids = self.replaced[name]
        return _without_retired(rows, ids, self.retired(versions, what, partitions))

    def live_months(self, name: str, versions: Mapping[str, int], partitions: list[str]) -> pl.LazyFrame:
        """Return the rows of some partitions as `live`, in any order: those where none is retired are not searched."""
        touched = self.retired(versions, self.replaced[name][0], partitions)["partition"].unique()
        groups = [[p for p in partitions if p in touched], [p for p in partitions if p not in touched]]
        return pl.concat([self.live(name, versions, group) for group in groups if group])

    def changes(self, release: int) -> pl.LazyFrame:
        """Return what a release, staged or published, changed against the one before, lazily."""
        return self.scan(f"{self.prefix}changes").filter(pl.col("release") == release)

    def retired(
        self, versions: Mapping[str, int], what: Retired = "item", partitions: list[str] | None = None
    ) -> pl.DataFrame:
        """Return the items or reports with retired rows: id, partition, _until (the last release that retired them)."""
        name = f"{self.prefix}retired"
        if name not in versions:
            return pl.DataFrame(schema=_NONE_RETIRED)
        rows = self.scan(name, versions[name], partitions)
        if not self.fixed:
            rows = rows.filter(what=what)
        id_ = "item_id" if self.fixed else "id"
        return (
            rows.group_by(pl.col(id_).alias("id"), "partition").agg(pl.col("release").max().alias("_until")).collect()
        )

    def versions(self) -> dict[str, int]:
        """Return the newest version of each of the tables that a release names, of those that are there."""
        return delta.newest_versions(self.root, [name for name in self.columns if name not in self._registered])

    @property
    def _registered(self) -> tuple[str, ...]:
        """The table of registered claims or records, which belongs to no release."""
        return ("claims",) if self.fixed else (f"{self.prefix}records",)

    def compact(self, partitions: list[str] | None = None, *, every: bool = False) -> list[str]:
        """Rewrite those of the partitions where enough is retired, dropping what is; return those rewritten.

        every: rewrite all where anything is retired.
        """
        now = self.versions()
        retired = {what: self.retired(now, what, partitions) for what in {what for what, _ in self.replaced.values()}}
        counts = pl.concat(retired.values()).group_by("partition").agg(pl.len().alias("retired"))
        if not counts.height:
            return []
        sizes = pl.concat(partition_rows(self.root, name) for name in self.weighed if name in now)
        sizes = sizes.group_by("partition").agg(pl.col("rows").sum())
        weighed = counts.join(sizes, on="partition", how="left").with_columns(pl.col("rows").fill_null(0))
        worth = (pl.col("rows") <= COMPACT_ROWS) | (pl.col("retired") > COMPACT_SHARE * pl.col("rows"))
        chosen = weighed.filter(worth | pl.lit(every)).sort("partition")
        for group in group_partitions(chosen.select("partition", "rows").rows(), rows=COMPACT_BATCH):
            self._rewrite(group, now, retired)
        if chosen.height:
            name = f"{self.prefix}retired"
            self._overwrite(name, chosen["partition"].to_list(), empty(self.columns[name]))
        return chosen["partition"].to_list()

    def _rewrite(self, partitions: list[str], now: dict[str, int], retired: dict[Retired, pl.DataFrame]) -> None:
        for name, (what, ids) in self.replaced.items():
            dropped = retired[what].filter(pl.col("partition").is_in(partitions))
            if name in now and dropped.height:
                rows = _without_retired(self.scan(name, now[name], partitions), ids, dropped)
                order = ids if len(partitions) == 1 else ("partition", *ids)
                self._overwrite(name, partitions, rows.sort(order).collect())

    def _overwrite(self, name: str, partitions: list[str], rows: pl.DataFrame) -> None:
        delta.overwrite(self.root, name, partitions, rows, None if self.fixed else self.columns[name])


def observation_tables(root: Place) -> ItemTables:
    """Return the tables of observations."""
    replaced = dict.fromkeys(("observations", "sources", "conflicts"), BY_ITEM)
    return ItemTables(root, "observations", "", PUBLISHED_TABLES, delta.TABLES, replaced, ("observations",), fixed=True)


def kind_tables(root: Place, kind: Kind) -> ItemTables:
    """Return the tables of a record kind: `<kind>_records` and what a release publishes and needs of it."""
    name = kind.kind
    replaced: dict[str, tuple[Retired, tuple[str, ...]]] = {
        **dict.fromkeys((name, f"{name}_sources", f"{name}_conflicts"), BY_ITEM),
        f"{name}_reports": ("report", ("report_id",)),
        f"{name}_edges": ("report", ("a", "b")),
    }
    columns = {
        f"{name}_records": (*record_columns(kind), delta.BATCH_COLUMN),
        **published_kind_tables(kind),
        **internal_kind_tables(kind),
    }
    weighed = (name, f"{name}_reports")
    return ItemTables(root, name, f"{name}_", published_kind_tables(kind), columns, replaced, weighed, fixed=False)


def description_tables(root: Place) -> ItemTables:
    """Return the tables that describe a release: no row of theirs is of an item, and each is written whole."""
    return ItemTables(
        root, "descriptions", "descriptions_", DESCRIPTION_TABLES, DESCRIPTION_TABLES, {}, (), fixed=False
    )


def overlap_tables(root: Place) -> ItemTables:
    """Return the tables of overlap and what they are made of: months of rows that the night writes whole."""
    columns = {**MEASURED_TABLES, **OVERLAP_COUNTS}
    return ItemTables(root, "overlap", "overlap_", MEASURED_TABLES, columns, {}, (), fixed=False)


def versioned_tables(kinds: Iterable[Kind]) -> tuple[str, ...]:
    """Return the tables whose versions a release names: of observations, overlap, those that describe it, of kinds."""
    return (
        *delta.VERSIONED,
        *DESCRIPTION_TABLES,
        *MEASURED_TABLES,
        *OVERLAP_COUNTS,
        *(name for kind in kinds for name in (*published_kind_tables(kind), *internal_kind_tables(kind))),
    )


def _without_retired(rows: pl.LazyFrame, ids: Iterable[str], retired: pl.DataFrame) -> pl.LazyFrame:
    """Return the rows of which no later release retired any of their ids."""
    if not retired.height:
        return rows
    until = retired.lazy().select("id", "_until")
    for column in ids:
        marked = rows.join(until, left_on=column, right_on="id", how="left")
        rows = marked.filter(pl.col("release") >= pl.col("_until").fill_null(0)).drop("_until")
    return rows
