"""The share of matches: where the model's expectation agrees with what it presumes."""

import math

import polars as pl
import pytest

from transforms.training.prior import expected_matches, expected_share, odds_bits


def test_the_share_is_where_expectation_and_presumption_agree() -> None:
    bits = pl.Series([30.0] * 40 + [8.0] * 20 + [-10.0] * 5_000)
    share = expected_share(bits, 1_000_000, 1e-4)
    assert expected_matches(bits + odds_bits(share)) == pytest.approx(share * 1_000_000, rel=1e-4)
    assert 40 <= share * 1_000_000 <= 60


@pytest.mark.parametrize("start", [1e-6, 1e-3, 0.4])
def test_it_does_not_depend_on_where_it_starts(start: float) -> None:
    bits = pl.Series([25.0] * 30 + [3.0] * 200)
    assert expected_share(bits, 100_000, start) == pytest.approx(expected_share(bits, 100_000, 1e-4), rel=1e-3)


@pytest.mark.parametrize("bits", [[], [-1e3] * 10, [1e3] * 1_000])
def test_it_is_never_0_or_1_or_no_number(bits: list[float]) -> None:
    share = expected_share(pl.Series(bits, dtype=pl.Float64), 1_000, 0.01)
    assert 0 < share <= 0.5
    assert not math.isnan(share)
