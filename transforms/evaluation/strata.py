"""A sample of pairs for a person to judge: drawn at random within strata of the match weight.

The pairs are those within items and those that score at least some weight, found by blocking or by a wider search. A
stratum is a range of weights, within items or between them. Where matches and others mix, and where there are many
pairs, more are drawn: as many as make the estimate most certain if the model's probabilities are about right.
"""

from typing import Any, Final

import numpy as np
import polars as pl
import polars_hash as plh

from transforms.training.prior import probability_of

WEIGHT_BOUNDS: Final = (-7.0, -4.0, -2.0, 0.0, 2.0, 4.0, 7.0, 10.0)
"""Bits between the strata; the threshold in use is one more."""
LEAST_DOUBT: Final = 0.005
"""The least share of the rarer outcome that is allowed for in any stratum: a model may be wrong."""
FEWEST_DRAWN: Final = 2
"""Pairs drawn from each stratum, where so many can be drawn at all."""
STRATUM: Final = ("within", "stratum")
"""Columns of a pair that name its stratum: whether it is within one item, and the number of its range of weights."""


def with_strata(pairs: pl.DataFrame, threshold: float) -> pl.DataFrame:
    """Return pairs (a, b, weight, within) with `stratum`, and `joins`: whether the pair weighs enough by itself."""
    bounds = sorted({*WEIGHT_BOUNDS, threshold})
    stratum = pl.sum_horizontal((pl.col("weight") >= bound).cast(pl.Int32) for bound in bounds)
    return pairs.with_columns(stratum.alias("stratum"), (pl.col("weight") >= threshold).alias("joins"))


def count_strata(pairs: pl.DataFrame) -> pl.DataFrame:
    """Return the strata in order: within, stratum, joins, pairs, least and greatest (bits), p (the mean expected)."""
    weight = pl.col("weight")
    counts = pairs.group_by(*STRATUM, "joins").agg(
        pl.len().cast(pl.Int64).alias("pairs"), weight.min().alias("least"), weight.max().alias("greatest"),
        probability_of(weight).mean().alias("p"),
    )  # fmt: skip
    return counts.sort("within", "stratum", descending=[True, True])


def allocate(strata: pl.DataFrame, wanted: int) -> pl.DataFrame:
    """Return the strata with `drawn`: how many of the pairs that are wanted in all each of them gives.

    Half of them are within items: precision is as important as recall.
    """
    within = strata["within"].to_numpy()
    sizes = strata["pairs"].to_numpy()
    inside, between = int(sizes[within].sum()), int(sizes[~within].sum())
    half = min(inside, max(wanted - wanted // 2, wanted - between))
    drawn = np.zeros(len(sizes), dtype=np.int64)
    for side, share in ((within, half), (~within, min(wanted - half, between))):
        drawn[side] = _shares(sizes[side], strata["p"].to_numpy()[side], share)
    return strata.with_columns(drawn=pl.Series(drawn, dtype=pl.Int64))


def _shares(sizes: np.ndarray[Any, Any], expected: np.ndarray[Any, Any], wanted: int) -> np.ndarray[Any, Any]:
    """Return how many pairs each stratum gives; sizes: its pairs, expected: their mean probability."""
    doubt = np.clip(expected, LEAST_DOUBT, 1 - LEAST_DOUBT)
    spread = sizes * np.sqrt(doubt * (1 - doubt))
    drawn: np.ndarray[Any, Any] = np.minimum(sizes, FEWEST_DRAWN if wanted >= FEWEST_DRAWN * len(sizes) else 0)
    while drawn.sum() < wanted:
        # One at a time to the stratum that gains most: equal steps towards numbers in proportion to `spread`.
        drawn[int(np.argmax(np.where(drawn < sizes, spread / (drawn + 1), -1.0)))] += 1
    return drawn


def draw_pairs(pairs: pl.DataFrame, strata: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Return the drawn pairs, in random order; the same pairs for the same seed, whatever was judged meanwhile.

    strata: from `allocate`.
    """
    chance = plh.concat_str(pl.lit(seed), "a", "b", separator="|").nchash.xxhash64()
    ordered = pairs.with_columns(chance.alias("_chance")).sort("_chance", "a", "b")
    placed = ordered.join(strata.select(*STRATUM, "drawn"), on=list(STRATUM), maintain_order="left")
    return placed.filter(pl.int_range(pl.len()).over(*STRATUM) < pl.col("drawn")).drop("_chance", "drawn")
