"""Who was expected to deliver, who did and who is late: on the last day, and on the day after it."""

from datetime import date, datetime
from pathlib import Path

import pytest

from flows.installation import Installation
from flows.monitoring.obligations import Obligation, obligations
from tests.support.monitored_installation import DUE, deliver, open_watched

LAST_DAY, DAY_AFTER = date(2026, 4, 15), date(2026, 4, 16)
"""Of the deadline for March."""
NAMED = "due: {after_period: {days: 15}, senders: [x, y]}"
RECEIVED = datetime(2026, 4, 10)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation in which February has three senders, and March one of them and a new one."""
    folder = tmp_path_factory.mktemp("home")
    home = open_watched(
        folder, f"sqlite:///{folder / 'ledger.db'}",
        b_any=DUE, a_listed=f"{DUE}|sender: {{allowed: [k, l]}}", c_named=f"{NAMED}|sender: {{allowed: [x, y, z]}}",
        d_none="", e_silent=DUE,
    )  # fmt: skip
    for sender, months in {"p": ["2025-12"], "q": ["2026-01"], "r": ["2026-02", "2026-03"], "s": ["2026-03"]}.items():
        deliver(home, "b_any", sender, months, received=RECEIVED)
    deliver(home, "b_any", "q", "2026-02", status="withdrawn", received=RECEIVED)
    deliver(home, "a_listed", "k", ["2026-01", "2026-02", "2026-03"], received=RECEIVED)
    deliver(home, "c_named", "x", "2026-02", received=RECEIVED)
    deliver(home, "c_named", "z", "2026-03", received=RECEIVED)
    return home


def of(home: Installation, contract: str, today: date) -> Obligation:
    return next(found for found in obligations(home, today) if found.contract == contract)


def test_each_contract_with_a_due_date_is_listed_by_name(home: Installation) -> None:
    found = obligations(home, LAST_DAY)
    assert [(o.contract, o.rhythm) for o in found] == [
        (n, "monthly") for n in ("a_listed", "b_any", "c_named", "e_silent")
    ]


def test_without_a_due_date_there_is_no_obligation(tmp_path: Path) -> None:
    assert obligations(open_watched(tmp_path, f"sqlite:///{tmp_path / 'l.db'}", none=""), LAST_DAY) == []


def test_on_its_last_day_a_deadline_is_the_next_one(home: Installation) -> None:
    found = of(home, "a_listed", LAST_DAY)
    assert (found.period, found.due, found.expected, found.delivered) == ("2026-02", date(2026, 3, 16), 2, 1)
    assert (found.next_period, found.next_due, found.next_expected, found.next_delivered) == ("2026-03", LAST_DAY, 2, 1)
    assert found.late == (("2026-01", "l"), ("2026-02", "l"))


def test_on_the_day_after_it_has_passed(home: Installation) -> None:
    found = of(home, "a_listed", DAY_AFTER)
    assert (found.period, found.due, found.expected, found.delivered) == ("2026-03", LAST_DAY, 2, 1)
    assert (found.next_period, found.next_due, found.next_expected, found.next_delivered) == (
        "2026-04", date(2026, 5, 15), 2, 0,
    )  # fmt: skip
    assert found.late == (("2026-02", "l"), ("2026-03", "l"))


def test_who_delivered_for_one_of_the_two_periods_before_is_expected(home: Installation) -> None:
    found = of(home, "b_any", DAY_AFTER)
    assert (found.expected, found.delivered) == (2, 1), "q and r are expected for March, r has delivered"
    assert found.late == (("2026-02", "p"), ("2026-02", "q"), ("2026-03", "q"))
    assert (found.next_expected, found.next_delivered) == (2, 0), "r and s are expected for April"


def test_whom_the_due_date_names_is_expected_and_no_other(home: Installation) -> None:
    found = of(home, "c_named", DAY_AFTER)
    assert (found.expected, found.delivered) == (2, 0), "z delivered for March, and is not asked to"
    assert found.late == (("2026-02", "y"), ("2026-03", "x"), ("2026-03", "y"))


def test_where_nobody_ever_delivered_nobody_is_late(home: Installation) -> None:
    found = of(home, "e_silent", DAY_AFTER)
    assert (found.period, found.expected, found.delivered, found.late) == ("2026-03", 0, 0, ())


@pytest.mark.parametrize(("received", "delivered"), [
    (datetime(2026, 2, 28, 23, 59, 59), 0), (datetime(2026, 3, 1), 1), (datetime(2026, 4, 1), 1),
])  # fmt: skip
def test_what_was_delivered_before_a_month_began_does_not_count_for_it(
    tmp_path: Path, received: datetime, delivered: int
) -> None:
    home = open_watched(tmp_path, f"sqlite:///{tmp_path / 'l.db'}", m=f"{DUE}|sender: {{allowed: [k]}}")
    deliver(home, "m", "k", "2026-03", received=received)
    assert of(home, "m", DAY_AFTER).delivered == delivered


@pytest.mark.parametrize(("received", "late"), [
    (datetime(2026, 4, 11, 23, 59, 59), (("2026-W15", "k"),)), (datetime(2026, 4, 12), ()),
])  # fmt: skip
def test_for_a_week_what_is_received_from_its_last_day_on_counts(
    tmp_path: Path, received: datetime, late: tuple[tuple[str, str], ...]
) -> None:
    home = open_watched(tmp_path, f"sqlite:///{tmp_path / 'l.db'}", w=f"{DUE}|sender: {{allowed: [k]}}")
    contract = home.contracts["w"]
    weekly = home.with_presets(contracts={"w": contract.model_copy(update={"rhythm": "weekly"})})
    deliver(weekly, "w", "k", "2020-01", received=received)
    assert of(weekly, "w", date(2026, 4, 28)).late == late


def test_obligations_are_listed_by_name_whatever_the_order_of_the_contracts(home: Installation) -> None:
    turned = home.with_presets(contracts=dict(reversed(home.contracts.items())))
    assert [o.contract for o in obligations(turned, LAST_DAY)] == ["a_listed", "b_any", "c_named", "e_silent"]


def test_before_the_first_deadline_nobody_is_expected(tmp_path: Path) -> None:
    due, sender = 'due: {{after_period: {{days: 15}}, since: "2026-{}-01"}}', "sender: {allowed: [k]}"
    names = {name: f"{due.format(month)}|{sender}" for name, month in (("c", "03"), ("d", "02"))}
    found, second = obligations(open_watched(tmp_path, f"sqlite:///{tmp_path / 'l.db'}", **names), LAST_DAY)
    assert (second.period, second.expected, second.late) == ("2026-02", 1, (("2026-02", "k"),))
    assert (found.period, found.due, found.expected, found.delivered, found.late) == (None, None, 0, 0, ())
    assert (found.next_period, found.next_expected, found.next_delivered) == ("2026-03", 1, 0)
    bare = Obligation("c", "o", "monthly")
    assert (bare.expected, bare.delivered, bare.next_expected, bare.next_delivered) == (0, 0, 0, 0)


def test_holidays_are_known_four_years_back_and_ahead(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def public_holidays(_: Path, first: int, last: int) -> frozenset[date]:
        asked.append((first, last))
        return frozenset()

    monkeypatch.setattr("flows.monitoring.obligations.public_holidays", public_holidays)
    assert obligations(home, LAST_DAY)
    assert asked == [(2022, 2030)]
