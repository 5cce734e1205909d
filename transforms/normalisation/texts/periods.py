"""Texts to periods: the first day, and the first day after, of a year, a part of one, a day, or a span of them."""

from typing import Final

import polars as pl

from schemas.contract import Period
from transforms.normalisation.texts.dates import DateForm, read_date, read_month, sound_date

Span = tuple[pl.Expr, pl.Expr]
"""The first day of a period, and the first day after it."""
_TWO_YEARS: Final = r"^([0-9]{4})[/\-\u2013]([0-9]{2}|[0-9]{4})$"
_HALF: Final = r"^([0-9]{4})-?[Hh]([12])$"
_QUARTER: Final = r"^([0-9]{4})-?[QKqk]([1-4])$"
_WEEK: Final = r"^([0-9]{4})-?[WUwu]([0-9]{2})$"
SCHOOL_YEAR_STARTS: Final = "08-01"
WRITTEN: Final = {
    "year": "YYYY", "half_year": "YYYY-Hn", "quarter": "YYYY-Qn", "month": "%Y-%m", "week": "YYYY-Wnn",
    "day": "%Y-%m-%d", "school_year": "YYYY/YY",
}  # fmt: skip
"""How each type of period is written where the contract declares no format."""


def read_span(text: pl.Expr, period: Period, how: DateForm) -> Span:
    """Return the days of a period's text, of two periods in one cell from the first to the last; null for no period."""
    if period.span is None:
        return read_period(text, period, how)
    parts = text.str.splitn(period.span, 2)
    first = parts.struct.field("field_0").str.strip_chars()
    last = parts.struct.field("field_1").str.strip_chars()
    if period.type == "year":  # 2017-21: the last year has the century of the first
        last = pl.when(last.str.contains("^[0-9]{2}$")).then(pl.concat_str(first.str.head(2), last)).otherwise(last)
    start, end = read_period(first, period, how)
    return start, pl.when(last.is_null()).then(end).otherwise(read_period(last, period, how)[1])


def read_period(text: pl.Expr, period: Period, how: DateForm) -> Span:
    """Return the days of one period's text; null where there is no such period."""
    match period.type:
        case "year":
            start, length = _year(text, period)
        case "school_year":
            start, length = _two_years(text, SCHOOL_YEAR_STARTS), "1y"
        case "half_year":
            start, length = _part(text, _HALF, 6), "6mo"
        case "quarter":
            start, length = _part(text, _QUARTER, 3), "1q"
        case "month":
            start, length = read_month(text, how), "1mo"
        case "week":
            start, length = _week(text), "1w"
        case "day":
            start, length = read_date(text, how), "1d"
    start = sound_date(start)
    return start, start.dt.offset_by(length)


def _year(text: pl.Expr, period: Period) -> tuple[pl.Expr, str]:
    if period.as_of is not None:
        return _on_day(text.str.extract("^([0-9]{4})$"), period.as_of), "1d"
    if period.starts is None:
        return _on_day(text.str.extract("^([0-9]{4})$"), "01-01"), "1y"
    single = _on_day(text.str.extract("^(?:FY ?)?([0-9]{4})$"), period.starts)
    if period.year_of == "end":
        single = single.dt.offset_by("-1y")
    return pl.coalesce(single, _two_years(text, period.starts)), "1y"


def _on_day(year: pl.Expr, day: str) -> pl.Expr:
    return (year + f"-{day}").str.to_date("%Y-%m-%d", strict=False)


def _two_years(text: pl.Expr, day: str) -> pl.Expr:
    """Return the first day of a year that is written as the two that it touches, 2024/25 or 2024-2025."""
    first, second = text.str.extract(_TWO_YEARS, 1), text.str.extract(_TWO_YEARS, 2)
    following = (first.cast(pl.Int32) + 1).cast(pl.String)
    return pl.when((second == following) | (second == following.str.tail(2))).then(_on_day(first, day))


def _part(text: pl.Expr, pattern: str, months: int) -> pl.Expr:
    """Return the first day of a part of a year of so many months."""
    month = (text.str.extract(pattern, 2).cast(pl.Int8) - 1) * months + 1
    return (text.str.extract(pattern, 1) + "-" + month.cast(pl.String) + "-1").str.to_date("%Y-%m-%d", strict=False)


def _week(text: pl.Expr) -> pl.Expr:
    """Return the Monday of a week of ISO 8601."""
    monday = pl.concat_str(text.str.extract(_WEEK, 1), pl.lit("-"), text.str.extract(_WEEK, 2), pl.lit("-1"))
    return monday.str.to_date("%G-%V-%u", strict=False)
