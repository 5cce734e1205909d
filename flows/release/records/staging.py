"""Stages the record kinds one by one: resolves them, writes to the lake, counts into the staged release.

Nothing of it is visible before the release is published.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import polars as pl

from flows.installation import Installation
from flows.release.reconsolidation import published_records
from flows.release.records.chunks import RecordsPart, records_parts, records_parts_against
from flows.release.records.inputs import KindInputs
from flows.release.records.resolution import resolve_kind
from flows.release.staged import StagedRelease
from infra import telemetry
from infra.checks import engine as checks
from infra.checks.expectations import shapes
from infra.lake.item_tables import kind_tables
from infra.ledger.releases import Release
from infra.storage.places import Place
from schemas.kind import Kind
from schemas.record_tables import SINGLE_PARTITION
from transforms.identity import count_distinct
from transforms.records.consolidate import count_departed_items, filter_rows
from transforms.records.content import record_lane_sums
from transforms.records.resolution import KindResolution

OVERRULED_BY = {
    "different": "a decision that two reports are different",
    "reporter": "one report an item by each reporter",
}


@telemetry.span("resolve")
def stage_records(
    installation: Installation, staged: StagedRelease, kinds: Iterable[KindInputs], progress: Callable[[str], None]
) -> None:
    """Match and consolidate what the night reaches of each kind, and write what differs."""
    root = installation.settings.lake
    for inputs in kinds:
        kind, name = inputs.kind, inputs.kind.kind
        if kind.compared() and inputs.model is None:
            progress(f"{name} has no model: only declared identities and decisions join reports. `engang train {name}`")
        progress(f"matching {name}{' again, all of it' if inputs.rematch else ''}")
        resolution = resolve_kind(installation, inputs)
        warnings = pl.concat([resolution.scored.warnings, _overruled_warnings(kind, resolution)])
        for warning in warnings.iter_rows(named=True):
            progress(f"{name}: {warning['what']}: {warning['detail']} ({warning['count']} reports)")
        staged.items[name] = 0
        _check(staged, kind, _write_whole(root, inputs, resolution))
        for part in _parts(root, inputs, resolution):
            _check(staged, kind, _write_part(root, inputs, part))
            _count(staged, name, part)
            staged.unstated[name] += count_departed_items(part.before.sources, part.after.sources)
            del part  # frees its memory before the next one is made
        _note(staged, inputs, resolution, warnings)
        kind_tables(root, kind).compact()


def _parts(root: Place, inputs: KindInputs, resolution: KindResolution) -> Iterator[RecordsPart]:
    """Yield what is published of the kind, compared with the last release: with its tables, if it has other rules."""
    if inputs.new_rules is None:
        return records_parts(inputs.kind, resolution)
    return records_parts_against(inputs.kind, resolution, *published_records(root, inputs))


# Written


def _write_whole(root: Place, inputs: KindInputs, resolution: KindResolution) -> dict[str, pl.DataFrame]:
    """Append index, edges, retired reports and history to the tables of the kind; return rows by published table."""
    name, scored = inputs.kind.kind, resolution.scored
    internal = {
        f"{name}_retired": _retired(scored.outdated.unique(), "report"),
        f"{name}_reports": scored.index,
        f"{name}_edges": scored.edges,
    }
    _append(root, inputs, internal)
    return _append(root, inputs, {f"{name}_history": resolution.history})


def _write_part(root: Place, inputs: KindInputs, part: RecordsPart) -> dict[str, pl.DataFrame]:
    """Append what differs in a part to the tables of its kind; return the rows by published table."""
    name = inputs.kind.kind
    replaced = part.changes.filter(pl.col("change") != "added")["item_id"]
    rows = {
        name: _differing(part.after.items, part),
        f"{name}_sources": _differing(part.after.sources, part),
        f"{name}_conflicts": _differing(part.after.conflicts, part),
        f"{name}_changes": part.changes if inputs.released else part.changes.clear(),
    }
    _append(root, inputs, {f"{name}_retired": _retired(replaced, "item")})
    return _append(root, inputs, rows)


def _append(root: Place, inputs: KindInputs, rows: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    release, partition = pl.lit(inputs.release, dtype=pl.Int32), pl.lit(SINGLE_PARTITION)
    numbered = {table: frame.with_columns(release=release, partition=partition) for table, frame in rows.items()}
    for table, frame in numbered.items():
        kind_tables(root, inputs.kind).append(table, frame)
    return numbered


def _differing(rows: pl.DataFrame, part: RecordsPart) -> pl.DataFrame:
    """Return the rows of items that differ from before: all of them, where nothing was before."""
    if part.before.items.is_empty():
        return rows
    return filter_rows(rows, pl.col("item_id").is_in(part.changes["item_id"].implode()))


def _retired(ids: pl.Series, what: str) -> pl.DataFrame:
    """Return rows of `<kind>_retired`: items or reports whose older rows are live no more."""
    return ids.to_frame("id").with_columns(pl.lit(what).alias("what"))


# Counted


def _check(staged: StagedRelease, kind: Kind, written: dict[str, pl.DataFrame]) -> None:
    for table, rows in written.items():
        staged.suites.setdefault(table, checks.TableCheck(table, shapes(kind)[table])).add(rows)


def _count(staged: StagedRelease, name: str, part: RecordsPart) -> None:
    staged.count(record_lane_sums(part.content_after), part.after.buckets, 1)
    if not staged.outdated:  # by other rules, the release is counted from nothing
        staged.count(record_lane_sums(part.content_before), part.before.buckets, -1)
    staged.add_fates(part.before.fates, part.after.fates)
    staged.items[name] += part.after.items.height - part.before.items.height


def _note(staged: StagedRelease, inputs: KindInputs, resolution: KindResolution, warnings: pl.DataFrame) -> None:
    """Collect what publishing will write to the ledger about the kind."""
    name, decisions = inputs.kind.kind, inputs.changed_decisions
    if inputs.rematch or inputs.new_rules or decisions.height:
        staged.may_shrink.add(name)
    records = staged.records
    # Sorted rows are the quickest to insert.
    assignments = resolution.assignments.select(pl.lit(name).alias("kind"), "report_id", "item_id").sort("report_id")
    staged.records = replace(
        records,
        item_assignments=pl.concat([records.item_assignments, assignments]),
        counted=[*records.counted, *decisions.filter("after")["id"]],
        uncounted=[*records.uncounted, *decisions.filter("before")["id"]],
        warnings=pl.concat([records.warnings, warnings]),
    )


def _overruled_warnings(kind: Kind, resolution: KindResolution) -> pl.DataFrame:
    """Return a warning for each tie that was left out: what ties two reports, and what keeps them in two items."""
    tie = pl.when(pl.col("tie") == "decision").then(pl.format("decision {}", "decision")).otherwise(pl.lit("a key"))
    reason = pl.col("reason").replace_strict(OVERRULED_BY)
    return resolution.overruled.select(
        pl.lit(kind.kind).alias("kind"),
        pl.lit("overruled").alias("what"),
        pl.format("{} that {} and {} are the same gives way to {}", tie, "a", "b", reason).alias("detail"),
        pl.lit(2, dtype=pl.Int64).alias("count"),
    )


def staged_items(installation: Installation, staged: StagedRelease, last: Release | None) -> dict[str, tuple[int, int]]:
    """Return of each kind that the night touched how many items it has by count, and how many distinct ids."""
    root, counts = installation.settings.lake, last["counts"] if last else {}
    found = {}
    for name, gained in staged.items.items():
        tables = kind_tables(root, installation.kinds[name])
        ids = tables.live(name, tables.versions()).select("item_id", "release").collect()
        new, others = (ids.filter((pl.col("release") == staged.release) == now)["item_id"] for now in (True, False))
        # The ids of the last release were distinct: only those of this night can be there twice.
        again = int(others.is_in(new.implode()).sum()) if others.len() else 0
        found[name] = counts.get(name, 0) + gained, ids.height - (new.len() - count_distinct(new) + again)
    return found
