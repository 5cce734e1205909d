"""Sums: series that equal a sum of other series at most of their places.

The parts are found by least squares without negative factors (Lawson and Hanson), then tried exactly: a series is a sum
only if the values themselves add up.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
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
MOST_OF_ALL_CONCEPTS: Final = 200
"""Parts of other concepts are looked for among so many series at most."""
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


def sums_of_series(names: pl.DataFrame, series: Mapping[int, SeriesValues]) -> Iterator[FoundSum]:
    """Yield the series that equal a sum of two or more others, each once. names: those of `SeriesFigures`.

    The parts are of the same concept; else of the same obligation, or any, if there are `MOST_OF_ALL_CONCEPTS` at most.
    """
    reported = names.filter(over="")
    tried: set[tuple[int, ...]] = set()
    found: set[int] = set()
    for key in (["concept", "reporter"], ["obligation", "reporter"], ["reporter"]):
        for numbers in reported.group_by(key, maintain_order=True).agg("series")["series"]:
            group = tuple(sorted(numbers.to_list(), key=str))
            if group in tried or len(group) < 3 or ("concept" not in key and len(group) > MOST_OF_ALL_CONCEPTS):  # noqa: PLR2004
                continue  # a sum has a total and two parts
            tried.add(group)
            for each in _sums_among(group, series, found):
                found.add(each.total)
                yield each


def _sums_among(
    numbers: Sequence[int], series: Mapping[int, SeriesValues], known: AbstractSet[int]
) -> Iterator[FoundSum]:
    """Yield the series that equal a sum of two or more of these, but for those that are known already."""
    values = _matrix([series[number] for number in numbers])
    filled = np.nan_to_num(values)
    shared = (~np.isnan(values)).astype(np.float64).T @ (filled != 0).astype(np.float64)
    for position in range(len(numbers)):
        found = None if numbers[position] in known else _sum_at(values, filled, shared[position], position)
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
    for places in _fitted_places(values[:, usable], rows):
        parts = _exact_parts(filled[np.ix_(places, usable)], total[places])
        needed = _needed_parts(filled[:, usable[parts]][rows], total[rows], parts)
        counts = _agreeing(filled[:, usable[needed]][rows], total[rows]) if len(needed) > 1 else None
        if counts is not None:
            return [int(column) for column in usable[needed]], *counts
    return None


def _fitted_places(values: Values, rows: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Yield places of a total to look for its parts at: some of all, then of those where no usual part is missing.

    A missing part is zero, as with a tax that not everybody pays. A part that most places have is one that somebody has
    not reported: what the total is the sum of cannot be seen there.
    """
    yield rows[_sample(rows.size)]
    missing = np.isnan(values[rows])
    usual = missing.mean(axis=0) <= 1 - SUM_SHARE
    complete = rows[~missing[:, usual].any(axis=1)]
    if FEWEST_SUMS <= complete.size < rows.size:
        yield complete[_sample(complete.size)]


def _agreeing(chosen: Values, total: Values) -> tuple[int, int] | None:
    """Return the places that are compared and those that add up; None if these are too few."""
    informative = (total != 0) | (chosen != 0).any(axis=1)
    several = (chosen != 0).sum(axis=1) > 1
    equal = _equal(chosen.sum(axis=1), total)
    common, agreeing = int(informative.sum()), int((informative & equal).sum())
    enough = agreeing >= SUM_SHARE * common and int((several & equal).sum()) >= FEWEST_SUMS
    return (common, agreeing) if enough else None


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


def _needed_parts(chosen: Values, total: Values, parts: list[int]) -> list[int]:
    """Return the parts without those that a sum does as well without: a copy of another part may be among them.

    chosen: the values of each part as columns.
    """
    needed = list(range(len(parts)))
    added = chosen.sum(axis=1)
    for part in range(len(parts)):
        without = added - chosen[:, part]
        if _equal(without, total).sum() >= _equal(added, total).sum():
            added = without
            needed.remove(part)
    return [parts[part] for part in needed]


def _equal(added: Values, total: Values) -> NDArray[np.bool_]:
    equal: NDArray[np.bool_] = np.abs(added - total) <= ROUNDING * np.maximum(1.0, np.abs(total))
    return equal


def _bits_of(total: Values) -> float:
    """Return the bits of one agreement: the logarithm of how many different values the total has."""
    return float(np.log2(max(np.unique(total[~np.isnan(total)]).size, 2)))
