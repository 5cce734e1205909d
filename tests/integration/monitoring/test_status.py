"""The night watch: who is late, what waits, what failed, and what of it needs a person."""

import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.leases import Heartbeat
from flows.monitoring.status import status
from flows.monitoring.watch import announce_overdue
from infra.inbox import work_queue as inbox
from infra.ledger import erasures, outbox
from infra.ledger import monitoring as ledger_monitoring
from infra.ledger import runs as ledger_runs
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables as t
from infra.ledger.monitoring import DeliveryWindow
from infra.ledger.sql import write_transaction
from infra.settings import ObservabilitySettings
from schemas.errors import ReleaseRefused
from tests.support.cli_runner import engang
from tests.support.monitored_installation import DUE, NOW, deliver, open_watched

pytestmark = pytest.mark.usefixtures("unchecked")

ON_20_APRIL = date(2025, 4, 20)
"""March was due on 15 April 2025."""


@pytest.fixture
def opened(tmp_path: Path, ledger_url: str) -> Installation:
    return open_watched(tmp_path / "home", ledger_url, monthly=DUE, named=f"{DUE}|sender: {{allowed: [a, b]}}")


def late(installation: Installation, contract: str, today: date = ON_20_APRIL) -> tuple[tuple[str, str], ...]:
    (obligation,) = [o for o in status(installation, today).obligations if o.contract == contract]
    return obligation.late


def execute(installation: Installation, statement: sa.Executable) -> None:
    with write_transaction(installation.engine) as connection:
        connection.execute(statement)


# Who is late


def test_late_is_who_delivered_before_and_not_now(opened: Installation) -> None:
    for month, senders in (("2025-01", "ab"), ("2025-02", "abc"), ("2025-03", "ad")):
        for sender in senders:
            deliver(opened, "monthly", sender, month)
    report = status(opened, ON_20_APRIL)
    (monthly,) = [o for o in report.obligations if o.contract == "monthly"]
    assert (monthly.period, monthly.due) == ("2025-03", date(2025, 4, 15))
    assert (monthly.expected, monthly.delivered) == (3, 1)
    assert monthly.late == (("2025-03", "b"), ("2025-03", "c"))
    assert (monthly.next_period, monthly.next_due) == ("2025-04", date(2025, 5, 15))
    assert (monthly.next_expected, monthly.next_delivered) == (4, 0)
    assert "monthly for 2025-03 is late from b, c" in report.problems
    deliver(opened, "monthly", "b", "2025-03")
    assert late(opened, "monthly") == (("2025-03", "c"),)


def test_nobody_is_late_on_the_due_date_itself(opened: Installation) -> None:
    deliver(opened, "monthly", "a", "2025-02")
    assert late(opened, "monthly", date(2025, 4, 15)) == ()
    assert late(opened, "monthly", date(2025, 4, 16)) == (("2025-03", "a"),)


def test_what_was_withdrawn_or_rejected_is_not_delivered(opened: Installation) -> None:
    deliver(opened, "monthly", "a", "2025-02")
    deliver(opened, "monthly", "a", "2025-03", status="rejected")
    withdrawn = deliver(opened, "monthly", "a", "2025-03")
    assert late(opened, "monthly") == ()
    ledger_submissions.set_status(opened.engine, withdrawn, "withdrawn")
    assert late(opened, "monthly") == (("2025-03", "a"),)
    ledger_submissions.set_status(opened.engine, withdrawn, "live")
    assert late(opened, "monthly") == ()


def test_one_delivery_may_speak_of_several_months(opened: Installation) -> None:
    deliver(opened, "monthly", "a", ["2024-12", "2025-01", "2025-02", "2025-03"])
    deliver(opened, "monthly", "b", ["2025-01"])
    assert late(opened, "monthly") == (("2025-02", "b"), ("2025-03", "b"))


def test_whom_the_contract_names_is_expected_from_the_first_period(opened: Installation) -> None:
    deliver(opened, "named", "a", ["2025-02", "2025-03"])
    deliver(opened, "named", "c", ["2025-01", "2025-02"])
    assert late(opened, "named") == (("2025-02", "b"), ("2025-03", "b"))


