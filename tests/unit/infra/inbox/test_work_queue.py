"""The inbox at its limits: when a lease ends, when a failure is due again, when a row is parked, in which order."""

from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.inbox import work_queue as inbox
from infra.ledger import tables as t
from infra.ledger.sql import write_transaction
from schemas.errors import LeaseLost

NOW = datetime(2026, 3, 1, 12)
SECOND = timedelta(seconds=1)
WORKER = "host:1:aa"
TOO_SLOW = "the worker that held it ended, or was too slow to renew its lease"


@pytest.fixture(autouse=True)
def _clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "utc_now", lambda: NOW)
    monkeypatch.setattr("infra.inbox.work_queue.secrets.randbelow", lambda below: below - 1)


def put(engine: Engine, *rows: dict[str, Any]) -> list[int]:
    """Insert rows that wait, but for what each states; return their ids."""
    ids = []
    with write_transaction(engine) as connection:
        for number, stated in enumerate(rows):
            row = {"object": f"a/c/{number}", "version": "v1", "sender": "a", "bytes": 10, "status": "waiting"}
            row |= {"found_at": NOW + number * SECOND, "found_by": "event"} | stated
            ids.append(connection.execute(sa.insert(t.inbox).values(row).returning(t.inbox.c.id)).scalar_one())
    return ids


def held(**stated: Any) -> dict[str, Any]:
    """Return what a leased row has."""
    return {"status": "leased", "lease_by": WORKER, "lease_until": NOW + 90 * SECOND, "attempts": 1, **stated}


def row_of(engine: Engine, id_: int) -> dict[str, Any]:
    with engine.connect() as connection:
        return dict(connection.execute(sa.select(t.inbox).where(t.inbox.c.id == id_)).mappings().one())


def some(engine: Engine, id_: int, *names: str) -> tuple[Any, ...]:
    row = row_of(engine, id_)
    return tuple(row[name] for name in names)


def named(rows: pl.DataFrame) -> list[str]:
    return rows["object"].to_list()


def test_only_what_waits_or_whose_lease_has_ended_takes_the_lock_of_a_write(engine: Engine) -> None:
    put(engine, {"status": "parked", "reason": "x"}, held(), {"not_before": NOW + SECOND})
    assert not inbox._any_due(engine)  # noqa: SLF001  what is asked before a lease
    put(engine, held(object="a/c/9", lease_until=NOW))
    assert inbox._any_due(engine)  # noqa: SLF001


def test_what_is_found_waits_and_what_has_a_reason_is_parked_at_once(engine: Engine) -> None:
    found = [
        ("b/c/2", "v1", "b", 7, None),
        ("a/c/1", "v1", "a", None, "no such contract"),
        ("b/c/2", "v1", "b", 9, None),
    ]
    assert inbox.enqueue(engine, pl.DataFrame(found, inbox.INBOX_ROW, orient="row"), "event") == 2
    parked, waiting = row_of(engine, 1), row_of(engine, 2)
    assert (parked["object"], parked["status"], parked["reason"]) == ("a/c/1", "parked", "no such contract")
    assert (parked["found_at"], parked["done_at"], parked["bytes"]) == (NOW, NOW, None)
    assert (waiting["object"], waiting["status"], waiting["bytes"], waiting["done_at"]) == ("b/c/2", "waiting", 7, None)
    assert (waiting["found_by"], waiting["attempts"], waiting["source"]) == ("event", 0, "arrivals")


def test_an_object_is_enqueued_once_and_each_version_of_it(engine: Engine) -> None:
    def found(version: str) -> pl.DataFrame:
        return pl.DataFrame([("a/c/1", version, "a", 7, None)], inbox.INBOX_ROW, orient="row")

    assert [inbox.enqueue(engine, found(version), "listing") for version in ("v1", "v1", "v2")] == [1, 0, 1]
    assert inbox.enqueue(engine, pl.DataFrame(schema=inbox.INBOX_ROW), "listing") == 0
    asked = pl.DataFrame({"object": ["a/c/1", "a/c/1", "a/c/2"], "version": ["v2", "v3", "v1"]})
    assert inbox.not_enqueued(engine, asked).rows() == [("a/c/1", "v3"), ("a/c/2", "v1")]


def test_a_lease_holds_until_its_end_and_counts_the_attempt(engine: Engine) -> None:
    (id_,) = put(engine, {"attempts": 0})
    leased = inbox.lease(engine, WORKER, 5)
    assert leased.rows(named=True) == [
        {
            "id": id_, "object": "a/c/0", "version": "v1", "sender": "a", "bytes": 10, "attempts": 0,
            "source": "arrivals",
        }
    ]  # fmt: skip
    assert some(engine, id_, "status", "lease_by", "lease_until", "attempts") == (
        "leased", WORKER, NOW + timedelta(seconds=90), 1,
    )  # fmt: skip


