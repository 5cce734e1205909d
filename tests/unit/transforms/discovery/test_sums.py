"""Sums of series: a total of parts, what is too little for one, and what is no part."""

import numpy as np
import polars as pl
import pytest

from transforms.discovery.evidence import SeriesValues
from transforms.discovery.sums import FEWEST_SUMS, FoundSum, sums_of_series

GENERATOR = np.random.default_rng(4)
A, B, C, D = (GENERATOR.integers(100, 9999, 40).astype(np.float64) for _ in range(4))


def sums(*values: np.ndarray, size: int = 40, **names: list[str]) -> list[FoundSum]:
    """Return the sums among series, each with values at the first places (NaN: none there)."""
    numbers = range(len(values))
    table = pl.DataFrame(
        {
            "series": list(numbers), "concept": ["c"] * len(values), "obligation": ["o"] * len(values),
            "reporter": ["unit"] * len(values), "over": [""] * len(values), **names,
        }
    )  # fmt: skip
    series = {}
    for number, each in zip(numbers, values, strict=True):
        known = np.flatnonzero(~np.isnan(each[:size]))
        series[number] = SeriesValues(known.astype(np.uint64), each[:size][known])
    return list(sums_of_series(table, series))


def test_a_total_is_the_sum_of_its_parts_with_the_places_that_show_it() -> None:
    (found,) = sums(A + B, A, B)
    assert (found.total, found.parts, found.common, found.equal) == (0, (1, 2), 40, 40)
    assert found.bits == pytest.approx(40 * np.log2(np.unique(A + B).size))


@pytest.mark.parametrize(("size", "found"), [(FEWEST_SUMS, 1), (FEWEST_SUMS - 1, 0)])
def test_a_sum_has_a_least_number_of_places(size: int, found: int) -> None:
    assert len(sums(A + B, A, B, size=size)) == found


@pytest.mark.parametrize(("wrong", "found"), [(0, 1), (8, 1), (9, 0)])
def test_a_sum_holds_at_four_fifths_of_the_places(wrong: int, found: int) -> None:
    total = A + B
    total[:wrong] += 50
    held = sums(total, A, B)
    assert len(held) == found
    assert [(each.common, each.equal) for each in held] == [(40, 40 - wrong)] * found


def test_places_where_all_is_zero_do_not_count() -> None:
    a, b = A.copy(), B.copy()
    a[30:], b[30:] = 0, 0
    (found,) = sums(a + b, a, b)
    assert (found.common, found.equal) == (30, 30)


def test_a_part_that_is_missing_is_zero() -> None:
    b = B.copy()
    b[:10] = np.nan
    (found,) = sums(A + np.nan_to_num(b), A, b)
    assert found.parts == (1, 2)


def test_a_copy_and_an_unlike_series_are_no_parts() -> None:
    (found,) = sums(A + B, A, B, D)
    assert found.parts == (1, 2)
    assert sums(A, A, B) == []
    assert sums(A + B, A) == []
    assert sums(A + B, C, D) == []


def test_a_sum_of_one_part_that_is_seldom_more_than_another_is_none() -> None:
    rare = np.where(np.arange(40) < FEWEST_SUMS - 1, B, 0.0)
    enough = np.where(np.arange(40) < FEWEST_SUMS, B, 0.0)
    assert sums(A + rare, A, rare) == []
    assert len(sums(A + enough, A, enough)) == 1


def test_rounding_of_a_millionth_adds_up_and_more_does_not() -> None:
    assert len(sums((A + B) * (1 + 9e-7), A, B)) == 1
    assert sums((A + B) * (1 + 1.2e-6), A, B) == []


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ({"concept": ["t", "x", "y"]}, 1),
        ({"concept": ["t", "x", "y"], "obligation": ["p", "q", "r"]}, 1),
        ({"reporter": ["unit", "unit", "other"]}, 0),
        ({"over": ["", "", "months"]}, 0),
    ],
)
def test_parts_are_of_one_reporter_and_as_reported(names: dict[str, list[str]], found: int) -> None:
    assert len(sums(A + B, A, B, **names)) == found


def test_each_total_is_found_once_and_a_total_of_totals_too() -> None:
    found = sums(A + B, A, B, A + B + C, C)
    assert sorted(each.total for each in found) == [0, 3]
    assert len({each.total for each in found}) == len(found)
