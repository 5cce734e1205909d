"""Scores over thresholds: each threshold goes on from what the next higher one found.

Plain components only grow as the threshold falls. So do items in a large component, as long as the same pairs have a
weight: what joins at a mean weight of nine bits joins in the same way whether joining then goes on to eight or not.
Small components, and those in which pairs without an edge are scored, are clustered again at each threshold.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Final

import polars as pl

from transforms.evaluation.scores import (
    COMPONENTS,
    ITEMS,
    PAIRS,
    MatchResult,
    PairScore,
    labelled_edges,
    score_clusters,
    true_pairs,
)  # fmt: skip
from transforms.linkage.average_linkage import ConstrainedGroups, MeanLinkage, cannot_link_marks
from transforms.linkage.clustering import (
    IDENTITY_KEY,
    MAX_SCORED_GROUP,
    LinkageRule,
    cluster_reports,
    connected_components,
    linkage_graph,
    linking_pairs,
)  # fmt: skip
from transforms.linkage.pairs import mark_unblocked

SCORES: Final = {
    "threshold": pl.Float64, "of": pl.String, "found": pl.Int64, "right": pl.Int64, "true": pl.Int64,
    "precision": pl.Float64, "recall": pl.Float64, "f1": pl.Float64,
}  # fmt: skip
"""threshold: bits. of: `PAIRS` with that weight, pairs within one of the `ITEMS`, or within one of the plain connected
`COMPONENTS`."""
NEAR_BITS: Final = 8
FAR_THRESHOLDS: Final = 8
"""Bits around the threshold in use within which every whole bit is tried; and about how many are tried beyond."""
MIN_DISTANCE_BITS: Final = 0.5
"""Bits between a threshold of the grid and the lowest or the used one, at least."""


def sweep_thresholds(result: MatchResult, labels: pl.DataFrame, thresholds: Iterable[float]) -> pl.DataFrame:
    """Return `SCORES` over thresholds (bits): of pairs, of the items at that threshold, of plain connected components.

    At the threshold in use, the items are those of the release.
    """
    descending = sorted(thresholds, reverse=True)
    pairs = dict(zip(descending, _pair_scores(result, labels, descending), strict=True))
    items = dict(items_over(result, descending))
    components = dict(_components_over(result, descending))
    rows = []
    for threshold in reversed(descending):
        found = {
            PAIRS: pairs[threshold],
            ITEMS: score_clusters(items[threshold], labels),
            COMPONENTS: score_clusters(components[threshold], labels),
        }
        rows += [(threshold, of, s.found, s.right, s.true, s.precision, s.recall, s.f1) for of, s in found.items()]
    return pl.DataFrame(rows, schema=SCORES, orient="row")


def items_over(result: MatchResult, descending: list[float]) -> Iterator[tuple[float, pl.DataFrame]]:
    """Yield each threshold with report_id, cluster: what the release would have with that threshold."""
    others = [threshold for threshold in descending if threshold != result.rule.automatic]
    if len(others) < len(descending):
        yield result.rule.automatic, result.items
    if not others:
        return
    large, small = _by_size(result, others[-1])
    pairs = mark_unblocked(small.edges, small.unblocked)
    once = result.rule.one_report_per_item
    for threshold, joined in _large_over(large, others):
        rule = LinkageRule(threshold, once)
        clusters = cluster_reports(small.reports, pairs, result.decisions, rule, result.identities).clusters
        yield threshold, pl.concat([joined, clusters])


def _by_size(result: MatchResult, lowest: float) -> tuple[MatchResult, MatchResult]:
    """Return the part of the reports in large components at the lowest threshold, and the rest."""
    rule = LinkageRule(lowest, result.rule.one_report_per_item)
    pairs = linking_pairs(result.edges, result.decisions, rule, result.identities)
    groups = connected_components(pairs, result.reports)
    scored = groups.filter(pl.col("report_id").is_in(result.unblocked["a"].implode()))["component"]
    is_large = (pl.len().over("component") > MAX_SCORED_GROUP) & ~pl.col("component").is_in(scored.implode())
    return _part(result, groups.filter(is_large)), _part(result, groups.filter(~is_large))


def _part(result: MatchResult, ids: pl.DataFrame) -> MatchResult:
    """Return the reports of these ids and the pairs between them."""
    first, second = (ids.select(pl.col("report_id").alias(end)) for end in ("a", "b"))
    edges, unblocked = (
        pairs.join(first, on="a", how="semi").join(second, on="b", how="semi")
        for pairs in (result.edges, result.unblocked)
    )
    return replace(
        result, reports=result.reports.join(ids, on="report_id", how="semi"), edges=edges, unblocked=unblocked
    )


def _large_over(large: MatchResult, descending: list[float]) -> Iterator[tuple[float, pl.DataFrame]]:
    """Yield each threshold with report_id, cluster of reports of which no pair is scored without an edge."""
    rules = [LinkageRule(threshold, large.rule.one_report_per_item) for threshold in descending]
    # What a pair without a weight counts is part of every mean: where that changes, joining begins again.
    for _, group in groupby(rules, key=lambda rule: rule.no_edge):
        some = [*group]
        joining = _Joining(large, some[-1])
        for rule in some:
            yield rule.automatic, joining.clusters(rule)


class _Joining:
    """The clusters of large components, from their ties on, joined further with each lower threshold."""

    def __init__(self, large: MatchResult, lowest: LinkageRule) -> None:
        identities = pl.DataFrame(schema=IDENTITY_KEY) if large.identities is None else large.identities
        graph = linkage_graph(large.reports, large.edges, large.decisions, lowest, identities)
        self._reports = graph.nodes["report_id"]
        self._groups = ConstrainedGroups(cannot_link_marks(graph.nodes["reporter"].to_list(), _rows(graph.separate)))
        for one, other in _rows(graph.ties):
            self._groups.join(one, other)
        self._linkage = MeanLinkage(self._groups, _rows(graph.edges), graph.edges["weight"].to_list(), graph.least)

    def clusters(self, rule: LinkageRule) -> pl.DataFrame:
        """Return report_id, cluster at a rule's threshold, lower than the last one."""
        self._linkage.join_down_to(rule.threshold - rule.no_edge)
        least = [self._groups.find(node) for node in range(self._reports.len())]
        return pl.DataFrame({"report_id": self._reports, "cluster": self._reports.gather(least)})


