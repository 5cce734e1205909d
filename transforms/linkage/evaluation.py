"""How well reports are matched, against what is known to be true: pairs and items over thresholds, the worst errors.

The truth gives reports a label: those of one label are one item. Only reports that it names count, and where a reporter
reports an item once only pairs of different reporters. Pairs are counted by the size of groups, never one by one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import polars as pl

from transforms.linkage.clustering import Rule, connected, resolve

LABELS: Final = {"report_id": pl.String, "label": pl.String, "reporter": pl.String}
"""What the truth says of a report; `reporter` is what two reports of a pair must differ in."""
PAIRS: Final = "pairs"
ITEMS: Final = "items"
COMPONENTS: Final = "components"
SCORES: Final = {
    "threshold": pl.Float64, "of": pl.String, "found": pl.Int64, "right": pl.Int64, "true": pl.Int64,
    "precision": pl.Float64, "recall": pl.Float64, "f1": pl.Float64,
}  # fmt: skip
"""threshold in bits; of: `PAIRS` that score so much, pairs in one of `ITEMS`, or in one of plain `COMPONENTS`."""
LARGEST: Final = 100
"""Of a group of more reports, only so many are looked at for errors: the first by id."""
NEAR: Final = 8
FAR: Final = 8
"""Bits around the threshold in use in which every whole one is tried, and how many are tried beyond, about."""
CLOSE: Final = 0.5
"""Bits from one that is tried anyway within which no other is."""


@dataclass(frozen=True)
class Score:
    """How many pairs were found, how many of those are right, how many there are in truth."""

    found: int
    right: int
    true: int

    @property
    def precision(self) -> float:
        """Share of the found that is right; 1 where nothing was found."""
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """Share of the true that was found; 1 where there is none."""
        return self.right / self.true if self.true else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean of both; 1 where nothing was found and there is nothing."""
        return 2 * self.right / (self.found + self.true) if self.found + self.true else 1.0

    def as_dict(self) -> dict[str, float]:
        """Return precision, recall, f1."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}


@dataclass(frozen=True)
class Matched:
    """What a release made of the reports of a kind, and from what.

    reports: report_id, reported_by. items: report_id, cluster. edges, decisions, identities, rule: as `resolve` takes
    them; of edges only those at or above the review threshold are known.
    """

    reports: pl.DataFrame
    items: pl.DataFrame
    edges: pl.DataFrame
    decisions: pl.DataFrame
    identities: pl.DataFrame | None
    rule: Rule


def pair_score(edges: pl.DataFrame, labels: pl.DataFrame, threshold: float) -> Score:
    """Score the pairs (a, b, weight) of at least `threshold` bits; labels: `LABELS`."""
    told = _with_labels(edges.filter(pl.col("weight") >= threshold), labels)
    right = told.filter(pl.col("label") == pl.col("label_b")).height
    return Score(told.height, right, _pairs_within(labels, "label"))


def cluster_score(clusters: pl.DataFrame, labels: pl.DataFrame) -> Score:
    """Score the pairs that clusters (report_id, cluster) imply."""
    told = labels.join(clusters, on="report_id")
    found, right = _pairs_within(told, "cluster"), _pairs_within(told, "cluster", "label")
    return Score(found, right, _pairs_within(labels, "label"))


def sweep(matched: Matched, labels: pl.DataFrame, thresholds: Iterable[float]) -> pl.DataFrame:
    """Return `SCORES` over thresholds (bits): of pairs, of items as they would be, of plain connected components.

    At the threshold in use the items are those of the release.
    """
    rows = []
    for threshold in thresholds:
        scores = {
            PAIRS: pair_score(matched.edges, labels, threshold),
            ITEMS: cluster_score(items_at(matched, threshold), labels),
            COMPONENTS: cluster_score(connected(matched.reports, matched.edges, threshold), labels),
        }
        rows += [(threshold, of, s.found, s.right, s.true, s.precision, s.recall, s.f1) for of, s in scores.items()]
    return pl.DataFrame(rows, schema=SCORES, orient="row")


def items_at(matched: Matched, threshold: float) -> pl.DataFrame:
    """Return report_id, cluster as a threshold (bits) would have them: at the one in use, as they are."""
    if threshold == matched.rule.automatic:
        return matched.items
    rule = Rule(threshold, matched.rule.one_report_per_item)
    return resolve(matched.reports, matched.edges, matched.decisions, rule, matched.identities).clusters


def grid(least: float, used: float, edges: pl.DataFrame) -> list[float]:
    """Return the thresholds (bits) to try: each whole bit near the one in use, fewer up to what a twentieth reaches.

    Below `least` no pairs are known.
    """
    top = edges["weight"].quantile(0.95) if edges.height else None
    near = range(math.ceil(max(least, used - NEAR)), math.floor(used + NEAR) + 1)
    step = max(1, math.ceil(((top or used) - used - NEAR) / FAR))
    far = range(math.floor(used + NEAR) + step, math.ceil(top or used), step)
    between = [float(t) for t in (*near, *far) if min(abs(t - least), abs(t - used)) > CLOSE]
    return sorted({least, used, *between})


def false_pairs(matched: Matched, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs in one item that are two by the truth: a, b, weight (null: no edge); the greatest first."""
    told = _pairs(labels.join(matched.items, on="report_id"), within="cluster", apart="label")
    return _weighed(told, matched.edges).sort("weight", "a", "b", descending=[True, False, False], nulls_last=True)


def missed_pairs(matched: Matched, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs in two items that are one by the truth: a, b, weight; those without an edge, then the least."""
    told = _pairs(labels.join(matched.items, on="report_id"), within="label", apart="cluster")
    return _weighed(told, matched.edges).sort("weight", "a", "b", nulls_last=False)


def _pairs_within(frame: pl.DataFrame, *groups: str) -> int:
    """Return how many pairs of different reporters share the values of these columns."""
    counted = frame.group_by(*groups, "reporter").agg(pl.len().cast(pl.Int64).alias("n"))
    squares = counted.group_by(groups).agg(
        pl.col("n").sum().alias("all"), (pl.col("n") * pl.col("n")).sum().alias("own")
    )
    return int(squares.select((pl.col("all") * pl.col("all") - pl.col("own")).sum()).item()) // 2


def _with_labels(edges: pl.DataFrame, labels: pl.DataFrame) -> pl.DataFrame:
    """Return the edges between reports of different reporters that the truth names, with `label` and `label_b`."""
    both = edges.join(labels, left_on="a", right_on="report_id").join(
        labels, left_on="b", right_on="report_id", suffix="_b"
    )
    return both.filter(pl.col("reporter") != pl.col("reporter_b"))


def _pairs(reports: pl.DataFrame, within: str, apart: str) -> pl.DataFrame:
    """Return a, b of the pairs of different reporters in one group of `within` that differ in `apart`."""
    mixed = reports.filter(pl.col(apart).n_unique().over(within) > 1).sort("report_id")
    some = mixed.filter(pl.int_range(pl.len()).over(within) < LARGEST)
    both = some.join(some, on=within, suffix="_b")
    differ = [pl.col(name) != pl.col(f"{name}_b") for name in (apart, "reporter")]
    ordered = pl.col("report_id") < pl.col("report_id_b")
    return both.filter(ordered, *differ).select(pl.col("report_id").alias("a"), pl.col("report_id_b").alias("b"))


def _weighed(pairs: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    return pairs.join(edges.select("a", "b", "weight"), on=["a", "b"], how="left")
