"""The tables of overlap of a staged release: what a night's items count, added to what the last release has.

Counts are sums over items (`transforms.overlap.counts`). Those of reports are appended to an internal table and read
again only for the months that the night reaches; the rows of these months are then written whole.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.release.overlap.scopes import COMPACT_FACTOR, ScopeChange, summed_counts, write_scopes
from flows.release.staged import StagedRelease
from infra.lake import delta as lake
from infra.lake.item_tables import ItemTables, observation_tables, overlap_tables
from infra.lake.partitions import group_partitions, partition_rows
from infra.ledger.releases import Release
from schemas.claims import empty
from schemas.overlap import OVERLAP_COUNTS
from schemas.record_tables import SINGLE_PARTITION
from transforms.descriptions import obligation_rows
from transforms.observations.consolidate import STATEMENT, ConsolidatedClaims
from transforms.overlap.counts import OverlapCounts, add_counts, count_statements, subtracted, sum_rows
from transforms.overlap.measures import (
    agencies_of_obligations,
    agency_reports,
    burden_rows,
    coverage_rows,
    hours_of_obligations,
    overlap_rows,
    reporter_rows,
    scope_counts,
    scope_reports,
    set_counts,
    with_hours,
)
from transforms.overlap.statements import read_statements

CHUNK_ROWS: Final = 700_000
"""About so many items, or counts of reports, are taken at once."""
_BY_MONTH: Final = ("overlap", "overlap_reporters", "coverage", "burden")
_HOURS: Final = ("hours_low", "hours_high", "hours_elsewhere_low", "hours_elsewhere_high", "hours_basis")


def begin_measures(installation: Installation, staged: StagedRelease, last: Release | None) -> None:
    """Begin with the counts of the last release; with none if it follows other rules.

    A release of an older version has none: they are counted from its items.
    """
    tables = overlap_tables(installation.settings.lake)
    known = last is not None and OVERLAP_COUNTS.keys() <= last["tables"].keys() and _has_all_columns(tables)
    staged.counts_afresh = staged.outdated or not known
    if not staged.counts_afresh and last is not None:
        staged.overlap_lanes = list(map(int, last["digest_lanes"].split(",")[len(staged.lanes) :]))
        staged.counted_in = last["tables"]
        return
    _empty_tables(tables)
    if last is not None and not staged.outdated:
        for statements in _released_statements(installation, last):
            _add(tables, staged, count_statements(statements))


def _empty_tables(tables: ItemTables) -> None:
    for name in ("report_counts", *_BY_MONTH):
        months = _stored_months(tables, name)
        if months:
            lake.overwrite(tables.root, name, months, empty(tables.columns[name]), tables.columns[name])


def count_measures(
    installation: Installation, staged: StagedRelease, before: ConsolidatedClaims | None, after: ConsolidatedClaims
) -> None:
    """Count what some items changed: what they state now, less what they stated in the last release."""
    counts = count_statements(after.statements)
    if before is not None and not staged.outdated:
        counts = add_counts([counts, subtracted(count_statements(before.statements))])
    _add(overlap_tables(installation.settings.lake), staged, counts)


def write_measures(installation: Installation, staged: StagedRelease) -> pl.DataFrame:
    """Write the tables of overlap of the months that were counted, and of all where hours or agencies are other ones.

    Returns the table `coverage`.
    """
    tables = overlap_tables(installation.settings.lake)
    duties = obligation_rows(installation.contracts.values())
    hours = hours_of_obligations(duties)
    counted = add_counts([count_statements(pl.DataFrame(schema=STATEMENT)), *staged.overlap_counts])
    changed = [scope_reports(empty(tables.columns["report_counts"]))]
    for months in _month_groups(tables, staged.counted_months):
        changed += _write_months(tables, staged, months, counted, hours)
    burden, coverage = (tables.scan(name).collect() for name in ("burden", "coverage"))
    stated = with_hours(burden.drop(_HOURS), hours)
    same_hours = _replace_months(tables, staged, "burden", burden, stated)
    own = scope_counts(coverage, agencies_of_obligations(duties))
    whole = agency_reports(stated, agencies_of_obligations(duties))
    write_scopes(tables, staged, ScopeChange([counted.scopes, own], [*changed, whole], hours, same_hours=same_hours))
    return coverage


def compact_measures(installation: Installation, months: list[str]) -> None:
    """Add up all counts of these months, and forget scopes that count nothing any more."""
    tables = overlap_tables(installation.settings.lake)
    for name, frame, partitions in (
        ("report_counts", "reports", months),
        ("scope_counts", "scopes", None),
        ("scope_reports", "scope_reports", None),
    ):
        rows = tables.scan(name, partitions=partitions).collect()
        if rows.height:
            _overwrite(tables, name, rows["partition"].unique().to_list(), summed_counts(rows, frame))
    scopes = tables.scan("scope_counts").select("scope", "name").collect()
    series = tables.scan("redundancy").collect()
    if series.height:
        remaining = series.join(scopes, on=["scope", "name"], how="semi", maintain_order="left")
        _overwrite(tables, "redundancy", [SINGLE_PARTITION], remaining)


def _add(tables: ItemTables, staged: StagedRelease, counts: OverlapCounts) -> None:
    """Append the counts of reports to the lake, and remember the others, which are few."""
    tables.append("report_counts", counts.reports)
    for rows in (counts.reports, counts.pairs, counts.reporter_pairs, counts.sets):
        staged.counted_months |= set(rows["partition"].unique())
    staged.overlap_counts.append(replace(counts, reports=counts.reports.clear()))


def _released_statements(installation: Installation, last: Release) -> Iterator[pl.DataFrame]:
    """Yield the statements of a release, of some months each."""
    tables = observation_tables(installation.settings.lake)
    sizes = partition_rows(tables.root, "observations").sort("partition").rows()
    for months in group_partitions(sizes, rows=CHUNK_ROWS):
        live = (tables.live(name, last["tables"], months) for name in ("sources", "observations"))
        yield read_statements(*live).select(*STATEMENT)


def _stored_months(tables: ItemTables, name: str) -> list[str]:
    return tables.scan(name).select(pl.col("partition").unique()).collect()["partition"].sort().to_list()


def _has_all_columns(tables: ItemTables) -> bool:
    """Return whether the lake's tables have all columns: those of an older version of Engang may lack some."""
    declared = {name: {column.name for column in tables.columns[name]} for name in (*OVERLAP_COUNTS, *_BY_MONTH)}
    return all(
        columns <= set(lake.scan(tables.root, name).collect_schema().names())
        for name, columns in declared.items()
        if lake.exists(tables.root, name)
    )


