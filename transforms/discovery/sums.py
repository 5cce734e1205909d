"""Sums: series that equal a sum of other series at most of their places.

The parts are found by least squares without negative factors (Lawson and Hanson), then tried exactly: a series is a sum
only if the values themselves add up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import nnls

from transforms.discovery.evidence import SEED, SeriesValues, Values

SUM_SHARE: Final = 0.8
"""A sum holds at this share of the places of its total, those where all is zero left out."""
FEWEST_SUMS: Final = 20
MOST_PARTS: Final = 50
"""A total is tried with so many other series of its concept or obligation at most, those that share most places."""
PLACES_TRIED: Final = 2_000
"""The parts of a total are looked for at so many of its places at most; whether they add up is counted at all."""
ROUNDING: Final = 1e-6


@dataclass(frozen=True)
class FoundSum:
    """A series that equals a sum of others: the numbers of the series, the places compared, and those that add up."""

    total: int
    parts: tuple[int, ...]
    common: int
    equal: int
    bits: float


def sums_of_series(names: pl.DataFrame, values: Mapping[int, SeriesValues]) -> Iterator[FoundSum]:
    """Yield the series that equal a sum of two or more others. names: those of `SeriesFigures`."""
    reported = names.filter(over="")
    for numbers in reported.group_by("concept", "reporter", maintain_order=True).agg("series")["series"]:
        yield from _sums_among(sorted(numbers.to_list(), key=str), values)


def _sums_among(numbers: list[int], series: Mapping[int, SeriesValues]) -> Iterator[FoundSum]:
    """Yield the series of a concept that equal a sum of two or more others of it."""
    if len(numbers) < 3:  # noqa: PLR2004  a total and two parts
        return
    values = _matrix([series[number] for number in numbers])
    filled = np.nan_to_num(values)
    shared = (~np.isnan(values)).astype(np.float64).T @ (filled != 0).astype(np.float64)
    for position in range(len(numbers)):
        found = _sum_at(values, filled, shared[position], position)
        if found is not None:
            parts, common, equal = found
            bits = equal * _bits_of(values[:, position])
            yield FoundSum(numbers[position], tuple(numbers[part] for part in parts), common, equal, bits)


def _matrix(series: list[SeriesValues]) -> Values:
    """Return the values of series as columns, one row for each place, NaN where a series has none."""
    places = pl.concat([pl.Series(each.places) for each in series]).unique().sort().to_numpy()
    values = np.full((places.size, len(series)), np.nan, order="F")
    for column, each in enumerate(series):
        values[np.searchsorted(places, each.places), column] = each.values
    return values


def _sum_at(values: Values, filled: Values, shared: Values, position: int) -> tuple[list[int], int, int] | None:
    """Return the columns whose sum is that of a position, the places compared and those that add up.

    filled: the values, zero where there is none. shared: at how many places of the total each column is not zero.
    """
    total = values[:, position]
    rows = np.flatnonzero(~np.isnan(total))
    if rows.size < FEWEST_SUMS:
        return None
    usable = np.flatnonzero(shared >= min(FEWEST_SUMS // 4, rows.size))
    usable = usable[usable != position]
    usable = usable[np.argsort(-shared[usable], kind="stable")][:MOST_PARTS]
    if usable.size < 2:  # noqa: PLR2004
        return None
    tried = rows[_sample(rows.size)]
    parts = _exact_parts(filled[np.ix_(tried, usable)], total[tried])
    if len(parts) < 2:  # noqa: PLR2004
        return None
    chosen = filled[:, usable[parts]][rows]
    added = chosen.sum(axis=1)
    informative = (total[rows] != 0) | (chosen != 0).any(axis=1)
    several = (chosen != 0).sum(axis=1) > 1
    equal = _equal(added, total[rows])
    common, agreeing = int(informative.sum()), int((informative & equal).sum())
    if agreeing < SUM_SHARE * common or int((several & equal).sum()) < FEWEST_SUMS:
        return None
    return [int(column) for column in usable[parts]], common, agreeing


def _sample(size: int) -> NDArray[np.int64]:
    """Return `PLACES_TRIED` of so many places, always the same ones, or all."""
    if size <= PLACES_TRIED:
        return np.arange(size)
    return np.sort(np.random.default_rng(SEED).permutation(size)[:PLACES_TRIED])


def _exact_parts(parts: Values, total: Values) -> list[int]:
    """Return the parts of which the total is the sum, found robustly: places that do not add up lose their weight."""
    weights = 1 / np.maximum(np.abs(total), 1.0)
    chosen: list[int] | None = None
    for _ in range(5):
        factors, _ = nnls(parts * weights[:, None], total * weights)
        before, chosen = chosen, [int(column) for column in np.flatnonzero(np.rint(factors))]
        if chosen == before:  # and so would be the weights and all that follows
            break
        added = parts[:, chosen].sum(axis=1)
        relative = np.abs(added - total) / np.maximum(np.abs(total), 1.0)
        weights = 1 / np.maximum(np.abs(total), 1.0) / (1 + (relative / 0.01) ** 2)
    return chosen or []


def _equal(added: Values, total: Values) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = np.abs(added - total) <= ROUNDING * np.maximum(1.0, np.abs(total))
    return equal


def _bits_of(total: Values) -> float:
    """Return the bits of one agreement: the logarithm of how many different values the total has."""
    return float(np.log2(max(np.unique(total[~np.isnan(total)]).size, 2)))
