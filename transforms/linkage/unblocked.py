"""Pairs that blocking did not bring together, within components of strong edges: scored, so that no weight is assumed.

A component is what edges of at least `automatic` bits connect. Whether its reports become one item depends on all its
pairs, so those without an edge (no block in common, or below the review threshold) are scored too, by the same model.
They follow from the standing reports and the edges alone and are stored nowhere. They connect nothing: a component that
is divided because a report leaves is what it would be had the report never arrived.

Where a kind measures chance among candidate pairs (`chance: blocked`), its weights hold for those alone: a pair that
shares no block is then not scored, and counts `clustering.NO_EDGE_BITS`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.blocking import comparison_fields, prepare_comparison
from transforms.linkage.clustering import MAX_SCORED_GROUP, LinkageRule, connected_components
from transforms.linkage.model import MatchModel
from transforms.linkage.scoring import SCORED_PAIR, score_groups
from transforms.preparation.reporters import linked_columns

SMALLEST_GROUP: Final = 3
"""Reports of the least component that can have a pair without an edge."""


def groups_to_score(edges: pl.DataFrame, rule: LinkageRule) -> pl.DataFrame:
    """Return report_id, group (its least report) of the components of strong edges that have pairs without an edge.

    edges: a, b, weight (bits). Components above `MAX_SCORED_GROUP` reports are left out (`Unscored`).
    """
    return _lacking(_components(edges, rule))


def _lacking(components: pl.DataFrame) -> pl.DataFrame:
    within = pl.col("size").is_between(SMALLEST_GROUP, MAX_SCORED_GROUP)
    lacking = pl.col("pairs") * 2 < pl.col("size") * (pl.col("size") - 1)
    return components.filter(within, lacking).select("report_id", "group")


def groups_over(edges: pl.DataFrame, thresholds: Iterable[float], *, one_report_per_item: bool) -> pl.DataFrame:
    """Return `groups_to_score` for several thresholds (bits) at once: the largest group of each report."""
    found = pl.DataFrame(schema={"report_id": pl.String, "group": pl.String})
    for threshold in sorted(thresholds):
        groups = groups_to_score(edges, LinkageRule(threshold, one_report_per_item))
        found = pl.concat([found, groups.join(found, on="report_id", how="anti")])
    return found


@dataclass(frozen=True)
class Unscored:
    """How many pairs without an edge are not scored, because their components are above `MAX_SCORED_GROUP` reports.

    reports: how many reports those components have.
    """

    pairs: int
    reports: int


def unscored_pairs(components: pl.DataFrame) -> Unscored:
    """Return what is not scored of components (report_id, group, size, pairs)."""
    large = components.filter(pl.col("size") > MAX_SCORED_GROUP).unique("group")
    missing = pl.col("size") * (pl.col("size") - 1) // 2 - pl.col("pairs")
    return Unscored(*large.select(pairs=missing.sum(), reports=pl.col("size").sum()).row(0))


def _components(edges: pl.DataFrame, rule: LinkageRule) -> pl.DataFrame:
    """Return report_id, group, size, pairs (edges of any weight within the group) of the ends of strong edges."""
    strong = edges.filter(pl.col("weight") >= rule.automatic)
    ends = pl.concat([strong["a"], strong["b"]]).unique().to_frame("report_id")
    groups = connected_components(strong.select("a", "b"), ends).rename({"component": "group"})
    groups = groups.with_columns(pl.len().cast(pl.Int64).over("group").alias("size"))
    large = groups.filter(pl.col("size") >= SMALLEST_GROUP)
    first, second = (large.select(pl.col("report_id").alias(end), "group") for end in ("a", "b"))
    inside = edges.join(first, on="a").join(second, on=["b", "group"]).group_by("group")
    return large.join(inside.agg(pl.len().cast(pl.Int64).alias("pairs")), on="group", how="left")


def score_unblocked(
    reports: pl.DataFrame, edges: pl.DataFrame, kind: Kind, model: MatchModel | None, rule: LinkageRule
) -> tuple[pl.DataFrame, Unscored]:
    """Return the pairs without an edge within components of strong edges, a, b, weight; and what is not scored.

    reports: standing reports with the kind's fields, at least those that strong edges connect. edges: a, b, weight of
    at least the review threshold.
    """
    if model is None or kind.chance == "blocked":
        return pl.DataFrame(schema=SCORED_PAIR), Unscored(0, 0)
    components = _components(edges, rule)
    groups, unscored = _lacking(components), unscored_pairs(components)
    if groups.is_empty():
        return pl.DataFrame(schema=SCORED_PAIR), unscored
    members = reports.join(groups, on="report_id", how="semi")
    values = members.select("report_id", *linked_columns(kind), *comparison_fields(kind))
    scored = score_groups(prepare_comparison(values, kind, model), groups, kind, model)
    return scored.join(edges, on=["a", "b"], how="anti"), unscored
