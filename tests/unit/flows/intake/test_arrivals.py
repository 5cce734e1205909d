"""Arrivals found by queue, folder and listing: what is asked of whom, in which order, and what waits for next time."""

import itertools
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from flows import events, releases
from flows.intake import arrivals
from flows.intake.arrivals import (
    NotificationCounts,
    receive_arrivals,
    receive_notifications,
    reconcile_arrivals,
    watch_arrivals,
)
from infra.inbox import sqs, work_queue
from infra.storage.store import StoredObject
from schemas.errors import StoreError

if TYPE_CHECKING:
    from flows.installation import Installation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUCKET = object()
"""A place that is no folder."""


class Clock(datetime):
    """A time that stands still."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        return NOW.astimezone(tz)


def installation(arrivals_at: object = BUCKET, queue: str | None = None, *found: StoredObject) -> "Installation":
    asked: list[bool] = []

    def listing(*, overwritten: bool) -> Iterator[StoredObject]:
        asked.append(overwritten)
        return iter(found)

    settings = SimpleNamespace(arrivals=arrivals_at, queue=queue)
    store = SimpleNamespace(listing=listing, asked=asked)
    return cast("Installation", SimpleNamespace(settings=settings, engine="ledger", arrivals=store, cluster=None))


def stored(key: str, seconds: float = 60) -> StoredObject:
    return StoredObject(key, "v1", 10, NOW - timedelta(seconds=seconds))


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give what is recorded in an inbox that knows `known` objects: (objects, how they were found)."""
    fake = SimpleNamespace(known=set(), recorded=[], looked_up=[], parked=[], since=[])

    def not_enqueued(_: object, rows: pl.DataFrame) -> pl.DataFrame:
        fake.looked_up.append(rows.height)
        return rows.filter(~pl.col("object").is_in(list(fake.known)))

    def enqueue(_: object, rows: pl.DataFrame, found_by: str) -> int:
        fake.recorded.append((rows["object"].to_list(), found_by))
        return rows.height

    def list_parked(_: object, *, since: datetime | None) -> pl.DataFrame:
        fake.since.append(since)
        return pl.DataFrame(fake.parked, ["id", "sender", "attempts", "done_at"], orient="row")

    for function in (not_enqueued, enqueue, list_parked):
        monkeypatch.setattr(work_queue, function.__name__, function)
    monkeypatch.setattr(arrivals, "datetime", Clock)
    return fake


def test_without_a_queue_nothing_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs, "open_queue", lambda *_: pytest.fail("there is none"))
    assert receive_notifications(installation()) == (0, 0, 0, 0)


