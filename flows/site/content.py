"""What the pages of a release show, read once: frames and plain values, bounded where a page lists rows."""

from dataclasses import dataclass
from datetime import UTC, date
from typing import Any, Final

import polars as pl

from flows.installation import OSLO, Installation
from flows.overlap.burden import MinimalReporting, find_minimal, rank_burden
from flows.overlap.tables import overlap_table, report_counts
from flows.releases import list_releases, read_table
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from transforms.observations.confidentiality import CONFIDENTIAL
from transforms.package.disclosure import Disclosure, disclosure_of

MOST_UNITS: Final = 400
"""Reporting units that have a page: those with most figures that are reported more than once."""
MOST_TWICE: Final = 40
"""Items that the page of a unit lists."""
MOST_CONFLICTS: Final = 300
"""Conflicts that are listed, each with a page of its own: what is withheld comes first."""
MOST_FIGURES: Final = 60
"""Published figures that the page of a concept lists: those of the latest periods."""
MOST_CHANGES: Final = 300
"""Changes that are listed."""
MOST_DOSSIERS: Final = 40
"""Obligations that have a dossier: the first of the ranking by burden."""
MOST_CONCEPTS: Final = 300
"""Concepts that have a page: those with most items."""
ITEM_COLUMNS_SHOWN: Final = (
    "item_id", "concept", "unit_id", "unit_kind", "unit_code", "unit_name", "period_start", "period_end", "breakdown",
    "unit_measure", "value", "agreement", "conf_status",
)  # fmt: skip
CLAIM_COLUMNS: Final = ("item_id", "contract", "obligation", "value", "relation")


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
    """Read what the pages of a release show."""
    number = release["release"]
    disclosure = disclosure_of(installation.contracts.values(), installation.vocabulary.concepts)
    items = read_table(installation, "observations", release).select(ITEM_COLUMNS_SHOWN).collect()
    claims = read_table(installation, "sources", release).select(CLAIM_COLUMNS).collect()
    items = _without_personal(items, claims, disclosure)
    counts = report_counts(installation, release)
    several = _several(claims)
    unit_counts = _unit_counts(claims, items, several)
    units = _units(unit_counts, items, several)
    conflicts, conflict_counts = _conflicts(installation, release, disclosure)
    changes, change_counts = _changes(installation, release, items, disclosure)
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
        concept_counts=items.group_by("concept", "agreement").agg(items=pl.len()).sort("concept", "agreement"),
        concept_periods=_concept_periods(items),
        periods=_periods(counts),
        unit_counts=unit_counts.join(units.select("unit_id"), on="unit_id", how="semi"),
        units=units,
        twice=_twice(items.join(several, on="item_id", how="semi"), claims, units, disclosure),
        figures=_figures(items, claims, disclosure),
        conflicts=conflicts,
        conflict_counts=conflict_counts,
        changes=changes,
        change_counts=change_counts,
        units_all=unit_counts["unit_id"].n_unique(),
        twice_all=several.height,
    )


def _concept_periods(items: pl.DataFrame) -> pl.DataFrame:
    """Return concept, first and beyond: from which day on its items are, and until before which."""
    return items.group_by("concept").agg(first=pl.col("period_start").min(), beyond=pl.col("period_end").max())


def _without_personal(items: pl.DataFrame, claims: pl.DataFrame, disclosure: Disclosure) -> pl.DataFrame:
    """Return the items of which no claim is personal data: of the others nothing is listed."""
    if not disclosure.personal:
        return items
    contracts = {contract for contract, _ in disclosure.personal}
    own = claims.filter(pl.col("contract").is_in(contracts)).join(items.select("item_id", "concept"), on="item_id")
    return items.join(own.filter(disclosure.is_personal()), on="item_id", how="anti")


def _several(claims: pl.DataFrame) -> pl.DataFrame:
    """Return the items that several obligations have."""
    counts = claims.group_by("item_id").agg(first=pl.col("obligation").min(), last=pl.col("obligation").max())
    return counts.filter(pl.col("first") != pl.col("last")).select("item_id")


def _unit_counts(claims: pl.DataFrame, items: pl.DataFrame, several: pl.DataFrame) -> pl.DataFrame:
    """Return how many figures of each unit each obligation has: an item counts once under each."""
    known = several.with_columns(known=pl.lit(1))
    figures = claims.select("item_id", "obligation").unique().join(items.select("item_id", "unit_id"), on="item_id")
    counted = figures.join(known, on="item_id", how="left")
    return counted.group_by("unit_id", "obligation").agg(figures=pl.len(), figures_elsewhere=pl.col("known").sum())


def _units(unit_counts: pl.DataFrame, items: pl.DataFrame, several: pl.DataFrame) -> pl.DataFrame:
    twice = items.join(several, on="item_id", how="semi").group_by("unit_id").agg(items_twice=pl.len())
    names = items.group_by("unit_id").agg(
        pl.col("unit_name", "unit_code", "unit_kind").sort_by("period_start", "item_id").last()
    )
    totals = unit_counts.group_by("unit_id").agg(pl.col("figures", "figures_elsewhere").sum())
    found = (
        totals.join(names, on="unit_id")
        .join(twice, on="unit_id", how="left")
        .with_columns(pl.col("items_twice").fill_null(0))
    )
    return found.sort(["figures_elsewhere", "figures", "unit_id"], descending=[True, True, False]).head(MOST_UNITS)


