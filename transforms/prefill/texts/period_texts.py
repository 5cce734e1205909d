"""Periods as a contract writes them, and what a person means by one: the inverse of the reading of periods."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

import polars as pl

from schemas.contract import Format, Period
from schemas.errors import UsageError
from transforms.normalisation.texts.dates import DateForm
from transforms.normalisation.texts.periods import read_span

_PLAIN: Final = re.compile(r"(?P<year>\d{4})(?:-?[QK](?P<quarter>[1-4])|-(?P<month>\d{2})(?:-(?P<day>\d{2}))?)?")
_MONTHS_A_QUARTER: Final = 3
_MONTHS_A_HALF: Final = 6
_MONTHS_A_YEAR: Final = 12


def period_asked(text: str, period: Period, form: Format) -> tuple[dt.date, dt.date]:
    """Return the first day of a period that a person names and the first day after it.

    A text is first read as a period of the contract's own type (2024/25 of a school year; 2024 of figures that are of
    one day of the year), as the contract or the standard writes it, then as 2025, 2025-Q1, 2025-01 or 2025-01-31.
    Raises `UsageError`.
    """
    standard = period.model_copy(update={"format": None, "century": None, "span": None})
    for how in (standard, period):
        read = read_span(pl.col("text"), how, DateForm.of(how, form))
        start, end = pl.select(text=pl.lit(text)).select(start=read[0], end=read[1]).row(0)
        if start is not None and end is not None:
            return start, end
    return _plain_period(text)


def _plain_period(text: str) -> tuple[dt.date, dt.date]:
    found = _PLAIN.fullmatch(text) if text.isascii() else None
    if found is None:
        raise UsageError(f"period {text!r}: expected 2025, 2025-Q1, 2025-01 or 2025-01-31")
    year, quarter, month, day = (int(found[name] or 0) for name in ("year", "quarter", "month", "day"))
    first = (quarter - 1) * _MONTHS_A_QUARTER + 1 if quarter else int(found["month"] or 1)
    try:
        start = dt.date(year, first, int(found["day"] or 1))
        return start, _end(start, quarter=bool(quarter), month=bool(month), day=bool(day))
    except (ValueError, OverflowError) as error:  # no such day, or none after it
        raise UsageError(f"period {text!r}: {error}") from None


def _end(start: dt.date, *, quarter: bool, month: bool, day: bool) -> dt.date:
    if day:
        return start + dt.timedelta(days=1)
    later = start.month - 1 + (_MONTHS_A_QUARTER if quarter else 1 if month else _MONTHS_A_YEAR)
    return dt.date(start.year + later // _MONTHS_A_YEAR, later % _MONTHS_A_YEAR + 1, 1)


def period_texts(start: dt.date, period: Period) -> list[str]:
    """Return how a contract may write the period that begins on a day, the likeliest first."""
    return list(dict.fromkeys(_texts(start, period)))


def last_start(start: dt.date, end: dt.date, period: Period) -> dt.date:
    """Return the first day of the last of the contract's periods in a span: of March for January to March."""
    if period.type == "month":
        return (end - dt.timedelta(days=1)).replace(day=1)
    if period.type == "day":
        return end - dt.timedelta(days=1)
    return start


def _texts(start: dt.date, period: Period) -> Iterator[str]:
    year = start.year
    match period.type:
        case "year":
            yield str(year + (period.year_of == "end"))
            yield f"{year}/{(year + 1) % 100:02}"
        case "school_year":
            yield f"{year}/{(year + 1) % 100:02}"
            yield f"{year}/{year + 1}"
        case "half_year":
            yield f"{year}-H{1 + start.month // (_MONTHS_A_HALF + 1)}"
        case "quarter":
            yield f"{year}-Q{1 + (start.month - 1) // _MONTHS_A_QUARTER}"
        case "week":
            monday = start.isocalendar()
            yield f"{monday.year}-W{monday.week:02}"
        case "month":
            yield start.strftime(period.format or "%Y-%m")
        case "day":
            yield start.strftime(period.format or "%Y-%m-%d")
