"""The threshold by expected F1 of items."""

import polars as pl
import pytest

from transforms.linkage.pairs import no_pairs
from transforms.training.threshold import THRESHOLDS, best_item_threshold

PAIR = {"a": pl.String, "b": pl.String, "weight": pl.Float64}


def reports(count: int) -> pl.DataFrame:
    return pl.DataFrame({"report_id": [f"r{n:03}" for n in range(count)], "reported_by": ["x"] * count})


def pairs(*weights: float) -> pl.DataFrame:
    """Return pairs of reports that have nothing in common."""
    rows = [(f"r{2 * n:03}", f"r{2 * n + 1:03}", weight) for n, weight in enumerate(weights)]
    return pl.DataFrame(rows, schema=PAIR, orient="row")


def test_certain_pairs_leave_the_middle_of_what_is_between() -> None:
    found = best_item_threshold(reports(80), pairs(*[12.0] * 20, *[-12.0] * 20), no_pairs(), one_report_per_item=False)
    assert (found.lowest, found.highest) == (THRESHOLDS[0], THRESHOLDS[-1])
    assert found.best == pytest.approx(3.0)
    assert found.low <= found.f1 <= found.high
    assert found.f1 == pytest.approx(1.0, abs=0.01)


def test_what_is_more_likely_not_an_item_is_left_out() -> None:
    found = best_item_threshold(reports(80), pairs(*[8.0] * 20, *[-2.0] * 20), no_pairs(), one_report_per_item=False)
    assert -2.0 < found.best <= 8.0
    assert found.f1 == pytest.approx(2 * 20 / (20 + 20 + 20 * 0.2), abs=0.01)


def test_a_pair_without_an_edge_counts_with_its_probability() -> None:
    chain = pl.DataFrame([("r000", "r001", 9.0), ("r001", "r002", 9.0)], schema=PAIR, orient="row")
    unlike = pl.DataFrame([("r000", "r002", -20.0)], schema=PAIR, orient="row")
    alike = unlike.with_columns(weight=pl.lit(9.0))
    apart, whole = (best_item_threshold(reports(3), chain, u, one_report_per_item=False) for u in (unlike, alike))
    assert apart.f1 < 0.9
    assert whole.f1 > 0.99


def test_nothing_to_join_is_no_error() -> None:
    assert best_item_threshold(reports(4), no_pairs(), no_pairs(), one_report_per_item=True).f1 == 1.0
