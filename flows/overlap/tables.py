"""The tables of overlap of a release: `schemas.overlap.OVERLAP_TABLES`."""

from collections.abc import Callable
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.overlap.derived import derive_items
from flows.overlap.release_statements import figures_of, hours_of, statements_of
from flows.published_tables import discovery_published, measures_published, tables_of_overlap
from flows.releases import find_release
from infra.lake import access as lake_access
from infra.lake.item_tables import overlap_tables
from infra.ledger.overlap_verdicts import read_overlap_verdicts
from infra.ledger.releases import Release
from schemas.claims import frame_schema
from schemas.overlap import MEASURED_TABLES, OVERLAP_TABLES
from schemas.record_tables import SINGLE_PARTITION
from transforms.descriptions import obligation_rows
from transforms.discovery.verdicts import with_verdicts
from transforms.overlap.counts import count_statements, sum_rows
from transforms.overlap.measures import (
    agencies_of_obligations,
    agency_reports,
    coverage_rows,
    hours_of_obligations,
    redundancy_rows,
    reporter_rows,
    scope_counts,
    scope_hours,
    scope_reports,
)
from transforms.overlap.pairs import burden_of, overlap_of
from transforms.overlap.replacements import REPORT


def overlap_table(installation: Installation, release: Release, name: str) -> pl.DataFrame:
    """Return one of `schemas.overlap.OVERLAP_TABLES` of a release: as it is published, or else computed."""
    if name == "suspected":
        frame = _suspected(installation, release)
    elif name in MEASURED_TABLES and measures_published(release):
        frame = tables_of_overlap(installation, release).live(name).collect()
    elif name in {"derivable", "derivable_from"}:
        derived = derive_items(installation, release)
        frame = derived.items if name == "derivable" else derived.edges
    else:
        frame = _MADE_BY[name](installation, statements_of(installation, release))
    if name == "redundancy" and not measures_published(release):
        frame = frame.with_columns(release=pl.lit(release["release"]))
    schema = frame_schema(OVERLAP_TABLES[name])
    return frame.select(schema.names()).cast(schema)


def _overlap(_: Installation, statements: pl.DataFrame) -> pl.DataFrame:
    return overlap_of(statements)


def _reporters(_: Installation, statements: pl.DataFrame) -> pl.DataFrame:
    return reporter_rows(count_statements(statements).reporter_pairs)


def _burden(installation: Installation, statements: pl.DataFrame) -> pl.DataFrame:
    return burden_of(statements, hours_of(installation))


def _suspected(installation: Installation, release: Release) -> pl.DataFrame:
    """Return the table with the verdicts of today; of an older version of Engang, of all its figures."""
    if not discovery_published(release):
        return discovered(installation, release)
    published = tables_of_overlap(installation, release).live("suspected").collect()
    return with_verdicts(published, read_overlap_verdicts(installation.engine))


def discovered(installation: Installation, release: Release) -> pl.DataFrame:
    """Return what is suspected of all figures of a release, which its table holds if a night compares so many."""
    if discovery_published(release) and release["counts"]["figures"] == release["counts"]["figures_compared"]:
        return _suspected(installation, release)
    from transforms.discovery.suspected import suspected_of  # and with it scipy: most tables need neither

    found = suspected_of(figures_of(installation, release))
    return with_verdicts(found, read_overlap_verdicts(installation.engine))


def report_counts(installation: Installation, release: Release) -> pl.DataFrame:
    """Return how many figures each report of a release has of each concept (`transforms.overlap.counts`)."""
    if not measures_published(release):
        return count_statements(statements_of(installation, release)).reports
    stored = overlap_tables(installation.settings.lake).live("report_counts", release["tables"])
    return sum_rows(stored.collect(), "reports")


def figures_of_reports(installation: Installation, release: Release, obligation: str) -> pl.DataFrame:
    """Return how many figures each report of an obligation has in a release: `REPORT`, figures."""
    counts = report_counts(installation, release).filter(pl.col("obligation") == obligation)
    return counts.group_by(REPORT).agg(pl.col("figures").sum())


@lake_access.scan_errors()
def list_suspected(installation: Installation, number: int | None = None) -> list[dict[str, Any]]:
    """Return the rows of what is suspected of all figures of a release, the current one by default."""
    return discovered(installation, find_release(installation, number)).to_dicts()


def _coverage(_: Installation, statements: pl.DataFrame) -> pl.DataFrame:
    return coverage_rows(count_statements(statements).sets)


def _redundancy(installation: Installation, statements: pl.DataFrame) -> pl.DataFrame:
    counts, duties = count_statements(statements), obligation_rows(installation.contracts.values())
    agencies, hours = agencies_of_obligations(duties), hours_of_obligations(duties)
    others = scope_counts(coverage_rows(counts.sets), agencies)
    rows = sum_rows(pl.concat([counts.scopes, others.select(counts.scopes.columns)]), "scopes")
    reports = pl.concat([scope_reports(counts.reports), agency_reports(burden_of(statements, hours), agencies)])
    return redundancy_rows(rows, scope_hours(reports, hours)).with_columns(
        release=pl.lit(0), partition=pl.lit(SINGLE_PARTITION)
    )


_MADE_BY: Final[dict[str, Callable[[Installation, pl.DataFrame], pl.DataFrame]]] = {
    "overlap": _overlap, "overlap_reporters": _reporters, "burden": _burden, "coverage": _coverage,
    "redundancy": _redundancy,
}  # fmt: skip
