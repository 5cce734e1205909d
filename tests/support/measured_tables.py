"""The tables of overlap of an installation: as its release has them, and as all its statements give them."""

import polars as pl
from polars.testing import assert_frame_equal

from flows.installation import Installation
from flows.overlap.release_statements import hours_of, statements_of
from flows.published_tables import overlap_lanes, tables_of_overlap
from flows.release.verify import overlap_digest, verify
from infra.ledger.releases import Release, current_release
from schemas.claims import empty
from schemas.overlap import MEASURED_TABLES
from transforms import identity
from transforms.descriptions import obligation_rows
from transforms.discovery.suspected import suspected_of
from transforms.discovery.window import discovery_window
from transforms.overlap.content import latest_scopes
from transforms.overlap.counts import count_statements
from transforms.overlap.measures import (
    agencies_of_obligations,
    agency_reports,
    coverage_rows,
    reporter_rows,
    scope_counts,
    scope_hours,
    scope_reports,
)
from transforms.overlap.pairs import burden_of, overlap_of

ORDER = {
    "overlap": ("obligation_a", "obligation_b", "concept", "period_start"),
    "overlap_reporters": ("reporter_a", "reporter_b", "concept", "period_start"),
    "burden": ("obligation", "period_start", "unit_kind"),
    "coverage": ("obligations", "most_accurate", "concept", "period_start"),
    "redundancy": ("scope", "name"),
    "suspected": ("kind", "series_a", "series_b", "shift", "scale"),
}
STATISTICS = ("chance", "z", "bits", "verdict")
"""The columns of `suspected` that no digest covers."""


def measured(installation: Installation, release: Release | None = None) -> dict[str, pl.DataFrame]:
    """Return the tables of overlap of a release, the current one by default; of `redundancy` what it is in it."""
    found = release or current_release(installation.engine)
    if found is None:
        dropped = ("release", *STATISTICS)
        return {name: empty(columns).drop(dropped, strict=False) for name, columns in MEASURED_TABLES.items()}
    published = tables_of_overlap(installation, found)
    tables = {name: published.live(name).collect() for name in MEASURED_TABLES}
    scopes = latest_scopes(tables["redundancy"]).filter(pl.col("figures") > 0)
    tables["redundancy"] = scopes.drop("release")
    tables["suspected"] = tables["suspected"].drop(STATISTICS)
    return {name: rows.sort(ORDER[name]) for name, rows in tables.items()}


def assert_from_scratch(installation: Installation) -> None:
    """Assert that a rebuild gives the release, its tables of overlap included, and that these are what it counts."""
    verdict = verify(installation)
    assert verdict.same
    assert verdict.overlap_ledger, "the tables of overlap are compared too"
    assert_measured(installation)


def assert_measured(installation: Installation) -> None:
    """Assert that the tables of overlap are what the statements of the release give, and that the digest is theirs."""
    release = current_release(installation.engine)
    if release is None:
        return
    statements = statements_of(installation, release)
    counts, duties = count_statements(statements), obligation_rows(installation.contracts.values())
    coverage = coverage_rows(counts.sets)
    others = scope_counts(coverage, agencies_of_obligations(duties)).select(counts.scopes.columns)
    tables = measured(installation, release)
    scopes = tables.pop("redundancy")
    assert_frame_equal(scopes.select(others.columns), pl.concat([counts.scopes, others]).sort("scope", "name"))
    hours, agencies = hours_of(installation), agencies_of_obligations(duties)
    reports = pl.concat([scope_reports(counts.reports), agency_reports(burden_of(statements, hours), agencies)])
    costs = scope_hours(reports, hours).sort("scope", "name")
    assert_frame_equal(scopes.select(costs.columns), costs)
    window = discovery_window(coverage, installation.settings.discovery_figures)
    months = list(window.months)
    compared = statements_of(installation, release, months, where=window.units())
    expected = {
        "overlap": overlap_of(statements), "burden": burden_of(statements, hours_of(installation)),
        "coverage": coverage, "overlap_reporters": reporter_rows(counts.reporter_pairs),
        "suspected": suspected_of(compared).drop(STATISTICS),
    }  # fmt: skip
    for name, rows in tables.items():
        assert_frame_equal(rows, expected[name].sort(ORDER[name]))
    assert overlap_digest(release) == identity.digest(overlap_lanes(installation, release))
