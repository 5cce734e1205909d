"""The threshold of best expected F1 of items, by the match probabilities alone: no known answer is used."""

import math
from dataclasses import dataclass
from typing import Final

import polars as pl

from transforms.linkage.clustering import LinkageRule, cluster_reports
from transforms.linkage.pairs import mark_unblocked
from transforms.linkage.separation import NO_DECISIONS
from transforms.training.prior import probability_of

THRESHOLDS: Final = tuple(bits / 2 for bits in range(-8, 21))
"""The thresholds (bits) that are tried."""
AS_GOOD: Final = 0.003
"""Thresholds whose expected F1 is less than this below the best are as good."""
TWO_SIDED_95: Final = 1.96
"""Standard errors on either side that hold 95 of 100 outcomes."""


@dataclass(frozen=True)
class ItemThreshold:
    """The chosen threshold (bits), the range of thresholds that are as good, and the expected F1 of its items.

    low, high: between which the F1 is in 95 of 100 outcomes, if the probabilities hold and pairs are independent.
    """

    best: float
    lowest: float
    highest: float
    f1: float
    low: float
    high: float


def best_item_threshold(
    reports: pl.DataFrame, pairs: pl.DataFrame, unblocked: pl.DataFrame, *, one_report_per_item: bool
) -> ItemThreshold:
    """Return the threshold in the middle of those whose items have the best expected F1.

    reports: report_id, reported_by. pairs: a, b, weight of the likely candidate pairs. unblocked: the same of pairs
    without an edge, as those thresholds ask for them. Expected F1 is
    2 * (sum of the probabilities of pairs within items) / (pairs within items + sum of all probabilities).
    """
    edges = mark_unblocked(pairs.filter(pl.col("weight") >= THRESHOLDS[0]), unblocked)
    likely = mark_unblocked(pairs, unblocked).select("a", "b", p=probability_of(pl.col("weight")))
    found = {}
    for bits in THRESHOLDS:
        clusters = _items_at(reports, edges, LinkageRule(bits, one_report_per_item))
        found[bits] = _expected_f1(clusters, likely)
    best = max(f1 for f1, _ in found.values())
    good = [bits for bits, (f1, _) in found.items() if f1 >= best - AS_GOOD]
    middle = good[len(good) // 2]
    f1, error = found[middle]
    margin = TWO_SIDED_95 * error
    low, high = round(max(f1 - margin, 0.0), 4), round(min(f1 + margin, 1.0), 4)
    return ItemThreshold(middle, good[0], good[-1], round(f1, 4), low, high)


def _items_at(reports: pl.DataFrame, edges: pl.DataFrame, rule: LinkageRule) -> pl.DataFrame:
    return cluster_reports(reports, edges, NO_DECISIONS, rule).clusters


def _expected_f1(clusters: pl.DataFrame, likely: pl.DataFrame) -> tuple[float, float]:
    """Return the expected F1 of the pairs within clusters (report_id, cluster), and its standard error."""
    larger = clusters.filter(pl.len().over("cluster") > 1)
    sizes = larger.group_by("cluster").agg(pl.len().cast(pl.Int64).alias("n"))
    within = int(sizes.select((pl.col("n") * (pl.col("n") - 1) // 2).sum()).item() or 0)
    one, other = (larger.rename({"report_id": end}) for end in ("a", "b"))
    inside = likely.join(one, on="a").join(other, on=["b", "cluster"])
    right, right_variance = _sum_and_variance(inside)
    total, variance = _sum_and_variance(likely)
    size = within + total
    if not size:
        return 1.0, 0.0
    slope_inside, slope_outside = 2 * (size - right) / size**2, 2 * right / size**2
    spread = slope_inside**2 * right_variance + slope_outside**2 * max(variance - right_variance, 0.0)
    return 2 * right / size, math.sqrt(spread)


def _sum_and_variance(pairs: pl.DataFrame) -> tuple[float, float]:
    return float(pairs["p"].sum()), float((pairs["p"] * (1 - pairs["p"])).sum())
