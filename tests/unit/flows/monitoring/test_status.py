"""The status: its parts as the ledger has them, in an empty installation and in one that works."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from flows.installation import Installation
from flows.monitoring import status as module
from flows.monitoring.status import SUM_NAME, status
from infra.inbox import sqs
from infra.inbox import work_queue as inbox
from infra.ledger import outbox
from infra.ledger import tables as t
from infra.ledger.outbox import Event
from schemas.errors import StoreError, UsageError
from tests.support.monitored_installation import DUE, open_watched
from tests.support.submission_rows import RECEIVED, add, submission, write

SECOND = timedelta(seconds=1)
TODAY = date(2026, 4, 16)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Installation]:
    home = open_watched(tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", c=DUE, b="", a="", **{"a-b": ""})
    yield home
    home.engine.dispose()


def run(home: Installation, id_: str, began: datetime, **stated: Any) -> None:
    row = {"run_id": id_, "kind": "nightly", "started_at": began, "finished_at": began + SECOND, "status": "done"}
    write(home.engine, sa.insert(t.runs).values({**row, **stated}))


def release(home: Installation, number: int, published: datetime) -> None:
    rest = dict.fromkeys(("digest_lanes", "register_digest", "rules_digest"), "")
    row = {"release": number, "digest": f"d{number}", "published_at": published, "tables": "{}", "counts": "{}", **rest}
    write(home.engine, sa.insert(t.releases).values(row))


def arrival(home: Installation, number: int, **stated: Any) -> None:
    row = {"object": f"a/c/{number}", "version": "v", "sender": "a", "bytes": 1, "status": "waiting"}
    row |= {"found_at": RECEIVED + number * SECOND, "found_by": "event"}
    write(home.engine, sa.insert(t.inbox).values({**row, **stated}))


def test_an_empty_installation_is_well(home: Installation) -> None:
    found = status(home, TODAY)
    assert found.today == TODAY
    assert found.undeclared == ["a", "a-b", "b"], "by name: the files are read in another order"
    assert found.inbox == {
        "waiting": 0, "leased": 0, "parked": 0, "oldest_waiting": None, "senders_waiting": {}, "parked_objects": [],
        "queue": None, "dead_letters": None,
    }  # fmt: skip
    assert found.release == {
        "release": None, "digest": None, "published_at": None, "age_hours": None, "waiting": 0, "oldest_waiting": None,
    }  # fmt: skip
    assert found.nightly == {
        "last": None, "last_done": None, "message": None, "open": [], "refused_since": 0, "failed_since": 0,
    }  # fmt: skip
    assert found.outbox == {"unsent": 0, "oldest": None, "problem": None}
    assert (found.intake_seen, found.problems, found.erasures, found.record_warnings) == (None, [], [], [])
    assert found.as_dict()["obligations"][0]["contract"] == "c"


def test_the_inbox_is_counted_and_its_first_parked_objects_listed(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PARKED_LISTED", 2)
    arrival(home, 5, sender="b")
    arrival(home, 3, sender="b")
    arrival(home, 4)
    arrival(home, 1, status="leased")
    for number in (6, 7, 8):
        arrival(home, number, status="parked", reason=f"why {number}")
    arrival(home, 0, status="done")
    found = status(home, TODAY).inbox
    assert (found["waiting"], found["leased"], found["parked"]) == (3, 1, 3)
    assert found["oldest_waiting"] == RECEIVED + 3 * SECOND
    assert found["senders_waiting"] == {"a": 1, "b": 2}
    assert found["parked_objects"] == [
        {"id": n - 1, "object": f"a/c/{n}", "sender": "a", "found_at": RECEIVED + n * SECOND, "reason": f"why {n}"}
        for n in (6, 7)
    ]
    assert inbox.list_parked(home.engine).height == 3


def test_failures_count_since_the_end_of_the_last_success(home: Installation) -> None:
    run(home, "n1", RECEIVED, status="failed", message="before")
    run(home, "n2", RECEIVED + 10 * SECOND, finished_at=RECEIVED + 20 * SECOND)
    run(home, "n3", RECEIVED + 11 * SECOND, status="failed", message="met another one")
    run(home, "n4", RECEIVED + 30 * SECOND, status="refused", message="checks failed")
    run(home, "n5", RECEIVED + 40 * SECOND, status="failed", message="the disk is full")
    run(home, "b1", RECEIVED + 50 * SECOND, status="failed", kind="backfill", message="other")
    found = status(home, TODAY).nightly
    assert (found["refused_since"], found["failed_since"], found["message"]) == (1, 1, "the disk is full")
    assert found["last_done"] == RECEIVED + 10 * SECOND
    assert found["last"] == {
        "run_id": "n5", "started_at": RECEIVED + 40 * SECOND, "finished_at": RECEIVED + 41 * SECOND, "status": "failed",
    }  # fmt: skip


def test_without_a_success_all_failures_count(home: Installation) -> None:
    run(home, "n1", RECEIVED, status="refused", message="one")
    run(home, "n2", RECEIVED + SECOND, status="refused", message="two")
    found = status(home, TODAY).nightly
    assert (found["refused_since"], found["failed_since"], found["message"]) == (2, 0, "two")


def test_a_nightly_without_an_end_is_open_and_another_run_is_not(home: Installation) -> None:
    run(home, "n1", RECEIVED, status="running", finished_at=None)
    run(home, "b1", RECEIVED, status="running", finished_at=None, kind="backfill")
    found = status(home, TODAY).nightly
    assert found["open"] == [{"run_id": "n1", "started_at": RECEIVED, "dead": True}]


def test_the_release_has_its_age_and_what_waits_since_the_last_nightly(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "datetime":
            return datetime(2026, 3, 2, 13, 31, tzinfo=tz)

    monkeypatch.setattr(module, "datetime", Clock)
    release(home, 1, RECEIVED - timedelta(days=9))
    release(home, 2, RECEIVED)
    run(home, "n1", RECEIVED)
    add(home.engine, submission("s1", received_at=RECEIVED - SECOND), submission("s2"),
        submission("s3", received_at=RECEIVED + SECOND))  # fmt: skip
    assert status(home).release == {
        "release": 2, "digest": "d2", "published_at": RECEIVED, "age_hours": 25.5, "waiting": 2,
        "oldest_waiting": RECEIVED,
    }  # fmt: skip
    assert status(home).today == date(2026, 3, 2)


def test_unsent_events_are_counted_with_the_last_problem(home: Installation) -> None:
    def event(number: int) -> Event:
        return Event(f"e{number}", "x", "s", "{}", RECEIVED + number * SECOND)

    outbox.add_events(home.engine, [event(2)])
    outbox.add_events(home.engine, [event(1)])
    assert status(home, TODAY).outbox == {"unsent": 2, "oldest": RECEIVED + SECOND, "problem": None}
    outbox.mark_failed(home.engine, 1, 1, "answered 500")
    assert status(home, TODAY).outbox["problem"] == "answered 500"
    outbox.mark_failed(home.engine, 2, 1, "no answer")
    assert status(home, TODAY).outbox["problem"] == "no answer"


def test_a_worker_was_last_seen_when_the_last_of_them_looked(home: Installation) -> None:
    for worker, seconds in {"w1": 5, "w2": 9, "w3": 7}.items():
        run(home, worker, RECEIVED + seconds * SECOND, kind="intake")
    assert status(home, TODAY).intake_seen == RECEIVED + 9 * SECOND


@pytest.mark.parametrize(("limit", "looked"), [(1, False), (2, True)])
def test_only_a_small_ledger_has_its_landing_zone_checked(
    home: Installation, monkeypatch: pytest.MonkeyPatch, limit: int, looked: bool
) -> None:
    add(home.engine, submission("s1", sha256="a" * 64), submission("s2", sha256="b" * 64))
    monkeypatch.setattr(module, "SMALL_LEDGER", limit)
    found = status(home, TODAY).storage
    assert [problem.split(":")[0] for problem in found] == ["landing zone"] * looked


@pytest.mark.parametrize(("name", "is_sum"), [
    ("Totalt", True), ("total", True), ("TOTALER", True), ("Totalsum", True), (" I alt ", True), ("Sum:", True),
    ("delsum", True), ("Summa", True), ("Alle", True), ("Samlet.", True), ("Hele landet", True),
    ("Totalberg", False), ("Sumvik", False), ("Alle skoler", False), ("Ialt", False), ("Oslo i alt", False),
])  # fmt: skip
def test_a_name_that_sums_is_told_from_one_that_only_begins_so(name: str, is_sum: bool) -> None:
    assert pl.Series([name]).str.contains(SUM_NAME).item() is is_sum


def test_the_warnings_are_those_of_the_current_release(home: Installation) -> None:
    release(home, 1, RECEIVED)
    release(home, 2, RECEIVED)
    for number in (1, 2):
        row = {"release": number, "kind": "k", "what": "block", "detail": f"d{number}", "count": number}
        write(home.engine, sa.insert(t.record_warnings).values(row))
    assert status(home, TODAY).record_warnings == [{"kind": "k", "what": "block", "detail": "d2", "count": 2}]


@pytest.mark.parametrize("error", [None, StoreError("no answer"), UsageError("no bucket")])
def test_the_messages_of_both_queues_are_counted_or_the_error_is_told(
    home: Installation, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    asked: list[Any] = []

    def open_queue(url: str, place: object, *, fail_fast: bool) -> Any:
        asked.append((url, place, fail_fast))
        if error is not None and url == "dead":
            raise error
        return SimpleNamespace(count=lambda: len(url))

    monkeypatch.setattr(sqs, "open_queue", open_queue)
    found = status(replace(home, settings=replace(home.settings, queue="queue", dead_letters="dead")), TODAY)
    assert (found.inbox["queue"], found.inbox["dead_letters"]) == (5, 4 if error is None else str(error))
    assert asked == [("queue", home.settings.arrivals, True), ("dead", home.settings.arrivals, True)]


@pytest.mark.parametrize("released", [True, False])
def test_published_units_that_look_like_a_sum_are_named(
    home: Installation, monkeypatch: pytest.MonkeyPatch, released: bool
) -> None:
    rows = [("provisional:1", "I alt"), ("provisional:2", "Nord AS"), ("provisional:3", "Sum")]
    units = pl.DataFrame(rows, ["unit_id", "name"], orient="row")
    names = {"provisional:1": "I alt", "provisional:2": "Nord AS", "known": "Sum"}
    others = ["Totalt", "Sum", "Alle", "Samlet", "Delsum"]
    facts = pl.LazyFrame({"unit_id": [*names, *["provisional:1"] * 6], "unit_name": [*names.values(), *others, "Sum"]})
    lake = SimpleNamespace(live=lambda name, tables: facts if (name, tables) == ("observations", {}) else None)
    monkeypatch.setattr("infra.ledger.submissions.read_provisional_units", lambda _: units)
    monkeypatch.setattr("infra.lake.item_tables.observation_tables", lambda _: lake)
    monkeypatch.setattr(module, "current_release", lambda _: {"tables": {}} if released else None)
    assert status(home, TODAY).suspect_units == (sorted([*others, "I alt"]) if released else [])
    monkeypatch.setattr("infra.lake.item_tables.observation_tables", away)
    assert status(home, TODAY).suspect_units == []


def away(_: object) -> Any:
    def live(*_: object) -> pl.LazyFrame:
        raise StoreError("the lake is damaged")

    return SimpleNamespace(live=live)


def test_twenty_parked_objects_are_listed() -> None:
    assert module.MAX_PARKED_LISTED == 20
