"""Evidence of agreement: which places count, what is close, and how it compares with chance."""

import numpy as np
import polars as pl
import pytest

from transforms.discovery.evidence import (
    agreement_of,
    agrees_often,
    common_places,
    divergence,
    series_values,
)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def places(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.uint64)


@pytest.mark.parametrize(
    ("a", "b", "common", "in_a", "in_b"),
    [
        ((1, 2, 5), (1, 2, 5), [1, 2, 5], [0, 1, 2], [0, 1, 2]),
        ((1, 2, 5), (2, 3, 5), [2, 5], [1, 2], [0, 2]),
        ((1, 2), (3, 4), [], [], []),
        ((3, 4), (1, 2), [], [], []),
        ((), (1,), [], [], []),
        ((1,), (), [], [], []),
        ((9,), (1, 9), [9], [0], [1]),
    ],
)
def test_common_places_and_where_each_series_has_them(
    a: tuple[int, ...], b: tuple[int, ...], common: list[int], in_a: list[int], in_b: list[int]
) -> None:
    found = common_places(places(*a), places(*b))
    assert [each.tolist() for each in found] == [common, in_a, in_b]


def test_the_values_of_each_series_by_place() -> None:
    rows = pl.DataFrame({"series": [3, 3, 7], "place": [1, 4, 1], "value": [5.0, 6.0, 7.0]})
    found = series_values(rows)
    assert {number: (each.places.tolist(), each.values.tolist()) for number, each in found.items()} == {
        3: ([1, 4], [5.0, 6.0]), 7: ([1], [7.0]),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("a", "b", "least", "often"),
    [
        ((1, 2, 3, 4), (1, 2, 3, 5), 0.75, True), ((1, 2, 3, 4), (1, 2, 3, 5), 0.76, False),
        ((0, 0, 1, 1), (0, 0, 1, 2), 0.5, True), ((0, 0, 1, 1), (0, 0, 1, 2), 0.51, False),
        ((0, 1), (1, 0), 0.1, False), ((0, 0), (0, 0), 1.0, True),
    ],
)  # fmt: skip
def test_places_where_both_are_zero_say_nothing(
    a: tuple[float, ...], b: tuple[float, ...], least: float, often: bool
) -> None:
    assert agrees_often(array(*a), array(*b), least) is often


SIZES = np.linspace(0, 1, 4)


@pytest.mark.parametrize(
    ("a", "b", "equal", "close", "percent"),
    [
        (200, 202, 0, 1, 1), (200, 198, 0, 1, 1), (200, 203, 0, 0, 0), (199, 200, 0, 1, 1), (198, 199, 0, 0, 1),
        (100, 101, 0, 0, 1), (100, 100, 1, 1, 1), (-200, -202, 0, 1, 1), (-200, 200, 0, 0, 0), (0, 5, 0, 0, 0),
        (5, 0, 0, 0, 0),
    ],
)  # fmt: skip
def test_what_is_equal_close_and_within_a_percent(a: float, b: float, equal: int, close: int, percent: int) -> None:
    found = agreement_of(array(a, 0, 0, 7), array(b, 0, 0, 7), SIZES)
    assert found is not None
    assert (found.common, found.equal, found.close, found.percent) == (2, 1 + equal, 1 + close, 1 + percent)


def test_where_all_is_zero_there_is_no_evidence() -> None:
    assert agreement_of(array(0, 0), array(0, 0), array(0, 1)) is None


def test_agreement_is_measured_against_permuted_values() -> None:
    generator = np.random.default_rng(1)
    a = generator.integers(1000, 100_000, 200).astype(np.float64)
    same = agreement_of(a, a, np.linspace(0, 1, 200))
    unlike = agreement_of(a, generator.permutation(a), np.linspace(0, 1, 200))
    constant = agreement_of(a * 0 + 5, a * 0 + 5, np.linspace(0, 1, 200))
    assert same is not None
    assert unlike is not None
    assert constant is not None
    assert same.z > 20
    assert unlike.z < 5
    assert same.bits == pytest.approx(200 * -np.log2(same.chance))
    assert 0 < same.chance < 0.2
    assert constant.chance > 0.99
    assert constant.bits < 1


@pytest.mark.parametrize(
    ("share", "chance", "bits"),
    [
        (0.5, 0.5, 0.0), (0.4, 0.5, 0.0), (1.0, 0.25, 2.0), (0.5, 0.25, 0.5 * 1 + 0.5 * np.log2(0.5 / 0.75)),
        (1.0, 1.0, 0.0), (0.75, 0.25, 0.75 * np.log2(3) + 0.25 * np.log2(1 / 3)),
    ],
)  # fmt: skip
def test_the_evidence_of_a_place_is_the_divergence_from_chance(share: float, chance: float, bits: float) -> None:
    assert divergence(share, chance) == pytest.approx(bits)
