"""Probabilities of Splink's settings: bounded, completed, and put together from sessions."""

from typing import Any

import pytest

from transforms.training import probabilities as p


def settings(*levels: tuple[float | None, float | None], name: str = "place") -> Any:
    null = {"is_null_level": True}
    shown = [{k: v for k, v in zip((p.M, p.U), level, strict=True) if v is not None} for level in levels]
    return {"comparisons": [{"output_column_name": name, "comparison_levels": [null, *shown]}]}


def numbers(found: Any) -> list[tuple[float | None, float | None]]:
    return [(level.get(p.M), level.get(p.U)) for c in found["comparisons"] for level in p.levels_of(c)]


def test_no_probability_is_below_what_the_reports_can_show() -> None:
    assert numbers(p.bounded(settings((0.0, 1e-9), (1.0, 1.0)), 0.01, 0.001)) == [(0.01, 0.001), (1.0, 1.0)]


def test_a_level_that_one_side_never_reached_gets_the_least() -> None:
    found = p.completed(settings((0.9, None), (None, 0.9), (None, None)), 0.01, 0.001)
    assert numbers(found) == [(0.9, 0.001), (0.01, 0.9), (0.01, 0.01)]


def test_what_is_declared_against_a_match_is_the_least_that_a_difference_weighs() -> None:
    learnt = ((0.9, 0.1), (0.1, 0.8))
    assert numbers(p.with_declared(settings(*learnt), {"place": 10.0})) == [
        (0.9, 0.1),
        (pytest.approx(0.8 / 1024), 0.8),
    ]
    assert numbers(p.with_declared(settings(*learnt), {"place": 1.0, "day": 9.0})) == [*learnt]


def test_m_is_the_median_of_the_sessions_and_adds_up_to_one() -> None:
    sessions = [settings((m, 0.1), (1 - m, 0.9)) for m in (0.5, 0.8, 0.9)]
    assert numbers(p.combined(settings((None, 0.1), (None, 0.9)), sessions)) == [
        (pytest.approx(0.8), 0.1), (pytest.approx(0.2), 0.9),
    ]  # fmt: skip
    assert p.estimated(sessions) == {"place"}


def test_what_no_session_tells_has_the_default() -> None:
    found = p.combined(settings((None, 0.1), (None, 0.3), (None, 0.6)), [settings((0.5, 0.5), name="day")])
    assert numbers(found) == [(0.95, 0.1), (pytest.approx(0.025), 0.3), (pytest.approx(0.025), 0.6)]
    assert numbers(p.combined(settings((None, None), (None, None)), [])) == [(None, None), (None, None)]


def test_the_largest_change() -> None:
    assert p.largest_change(settings((0.5, 0.1)), settings((0.75, 0.1))) == 0.25
    assert p.largest_change(settings((None, 0.1)), settings((0.75, 0.1))) == 1.0