def test_due_names_senders_and_a_beginning(tmp_path: Path, ledger_url: str) -> None:
    due = 'due: {after_period: {days: 15}, senders: [x, y], since: "2025-03-10"}'
    opened = open_watched(tmp_path / "home", ledger_url, monthly=due)
    assert late(opened, "monthly") == (("2025-03", "x"), ("2025-03", "y"))
    assert late(opened, "monthly", date(2025, 4, 1)) == ()
    assert len(late(opened, "monthly", date(2025, 6, 1))) == 4


def test_quarters_and_years_are_named_by_their_months(tmp_path: Path, ledger_url: str) -> None:
    opened = open_watched(tmp_path / "home", ledger_url, quarter=DUE, year=DUE)
    for name, rhythm in (("quarter", "quarterly"), ("year", "yearly")):
        contract = opened.contracts[name].model_copy(update={"rhythm": rhythm})
        opened.contracts[name] = contract
        for month in ("2023-04", "2024-08"):
            deliver(opened, name, "a", month)
    deliver(opened, "quarter", "b", "2024-11")
    assert late(opened, "year", date(2025, 1, 20)) == ()
    assert late(opened, "year", date(2026, 1, 20)) == (("2025", "a"),)
    assert late(opened, "quarter", date(2025, 1, 20)) == (("2024-Q4", "a"),)


def test_weeks_count_what_came_since_their_last_day(tmp_path: Path, ledger_url: str) -> None:
    opened = open_watched(tmp_path / "home", ledger_url, weekly="due: {after_period: {days: 3}, senders: [a, b]}")
    opened.contracts["weekly"] = opened.contracts["weekly"].model_copy(update={"rhythm": "weekly"})
    deliver(opened, "weekly", "a", "2025-03", received=NOW.replace(2025, 3, 9))  # a Sunday, the end of week 10
    deliver(opened, "weekly", "b", "2025-03", received=NOW.replace(2025, 3, 8))
    assert late(opened, "weekly", date(2025, 3, 14)) == (("2025-W10", "b"),)


def test_what_came_before_its_month_was_over_counts_too(opened: Installation) -> None:
    deliver(opened, "monthly", "a", "2025-02", received=NOW.replace(2025, 2, 3))
    deliver(opened, "monthly", "a", "2025-03", received=NOW.replace(2025, 3, 31))
    assert late(opened, "monthly") == ()


def test_who_has_delivered_is_asked_by_contract_sender_and_month(opened: Installation) -> None:
    for contract, sender, month in (
        ("monthly", "a", "2025-01"),
        ("named", "b", "2025-01"),
        ("monthly", "c", "2025-02"),
    ):
        deliver(opened, contract, sender, month)
    tomorrow = NOW.date() + timedelta(days=1)
    spans = [
        DeliveryWindow("january", date(2025, 1, 1), date(2025, 2, 1), "2025-01", "2025-02"),
        DeliveryWindow("ever", date.min, date.min),
        DeliveryWindow("tomorrow", tomorrow, tomorrow),
    ]
    assert ledger_monitoring.senders_by_period(opened.engine, "monthly", spans) == {
        "january": {"a"},
        "ever": {"a", "c"},
    }
    assert ledger_monitoring.senders_by_period(opened.engine, "none", spans) == {}


# What waits, what failed


def test_a_quiet_installation_needs_nobody(opened: Installation) -> None:
    report = status(opened, date(2020, 1, 1))
    assert [p for p in report.problems if "named" not in p] == []
    assert report.inbox["waiting"] == report.outbox["unsent"] == report.release["waiting"] == 0
    assert report.nightly["last"] is None


def arrive(installation: Installation, name: str, *, reason: str | None = None) -> None:
    schema = dict(inbox.INBOX_ROW)
    row = {"object": f"a/monthly/{name}", "version": "1", "sender": "a", "bytes": 5, "reason": reason}
    inbox.enqueue(installation.engine, pl.DataFrame([row], schema=schema), "event")


