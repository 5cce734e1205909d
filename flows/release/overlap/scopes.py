"""The scopes of redundancy of a staged release: what all reports, and those of an agency, sender or unit, repeat."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import polars as pl

from flows.release.staged import StagedRelease
from infra.lake import delta as lake
from infra.lake.item_tables import ItemTables
from schemas.record_tables import SINGLE_PARTITION
from transforms.overlap.counts import ROW_KEYS, sum_rows
from transforms.overlap.measures import redundancy_rows, scope_hours

COMPACT_FACTOR: Final = 2
"""Counts are added up in the lake where so many rows are one on average."""
_COUNTED: Final = ("sender", "unit")
"""The scopes whose counts are what the nights counted, added up; those of the others are given whole."""
_SCOPE: Final = ("scope", "name")


@dataclass(frozen=True)
class ScopeChange:
    """What is added to the counts of scopes: items and figures, and reports by obligation; with the hours of these.

    counts: as `transforms.overlap.counts.OverlapCounts` has; reports: as `transforms.overlap.measures.scope_reports`.
    Those of all reports and of agencies are given whole. same_hours: whether the hours are those of the last release.
    """

    counts: Sequence[pl.DataFrame]
    reports: Sequence[pl.DataFrame]
    hours: pl.DataFrame
    same_hours: bool


class _Sums(NamedTuple):
    """Counts before, now, and what differs."""

    before: pl.DataFrame
    now: pl.DataFrame
    delta: pl.DataFrame


def write_scopes(tables: ItemTables, staged: StagedRelease, change: ScopeChange) -> None:
    """Append the counts of scopes that changed, and what they repeat and cost in this release."""
    counts = _add(tables, staged, "scope_counts", "scopes", change.counts)
    reports = _add(tables, staged, "scope_reports", "scope_reports", change.reports)
    staged.count_overlap("redundancy", counts.before.clear() if staged.counts_afresh else counts.before, counts.now)
    reached = [counts.delta, reports.delta] if change.same_hours else [counts.delta, counts.now]
    changed = pl.concat([rows.select(_SCOPE) for rows in reached]).unique().sort(_SCOPE)
    if changed.is_empty():
        return
    rows = changed.join(counts.now, on=_SCOPE, how="left", maintain_order="left").fill_null(0)
    costs = scope_hours(reports.now.join(changed, on=_SCOPE, how="semi"), change.hours)
    numbered = redundancy_rows(rows, costs).with_columns(
        release=pl.lit(staged.release, pl.Int32), partition=pl.lit(SINGLE_PARTITION)
    )
    staged.check("redundancy", numbered)
    tables.append("redundancy", numbered)


def summed_counts(rows: pl.DataFrame, frame: str) -> pl.DataFrame:
    """Return counts added up, with their partition."""
    partitioned = "partition" in ROW_KEYS[frame]
    summed = sum_rows(rows if partitioned else rows.drop("partition", strict=False), frame)
    return summed if partitioned else summed.with_columns(partition=pl.lit(SINGLE_PARTITION))


def _add(tables: ItemTables, staged: StagedRelease, name: str, frame: str, added: Sequence[pl.DataFrame]) -> _Sums:
    """Add counts to an internal table, and return what it has now."""
    stored = tables.scan(name).collect()
    before = sum_rows(stored.drop("partition"), frame)
    base = before.filter(pl.col("scope").is_in(_COUNTED) & pl.lit(not staged.counts_afresh))
    now = sum_rows(pl.concat([base, *(rows.select(before.columns) for rows in added)]), frame)
    counts = [column for column in before.columns if column not in ROW_KEYS[frame]]
    delta = sum_rows(pl.concat([now, before.with_columns(-pl.col(counts))]), frame)
    if delta.height and stored.height and stored.height + delta.height > COMPACT_FACTOR * now.height:
        lake.overwrite(tables.root, name, [SINGLE_PARTITION], summed_counts(now, frame), tables.columns[name])
    else:
        tables.append(name, delta.with_columns(partition=pl.lit(SINGLE_PARTITION)))
    return _Sums(before, now, delta)