def _twice(items: pl.DataFrame, claims: pl.DataFrame, units: pl.DataFrame, disclosure: Disclosure) -> pl.DataFrame:
    """Return the first items of each unit that several obligations have, conflicts first, with what each states."""
    listed = (
        items.join(units.select("unit_id"), on="unit_id", how="semi")
        .sort(pl.col("agreement") != "conflict", -pl.col("period_start").to_physical(), "concept", "item_id")
        .group_by("unit_id", maintain_order=True)
        .head(MOST_TWICE)
    )
    lines = claims.join(listed.select("item_id", "concept"), on="item_id")
    lines = lines.with_columns(disclosure.shown_value())
    value, is_sum = pl.col("value"), (pl.col("relation") == "additive").any()
    known = value.is_not_null().all()  # a sum with a line that is withheld is withheld
    stated = lines.group_by("item_id", "obligation").agg(
        low=pl.when(known).then(pl.when(is_sum).then(value.sum()).otherwise(value.min())),
        high=pl.when(known).then(pl.when(is_sum).then(value.sum()).otherwise(value.max())),
    )
    by_item = stated.sort("obligation").group_by("item_id").agg(statements=pl.struct("obligation", "low", "high"))
    return listed.join(by_item, on="item_id", maintain_order="left")


def _figures(items: pl.DataFrame, claims: pl.DataFrame, disclosure: Disclosure) -> pl.DataFrame:
    """Return the first items of each concept, the latest periods first. A value is shown if that of every claim is."""
    listed = (
        items.sort(-pl.col("period_start").to_physical(), "concept", "unit_name", "unit_id", "item_id")
        .group_by("concept", maintain_order=True)
        .head(MOST_FIGURES)
    )
    lines = claims.join(listed.select("item_id", "concept"), on="item_id")
    hidden = lines.with_columns(hidden=disclosure.shown_value().is_null() & pl.col("value").is_not_null())
    by_item = hidden.group_by("item_id").agg(is_shown=~pl.col("hidden").any())
    return listed.join(by_item, on="item_id", how="left", maintain_order="left")


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


def _conflicts(
    installation: Installation, release: Release, disclosure: Disclosure
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the claims of the listed conflicts with their cells, and the counts of all: concept, outcome, items."""
    rows = read_table(installation, "conflicts", release).collect()
    personal = rows.filter(disclosure.is_personal())["item_id"].unique()
    rows = rows.filter(~pl.col("item_id").is_in(personal.implode()))
    order = rows.group_by("item_id").agg(
        pl.col("concept", "unit_id", "period_start").first(),
        outcome=pl.when((pl.col("outcome") == "withheld").any()).then(pl.lit("withheld")).otherwise(pl.lit("settled")),
    )
    counts = order.group_by("concept", "outcome").agg(items=pl.len()).sort("concept", "outcome")
    ranked = order.sort(pl.col("outcome") != "withheld", "concept", "unit_id", "period_start", "item_id")
    listed = ranked.head(MOST_CONFLICTS).select("item_id").with_row_index("place")
    shown = rows.join(listed, on="item_id")
    ids = shown["item_id"].unique().implode()
    cells = read_table(installation, "sources", release).filter(pl.col("item_id").is_in(ids))
    found = shown.join(cells.select("claim_id", "obligation", "row", "column").collect(), on="claim_id", how="left")
    files = ledger_submissions.read_submissions(
        installation.engine, ids=found["submission_id"].unique().to_list(), columns=["submission_id", "filename"]
    )
    found = found.join(files, on="submission_id", how="left").with_columns(disclosure.shown_value())
    return found.sort("place", "reported_by", "claim_id"), counts


def _changes(
    installation: Installation, release: Release, items: pl.DataFrame, disclosure: Disclosure
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the listed changes of a release, and the counts of all: concept (null if removed), change, items.

    Values are shown of concepts only of which every contract lets everybody see them, as a value may be that of an
    earlier claim, and none of an item that is confidential now.
    """
    rows = read_table(installation, "changes", release).filter(pl.col("release") == release["release"]).collect()
    rows = rows.join(items, on="item_id", how="left")  # of items that are removed, or personal, nothing is known
    counts = rows.group_by("concept", "change").agg(items=pl.len()).sort("concept", "change", nulls_last=True)
    rank = pl.col("change").replace_strict({"changed": 0, "removed": 1, "added": 2}, return_dtype=pl.Int8)
    nameable = pl.col("concept").is_not_null() | (pl.col("change") == "removed")
    listed = (
        rows.filter(nameable)
        .sort(rank, "concept", "unit_id", "period_start", "item_id", nulls_last=True)
        .head(MOST_CHANGES)
    )
    contracts = installation.contracts.values()
    closed = {c.concept for contract in contracts if contract.contract in disclosure.closed for c in contract.claims}
    hidden = sorted(closed | {concept for _, concept in disclosure.personal} | disclosure.least.keys())
    unknown = bool(hidden)
    is_open = ~pl.col("concept").is_in(hidden) if hidden else pl.lit(True)
    is_open = is_open.fill_null(value=not unknown) & (pl.col("conf_status") != CONFIDENTIAL).fill_null(value=True)
    values = (pl.when(is_open).then(name).alias(name) for name in ("value_before", "value_after"))
    return listed.with_columns(*values), counts