def _rows(pairs: pl.DataFrame) -> list[tuple[int, int]]:
    return [*pairs.select("a", "b").iter_rows()]


def _components_over(result: MatchResult, descending: list[float]) -> Iterator[tuple[float, pl.DataFrame]]:
    """Yield each threshold with report_id, cluster by plain connected components."""
    found, upper = result.reports.select("report_id", component="report_id"), math.inf
    for threshold in descending:
        new = result.edges.filter(pl.col("weight") >= threshold, pl.col("weight") < upper)
        found, upper = _connected_further(found, new), threshold
        yield threshold, found.rename({"component": "cluster"})


def _connected_further(found: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Return components (report_id, component) as more pairs (a, b) connect them."""
    one, other = (found.select(pl.col("report_id").alias(end), pl.col("component").alias(f"_{end}")) for end in "ab")
    across = pairs.select("a", "b").join(one, on="a").join(other, on="b").filter(pl.col("_a") != pl.col("_b"))
    if across.is_empty():
        return found
    ends = pl.concat([across["_a"], across["_b"]]).unique().to_frame("report_id")
    merged = connected_components(across.select(a="_a", b="_b").unique(), ends)
    joined = found.join(merged.rename({"report_id": "component", "component": "_least"}), on="component", how="left")
    return joined.select("report_id", pl.coalesce("_least", "component").alias("component"))


def _pair_scores(result: MatchResult, labels: pl.DataFrame, descending: list[float]) -> list[PairScore]:
    """Return the score of the pairs of at least each threshold."""
    true, edges = true_pairs(labels), labelled_edges(result.edges, labels)
    enough = [pl.col("weight") >= threshold for threshold in descending]
    is_right = pl.col("label") == pl.col("label_b")
    found = edges.select(each.sum().alias(str(n)) for n, each in enumerate(enough)).row(0)
    right = edges.select((each & is_right).sum().alias(str(n)) for n, each in enumerate(enough)).row(0)
    return [PairScore(some, ours, true) for some, ours in zip(found, right, strict=True)]


def threshold_grid(least: float, used: float, edges: pl.DataFrame) -> list[float]:
    """Return the thresholds (bits) to try: every whole bit near the one in use, fewer up to the 95th percentile.

    No pair is known below `least`.
    """
    top = edges["weight"].quantile(0.95) if edges.height else None
    near = range(math.ceil(max(least, used - NEAR_BITS)), math.floor(used + NEAR_BITS) + 1)
    step = max(1, math.ceil(((top or used) - used - NEAR_BITS) / FAR_THRESHOLDS))
    far = range(math.floor(used + NEAR_BITS) + step, math.ceil(top or used), step)
    between = [float(t) for t in (*near, *far) if min(abs(t - least), abs(t - used)) > MIN_DISTANCE_BITS]
    return sorted({least, used, *between})
