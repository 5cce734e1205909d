"""What the pages of a release show, read once: frames and plain values, bounded where a page lists rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any, Final

import polars as pl

from flows.installation import OSLO, Installation
from flows.overlap.burden import MinimalReporting, find_minimal, rank_burden
from flows.overlap.tables import overlap_table, report_counts
from flows.releases import list_releases, read_table
from flows.site.months import ReleaseMonths
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from transforms.package.disclosure import Disclosure, disclosure_of

MOST_UNITS: Final = 400
"""Reporting units that have a page: those with most figures that are reported more than once."""
MOST_DOSSIERS: Final = 40
"""Obligations that have a dossier: the first of the ranking by burden."""
MOST_CONCEPTS: Final = 300
"""Concepts that have a page: those with most items."""


@dataclass(frozen=True)
class SiteContent:
    """A release as its site shows it.

    obligations: one row each, with agency and titles. concept_counts: concept, agreement, items. concept_periods:
    concept, first, beyond. periods: obligation, period_start, period_end, reports, units, figures. unit_counts:
    unit_id, obligation, figures, figures_elsewhere. units: those that have a page: unit_id, unit_name, unit_code,
    unit_kind, figures, figures_elsewhere, items_twice. twice: items of these that several obligations have, bounded:
    the columns of an item and statements (a list of obligation, low, high). figures: the listed items of each concept,
    with is_shown (whether everybody may see the value). conflicts: the claims of the listed
    conflicts. changes: those listed. units_all, twice_all, conflicts_all, withheld_all: how many there are in all.
    """

    installation: Installation
    release: Release
    disclosure: Disclosure
    releases: list[dict[str, Any]]
    obligations: pl.DataFrame
    redundancy: pl.DataFrame
    burden: list[dict[str, Any]]
    minimal: MinimalReporting
    overlap: pl.DataFrame
    suspected: pl.DataFrame
    derivable: pl.DataFrame
    concepts: pl.DataFrame
    concept_counts: pl.DataFrame
    concept_periods: pl.DataFrame
    periods: pl.DataFrame
    unit_counts: pl.DataFrame
    units: pl.DataFrame
    twice: pl.DataFrame
    figures: pl.DataFrame
    conflicts: pl.DataFrame
    conflict_counts: pl.DataFrame
    changes: pl.DataFrame
    change_counts: pl.DataFrame
    units_all: int
    twice_all: int

    @property
    def day(self) -> date:
        """The day of publication: deadlines are judged as of it, so that the same release gives the same pages."""
        return self.release["published_at"].replace(tzinfo=UTC).astimezone(OSLO).date()


def read_content(installation: Installation, release: Release) -> SiteContent:
    """Read what the pages of a release show; its months a few at a time, so that memory is bounded."""
    number = release["release"]
    disclosure = disclosure_of(installation.contracts.values(), installation.vocabulary.concepts)
    months = ReleaseMonths(installation, release, disclosure)
    found = months.add_up()
    units = _units(found)
    return SiteContent(
        installation=installation,
        release=release,
        disclosure=disclosure,
        releases=[row for row in list_releases(installation) if row["release"] <= number],
        obligations=_obligations(read_table(installation, "obligations", release).collect()),
        redundancy=overlap_table(installation, release, "redundancy"),
        burden=rank_burden(installation, number),
        minimal=find_minimal(installation, number),
        overlap=overlap_table(installation, release, "overlap"),
        suspected=overlap_table(installation, release, "suspected"),
        derivable=_derivable(overlap_table(installation, release, "derivable")),
        concepts=read_table(installation, "concepts", release).collect(),
        concept_counts=found["concept_counts"].sort("concept", "agreement"),
        concept_periods=found["concept_periods"],
        periods=_periods(report_counts(installation, release)),
        unit_counts=found["unit_counts"].join(units.select("unit_id"), on="unit_id", how="semi"),
        units=units,
        twice=months.reported_twice(units["unit_id"]),
        figures=found["figures"],
        conflicts=_conflicts(months, found["conflicts"]),
        conflict_counts=found["conflict_counts"].sort("concept", "outcome"),
        changes=found["changes"],
        change_counts=found["change_counts"].sort("concept", "change", nulls_last=True),
        units_all=found["unit_counts"]["unit_id"].n_unique(),
        twice_all=int(found["twice_counts"]["items_twice"].sum()),
    )


def _units(found: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    totals = found["unit_counts"].group_by("unit_id").agg(pl.col("figures", "figures_elsewhere").sum())
    names = found["unit_names"].select("unit_id", "unit_name", "unit_code", "unit_kind")
    units = totals.join(names, on="unit_id").join(found["twice_counts"], on="unit_id", how="left")
    units = units.with_columns(pl.col("items_twice").fill_null(0))
    return units.sort(["figures_elsewhere", "figures", "unit_id"], descending=[True, True, False]).head(MOST_UNITS)


def _conflicts(months: ReleaseMonths, listed: pl.DataFrame) -> pl.DataFrame:
    """Return the claims of the listed conflicts, with their cells."""
    rows = months.rows_of("conflicts", listed).join(listed.select("item_id").with_row_index("place"), on="item_id")
    cells = months.rows_of("sources", listed).select("claim_id", "obligation", "row", "column")
    found = rows.join(cells, on="claim_id", how="left")
    files = ledger_submissions.read_submissions(
        months.installation.engine,
        ids=found["submission_id"].unique().to_list(),
        columns=["submission_id", "filename"],
    )
    found = found.join(files, on="submission_id", how="left").with_columns(months.disclosure.shown_value())
    return found.sort("place", "reported_by", "claim_id")


def _obligations(rows: pl.DataFrame) -> pl.DataFrame:
    """Return one row for each obligation: that of its newest contract, and the names of all."""
    return (
        rows.sort("obligation", "version", "contract")
        .group_by("obligation", maintain_order=True)
        .agg(pl.all().exclude("contract").last(), contracts=pl.col("contract"))
    )


def _periods(counts: pl.DataFrame) -> pl.DataFrame:
    """Return what was reported for each period: a report is what one reporter states about one unit."""
    cells = counts.group_by("obligation", "reported_by", "unit_id", "period_start", "period_end").agg(
        pl.col("figures").sum()
    )
    return (
        cells.filter(pl.col("figures") > 0)
        .group_by("obligation", "period_start", "period_end")
        .agg(reports=pl.len(), units=pl.col("unit_id").n_unique(), figures=pl.col("figures").sum())
        .sort(["obligation", "period_start", "period_end"], descending=[False, True, True])
    )


def _derivable(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("rule", "concept", "relation").agg(items=pl.len()).sort("concept", "rule", "relation")