@pytest.mark.parametrize(("until", "free"), [(NOW - SECOND, True), (NOW, True), (NOW + SECOND, False)])
def test_a_lease_that_has_just_ended_is_given_to_another_worker(engine: Engine, until: datetime, free: bool) -> None:
    (id_,) = put(engine, held(lease_until=until))
    assert inbox.lease(engine, "other", 5)["id"].to_list() == ([id_] if free else [])
    assert some(engine, id_, "lease_by", "attempts") == (("other", 2) if free else (WORKER, 1))


@pytest.mark.parametrize(
    ("attempts", "status", "done_at"), [(4, "waiting", None), (5, "parked", NOW), (6, "parked", NOW)]
)
def test_a_row_whose_workers_die_is_parked_after_the_fifth(
    engine: Engine, attempts: int, status: str, done_at: datetime | None
) -> None:
    (id_,) = put(engine, held(lease_until=NOW, attempts=attempts), {"attempts": 0, "not_before": None})[:1]
    assert named(inbox.lease(engine, "other", 1)) == ["a/c/1"], "new rows come first"
    assert some(engine, id_, "status", "done_at", "lease_by", "lease_until") == (status, done_at, None, None)
    assert row_of(engine, id_)["reason"] == TOO_SLOW


@pytest.mark.parametrize(("due", "is_due"), [(NOW - SECOND, True), (NOW, True), (NOW + SECOND, False)])
def test_a_back_off_ends_at_its_time(engine: Engine, due: datetime, is_due: bool) -> None:
    put(engine, {"attempts": 1, "not_before": due})
    assert inbox.lease(engine, WORKER, 5).height == is_due


@pytest.mark.parametrize("status", ["done", "parked"])
def test_what_is_settled_is_not_leased(engine: Engine, status: str) -> None:
    put(engine, {"status": status, "lease_until": NOW - SECOND})
    assert inbox.lease(engine, WORKER, 5).is_empty()
    assert inbox.lease(engine, WORKER, 5).columns == list(inbox.LEASED_COLUMNS)


def test_the_smallest_backlog_is_first_and_within_it_the_oldest(engine: Engine) -> None:
    put(
        engine,
        *({"object": f"{s}/c/{n}", "sender": s} for s, count in (("b", 3), ("c", 1), ("a", 2)) for n in range(count)),
    )
    assert named(inbox.lease(engine, WORKER, 4)) == ["c/c/0", "a/c/0", "a/c/1", "b/c/0"]
    assert named(inbox.lease(engine, WORKER, 4)) == ["b/c/1", "b/c/2"]


def test_senders_whose_backlogs_fit_together_are_served_by_age(engine: Engine) -> None:
    put(engine, *({"object": f"{s}/c/{n}", "sender": s} for s, count in (("a", 2), ("c", 1)) for n in range(count)))
    assert named(inbox.lease(engine, WORKER, 3)) == ["a/c/0", "a/c/1", "c/c/0"]


def test_only_what_waits_is_a_backlog(engine: Engine) -> None:
    put(engine, {"sender": "b"}, {"sender": "b"}, {"sender": "a"}, *({"status": "done"} for _ in range(5)))
    assert inbox.lease(engine, WORKER, 1)["sender"].to_list() == ["a"]


@pytest.mark.parametrize(("drawn", "oldest"), [(4, 1), (5, 0)])
def test_a_rest_of_places_goes_to_the_oldest_in_its_share_of_the_calls(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, drawn: int, oldest: int
) -> None:
    put(engine, *({"object": f"{s}/c/{n}", "sender": s} for s, count in (("b", 9), ("a", 5)) for n in range(count)))
    monkeypatch.setattr("infra.inbox.work_queue.secrets.randbelow", lambda _: drawn)
    assert inbox.lease(engine, WORKER, 5)["sender"].to_list().count("b") == oldest


def test_in_a_small_batch_what_failed_once_comes_alone(engine: Engine) -> None:
    put(engine, {"attempts": 1}, {"attempts": 1})
    assert inbox.lease(engine, WORKER, 8).height == 1


def test_one_place_in_sixteen_is_for_the_oldest_of_all(engine: Engine) -> None:
    put(engine, *({"object": f"b/c/{n:02}", "sender": "b"} for n in range(40)))
    put(engine, *({"object": f"a/c/{n:02}", "sender": "a"} for n in range(30)))
    by_sender = inbox.lease(engine, WORKER, 16).group_by("sender").len().sort("sender").rows()
    assert by_sender == [("a", 15), ("b", 1)]


def test_what_failed_before_waits_for_the_new_and_comes_in_small_batches(engine: Engine) -> None:
    put(engine, *({"attempts": n} for n in (3, 2, 1, 1, 1, 0)))
    got = [inbox.lease(engine, WORKER, 64)["id"].to_list() for _ in range(6)]
    assert got == [[6], [3, 4], [5], [1], [2], []]