def test_the_inbox_needs_a_person_when_it_waits_or_parks(opened: Installation) -> None:
    arrive(opened, "x.csv")
    report = status(opened)
    assert (report.inbox["waiting"], report.inbox["parked"]) == (1, 0)
    assert report.inbox["senders_waiting"] == {"a": 1}
    assert not [p for p in report.problems if "inbox" in p]
    execute(opened, sa.update(t.inbox).values(found_at=NOW - timedelta(hours=2)))
    assert [p for p in status(opened).problems if "the inbox waits since" in p]
    arrive(opened, "y.csv", reason="no contract of that name")
    report = status(opened)
    assert [p["reason"] for p in report.inbox["parked_objects"]] == ["no contract of that name"]
    assert [p for p in report.problems if "1 objects are parked" in p]


def nights(installation: Installation, *ended: str) -> None:
    """Write nightlies, the last an hour ago, a day apart."""
    for number, how in enumerate(reversed(ended)):
        began = NOW - timedelta(hours=1, days=number)
        row = {"run_id": f"n{number}", "kind": "nightly", "started_at": began, "finished_at": began, "status": how}
        execute(installation, sa.insert(t.runs).values(row))


def problems(installation: Installation, word: str) -> list[str]:
    return [p for p in status(installation).problems if word in p]


def test_a_submission_that_no_night_looked_at_for_36_hours_needs_a_person(opened: Installation) -> None:
    deliver(opened, "monthly", "a", "2025-01", received=NOW - timedelta(hours=35))
    assert problems(opened, "wait for a release") == []
    deliver(opened, "monthly", "b", "2025-01", received=NOW - timedelta(hours=40))
    assert len(problems(opened, "2 submissions wait for a release")) == 1
    nights(opened, "done")  # it looked at them, and said they are nothing new
    assert problems(opened, "wait for a release") == []
    assert status(opened).release["waiting"] == 0


@pytest.mark.parametrize("how", ["refused", "failed"])
def test_a_night_that_ended_badly_needs_a_person_until_one_goes_well(opened: Installation, how: str) -> None:
    nights(opened, "done", how, how)
    assert problems(opened, f"the nightly {how} (2 times")
    assert status(opened).nightly["last"]["status"] == how
    execute(opened, sa.update(t.runs).where(t.runs.c.run_id == "n0").values(status="done"))
    assert problems(opened, "the nightly") == []


def test_warnings_of_the_current_release_are_shown_and_are_no_problem(
    opened: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(opened, "monthly", "a", "2025-03")
    for number in (1, 2):
        texts = dict.fromkeys(("digest", "digest_lanes", "register_digest", "rules_digest"), "x")
        texts |= dict.fromkeys(("tables", "counts", "models"), "{}")
        execute(opened, sa.insert(t.releases).values(release=number, published_at=NOW, **texts))
        row = {"kind": "train", "what": "block over the limit", "detail": f"name = {number}", "count": 900 + number}
        execute(opened, sa.insert(t.record_warnings).values(release=number, **row))
    report = status(opened, date(2025, 4, 1))
    assert report.record_warnings == [
        {"kind": "train", "what": "block over the limit", "detail": "name = 2", "count": 902}
    ]
    assert not [problem for problem in report.problems if "block" in problem]
    monkeypatch.setenv("ENGANG_HOME", str(opened.settings.home))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(opened.settings.contracts))
    monkeypatch.setenv("ENGANG_LEDGER", str(opened.settings.ledger_url))
    shown = engang("status", "--at", "2025-04-01")
    assert "warning: train: block over the limit: name = 2 (902 reports)" in shown.out
    printed = json.loads(engang("status", "--at", "2025-04-01", "--json").out)
    assert printed["record_warnings"] == report.record_warnings


# The command and the events


