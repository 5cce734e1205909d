"""The content of a release in a form that compares with another, and a slow reference of which reports are together.

`resolved_slowly` is a second account: it reads what reports say, and finds blocks, weights and items pair by pair.
"""

from collections import Counter
from itertools import combinations
from typing import Any

import polars as pl

from infra.ledger import decisions as ledger_decisions
from tests.support.incident_deliveries import AUTOMATIC, KIND, OTHERWISE, WEIGHTS, Home
from tests.support.reference_clustering import ClusteringCase, slowly
from transforms.linkage.clustering import LinkageRule


def published(home: Home) -> dict[str, list[Any]]:
    """Return what the current release holds, internal tables too, each item named by the least of its reports."""
    sources = home.table("incident_sources")
    label = sources.group_by("item_id").agg(pl.col("report_id").min().alias("label"))
    found: dict[str, list[Any]] = {}
    for name in ("incident", "incident_sources", "incident_conflicts"):
        rows = home.table(name).join(label, on="item_id").drop("item_id", "release")
        found[name] = sorted(map(repr, rows.rows()))
    for name in ("incident_reports", "incident_edges"):
        found[name] = sorted(map(repr, home.table(name).drop("release").rows()))
    return found


def blocks_of(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Return the blocking values of a report."""
    day, place = report["day"], report["place"] and report["place"].lower()
    return [("day", day)] * (day is not None) + [("place", place, day and day.month)] * bool(place and day)


def weight_of(a: dict[str, Any], b: dict[str, Any], weights: dict[str, tuple[int, ...]]) -> int:
    """Return the match weight of two reports, field by field."""
    total = -6
    if a["place"] and b["place"]:
        total += weights["place"][0 if a["place"].lower() == b["place"].lower() else -1]
    for field, near in (("day", 1), ("speed", 5)):
        if a[field] is not None and b[field] is not None:
            distance = abs(a[field] - b[field])
            distance = distance.days if field == "day" else distance
            total += weights[field][0 if not distance else 1 if distance <= near else 2]
    return total


def resolved_slowly(home: Home, *, other: bool) -> set[frozenset[str]]:
    """Return which reports of a release are together, by the documented rule."""
    reports = {row["report_id"]: row for row in home.reports().iter_rows(named=True)}
    sizes = Counter(block for row in reports.values() for block in blocks_of(row))
    small = {i: {b for b in blocks_of(row) if sizes[b] <= KIND.largest_block} for i, row in reports.items()}
    edges = {}
    for a, b in combinations(sorted(reports), 2):
        weight = weight_of(reports[a], reports[b], OTHERWISE if other else WEIGHTS)
        if small[a] & small[b] and reports[a]["reported_by"] != reports[b]["reported_by"] and weight >= -2:
            edges[a, b] = float(weight)
    decisions = (
        ledger_decisions.read_decisions(home.installation.engine, active=True).select("a", "b", "verdict").rows()
    )
    case = ClusteringCase(
        {i: row["reported_by"] for i, row in reports.items()},
        edges,
        [d for d in decisions if d[0] in reports and d[1] in reports],
        [(i, row["case"]) for i, row in reports.items() if row["case"]],
        LinkageRule(AUTOMATIC, one_report_per_item=True),
    )
    return slowly(case)
