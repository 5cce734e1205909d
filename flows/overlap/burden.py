"""What obligations cost, which of that is spent on figures reported elsewhere, and the least that must be kept."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.overlap.derived import derive_items
from flows.overlap.release_statements import hours_of, statements_of
from flows.overlap.tables import overlap_table, report_counts
from flows.releases import find_release
from infra.lake import access as lake_access
from infra.ledger.releases import Release
from transforms.overlap.minimal import (
    accurate_patterns,
    column_costs,
    column_name,
    frontier,
    item_widths,
    with_derived,
)


@dataclass(frozen=True)
class MinimalReporting:
    """A smallest set of obligations or columns: needed and not needed, their items, hours of its reports and of all.

    unknown: those of which nobody knows the hours: sums are of the others, and null where there is no other. frontier:
    fewer hours for fewer items: kept, items, hours.
    """

    needed: list[str]
    dropped: list[str]
    items: int
    hours_kept: float | None
    hours_all: float | None
    unknown: list[str]
    frontier: list[dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values; what is needed is `kept`."""
        fields = asdict(self)
        return {"kept": fields.pop("needed"), **fields}


@lake_access.scan_errors()
def rank_burden(installation: Installation, number: int | None = None) -> list[dict[str, Any]]:
    """Return what each obligation costs over all periods of a release, most hours on known figures first."""
    totals = _totals(installation, number)
    order = ["hours_elsewhere_high", "figures_elsewhere", "obligation"]
    return totals.sort(order, descending=[True, True, False], nulls_last=True).to_dicts()


@lake_access.scan_errors()
def find_minimal(installation: Installation, number: int | None = None) -> MinimalReporting:
    """Return the obligations of fewest hours with which a release keeps each of its items, at its best accuracy."""
    release = find_release(installation, number)
    burden = overlap_table(installation, release, "burden")
    hours = dict(burden.group_by("obligation").agg(pl.col("hours_high").sum()).iter_rows())
    known = hours_of(installation).filter(pl.col("high").is_not_null())["obligation"].to_list()
    return _minimal(_patterns(installation, release, columns=False), hours, hours.keys() - set(known))


@lake_access.scan_errors()
def find_minimal_columns(installation: Installation, number: int | None = None) -> MinimalReporting:
    """Return the columns of fewest hours with which a release keeps each of its items, as texts `obligation concept`.

    A report's hours are divided equally among its figures: what a form costs however short it is, nobody has stated.
    """
    release = find_release(installation, number)
    costs = column_costs(report_counts(installation, release), hours_of(installation))
    hours = {name: high or 0.0 for name, high in costs.select("column", "high").iter_rows()}
    unknown = costs.filter(pl.col("high").is_null())["column"]
    return _minimal(_patterns(installation, release, columns=True), hours, set(unknown))


def _patterns(installation: Installation, release: Release, *, columns: bool) -> pl.DataFrame:
    """Return who reports which items most accurately, with what follows from what one obligation or column reports.

    All but that is counted by the night: only items that are equal to sums of others, and these, are read.
    """
    coverage = overlap_table(installation, release, "coverage")
    patterns = accurate_patterns(coverage, columns=columns)
    derived = derive_items(installation, release)
    equal = derived.items.filter(relation="equal").select("item_id", "rule")
    if equal.is_empty():
        return patterns
    parts = derived.edges.join(equal, on=["item_id", "rule"], how="semi")["part_id"]
    wanted = pl.col("item_id").is_in(pl.concat([equal["item_id"], parts]).unique().implode())
    name = column_name() if columns else pl.col("obligation")
    widths = item_widths(statements_of(installation, release, where=wanted), name)
    return with_derived(patterns, widths, derived.items, derived.edges)


def _minimal(patterns: pl.DataFrame, hours: dict[str, float], unknown: set[str]) -> MinimalReporting:
    sets = frontier(patterns, hours)
    found = sets[-1]
    return MinimalReporting(
        needed=list(found.obligations),
        dropped=sorted(hours.keys() - set(found.obligations)),
        items=found.items,
        hours_kept=_known_sum(found.obligations, hours, unknown),
        hours_all=_known_sum(hours, hours, unknown),
        unknown=sorted(unknown),
        frontier=[
            {
                "kept": list(each.obligations),
                "items": each.items,
                "hours": _known_sum(each.obligations, hours, unknown),
            }
            for each in sets
        ],
    )


def _known_sum(names: Collection[str], hours: dict[str, float], unknown: set[str]) -> float | None:
    """Return the known hours of these; null where those of none are known, for unknown is not zero."""
    known = [hours[name] for name in names if name not in unknown]
    return sum(known) if known or not names else None


def _totals(installation: Installation, number: int | None) -> pl.DataFrame:
    burden = overlap_table(installation, find_release(installation, number), "burden")
    hours = [name for name, dtype in burden.schema.items() if name.startswith("hours") and dtype.is_numeric()]
    known = [pl.when(pl.col(name).is_not_null().all()).then(pl.col(name).sum()).alias(name) for name in hours]
    counts = pl.col("reports", "figures", "figures_elsewhere").sum()
    return burden.group_by("obligation").agg(pl.col("period_start").n_unique().alias("periods"), counts, *known)
