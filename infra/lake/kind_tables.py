"""The lake's tables of record kinds: of each kind `<kind>_records` and what a release publishes and needs of it.

A release names the version of each that was there. Nothing is written to a kind's tables before it has records, so an
older release reads as empty. All rows stand in one partition; `<kind>_retired` lists what a later release replaced:

    live(items, sources, conflicts) = rows whose `release` >= the greatest retired release of their item
    live(reports)                   = those of their report
    live(edges)                     = those of both their reports
    live(changes, history)          = all rows

A column that the kind's file has and a table has not is null.
"""

from collections.abc import Iterable
from typing import Literal

import polars as pl

from infra.lake import delta as lake
from infra.storage.places import Place
from schemas.claims import Column, empty, frame_schema
from schemas.kind import Kind
from schemas.record_tables import ALL, internal, published, record

Retired = Literal["item", "report"]


def tables(kind: Kind) -> dict[str, tuple[Column, ...]]:
    """Return the columns of every table of a kind, by name."""
    return {f"{kind.kind}_records": (*record(kind), lake.BATCH), **published(kind), **internal(kind)}


def versioned(kinds: Iterable[Kind]) -> tuple[str, ...]:
    """Return the tables whose versions a release names, those that every installation has first."""
    return (*lake.VERSIONED, *(name for kind in kinds for name in (*published(kind), *internal(kind))))


def replaced(kind: Kind) -> dict[str, tuple[Retired, tuple[str, ...]]]:
    """Return the tables in which a later release replaces rows: whose rows, and the columns that name them."""
    name = kind.kind
    by_item: tuple[Retired, tuple[str, ...]] = ("item", ("item_id",))
    return {
        name: by_item,
        f"{name}_sources": by_item,
        f"{name}_conflicts": by_item,
        f"{name}_reports": ("report", ("report_id",)),
        f"{name}_edges": ("report", ("a", "b")),
    }


def append(root: Place, kind: Kind, name: str, frame: pl.DataFrame) -> None:
    """Add rows to a table of a kind in one commit; raises `StoreError` if the store does not take them."""
    lake.append(root, name, frame, tables(kind)[name])


def scan(root: Place, kind: Kind, name: str, version: int | None = None) -> pl.LazyFrame:
    """Return a table of a kind as it stands in the lake, retired rows included, lazily; the newest by default."""
    columns = tables(kind)[name]
    if not lake.exists(root, name):
        return empty(columns).lazy()
    rows = lake.scan(root, name, version)
    kept = rows.collect_schema()
    schema = frame_schema(columns)
    return rows.select(pl.col(c) if c in kept else pl.lit(None, dtype=schema[c]).alias(c) for c in schema)


def live(root: Place, kind: Kind, name: str, released: dict[str, int]) -> pl.LazyFrame:
    """Return the rows of a table of a kind that belong to a release, lazily."""
    if name not in released:
        return empty(tables(kind)[name]).lazy()
    rows = scan(root, kind, name, released[name])
    if name not in replaced(kind):
        return rows
    what, ids = replaced(kind)[name]
    return without_retired(rows, ids, retired(root, kind, released, what))


def retired(root: Place, kind: Kind, released: dict[str, int], what: Retired) -> pl.DataFrame:
    """Return the items, or the reports, of which rows are retired: id, _until (the release that did so last)."""
    if f"{kind.kind}_retired" not in released:
        return pl.DataFrame(schema={"id": pl.String, "_until": pl.Int32})
    rows = scan(root, kind, f"{kind.kind}_retired", released[f"{kind.kind}_retired"]).filter(what=what)
    return rows.group_by("id").agg(pl.col("release").max().alias("_until")).collect()


def without_retired(rows: pl.LazyFrame, ids: Iterable[str], gone: pl.DataFrame) -> pl.LazyFrame:
    """Return the rows of which no later release retired any of their ids."""
    if not gone.height:
        return rows
    for column in ids:
        marked = rows.join(gone.lazy(), left_on=column, right_on="id", how="left")
        rows = marked.filter(pl.col("release") >= pl.col("_until").fill_null(0)).drop("_until")
    return rows


def compact(root: Place, kind: Kind) -> bool:
    """Rewrite a kind's tables if they are small or enough of them is retired, dropping what is; tell whether it did."""
    now = lake.versions(root, versioned([kind]))
    gone: dict[Retired, pl.DataFrame] = {
        "item": retired(root, kind, now, "item"), "report": retired(root, kind, now, "report")
    }  # fmt: skip
    ids = sum(frame.height for frame in gone.values())
    held = sum(_rows(root, name) for name in (kind.kind, f"{kind.kind}_reports") if name in now)
    if not ids or (held > lake.COMPACT_ROWS and ids <= lake.COMPACT_SHARE * held):
        return False
    for name, (what, columns) in replaced(kind).items():
        if name in now and gone[what].height:
            kept = without_retired(scan(root, kind, name, now[name]), columns, gone[what])
            lake.overwrite(root, name, [ALL], kept.sort(columns).collect(), tables(kind)[name])
    left = f"{kind.kind}_retired"
    lake.overwrite(root, left, [ALL], empty(tables(kind)[left]), tables(kind)[left])
    return True


def _rows(root: Place, name: str) -> int:
    return int(lake.partition_rows(root, name)["rows"].sum())