def test_the_command_says_it_all(opened: Installation, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deliver(opened, "monthly", "a", "2025-02")
    for name, value in {
        "HOME": tmp_path / "home", "CONTRACTS": opened.settings.contracts, "LEDGER": opened.settings.ledger_url
    }.items():  # fmt: skip
        monkeypatch.setenv(f"ENGANG_{name}", str(value))
    result = engang("status", "--at", "2025-04-20")
    assert result.code == 1
    assert "monthly   2025-03  2025-04-15  0 of 1" in result.out
    assert "! monthly for 2025-03 is late from a" in result.out
    read: dict[str, Any] = json.loads(engang("status", "--at", "2025-04-20", "--json").out)
    assert read["problems"][0] == "monthly for 2025-03 is late from a"
    assert {o["contract"]: len(o["late"]) for o in read["obligations"]} == {"monthly": 1, "named": 4}
    assert engang("status", "--at", "20.4.2025").code == 2
    for sender in "ab":
        deliver(opened, "named", sender, ["2025-02", "2025-03"])
    deliver(opened, "monthly", "a", "2025-03")
    nights(opened, "done")
    quiet = engang("status", "--at", "2025-04-20")
    assert (quiet.code, quiet.out.splitlines()[-1]) == (0, "no action needed")


@pytest.mark.parametrize("webhook", [None, "http://localhost:1/x"])
def test_who_is_overdue_is_reported_once(opened: Installation, webhook: str | None) -> None:
    settings = replace(opened.settings, observability=ObservabilitySettings(webhook=webhook))
    watched = Installation(settings, opened.engine)
    deliver(opened, "monthly", "a", "2025-02")
    deliver(opened, "named", "a", ["2025-02", "2025-03"])
    first = announce_overdue(watched, ON_20_APRIL)
    assert first == [("monthly", "2025-03", "a"), ("named", "2025-02", "b"), ("named", "2025-03", "b")]
    assert announce_overdue(watched, ON_20_APRIL) == []
    unsent = outbox.read_unsent_events(watched.engine)
    assert unsent["subject"].to_list() == (
        ["monthly/2025-03/a", "named/2025-02/b", "named/2025-03/b"] if webhook else []
    )
    later = announce_overdue(watched, date(2025, 5, 20))
    assert later == [("monthly", "2025-04", "a"), ("named", "2025-04", "a"), ("named", "2025-04", "b")]


def test_a_refused_night_keeps_watch_too(opened: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    deliver(opened, "monthly", "a", "2025-02")
    asked: list[str] = []

    def refuse(*_: object) -> None:
        raise ReleaseRefused("1 checks failed")

    monkeypatch.setattr(steps, "night", refuse)
    monkeypatch.setattr(steps, "reconcile", lambda *_: [])
    monkeypatch.setattr(steps, "send_notifications", lambda *_: asked.append("watched"))
    with pytest.raises(ReleaseRefused):
        steps.nightly(opened)
    assert asked == ["watched"]


def test_an_erasure_that_was_cut_off_needs_a_person(opened: Installation) -> None:
    submission = deliver(opened, "monthly", "a", "2025-02")
    rows = ledger_submissions.read_submissions(opened.engine, ids=[submission]).row(0, named=True)
    erasures.begin_erasure(opened.engine, rows, who="me", why="a person asked")
    (problem,) = [p for p in status(opened, ON_20_APRIL).problems if "erasure" in p]
    assert f"the erasure of submission {submission} is not finished" in problem
    erasures.finish_erasure(opened.engine, submission, None)
    assert status(opened, ON_20_APRIL).erasures == []


def test_a_worker_that_stopped_looking_for_arrivals_needs_a_person(opened: Installation) -> None:
    assert status(opened).intake_seen is None
    alive = Heartbeat(opened, "host:1:a")
    alive.beat()
    alive.beat()
    assert not [p for p in status(opened).problems if "looked for arrivals" in p]
    execute(
        opened, sa.update(t.runs).where(t.runs.c.kind == ledger_runs.INTAKE).values(started_at=NOW - timedelta(days=2))
    )
    assert [p for p in status(opened).problems if "nothing has looked for arrivals since" in p]
    other = Heartbeat(opened, "host:2:b")
    other.beat()
    assert not [p for p in status(opened).problems if "looked for arrivals" in p], "another one works"
    other.end()
    assert status(opened).intake_seen is None, "the row of the one that died went with the start of the other"


def test_a_nightly_of_the_future_needs_a_person(opened: Installation) -> None:
    with ledger_runs.recorded_run(opened.engine, "nightly"):
        pass
    assert not [p for p in status(opened).problems if "in the future" in p]
    execute(opened, sa.update(t.runs).values(started_at=NOW + timedelta(days=400)))
    (problem,) = [p for p in status(opened).problems if "in the future" in p]
    assert "correct it, or late nights go unnoticed" in problem