def test_one_call_in_sixteen_begins_with_what_failed_before(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    put(engine, {"attempts": 0}, {"attempts": 1})
    monkeypatch.setattr("infra.inbox.work_queue.secrets.randbelow", lambda _: 0)
    assert [named(inbox.lease(engine, WORKER, 8)) for _ in range(2)] == [["a/c/1"], ["a/c/0"]]


@pytest.mark.parametrize(("limit", "leased"), [(1, 1), (9, 1), (19, 1), (20, 2), (29, 2), (30, 4)])
def test_a_batch_has_as_many_bytes_as_fit_and_one_object_at_least(engine: Engine, limit: int, leased: int) -> None:
    put(engine, {}, {}, {}, {"bytes": None})
    assert inbox.lease(engine, WORKER, 16, bytes_limit=limit).height == leased


def test_a_lease_is_renewed_by_its_holder_alone(engine: Engine) -> None:
    ids = put(engine, held(), held(lease_by="other"), held(status="done"), held())
    assert inbox.renew_lease(engine, WORKER, ids[:3], timedelta(minutes=5)) == 1
    until = [row_of(engine, id_)["lease_until"] - NOW for id_ in ids]
    assert until == [timedelta(minutes=5), 90 * SECOND, 90 * SECOND, 90 * SECOND]


def test_only_a_held_row_is_reserved_for_a_submission(engine: Engine) -> None:
    ids = put(engine, held(), held(lease_by="other"), {"lease_by": WORKER})
    inbox.reserve(engine, WORKER, {id_: f"s{id_}" for id_ in ids})
    assert [row_of(engine, id_)["submission_id"] for id_ in ids] == ["s1", None, None]


def test_acknowledged_rows_are_done_and_say_no_more(engine: Engine) -> None:
    ids = put(engine, held(reason="failed once"), held())
    with write_transaction(engine) as connection:
        inbox.acknowledge(WORKER, ids[:1])(connection)
    shown = ("status", "done_at", "lease_by", "lease_until", "reason")
    assert some(engine, ids[0], *shown) == ("done", NOW, None, None, None)
    assert some(engine, ids[1], *shown[:3]) == ("leased", None, WORKER)


@pytest.mark.parametrize("lost", [{"lease_by": "other"}, {"status": "done"}, {"status": "waiting"}])
def test_who_lost_a_lease_settles_nothing(engine: Engine, lost: dict[str, str]) -> None:
    ids = put(engine, held(), held(**lost), held(lease_by="other"))
    message = (
        "2 of 3 leased objects are held by another worker or done (the first is inbox row 2): this worker did not "
        "renew its lease in time. It stored nothing of them; the other does"
    )
    for check in (inbox.acknowledge, inbox.assert_lease):
        with pytest.raises(LeaseLost) as raised, write_transaction(engine) as connection:
            check(WORKER, ids)(connection)
        assert str(raised.value) == message
    assert row_of(engine, ids[0])["status"] == "leased"
    with write_transaction(engine) as connection:
        inbox.assert_lease(WORKER, ids[:1])(connection)
    assert row_of(engine, ids[0])["status"] == "leased", "the check alone settles nothing"


def test_a_submission_settles_its_rows_whoever_holds_them(engine: Engine) -> None:
    ids = put(
        engine, held(submission_id="s1", lease_by="other"), {"submission_id": "s1", "status": "parked", "reason": "x"},
        {"submission_id": "s1", "status": "done", "done_at": NOW - SECOND, "reason": "dismissed"},
        {"submission_id": "s2"},
    )  # fmt: skip
    with write_transaction(engine) as connection:
        inbox.acknowledge_submissions(["s1", "s9"])(connection)
    found = [some(engine, id_, "status", "done_at", "reason") for id_ in ids]
    assert found == [
        ("done", NOW, None), ("done", NOW, None), ("done", NOW - SECOND, "dismissed"), ("waiting", None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(("attempts", "wait"), [(1, 10), (2, 60), (3, 360), (4, 2160)])
def test_each_failure_waits_longer_than_the_last(engine: Engine, attempts: int, wait: int) -> None:
    (id_,) = put(engine, held(attempts=attempts))
    inbox.requeue_failed(engine, WORKER, [id_], "the disk is full")
    found = some(engine, id_, "status", "not_before", "reason", "attempts", "lease_by", "lease_until", "done_at")
    assert found == ("waiting", NOW + timedelta(seconds=wait), "the disk is full", attempts, None, None, None)


@pytest.mark.parametrize("attempts", [5, 6])
def test_the_fifth_failure_parks(engine: Engine, attempts: int) -> None:
    (id_,) = put(engine, held(attempts=attempts))
    inbox.requeue_failed(engine, WORKER, [id_], "the disk is full")
    assert some(engine, id_, "status", "not_before", "reason", "done_at") == ("parked", None, "the disk is full", NOW)


def test_what_a_store_prevented_is_due_at_once_and_costs_no_attempt(engine: Engine) -> None:
    ids = put(engine, held(attempts=5), held(attempts=1, lease_by="other"))
    inbox.requeue_failed(engine, WORKER, ids, "given back", count_attempt=False)
    assert some(engine, ids[0], "status", "attempts", "not_before", "reason") == ("waiting", 4, None, "given back")
    assert some(engine, ids[1], "status", "attempts", "reason") == ("leased", 1, None)


@pytest.mark.parametrize(("settle", "status"), [(inbox.park, "parked"), (inbox.close_overwritten, "done")])
def test_only_the_holder_parks_or_closes(engine: Engine, settle: Any, status: str) -> None:
    mine, others = put(engine, held(), held(lease_by="other"))
    settle(engine, WORKER, [mine, others], "why")
    assert some(engine, mine, "status", "reason", "done_at", "lease_by", "lease_until") == (
        status,
        "why",
        NOW,
        None,
        None,
    )
    assert some(engine, others, "status", "reason", "lease_by") == ("leased", None, "other")


def test_parked_rows_wait_again_as_if_new(engine: Engine) -> None:
    parked = {"status": "parked", "attempts": 5, "reason": "why", "done_at": NOW, "not_before": NOW}
    ids = put(engine, parked, {"attempts": 3, "reason": "failed"}, parked, parked)
    assert inbox.requeue_parked(engine, [ids[2], ids[1], ids[0]]) == [ids[0], ids[2]]
    shown = ("status", "attempts", "not_before", "reason", "done_at")
    assert some(engine, ids[0], *shown) == ("waiting", 0, None, None, None)
    assert some(engine, ids[1], *shown[:2]) == ("waiting", 3), "only what is parked"
    assert inbox.requeue_parked(engine) == [ids[3]], "without ids all that are parked"
    assert inbox.requeue_parked(engine, []) == []


def test_who_dismisses_and_why_is_kept_before_why_it_was_parked(engine: Engine) -> None:
    ids = put(engine, {"status": "parked", "reason": "no header"}, {"status": "parked"}, {}, held())
    assert inbox.mark_dismissed(engine, [*reversed(ids)], who="kari", why="a test file") == ids[:2]
    found = [some(engine, id_, "status", "reason") for id_ in ids]
    assert found == [
        ("done", "dismissed by kari: a test file; parked: no header"), ("done", "dismissed by kari: a test file"),
        ("waiting", None), ("leased", None),
    ]  # fmt: skip


def test_open_objects_are_counted_by_state_and_sender(engine: Engine) -> None:
    put(
        engine, {"sender": "b"}, {"sender": "a", "bytes": 5}, {"sender": "b"}, held(sender="b"),
        {"status": "parked", "sender": "c", "bytes": None}, {"status": "done", "sender": "a"}, {"status": "done"},
    )  # fmt: skip
    assert inbox.count_open(engine).rows() == [
        ("leased", "b", 1, 10, NOW + 3 * SECOND), ("parked", "c", 1, None, NOW + 4 * SECOND),
        ("waiting", "a", 1, 5, NOW + SECOND), ("waiting", "b", 2, 20, NOW),
    ]  # fmt: skip
    assert inbox.count_done(engine) == 2


def test_an_empty_inbox_is_counted_and_listed(engine: Engine) -> None:
    assert (inbox.count_open(engine).height, inbox.count_done(engine)) == (0, 0)
    assert inbox.list_parked(engine).is_empty()
    assert inbox.list_closed(engine).is_empty()


def test_parked_rows_are_listed_oldest_first_and_since_a_time(engine: Engine) -> None:
    times = (NOW - SECOND, NOW, NOW + SECOND)
    put(engine, {}, *({"status": "parked", "done_at": at, "reason": f"{at:%S}"} for at in times))
    assert inbox.list_parked(engine)["id"].to_list() == [2, 3, 4]
    assert inbox.list_parked(engine, 2)["id"].to_list() == [2, 3]
    assert inbox.list_parked(engine, since=NOW)["id"].to_list() == [3, 4]
    assert inbox.list_parked(engine, 1, NOW)["reason"].to_list() == ["00"]


def test_what_was_closed_without_a_submission_is_listed_newest_first(engine: Engine) -> None:
    put(
        engine, {"status": "done", "reason": "one"}, {"status": "done"}, {"status": "parked", "reason": "x"},
        {"status": "done", "reason": "two"}, {"status": "done", "reason": "three"},
    )  # fmt: skip
    assert inbox.list_closed(engine)["reason"].to_list() == ["three", "two", "one"]
    assert inbox.list_closed(engine, 1)["id"].to_list() == [5]