def test_messages_are_deleted_when_their_objects_are_recorded(
    inbox: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    row = {"object": "a/c/f.csv", "version": "v1", "sender": "a", "bytes": 1, "reason": None}
    found = SimpleNamespace(objects=[row], receipts=["r1", "r2", "r3"], tests=1, unreadable=4)

    def open_queue(*given: object) -> SimpleNamespace:
        def delete(receipts: list[str]) -> None:
            assert inbox.recorded == [(["a/c/f.csv"], "event")]
            asked.append(receipts)

        def receive(*most_and_wait: int) -> SimpleNamespace:
            asked.append(most_and_wait)
            return found

        asked.append(given)
        return SimpleNamespace(receive=receive, delete=delete)

    monkeypatch.setattr(sqs, "open_queue", open_queue)
    home = installation(BUCKET, "https://queue")
    assert receive_notifications(home) == NotificationCounts(new=1, messages=3, tests=1, remaining=4)
    assert asked == [("https://queue", BUCKET), (500, 0), ["r1", "r2", "r3"]]
    inbox.recorded.clear()
    receive_notifications(home, 2, 7)
    assert asked[4] == (7, 2)


def test_a_listing_records_what_the_inbox_lacks(
    inbox: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(arrivals, "OBJECTS_PER_LOOKUP", 2)
    inbox.known = {"a/c/2"}
    keys = ("a/c/1", "a/c/2", ".hidden", "a/c/3")
    home = installation(BUCKET, None, *(stored(key, seconds=0) for key in keys))
    messages: list[str] = []
    with caplog.at_level("INFO"):
        assert reconcile_arrivals(home, messages.append) == 2
    assert [(line.message, vars(line)["count"]) for line in caplog.records] == [
        ("found arrived objects that no event announced", 2),
    ]  # fmt: skip
    assert inbox.recorded == [(["a/c/1"], "listing"), (["a/c/3"], "listing")]
    assert inbox.looked_up == [2, 1]
    assert messages == ["found 2 arrived objects that no event announced"]
    assert cast("Any", home.arrivals).asked == [True]
    assert reconcile_arrivals(installation(), messages.append) == 0
    assert len(messages) == 1


def test_a_file_of_a_folder_that_may_still_grow_waits(inbox: SimpleNamespace, tmp_path: Path) -> None:
    files = [stored("a/c/old", 0.5), stored("a/c/new", 0.4)]
    assert reconcile_arrivals(installation(tmp_path, None, *files)) == 1
    assert inbox.recorded == [(["a/c/old"], "listing")]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give what is done, in order, by steps that only note it; those in `failing` raise."""
    fake = SimpleNamespace(done=[], failing=set(), messages=iter(()), receipts=itertools.repeat([]))

    def step(name: str, result: Callable[[], Any]) -> Callable[..., Any]:
        def note(*_: object, **how: Any) -> Any:
            fake.done.append((name, how["limit"]) if "limit" in how else name)
            if name in fake.failing:
                raise StoreError(f"{name} is away")
            return result()

        return note

    monkeypatch.setattr(
        arrivals, "receive_notifications",
        step("queue", lambda: NotificationCounts(next(fake.messages, 0), next(fake.messages, 0))),
    )  # fmt: skip
    monkeypatch.setattr(arrivals, "reconcile_arrivals", step("listing", lambda: 1))
    monkeypatch.setattr(arrivals, "process_inbox", step("process", lambda: next(fake.receipts)))
    return fake


def test_a_queue_is_read_until_fewer_messages_come_than_are_read_at_once(steps: SimpleNamespace) -> None:
    steps.messages = iter([0, 500, 0, 501, 0, 499, 0, 500])
    steps.receipts = iter([["receipt"]])
    assert receive_arrivals(installation()) == ["receipt"]  # type: ignore[comparison-overlap]
    assert steps.done == ["queue"] * 3 + ["process"]
    steps.receipts, steps.messages = iter([[]]), iter(())
    steps.done.clear()
    receive_arrivals(installation(), listing=True)
    assert steps.done == ["queue", "listing", "process"]


def test_a_queue_that_is_away_stops_neither_listing_nor_inbox(steps: SimpleNamespace) -> None:
    messages: list[str] = []
    steps.failing = {"queue"}
    receive_arrivals(installation(), messages.append, listing=True)
    assert steps.done == ["queue", "listing", "process"]
    assert messages == ["notifications are left for next time: queue is away"]


def test_what_is_parked_is_announced_without_its_name(inbox: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[Any] = []
    monkeypatch.setattr(events, "publish_event", lambda _, *given, **how: published.append((*given, how)))
    monkeypatch.setattr(releases, "page_note", lambda *_: {"page": "operations.html"})
    inbox.parked = [(1, "a", 5, NOW), (2, "b", 1, NOW)]
    assert arrivals.announce_parked(installation()) == 2
    assert published[0] == (
        events.SUBMISSION_PARKED, "inbox/1", {"inbox": 1, "sender": "a", "attempts": 5, "page": "operations.html"},
        {"key": str(NOW)},
    )  # fmt: skip
    assert [subject for _, subject, _, _ in published] == ["inbox/1", "inbox/2"]
    assert inbox.since == [None]


class Stop:
    """An event that is set after so many waits; notes how long each was, and lets the seconds pass."""

    def __init__(self, waits: int, clock: SimpleNamespace) -> None:
        self.left, self.waited, self.clock = waits, list[float](), clock

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.left -= 1
        self.clock.seconds += self.clock.tick

    def is_set(self) -> bool:
        return self.left <= 0


@pytest.fixture
def watched(steps: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give the steps of a watch, its clock, signs of life, and what it announces."""
    steps.clock = SimpleNamespace(seconds=1000.0, tick=1.0)
    steps.beats, steps.ended, steps.announced, steps.received, steps.since = 0, 0, [], [], []

    def beat() -> None:
        steps.beats += 1

    def end() -> None:
        steps.ended += 1

    monkeypatch.setattr(arrivals, "Heartbeat", lambda *_: SimpleNamespace(beat=beat, end=end))
    monkeypatch.setattr(arrivals, "time", SimpleNamespace(monotonic=lambda: steps.clock.seconds))
    monkeypatch.setattr(arrivals, "FolderWatch", lambda root: SimpleNamespace(poll=lambda: [root]))
    monkeypatch.setattr(arrivals, "record_arrivals", lambda *_: steps.done.append("folder") or 1)
    monkeypatch.setattr(arrivals, "announce_parked", lambda _, since: steps.since.append(since))
    monkeypatch.setattr(events, "publish_event", lambda _, *given, key: steps.announced.append((*given, key)))
    return steps


def watch(steps: SimpleNamespace, home: "Installation", waits: int, **how: Any) -> list[float]:
    """Watch until it has waited so often; return how long each wait was."""
    stop = Stop(waits, steps.clock)
    watch_arrivals(home, cast("Any", stop), steps.received.append, **how)
    assert steps.ended == 1
    return stop.waited


def test_a_folder_is_read_every_half_second_and_listed_every_five_minutes(
    watched: SimpleNamespace, tmp_path: Path
) -> None:
    watched.clock.tick = 150.0
    assert watch(watched, installation(tmp_path), 5) == [0.5] * 5
    read, listed = ["folder", ("process", 512)], ["folder", "listing", ("process", 512)]
    assert watched.done == listed + read + listed + read + listed
    assert watched.beats == 5
    assert watched.received == []


def test_a_bucket_without_a_queue_is_listed_every_half_minute(watched: SimpleNamespace) -> None:
    watched.clock.tick = 15.0
    watch(watched, installation(), 4)
    assert watched.done.count("listing") == 2
    assert watched.done.count(("process", 512)) == 4


def test_a_queue_is_waited_for_by_itself_and_listed_every_five_minutes(watched: SimpleNamespace) -> None:
    watched.clock.tick = 100.0
    assert watch(watched, installation(BUCKET, "q"), 4) == [0] * 4
    assert watched.done.count("queue") == 4
    assert watched.done.count("listing") == 2


def test_a_queue_waits_two_seconds_for_a_message_and_in_a_backlog_not_at_all(
    watched: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[int] = []

    def receive(_: object, wait: int) -> NotificationCounts:
        waits.append(wait)
        return NotificationCounts(0, 0)

    monkeypatch.setattr(arrivals, "receive_notifications", receive)
    watched.receipts = iter([["a"], [], []])
    watch(watched, installation(BUCKET, "q"), 2)
    assert waits == [2, 0, 2]


def test_the_first_round_lists_even_where_the_machine_has_just_started(watched: SimpleNamespace) -> None:
    watched.clock.seconds = 0.0
    watch(watched, installation(BUCKET, "q"), 1)
    assert watched.done.count("listing") == 1


def test_in_a_large_backlog_it_looks_for_others_after_each_batch(watched: SimpleNamespace, tmp_path: Path) -> None:
    watched.receipts = iter([["a"], ["b"], [], []])
    watch(watched, installation(tmp_path), 1)
    batch = [("process", 512), "folder"]
    assert watched.done == ["folder", "listing", *batch, *batch, ("process", 512)]
    assert watched.received == [["a"], ["b"]]
    assert watched.beats == 3


def test_a_watch_that_only_notes_announces_what_is_new(watched: SimpleNamespace) -> None:
    watched.clock.tick = 1.0
    watch(watched, installation(), 3, process=False)
    assert watched.done == ["listing"]
    ((*given, key),) = watched.announced
    assert (given, len(key)) == ([events.SUBMISSION_RECEIVED, "inbox", {"objects": 1}], 32)


def test_what_was_parked_since_the_round_before_is_announced(
    watched: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter(NOW + timedelta(seconds=n) for n in range(10))

    class Ticking(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return next(times).astimezone(tz)

    monkeypatch.setattr(arrivals, "datetime", Ticking)
    watch(watched, installation(), 3)
    naive = NOW.replace(tzinfo=None)
    assert watched.since == [naive + timedelta(seconds=n) for n in range(3)]


def test_what_fails_is_tried_again_after_pauses_that_grow_to_a_minute(watched: SimpleNamespace) -> None:
    watched.failing = {"process"}
    assert watch(watched, installation(), 8) == [1, 2, 4, 8, 16, 32, 60, 60]
    assert watched.beats == 0
    assert watched.done.count("listing") == 8, "each new beginning lists"


def test_a_round_that_succeeds_begins_the_pauses_again(
    watched: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = iter([True, True, False, True])

    def process(*_: object, **__: object) -> list[Any]:
        if next(fails):
            raise OSError("the disk is away")
        return []

    monkeypatch.setattr(arrivals, "process_inbox", process)
    assert watch(watched, installation(), 4) == [1, 2, 0.5, 1]
    assert watched.beats == 1


def test_a_queue_that_is_away_fails_the_round_after_the_rest_is_done(watched: SimpleNamespace) -> None:
    watched.failing = {"queue"}
    assert watch(watched, installation(BUCKET, "q"), 2) == [1, 2]
    assert watched.done == ["queue", "listing", ("process", 512)] * 2
    assert len(watched.since) == 2
