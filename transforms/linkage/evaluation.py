"""Evaluation against a truth: precision and recall of pairs and items over thresholds, and the worst errors.

The truth gives reports a label: reports with the same label are one item. Only labelled reports count and, where a
reporter reports an item once, only pairs of different reporters. Pairs are counted from group sizes, not one by one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from transforms.linkage.clustering import LinkageRule, cluster_reports, unconstrained_clusters

TRUTH_LABEL: Final = {"report_id": pl.String, "label": pl.String, "reporter": pl.String}
"""A report's label in the truth; the two reports of a pair must differ in `reporter`."""
PAIRS: Final = "pairs"
ITEMS: Final = "items"
COMPONENTS: Final = "components"
SCORES: Final = {
    "threshold": pl.Float64, "of": pl.String, "found": pl.Int64, "right": pl.Int64, "true": pl.Int64,
    "precision": pl.Float64, "recall": pl.Float64, "f1": pl.Float64,
}  # fmt: skip
"""threshold: bits. of: `PAIRS` with that weight, pairs within one of the `ITEMS`, or within one of the plain connected
`COMPONENTS`."""
MAX_GROUP_SEARCHED: Final = 100
"""Reports of one group that are searched for errors: the first by id."""
NEAR_BITS: Final = 8
FAR_THRESHOLDS: Final = 8
"""Bits around the threshold in use within which every whole bit is tried; and about how many are tried beyond."""
MIN_DISTANCE_BITS: Final = 0.5
"""Bits between a threshold of the grid and the lowest or the used one, at least."""


@dataclass(frozen=True)
class PairScore:
    """How many pairs were found, how many of those are right, and how many are true."""

    found: int
    right: int
    true: int

    @property
    def precision(self) -> float:
        """Share of the found pairs that is right; 1 if none was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the true pairs that was found; 1 if there is none."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 1 if there is no pair at all."""
        return 2 * self.right / (self.found + self.true) if self.found + self.true else 1.0

    def as_dict(self) -> dict[str, float]:
        """Return precision, recall, f1."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class MatchResult:
    """The items of a kind in a release, and the inputs of the clustering.

    reports: report_id, reported_by. items: report_id, cluster. edges, decisions, identities, rule: the arguments of
    `cluster_reports`; edges below the review threshold are unknown.
    """

    reports: pl.DataFrame
    items: pl.DataFrame
    edges: pl.DataFrame
    decisions: pl.DataFrame
    identities: pl.DataFrame | None
    rule: LinkageRule


def score_edges(edges: pl.DataFrame, labels: pl.DataFrame, threshold: float) -> PairScore:
    """Score the pairs (a, b, weight) of at least `threshold` bits; labels: `TRUTH_LABEL`."""
    pairs = _with_labels(edges.filter(pl.col("weight") >= threshold), labels)
    right = pairs.filter(pl.col("label") == pl.col("label_b")).height
    return PairScore(pairs.height, right, _pairs_within(labels, "label"))


def score_clusters(clusters: pl.DataFrame, labels: pl.DataFrame) -> PairScore:
    """Score the pairs that clusters (report_id, cluster) imply."""
    clustered = labels.join(clusters, on="report_id")
    found, right = _pairs_within(clustered, "cluster"), _pairs_within(clustered, "cluster", "label")
    return PairScore(found, right, _pairs_within(labels, "label"))


def sweep_thresholds(result: MatchResult, labels: pl.DataFrame, thresholds: Iterable[float]) -> pl.DataFrame:
    """Return `SCORES` over thresholds (bits): of pairs, of the items at that threshold, of plain connected components.

    At the threshold in use, the items are those of the release.
    """
    rows = []
    for threshold in thresholds:
        scores = {
            PAIRS: score_edges(result.edges, labels, threshold),
            ITEMS: score_clusters(clusters_at(result, threshold), labels),
            COMPONENTS: score_clusters(unconstrained_clusters(result.reports, result.edges, threshold), labels),
        }
        rows += [(threshold, of, s.found, s.right, s.true, s.precision, s.recall, s.f1) for of, s in scores.items()]
    return pl.DataFrame(rows, schema=SCORES, orient="row")


def clusters_at(result: MatchResult, threshold: float) -> pl.DataFrame:
    """Return report_id, cluster at a threshold (bits): at the one in use, those of the release."""
    if threshold == result.rule.automatic:
        return result.items
    rule = LinkageRule(threshold, result.rule.one_report_per_item)
    return cluster_reports(result.reports, result.edges, result.decisions, rule, result.identities).clusters


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


def false_pairs(result: MatchResult, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs within one item that are two by the truth: a, b, weight (null: no edge), greatest first."""
    pairs = _pairs(labels.join(result.items, on="report_id"), within="cluster", across="label")
    return _with_weights(pairs, result.edges).sort("weight", "a", "b", descending=[True, False, False], nulls_last=True)


def missed_pairs(result: MatchResult, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs in two items that are one by the truth: a, b, weight; without an edge first, then the least."""
    pairs = _pairs(labels.join(result.items, on="report_id"), within="label", across="cluster")
    return _with_weights(pairs, result.edges).sort("weight", "a", "b", nulls_last=False)


def _pairs_within(frame: pl.DataFrame, *groups: str) -> int:
    """Return how many pairs of different reporters share the values of these columns."""
    counts = frame.group_by(*groups, "reporter").agg(pl.len().cast(pl.Int64).alias("n"))
    squares = counts.group_by(groups).agg(
        pl.col("n").sum().alias("all"), (pl.col("n") * pl.col("n")).sum().alias("own")
    )
    return int(squares.select((pl.col("all") * pl.col("all") - pl.col("own")).sum()).item()) // 2


def _with_labels(edges: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the edges between labelled reports of different reporters, with `label` and `label_b`."""
    both = edges.join(labels, left_on="a", right_on="report_id").join(
        labels, left_on="b", right_on="report_id", suffix="_b"
    )
    return both.filter(pl.col("reporter") != pl.col("reporter_b"))


def _pairs(reports: pl.DataFrame, within: str, across: str) -> pl.DataFrame:
    """Return a, b of the pairs of different reporters in one group of `within` that differ in `across`."""
    mixed = reports.filter(pl.col(across).n_unique().over(within) > 1).sort("report_id")
    searched = mixed.filter(pl.int_range(pl.len()).over(within) < MAX_GROUP_SEARCHED)
    both = searched.join(searched, on=within, suffix="_b")
    differ = [pl.col(name) != pl.col(f"{name}_b") for name in (across, "reporter")]
    ordered = pl.col("report_id") < pl.col("report_id_b")
    return both.filter(ordered, *differ).select(pl.col("report_id").alias("a"), pl.col("report_id_b").alias("b"))


def _with_weights(pairs: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    return pairs.join(edges.select("a", "b", "weight"), on=["a", "b"], how="left")
