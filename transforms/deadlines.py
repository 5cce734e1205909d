"""The calendar of an obligation: its periods, when each is due, and which day is a working day. Dates in, dates out."""

import calendar
from collections.abc import Container, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Final, NamedTuple

from schemas.contract_due import AfterPeriod, Due, OnDay

SATURDAY: Final = 5
MONTHS: Final = {"monthly": 1, "quarterly": 3, "yearly": 12}
LATEST_PERIODS: Final = 1500
"""So far back at most: a daily obligation that is due two years and a year of days after its period."""
DAY: Final = timedelta(days=1)


class Period(NamedTuple):
    """A period, half-open, under the name that people give it: 2025-01, 2025-Q1, 2025, 2025-W07, 2025-02-14."""

    name: str
    start: date
    end: date


class Deadline(NamedTuple):
    """A period and the last day to deliver for it."""

    period: Period
    due: date


def deadlines(rhythm: str, due: Due, today: date, holidays: Container[date], passed: int = 2) -> list[Deadline]:
    """Return the last `passed` deadlines that are over on a day, oldest first, then the next that is not.

    A deadline is over from the day after it on. Before `due.since` there are none.
    """
    if due.date is not None:
        last = working_day(date.fromisoformat(due.date), holidays)
        return [Deadline(Period("once", date.min, last), last)]
    found: list[Deadline] = []
    for period in islice(_backwards(rhythm, today), LATEST_PERIODS):
        if due.since is not None and period.end <= date.fromisoformat(due.since):
            break
        found.append(Deadline(period, due_date(due, period, holidays)))
        if sum(d.due < today for d in found) == passed:
            break
    over = [d for d in found if d.due < today]
    coming = [d for d in found if d.due >= today]
    return over[::-1] + coming[-1:]


def before(rhythm: str, period: Period, count: int = 2) -> list[Period]:
    """Return the periods before one, newest first."""
    return [] if rhythm == "once" else list(islice(_backwards(rhythm, period.start - DAY), count))


def due_date(due: Due, period: Period, holidays: Container[date]) -> date:
    """Return the last day to deliver for a period, moved to a working day."""
    if due.after_period is not None:
        return working_day(_after(due.after_period, period.end), holidays)
    if due.on is not None:
        return working_day(_first(due.on, period.end), holidays)
    raise ValueError("a due date is after the period or on a day")


def working_day(day: date, holidays: Container[date]) -> date:
    """Return the day itself, or the first after it that is neither in a weekend nor a public holiday."""
    while day.weekday() >= SATURDAY or day in holidays:
        day += DAY
    return day


def _after(wait: AfterPeriod, end: date) -> date:
    """Return the period's last day moved on: `end` is the day after it, so whole months end on a month's last day."""
    return _months_later(end, wait.months) + timedelta(days=wait.days) - DAY


def _first(on: OnDay, end: date) -> date:
    """Return the first such day that is not before `end`."""
    month = end.replace(day=1)
    while True:
        if on.month in {None, month.month}:
            day = month.replace(day=min(on.day, calendar.monthrange(month.year, month.month)[1]))
            if day >= end:
                return day
        month = _months_later(month, 1)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _backwards(rhythm: str, day: date) -> Iterator[Period]:
    """Yield the period that a day is in, and all before it."""
    while True:
        period = _around(rhythm, day)
        yield period
        day = period.start - DAY


def _around(rhythm: str, day: date) -> Period:
    if rhythm == "daily":
        return Period(day.isoformat(), day, day + DAY)
    if rhythm == "weekly":
        start = day - timedelta(days=day.weekday())
        year, week, _ = start.isocalendar()
        return Period(f"{year}-W{week:02}", start, start + timedelta(days=7))
    length = MONTHS[rhythm]
    start = date(day.year, (day.month - 1) // length * length + 1, 1)
    names = {"monthly": f"{day:%Y-%m}", "quarterly": f"{day.year}-Q{(day.month + 2) // 3}", "yearly": f"{day.year}"}
    return Period(names[rhythm], start, _months_later(start, length))
