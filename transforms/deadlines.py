"""The calendar of an obligation: its periods, their due dates, and working days. Dates in, dates out."""

import calendar
from collections.abc import Container, Iterator
from datetime import date, timedelta
from itertools import islice
from typing import Final, NamedTuple

from schemas.contract_due import AfterPeriod, Due, OnDay

SATURDAY: Final = 5
RHYTHM_MONTHS: Final = {"monthly": 1, "quarterly": 3, "yearly": 12}
LATEST_PERIODS: Final = 1500
"""The limit of the search: enough for a daily obligation that is due two years and 366 days after its period."""
ONE_DAY: Final = timedelta(days=1)


class ReportingPeriod(NamedTuple):
    """A half-open period with its usual name: 2025-01, 2025-Q1, 2025, 2025-W07, 2025-02-14."""

    name: str
    start: date
    end: date


class Deadline(NamedTuple):
    """A period and the last day to deliver for it."""

    period: ReportingPeriod
    due: date


def deadlines(rhythm: str, due: Due, today: date, holidays: Container[date], passed: int = 2) -> list[Deadline]:
    """Return the last `passed` deadlines that have passed on a day, oldest first, then the next one.

    A deadline has passed from the day after it. There are none before `due.since`.
    """
    if due.date is not None:
        last = working_day(date.fromisoformat(due.date), holidays)
        return [Deadline(ReportingPeriod("once", date.min, last), last)]
    found: list[Deadline] = []
    for period in islice(_backwards(rhythm, today), LATEST_PERIODS):
        if due.since is not None and period.end <= date.fromisoformat(due.since):
            break
        found.append(Deadline(period, due_date(due, period, holidays)))
        if sum(d.due < today for d in found) == passed:
            break
    past = [d for d in found if d.due < today]
    coming = [d for d in found if d.due >= today]
    return past[::-1] + coming[-1:]


def periods_before(rhythm: str, period: ReportingPeriod, count: int = 2) -> list[ReportingPeriod]:
    """Return the periods before one, newest first."""
    return [] if rhythm == "once" else list(islice(_backwards(rhythm, period.start - ONE_DAY), count))


def due_date(due: Due, period: ReportingPeriod, holidays: Container[date]) -> date:
    """Return the last day to deliver for a period, moved to a working day."""
    if due.after_period is not None:
        return working_day(_after(due.after_period, period.end), holidays)
    if due.on is not None:
        return working_day(_first_day(due.on, period.end), holidays)
    raise ValueError("Due has none of date, after_period and on; expected exactly one")


def working_day(day: date, holidays: Container[date]) -> date:
    """Return the day itself, or the first day after it that is neither at a weekend nor a public holiday."""
    while day.weekday() >= SATURDAY or day in holidays:
        day += ONE_DAY
    return day


def _after(wait: AfterPeriod, end: date) -> date:
    """Return a day that long after the period; `end` is the day after it, so whole months end on a month's last day."""
    return _months_later(end, wait.months) + timedelta(days=wait.days) - ONE_DAY


def _first_day(on: OnDay, end: date) -> date:
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


def _backwards(rhythm: str, day: date) -> Iterator[ReportingPeriod]:
    """Yield the period that contains a day, then the ones before it."""
    while True:
        period = _period_of(rhythm, day)
        yield period
        day = period.start - ONE_DAY


def _period_of(rhythm: str, day: date) -> ReportingPeriod:
    if rhythm == "daily":
        return ReportingPeriod(day.isoformat(), day, day + ONE_DAY)
    if rhythm == "weekly":
        start = day - timedelta(days=day.weekday())
        year, week, _ = start.isocalendar()
        return ReportingPeriod(f"{year}-W{week:02}", start, start + timedelta(days=7))
    length = RHYTHM_MONTHS[rhythm]
    start = date(day.year, (day.month - 1) // length * length + 1, 1)
    names = {"monthly": f"{day:%Y-%m}", "quarterly": f"{day.year}-Q{(day.month + 2) // 3}", "yearly": f"{day.year}"}
    return ReportingPeriod(names[rhythm], start, _months_later(start, length))
