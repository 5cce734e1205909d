"""The calendar of obligations: periods, due dates, and which day is a working day in Norway."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from infra.public_holidays import public_holidays
from schemas.contract import read_contract
from schemas.contract_due import Due
from schemas.errors import ContractError
from tests.support.paths import ROOT
from transforms.deadlines import deadlines, due_date, periods_before, working_day

DEMO = ROOT / "schemas" / "contracts" / "demo-lonn.yml"
NONE: frozenset[date] = frozenset()


@pytest.fixture(scope="module")
def holidays(tmp_path_factory: pytest.TempPathFactory) -> frozenset[date]:
    return public_holidays(tmp_path_factory.mktemp("cache"), 2020, 2030)


def after(months: int = 0, days: int = 0) -> Due:
    return Due.model_validate({"after_period": {"months": months, "days": days}})


def on(day: int, month: int | None = None) -> Due:
    return Due.model_validate({"on": {"day": day, "month": month}})


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2025-03-14", "2025-03-14"),  # a Friday
        ("2025-03-15", "2025-03-17"),  # a Saturday
        ("2025-03-16", "2025-03-17"),  # a Sunday
        ("2025-04-17", "2025-04-22"),  # Maundy Thursday: over Easter Monday
        ("2024-03-28", "2024-04-02"),  # the same in a year when Easter is in March
        ("2025-05-01", "2025-05-02"),  # a Thursday
        ("2024-05-17", "2024-05-21"),  # a Friday, then Whitsun
        ("2027-05-17", "2027-05-18"),  # 17 May and Whit Monday are one day
        ("2025-05-29", "2025-05-30"),  # Ascension Day
        ("2025-06-09", "2025-06-10"),  # Whit Monday
        ("2025-12-25", "2025-12-29"),  # Christmas, then a weekend
        ("2025-12-24", "2025-12-24"),  # half a working day is one
        ("2022-01-01", "2022-01-03"),  # a Saturday: the holiday is not given again
    ],
)
def test_a_due_date_moves_to_the_next_working_day(day: str, expected: str, holidays: frozenset[date]) -> None:
    assert working_day(date.fromisoformat(day), holidays) == date.fromisoformat(expected)


def test_easter_and_all_that_hangs_on_it_are_free_in_every_year(holidays: frozenset[date]) -> None:
    easter = {2020: (4, 12), 2021: (4, 4), 2022: (4, 17), 2023: (4, 9), 2024: (3, 31), 2025: (4, 20), 2026: (4, 5)}
    for year, (month, day) in easter.items():
        sunday = date(year, month, day)
        moving = {sunday + timedelta(days=n) for n in (-3, -2, 0, 1, 39, 49, 50)}
        fixed = {date(year, m, d) for m, d in ((1, 1), (5, 1), (5, 17), (12, 25), (12, 26))}
        assert {d for d in holidays if d.year == year} == moving | fixed


def test_what_the_package_says_is_kept_and_a_broken_file_is_asked_for_again(tmp_path: Path) -> None:
    asked = public_holidays(tmp_path / "cache", 2024, 2026)
    (cached,) = (tmp_path / "cache").iterdir()
    assert public_holidays(tmp_path / "cache", 2024, 2026) == asked
    cached.write_text('["2024-0')
    assert public_holidays(tmp_path / "cache", 2024, 2026) == asked
    (tmp_path / "file").write_text("")
    assert public_holidays(tmp_path / "file" / "cache", 2024, 2026) == asked  # nowhere to keep it
    assert {d.year for d in asked} == {2024, 2025, 2026}


@pytest.mark.parametrize(
    ("rhythm", "due", "today", "expected"),
    [
        ("monthly", after(days=15), "2025-02-20", "2024-12 2025-01-15, 2025-01 2025-02-17, 2025-02 2025-03-17"),
        ("monthly", after(days=15), "2025-02-17", "2024-11 2024-12-16, 2024-12 2025-01-15, 2025-01 2025-02-17"),
        ("monthly", after(1, 14), "2025-03-15", "2024-12 2025-02-14, 2025-01 2025-03-14, 2025-02 2025-04-14"),
        ("monthly", after(1), "2025-03-16", "2024-12 2025-01-31, 2025-01 2025-02-28, 2025-02 2025-03-31"),
        ("monthly", on(10), "2025-03-01", "2024-12 2025-01-10, 2025-01 2025-02-10, 2025-02 2025-03-10"),
        ("monthly", on(31), "2025-03-01", "2024-12 2025-01-31, 2025-01 2025-02-28, 2025-02 2025-03-31"),
        ("quarterly", after(days=30), "2025-05-01", "2024-Q4 2025-01-30, 2025-Q1 2025-04-30, 2025-Q2 2025-07-30"),
        ("yearly", on(1, 6), "2025-06-03", "2023 2024-06-03, 2024 2025-06-02, 2025 2026-06-01"),
        ("yearly", on(29, 2), "2025-03-01", "2023 2024-02-29, 2024 2025-02-28, 2025 2026-03-02"),
        ("weekly", after(days=3), "2025-01-09", "2024-W52 2025-01-01, 2025-W01 2025-01-08, 2025-W02 2025-01-15"),
        ("daily", after(days=1), "2025-01-03", "2024-12-31 2025-01-01, 2025-01-01 2025-01-02, 2025-01-02 2025-01-03"),
        ("daily", after(24, 366), "2025-01-03", "2022-01-01 2025-01-01, 2022-01-02 2025-01-02, 2022-01-03 2025-01-03"),
    ],
)
def test_the_last_deadlines_that_are_over_and_the_next(rhythm: str, due: Due, today: str, expected: str) -> None:
    found = deadlines(rhythm, due, date.fromisoformat(today), NONE)
    assert ", ".join(f"{d.period.name} {d.due}" for d in found) == expected


def test_a_deadline_is_over_the_day_after(holidays: frozenset[date]) -> None:
    due = after(days=15)  # 15 March 2025 is a Saturday
    assert [d.due for d in deadlines("monthly", due, date(2025, 3, 17), holidays)][-1] == date(2025, 3, 17)
    assert [d.due for d in deadlines("monthly", due, date(2025, 3, 18), holidays)][-2] == date(2025, 3, 17)


def test_nothing_is_due_before_the_obligation_began() -> None:
    due = Due.model_validate({"after_period": {"days": 15}, "since": "2025-02-10"})
    due_by_day = {day: [d.period.name for d in deadlines("monthly", due, date.fromisoformat(day), NONE)] for day in
            ("2025-01-01", "2025-02-10", "2025-03-18", "2025-04-16")}  # fmt: skip
    assert due_by_day == {
        "2025-01-01": [],
        "2025-02-10": ["2025-02"],
        "2025-03-18": ["2025-02", "2025-03"],
        "2025-04-16": ["2025-02", "2025-03", "2025-04"],
    }


def test_what_comes_once_is_due_once(holidays: frozenset[date]) -> None:
    (only,) = deadlines("once", Due(date="2025-05-17"), date(2026, 1, 1), holidays)
    assert (only.period.name, only.due) == ("once", date(2025, 5, 19))
    assert periods_before("once", only.period) == []


def test_the_periods_before_one() -> None:
    (period, *_) = periods_before("quarterly", deadlines("quarterly", after(), date(2025, 2, 1), NONE)[-1].period, 1)
    assert (period.name, period.start, period.end) == ("2024-Q4", date(2024, 10, 1), date(2025, 1, 1))
    assert due_date(after(), period, NONE) == date(2024, 12, 31)


@pytest.mark.parametrize(
    ("due", "problem"),
    [
        ("{}", "exactly one of after_period, on, date"),
        ("{after_period: {days: 1}, on: {day: 3}}", "exactly one of after_period, on, date"),
        ('{date: "2025-01-01"}', "`date` is for rhythm once"),
        ("{after_period: {weeks: 1}}", "unknown key 'weeks'"),
        ("{on: {day: 32}}", "less than or equal to 31"),
        ('{on: {day: 3}, since: "2025-02-30"}', "day is out of range"),
        ("{on: {day: 3}, senders: [Å]}", "string should match pattern"),
    ],
)
def test_a_due_date_that_is_none_is_an_error_in_the_contract(due: str, problem: str) -> None:
    text = DEMO.read_text(encoding="utf-8").replace("due: {after_period: {days: 15}}", f"due: {due}")
    with pytest.raises(ContractError, match=f"(?i){problem}"):
        read_contract(text)


@pytest.mark.parametrize("rhythm", ["event", "four-yearly", "once"])
def test_a_rhythm_without_periods_has_no_rule_for_them(rhythm: str) -> None:
    text = DEMO.read_text(encoding="utf-8").replace("rhythm: monthly", f"rhythm: {rhythm}")
    with pytest.raises(ContractError, match="due"):
        read_contract(text)


def test_when_a_delivery_is_due_changes_nothing_of_how_it_is_read() -> None:
    text = DEMO.read_text(encoding="utf-8")
    with_due, without = read_contract(text), read_contract(text.replace("due: {after_period: {days: 15}}\n", ""))
    assert with_due.due is not None
    assert without.due is None
    assert with_due.digest() == without.digest()


def test_a_due_rule_is_one_of_three() -> None:
    with pytest.raises(ValidationError, match="exactly one"):
        Due()
