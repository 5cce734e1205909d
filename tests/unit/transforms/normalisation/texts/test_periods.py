"""Texts to periods: parts of years, weeks, school and fiscal years, spans in one cell, days of a year."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from schemas.contract import Period
from transforms.normalisation.texts.dates import DateForm
from transforms.normalisation.texts.periods import read_span


def span(text: str, **keys: Any) -> tuple[date, date] | None:
    """Return the first day and the first day after of a text, None for no period."""
    period = Period(column="p", **keys)
    start, end = read_span(pl.col("p"), period, DateForm(period.format, period.century))
    found = pl.DataFrame({"p": [text]}).select(start.alias("start"), end.alias("end")).row(0)
    return None if None in found else found


def days(first: str, after: str) -> tuple[date, date]:
    return date.fromisoformat(first), date.fromisoformat(after)


@pytest.mark.parametrize(
    ("kind", "text", "first", "after"),
    [
        ("year", "2024", "2024-01-01", "2025-01-01"),
        ("half_year", "2024-H1", "2024-01-01", "2024-07-01"),
        ("half_year", "2024h2", "2024-07-01", "2025-01-01"),
        ("quarter", "2024K3", "2024-07-01", "2024-10-01"),
        ("month", "2024-02", "2024-02-01", "2024-03-01"),
        ("week", "2024-W05", "2024-01-29", "2024-02-05"),
        ("week", "2020U53", "2020-12-28", "2021-01-04"),
        ("week", "2021-W01", "2021-01-04", "2021-01-11"),
        ("day", "2024-02-29", "2024-02-29", "2024-03-01"),
        ("school_year", "2024/25", "2024-08-01", "2025-08-01"),
        ("school_year", "2024-2025", "2024-08-01", "2025-08-01"),
        ("school_year", "1999/00", "1999-08-01", "2000-08-01"),
    ],
)
def test_each_type_has_its_way_of_writing(kind: str, text: str, first: str, after: str) -> None:
    assert span(text, type=kind) == days(first, after)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("year", "2024/25"), ("year", "24"), ("half_year", "2024-H3"), ("half_year", "2024"), ("week", "2021-W53"),
        ("week", "2024-W5"), ("school_year", "2024"), ("school_year", "2024/26"), ("school_year", "2025/24"),
        ("quarter", "2024-Q5"), ("year", "0024"), ("year", ""),
    ],
)  # fmt: skip
def test_any_other_text_is_no_period(kind: str, text: str) -> None:
    assert span(text, type=kind) is None


def test_a_year_may_begin_on_another_day() -> None:
    assert span("2024", type="year", starts="07-01") == days("2024-07-01", "2025-07-01")
    assert span("FY2024", type="year", starts="10-01", year_of="end") == days("2023-10-01", "2024-10-01")
    assert span("2024/25", type="year", starts="10-01", year_of="end") == days("2024-10-01", "2025-10-01")
    assert span("FY2024", type="year") is None


def test_figures_may_be_of_one_day_of_the_year() -> None:
    assert span("2024", type="year", as_of="07-01") == days("2024-07-01", "2024-07-02")
    assert span("2024-07-01", type="year", as_of="07-01") is None


def test_one_cell_may_hold_the_first_and_the_last_period() -> None:
    assert span("2017-21", type="year", span="-") == days("2017-01-01", "2022-01-01")
    assert span("2017 - 2021", type="year", span="-") == days("2017-01-01", "2022-01-01")
    assert span("2017", type="year", span="-") == days("2017-01-01", "2018-01-01")
    assert span("2024-01\u20132024-03", type="month", span="\u2013") == days("2024-01-01", "2024-04-01")
    assert span("2017-", type="year", span="-") is None


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"type": "month", "starts": "07-01"}, "starts and as_of are for periods of type year"),
        ({"type": "year", "starts": "07-01", "as_of": "07-01"}, "give starts or as_of, not both"),
        ({"type": "year", "year_of": "end"}, "year_of is for a year that `starts` on another day"),
        ({"type": "year", "as_of": "02-29"}, "02-29 is not a day of every year"),
        ({"type": "year", "as_of": "02-30"}, "day is out of range"),
        ({"type": "year", "span": "-", "until": {"column": "q"}}, "give span or until, not both"),
    ],
)
def test_keys_that_do_not_fit_are_errors(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Period(column="p", **keys)
