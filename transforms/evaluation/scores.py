"""Evaluation against a truth: precision and recall of pairs and items over thresholds, and the worst errors.

The truth gives reports a label: reports with the same label are one item. Only labelled reports count and, where a
reporter reports an item once, only pairs of different reporters. Pairs are counted from group sizes, not one by one.
"""

from dataclasses import dataclass, field
from typing import Final

import polars as pl

from transforms.linkage.clustering import LinkageRule, connected_components
from transforms.linkage.pairs import no_pairs

TRUTH_LABEL: Final = {"report_id": pl.String, "label": pl.String, "reporter": pl.String}
"""A report's label in the truth; the two reports of a pair must differ in `reporter`."""
PAIRS: Final = "pairs"
ITEMS: Final = "items"
COMPONENTS: Final = "components"
MAX_GROUP_SEARCHED: Final = 100
"""Reports of one group that are searched for errors: the first by id."""


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
    `cluster_reports`; edges below the review threshold are unknown. unblocked: a, b, weight of pairs without an edge,
    as the lowest threshold asks for them.
    """

    reports: pl.DataFrame
    items: pl.DataFrame
    edges: pl.DataFrame
    decisions: pl.DataFrame
    identities: pl.DataFrame | None
    rule: LinkageRule
    unblocked: pl.DataFrame = field(default_factory=no_pairs)


def score_edges(edges: pl.DataFrame, labels: pl.DataFrame, threshold: float) -> PairScore:
    """Score the pairs (a, b, weight) of at least `threshold` bits; labels: `TRUTH_LABEL`."""
    pairs = labelled_edges(edges.filter(pl.col("weight") >= threshold), labels)
    right = pairs.filter(pl.col("label") == pl.col("label_b")).height
    return PairScore(pairs.height, right, true_pairs(labels))


def score_clusters(clusters: pl.DataFrame, labels: pl.DataFrame) -> PairScore:
    """Score the pairs that clusters (report_id, cluster) imply."""
    clustered = labels.join(clusters, on="report_id")
    found, right = _pairs_within(clustered, "cluster"), _pairs_within(clustered, "cluster", "label")
    return PairScore(found, right, true_pairs(labels))


def unconstrained_clusters(reports: pl.DataFrame, edges: pl.DataFrame, automatic: float) -> pl.DataFrame:
    """Return report_id, cluster by plain connected components: a baseline for evaluation, never published."""
    strong = edges.filter(pl.col("weight") >= automatic)
    return connected_components(strong, reports).rename({"component": "cluster"})


def false_pairs(result: MatchResult, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs within one item that are two by the truth: a, b, weight (null: no edge), greatest first."""
    pairs = _pairs(labels.join(result.items, on="report_id"), within="cluster", across="label")
    return _with_weights(pairs, result.edges).sort("weight", "a", "b", descending=[True, False, False], nulls_last=True)


def missed_pairs(result: MatchResult, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs in two items that are one by the truth: a, b, weight; without an edge first, then the least."""
    pairs = _pairs(labels.join(result.items, on="report_id"), within="label", across="cluster")
    return _with_weights(pairs, result.edges).sort("weight", "a", "b", nulls_last=False)


def true_pairs(labels: pl.DataFrame) -> int:
    """Return how many pairs are one item by the truth."""
    return _pairs_within(labels, "label")


def _pairs_within(frame: pl.DataFrame, *groups: str) -> int:
    """Return how many pairs of different reporters share the values of these columns."""
    counts = frame.group_by(*groups, "reporter").agg(pl.len().cast(pl.Int64).alias("n"))
    squares = counts.group_by(groups).agg(
        pl.col("n").sum().alias("all"), (pl.col("n") * pl.col("n")).sum().alias("own")
    )
    return int(squares.select((pl.col("all") * pl.col("all") - pl.col("own")).sum()).item()) // 2


def labelled_edges(edges: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
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
