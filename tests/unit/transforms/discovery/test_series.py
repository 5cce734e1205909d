"""Series of statements: which there are, which figures each has, and which sums of them are series too."""

from typing import Any

import polars as pl
import pytest

from tests.support.overlap_statements import statements
from transforms.discovery.series import series_id, series_of
from transforms.discovery.series_figures import SERIES, SeriesFigures, unit_sizes


def stated(obligation: str, unit: str, value: Any, **differs: Any) -> dict[str, Any]:
    return {"obligation": obligation, "unit": unit, "value": value, **differs}


def series(*rows: dict[str, Any]) -> SeriesFigures:
    return series_of(statements(list(rows)))


def figures(known: SeriesFigures, over: str = "") -> list[tuple[object, ...]]:
    """Return obligation, unit, month and year of the start, and value of the figures of series that sum `over`."""
    placed = known.place_keys(known.figures).join(known.names, on="series").filter(over=over)
    start = pl.col("period_start")
    return (
        placed.select("obligation", "unit_id", start.dt.year() * 100 + start.dt.month(), "value").sort(pl.all()).rows()
    )


def test_a_series_is_of_one_obligation_concept_breakdown_and_reporter() -> None:
    known = series(
        stated("a", "u", 1), stated("a", "v", 2), stated("b", "u", 1), stated("a", "u", 3, concept="staff"),
        stated("a", "u", 4, breakdown='{"sex":"F"}'),
    )  # fmt: skip
    assert known.names.select(SERIES).rows() == [
        ("a", "beds", '{"sex":"F"}', "unit"), ("a", "beds", "{}", "unit"), ("a", "staff", "{}", "unit"),
        ("b", "beds", "{}", "unit"),
    ]  # fmt: skip
    assert known.figures.equals(known.figures.sort("series", "place"))
    assert known.names["series"].to_list() == [0, 1, 2, 3]


@pytest.mark.parametrize(("units", "reporter"), [(1, "unit"), (2, "unit"), (3, "other")])
def test_a_reporter_of_more_than_two_units_speaks_about_others(units: int, reporter: str) -> None:
    known = series(*(stated("a", f"u{n}", n, reporter="r") for n in range(units)))
    assert known.names["reporter"].unique().to_list() == [reporter]


def test_what_is_stated_with_two_values_or_withheld_once_is_no_figure() -> None:
    known = series(
        stated("a", "u", 1), stated("a", "u", 1), stated("a", "v", 1), stated("a", "v", 2), stated("a", "w", 3),
        stated("a", "w", None), stated("a", "x", None), stated("a", "y", 0),
    )  # fmt: skip
    assert figures(known) == [("a", "u", 202401, 1.0), ("a", "y", 202401, 0.0)]


MONTHS = range(1, 13)


def test_twelve_months_or_four_quarters_are_a_year() -> None:
    year = [stated("a", "u", month, month=month) for month in MONTHS]
    known = series(*year, stated("b", "u", 1, month=1))
    assert figures(known, "months") == [("a", "u", 202401, 78.0)]
    assert figures(series(*year[1:]), "months") == []
    assert figures(known, "quarters") == []
    assert len(figures(known)) == 13


def test_a_year_of_another_year_is_not_made_up_with() -> None:
    rows = [stated("a", "u", month, month=month, year=2024 + (month < 6)) for month in MONTHS]
    assert figures(series(*rows), "months") == []


def test_counties_have_the_sum_of_their_municipalities_where_somebody_has_counties() -> None:
    parts = [stated("a", "1101", 2), stated("a", "1102", 3), stated("a", "0301", 7), stated("b", "1101", 9)]
    known = series(*parts, stated("c", "11", 50, kind="county"))
    assert figures(known, "units") == [("a", "11", 202401, 5.0), ("b", "11", 202401, 9.0)]
    assert figures(series(*parts), "units") == []
    # a county of which nobody has a figure, of another year, or a unit of another kind, is none
    assert figures(series(*parts, stated("c", "11", None, kind="county")), "units") == []
    assert figures(series(*parts, stated("c", "11", 50, kind="county", year=2023)), "units") == []
    assert figures(series(*parts, stated("c", "11", 50, kind="school")), "units") == []
    assert figures(series(stated("a", "1101", 2, kind="school"), stated("c", "11", 5, kind="county")), "units") == []


def test_the_step_of_a_series_is_the_least_distance_of_its_periods() -> None:
    quarters = [stated("q", "u", 1, month=month) for month in (1, 4, 10)]
    years = [stated("y", unit, 1, year=year) for unit, year in (("u", 2020), ("v", 2022), ("u", 2024))]
    known = series(*quarters, *years, stated("one", "u", 1))
    steps = known.names.filter(over="").select("obligation", "step").rows()
    assert steps == [("one", None), ("q", 3), ("y", 24)]


def test_later_figures_are_those_of_the_next_period_that_there_is() -> None:
    known = series(
        *(stated("y", "u", year, year=year) for year in (2020, 2021, 2023)), stated("one", "u", 5, year=2021),
    )  # fmt: skip
    moved = known._replace(figures=known.later(known.figures.filter(pl.col("value") != 5)))
    assert figures(moved) == [("y", "u", 202101, 2020.0)]
    assert known.later(known.figures.filter(pl.col("value") == 5))["place"].to_list() in ([], [None])


def test_figures_of_some_units_and_of_reported_series_are_chosen() -> None:
    known = series(
        *(stated("a", "u", month, month=month) for month in MONTHS), stated("a", "v", 1, month=1)
    )  # fmt: skip
    assert known.reported().height == 13
    assert known.figures.height == 14
    assert known.of_units(pl.col("unit_id") == "v")["value"].to_list() == [1.0]
    assert known.of_units(pl.lit(value=True)).equals(known.figures)


def test_the_size_of_a_unit_is_its_mean_rank_among_those_of_its_period() -> None:
    known = series(
        stated("a", "u", -30), stated("a", "v", 20), stated("a", "w", 10), stated("b", "u", 1), stated("b", "v", 1),
        stated("a", "u", 5, year=2025),
    )  # fmt: skip
    sizes = known.place_keys(unit_sizes(known)).select("unit_id", pl.col("period_start").dt.year(), "size").rows()
    assert sizes == [
        ("u", 2024, pytest.approx((3 / 4 + 1.5 / 3) / 2)), ("u", 2025, 1 / 2),
        ("v", 2024, pytest.approx((2 / 4 + 1.5 / 3) / 2)), ("w", 2024, 1 / 4),
    ]  # fmt: skip


def test_the_id_of_a_series_depends_on_each_of_its_names_and_on_the_order_of_parts() -> None:
    one = {**dict.fromkeys(SERIES, "x"), "over": ""}
    others = [{**one, name: "y"} for name in one]
    ids = {series_id(each) for each in (one, *others)}
    assert len(ids) == 1 + len(one)
    assert all(len(each) == 12 for each in ids)
    assert series_id([one]) == series_id(one) == series_id({**one, "step": "12"})
    assert series_id([one, others[0]]) != series_id([others[0], one])
