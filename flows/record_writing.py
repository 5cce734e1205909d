"""What a kind's night found, written to the lake: what differs, and what is retired by it. Nothing is visible yet."""

import polars as pl

from flows.release.records.chunks import Part
from flows.release.records.resolution import KindNight
from infra.lake import kind_tables as lake_records
from infra.storage.places import Place
from schemas.record_tables import ALL
from transforms.records.consolidate import kept


def write(root: Place, night: KindNight, part: Part) -> dict[str, pl.DataFrame]:
    """Append what differs in a part of a night to the tables of its kind; return what was, by published table."""
    name = night.basis.kind.kind
    gone = part.changes.filter(pl.col("change") != "added")["item_id"]
    rows = {
        name: _differing(part.after.items, part),
        f"{name}_sources": _differing(part.after.sources, part),
        f"{name}_conflicts": _differing(part.after.conflicts, part),
        f"{name}_changes": part.changes.clear() if night.basis.release == 1 else part.changes,
    }
    _append(root, night, {f"{name}_retired": _retired(gone, "item")})
    return _append(root, night, rows)


def write_whole(root: Place, night: KindNight) -> dict[str, pl.DataFrame]:
    """Append what a night has to say beside its parts, as `write` does."""
    name, scored = night.basis.kind.kind, night.scored
    internal = {
        f"{name}_retired": _retired(scored.gone.unique(), "report"),
        f"{name}_reports": scored.index,
        f"{name}_edges": scored.edges,
    }
    _append(root, night, internal)
    return _append(root, night, {f"{name}_history": night.history})


def _append(root: Place, night: KindNight, rows: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    numbered = {
        table: frame.with_columns(
            pl.lit(night.basis.release, dtype=pl.Int32).alias("release"), pl.lit(ALL).alias("partition")
        )
        for table, frame in rows.items()
    }
    for table, frame in numbered.items():
        lake_records.append(root, night.basis.kind, table, frame)
    return numbered


def _differing(rows: pl.DataFrame, part: Part) -> pl.DataFrame:
    """Return the rows of items that are other than before: all of them, where nothing was."""
    if part.before.items.is_empty():
        return rows
    return kept(rows, pl.col("item_id").is_in(part.changes["item_id"].implode()))


def _retired(ids: pl.Series, what: str) -> pl.DataFrame:
    """Return the items or reports of which older rows are live no more."""
    return ids.to_frame("id").with_columns(pl.lit(what).alias("what"))
