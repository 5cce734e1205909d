"""Precision, recall and F1 estimated from judged pairs, with bounds that hold in 95 of 100 samples.

Each stratum has a share of matches that nobody knows. Before an answer, the model's probability says where it is, but
the model may be wrong: its weights by a number of bits, and in scale, within items and between them differently. How
wrong is weighed by all answers together, then each stratum's share by its own answers. Without this a large stratum of
hardly any matches would leave recall open: ten pairs without a match do not show that there are none in a thousand.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl

FloatArray: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]
SHIFTS: Final = tuple(step / 2 for step in range(-20, 21))
"""Bits by which the weights of a model may be wrong, and how far they usually are."""
USUAL_SHIFT: Final = 3.0
SCALES: Final = (0.25, 0.5, 0.75, 1.0, 1.25)
"""By how much its weights may be too large, all alike."""
DRAWS: Final = 4_000
"""Random draws of what the shares of matches may be; the same at each run."""
BOUNDS: Final = (0.025, 0.5, 0.975)
LEAST_SHARE: Final = 1e-6


@dataclass(frozen=True)
class BoundedEstimate:
    """An estimated figure and the bounds between which it is in 95 of 100 samples."""

    value: float
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Return plain values."""
        return {"value": self.value, "low": self.low, "high": self.high}


def estimate_scores(strata: pl.DataFrame, unseen: float) -> dict[str, dict[str, BoundedEstimate]]:
    """Return precision, recall and F1 of `items` (pairs within items) and of `pairs` (those that weigh enough).

    strata: pairs, p, within, joins, judged, same (judged to be one item), one row a stratum. unseen: about how many
    matches are in none of the strata: none, or up to twice as many.
    """
    matches = np.concatenate([np.empty((DRAWS, 0)), *(_matches(part) for part in _sides(strata))], axis=1)
    ordered = pl.concat([strata.clear(), *_sides(strata)])
    sizes = ordered["pairs"].to_numpy()
    chosen = {"items": ordered["within"].to_numpy(), "pairs": ordered["joins"].to_numpy()}
    true = matches.sum(axis=1) + np.random.default_rng(0).uniform(0, 2 * unseen, DRAWS)
    return {name: _scores(matches[:, mask].sum(axis=1), true, sizes[mask].sum()) for name, mask in chosen.items()}


def _scores(right: FloatArray, true: FloatArray, size: float) -> dict[str, BoundedEstimate]:
    """Return the figures of `size` pairs of which draws say how many are right, of how many true ones."""
    figures = {
        "precision": right / size if size else np.ones(DRAWS),
        "recall": np.divide(right, true, out=np.ones(DRAWS), where=true > 0),
        "f1": np.divide(2 * right, size + true, out=np.ones(DRAWS), where=size + true > 0),
    }
    rounded = {name: [round(float(v), 4) for v in np.quantile(draws, BOUNDS)] for name, draws in figures.items()}
    return {name: BoundedEstimate(value, low, high) for name, (low, value, high) in rounded.items()}


def _sides(strata: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the strata within items, then those between them: a model is wrong differently in the two."""
    yield from (strata.filter(pl.col("within") == side) for side in (True, False) if side in strata["within"])


def _matches(strata: pl.DataFrame) -> FloatArray:
    """Return draws of how many matches there may be in each stratum: a row a draw, a column a stratum."""
    chance = np.random.default_rng(len(strata))
    options = [*_options(strata["p"].to_list())]
    judged, same = strata["judged"].to_list(), strata["same"].to_list()
    likelihood = np.array([prior + _log_likelihood(shares, judged, same) for prior, shares in options])
    weights = np.exp(likelihood - likelihood.max())
    which = chance.choice(len(options), DRAWS, p=weights / weights.sum())
    ends = np.array([[_beta_of(share) for share in shares] for _, shares in options])[which]
    yes, no = np.array(same), np.array(judged) - np.array(same)
    share = chance.beta(ends[:, :, 0] + yes, ends[:, :, 1] + no)
    matches: FloatArray = yes + chance.binomial(strata["pairs"].to_numpy() - np.array(judged), share).astype(float)
    return matches


def _options(expected: list[float]) -> Iterator[tuple[float, list[float]]]:
    """Yield how wrong the model may be: log of how usual that is, and the share of matches of each stratum then."""
    bits = [math.log2(p / (1 - p)) for p in (min(max(p, LEAST_SHARE), 1 - LEAST_SHARE) for p in expected)]
    for shift in SHIFTS:
        for scale in SCALES:
            shares = [1 / (1 + 2.0 ** -(shift + scale * b)) for b in bits]
            usual = -((shift / USUAL_SHIFT) ** 2) / 2
            yield usual, [min(max(share, LEAST_SHARE), 1 - LEAST_SHARE) for share in shares]


def _beta_of(share: float) -> tuple[float, float]:
    """Return the parameters of a beta distribution around a share, as uncertain as if the rarer was seen once."""
    rarer = min(share, 1 - share)
    return share / rarer, (1 - share) / rarer


def _log_likelihood(shares: list[float], judged: list[int], same: list[int]) -> float:
    """Return how likely the answers are (natural logarithm), if the strata have about these shares of matches."""
    total = 0.0
    for share, n, yes in zip(shares, judged, same, strict=True):
        one, other = _beta_of(share)
        total += _log_beta(one + yes, other + n - yes) - _log_beta(one, other)
    return total


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
