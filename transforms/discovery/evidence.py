"""Evidence that two series state the same: how often their values agree, against what chance gives.

Unlike series agree too: small numbers repeat, and large units have large figures of everything. So the values of one
series are permuted among the units of its own class of size, and the share that agrees then is what chance gives.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms.discovery.candidates import CLOSE_SHARE, EXACT_BELOW

PERMUTATIONS: Final = 50
CLASSES: Final = 20
"""Classes of unit size within which values are permuted."""
SMALLEST_CLASS: Final = 5
"""Among fewer units there is little to permute."""
MOST_PERMUTED: Final = 5_000
"""About so many places show what chance gives; more of them would only make it more exact."""
SEED: Final = 20140113
Values = NDArray[np.float64]
Places = NDArray[np.uint64]
"""Numbers of units in periods, as `SeriesFigures` has them; sorted, none twice."""


class SeriesValues(NamedTuple):
    """The values of a series at places, by place."""

    places: Places
    values: Values


@dataclass(frozen=True)
class Agreement:
    """How two series agree at the units and periods of both, where at least one of them is not zero.

    common: places. equal, close, percent: places with equal values; equal, or within 1 % from 200 up; within 1 %.
    chance: the share of close places that permuted values have. z: how far `close` is above it, in standard
    deviations. bits: the evidence, in bits.
    """

    common: int
    equal: int
    close: int
    percent: int
    chance: float
    z: float
    bits: float


def series_values(figures: pl.DataFrame) -> dict[int, SeriesValues]:
    """Return the values of each series of figures: series, place, value, sorted by the first two."""
    series, places, values = (figures[name].to_numpy() for name in ("series", "place", "value"))
    numbers, starts = np.unique(series, return_index=True)
    cuts = starts[1:]
    each = zip(numbers, np.split(places, cuts), np.split(values, cuts), strict=False)
    return {int(number): SeriesValues(*rows) for number, *rows in each}


def common_places(a: Places, b: Places) -> tuple[Places, NDArray[np.intp], NDArray[np.intp]]:
    """Return the places in both of two, and where each of them has these."""
    if np.array_equal(a, b):  # as with most series of one form
        everywhere = np.arange(a.size)
        return a, everywhere, everywhere
    at = np.minimum(np.searchsorted(b, a), max(b.size - 1, 0))
    in_a = np.flatnonzero(b[at] == a) if b.size else np.arange(0)
    return a[in_a], in_a, at[in_a]


def agrees_often(a: Values, b: Values, least: float) -> bool:
    """Return whether a share of values at the same places is equal, those left out of which both are zero."""
    informative = (a != 0) | (b != 0)
    return bool((informative & (a == b)).sum() >= least * informative.sum())


def agreement_of(a: Values, b: Values, size: Values) -> Agreement | None:
    """Return how values at the same places agree; None where all are zero.

    size: of each place's unit, 0 to 1.
    """
    informative = (a != 0) | (b != 0)
    a, b, size = a[informative], b[informative], size[informative]
    equal = a == b
    if not a.size:
        return None
    close = _close(a, b)
    permuted = _permuted_shares(a, b, size)
    chance = float((permuted.sum() * a.size + 0.5) / (permuted.size * a.size + 1))
    share = float(close.mean())
    spread = max(float(permuted.std()), float(np.sqrt(chance * (1 - chance) / a.size)))
    percent = np.abs(a - b) <= CLOSE_SHARE * np.maximum(np.abs(a), np.abs(b))
    return Agreement(
        common=a.size,
        equal=int(equal.sum()),
        close=int(close.sum()),
        percent=int(percent.sum()),
        chance=chance,
        z=(share - chance) / spread,
        bits=a.size * divergence(share, chance),
    )


def divergence(share: float, chance: float) -> float:
    """Return the evidence of one place in bits, the Kullback-Leibler divergence; 0 for a share up to chance."""
    if share <= chance:
        return 0.0
    rest = (1 - share) * np.log2((1 - share) / (1 - chance)) if share < 1 else 0.0
    return float(share * np.log2(share / chance) + rest)


def _close(a: Values, b: Values) -> NDArray[np.bool_]:
    size = np.maximum(np.abs(a), np.abs(b))
    close: NDArray[np.bool_] = (a == b) | ((size >= EXACT_BELOW) & (np.abs(a - b) <= CLOSE_SHARE * size))
    return close


def _permuted_shares(a: Values, b: Values, size: Values) -> Values:
    """Return the share of close places for each permutation of `b` among units of about the same size."""
    generator = np.random.default_rng(SEED)
    ranks = np.argsort(np.argsort(size, kind="stable"), kind="stable")
    classes = ranks * min(CLASSES, max(a.size // SMALLEST_CLASS, 1)) // a.size
    order = np.argsort(classes, kind="stable")[:: max(a.size // MOST_PERMUTED, 1)]
    ordered_a, ordered_b, ordered = a[order], b[order], classes[order]
    shares = np.empty(PERMUTATIONS)
    for number in range(PERMUTATIONS):
        shuffled = ordered_b[np.argsort(ordered + generator.random(order.size))]
        shares[number] = _close(ordered_a, shuffled).mean()
    return shares