def _month_groups(tables: ItemTables, months: set[str]) -> Iterator[list[str]]:
    """Yield months in groups of about `CHUNK_ROWS` counts of reports."""
    if not months:
        return
    wanted = pl.DataFrame({"partition": sorted(months)}, schema={"partition": pl.String})
    stored = partition_rows(tables.root, "report_counts")
    sizes = wanted.join(stored, on="partition", how="left", maintain_order="left").with_columns(
        pl.col("rows").fill_null(0)
    )
    yield from group_partitions(sizes.rows(), rows=CHUNK_ROWS)


def _write_months(
    tables: ItemTables, staged: StagedRelease, months: list[str], counted: OverlapCounts, hours: pl.DataFrame
) -> list[pl.DataFrame]:
    """Write some months; return how many reports each scope has now and, with the other sign, had before."""
    stored = tables.scan("report_counts", partitions=months).collect()
    reports = summed_counts(stored, "reports")
    if stored.height > COMPACT_FACTOR * reports.height:
        _overwrite(tables, "report_counts", months, reports)
    before = {name: tables.scan(name, partitions=months).collect() for name in _BY_MONTH}
    pairs = _sum_with(before["overlap"], counted.pairs, months, "pairs")
    reporters = _sum_with(before["overlap_reporters"], counted.reporter_pairs, months, "reporter_pairs")
    sets = _sum_with(set_counts(before["coverage"]), counted.sets, months, "sets")
    overlap = overlap_rows(pairs, reports)
    rows = {
        "overlap": overlap,
        "overlap_reporters": reporter_rows(reporters),
        "coverage": coverage_rows(sets),
        "burden": burden_rows(reports, overlap, hours),
    }
    for name in _BY_MONTH:
        _replace_months(tables, staged, name, before[name], rows[name])
    if staged.counts_afresh:
        return [scope_reports(reports)]
    known = summed_counts(tables.live("report_counts", staged.counted_in, months).collect(), "reports")
    return [scope_reports(reports), scope_reports(known).with_columns(-pl.col("reports", "reports_elsewhere"))]


def _sum_with(before: pl.DataFrame, counted: pl.DataFrame, months: list[str], frame: str) -> pl.DataFrame:
    own = counted.filter(pl.col("partition").is_in(months))
    return sum_rows(pl.concat([before.select(own.columns), own]), frame)


def _replace_months(
    tables: ItemTables, staged: StagedRelease, name: str, before: pl.DataFrame, after: pl.DataFrame
) -> bool:
    """Write the rows of some months instead of those before, and count them into the digest; or return that all are."""
    key = list(after.columns)
    if before.select(key).sort(key[:4]).equals(after.sort(key[:4])):
        return True
    staged.count_overlap(name, before, after)
    staged.check(name, after)
    months = {*before["partition"], *after["partition"]}
    if before.height:
        _overwrite(tables, name, sorted(months), after)
    else:
        tables.append(name, after)
    return False


def _overwrite(tables: ItemTables, name: str, partitions: list[str], rows: pl.DataFrame) -> None:
    lake.overwrite(tables.root, name, partitions, rows, tables.columns[name])
