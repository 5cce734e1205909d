"""What a kind's night found, written to the lake: what differs, and what is retired by it. Nothing is visible yet."""

from pathlib import Path

import polars as pl

from flows.record_night import KindNight
from infra import lake_records
from schemas.record_tables import ALL
from transforms.record_items import kept


def write(root: Path, night: KindNight) -> dict[str, pl.DataFrame]:
    """Append a night's rows to the tables of its kind; return what was appended to each published table."""
    kind, name = night.basis.kind, night.basis.kind.kind
    rows = rows_of(night)
    for table, frame in {f"{name}_retired": _retired(night), **_internal(night), **rows}.items():
        lake_records.append(root, kind, table, frame)
    return rows


def rows_of(night: KindNight) -> dict[str, pl.DataFrame]:
    """Return the rows that a release adds to the published tables of a kind, by table."""
    name = night.basis.kind.kind
    rows = {
        name: _differing(night.after.items, night.changes),
        f"{name}_sources": _differing(night.after.sources, night.changes),
        f"{name}_conflicts": _differing(night.after.conflicts, night.changes),
        f"{name}_changes": night.changes.clear() if night.basis.release == 1 else night.changes,
        f"{name}_history": night.history,
    }
    return {table: _numbered(frame, night) for table, frame in rows.items()}


def _differing(rows: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    return kept(rows, pl.col("item_id").is_in(changes["item_id"].implode()))


def _internal(night: KindNight) -> dict[str, pl.DataFrame]:
    name = night.basis.kind.kind
    return {
        f"{name}_reports": _numbered(night.scored.index, night),
        f"{name}_edges": _numbered(night.scored.edges, night),
    }


def _retired(night: KindNight) -> pl.DataFrame:
    """Return the items and reports of which older rows are live no more."""
    items = night.changes.filter(pl.col("change") != "added").select(pl.col("item_id").alias("id"))
    reports = night.scored.gone.unique().to_frame().select(pl.col("report_id").alias("id"))
    both = [items.with_columns(pl.lit("item").alias("what")), reports.with_columns(pl.lit("report").alias("what"))]
    return _numbered(pl.concat(both), night)


def _numbered(frame: pl.DataFrame, night: KindNight) -> pl.DataFrame:
    return frame.with_columns(
        pl.lit(night.basis.release, dtype=pl.Int32).alias("release"), pl.lit(ALL).alias("partition")
    )
