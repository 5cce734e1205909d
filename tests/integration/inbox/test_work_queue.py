"""The inbox: each object noted once, claimed fairly, held by a lease, settled once; both databases."""

import subprocess
import threading
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.inbox import work_queue as inbox
from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables
from infra.ledger.open import open_ledger
from infra.ledger.sql import utc_now, write_transaction
from schemas.errors import LeaseLost
from tests.support import module_process
from tests.support.inbox_worker import close, work

AT_ONCE = timedelta(0)
"""A lease that has ended when it begins: a worker that died."""


@pytest.fixture
def engine(ledger_url: str) -> Engine:
    return open_ledger(ledger_url)


def objects(keys: Iterable[str], version: str = "v1", size: int = 10, reason: str | None = None) -> pl.DataFrame:
    rows = [(key, version, key.split("/")[0], size, reason) for key in keys]
    return pl.DataFrame(rows, schema=inbox.INBOX_ROW, orient="row")


def notice(engine: Engine, sender: str, count: int, start: int = 0) -> None:
    inbox.enqueue(engine, objects(f"{sender}/c/{n:06}" for n in range(start, start + count)), "event")


def states(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        query = sa.select(tables.inbox.c.status, sa.func.count()).group_by(tables.inbox.c.status)
        return dict(connection.execute(query).tuples().all())


def wake(engine: Engine) -> None:
    """Let every back-off be over."""
    with write_transaction(engine) as connection:
        connection.execute(sa.update(tables.inbox).values(not_before=None))


def test_an_object_is_noted_once_whatever_reports_it(engine: Engine) -> None:
    noticed = objects(["a/c/1", "a/c/2", "a/c/1"])
    assert inbox.enqueue(engine, noticed, "event") == 2
    assert inbox.enqueue(engine, noticed, "listing") == 0
    assert inbox.enqueue(engine, objects(["a/c/1"], "v2"), "listing") == 1, "another version is another delivery"
    assert inbox.not_enqueued(engine, objects(["a/c/1", "a/c/3"]))["object"].to_list() == ["a/c/3"]
    assert inbox.enqueue(engine, objects([]), "event") == 0
    assert states(engine) == {"waiting": 3}


def test_what_is_no_delivery_is_parked_at_once_and_kept(engine: Engine) -> None:
    inbox.enqueue(engine, objects(["a/nonsense"], reason="expected another form"), "event")
    assert inbox.lease(engine, "w", 10).is_empty()
    assert inbox.list_parked(engine)["reason"].to_list() == ["expected another form"]


def test_a_claim_is_held_until_it_is_settled(engine: Engine) -> None:
    notice(engine, "a", 5)
    first = inbox.lease(engine, "one", 3)
    second = inbox.lease(engine, "two", 10)
    assert first.height == 3
    assert second.height == 2
    assert not set(first["id"]) & set(second["id"])
    close(engine, "one", first)
    assert inbox.renew_lease(engine, "two", second["id"].to_list()) == 2
    assert inbox.renew_lease(engine, "one", first["id"].to_list()) == 0
    assert states(engine) == {"done": 3, "leased": 2}
    assert inbox.count_done(engine) == 3


def test_an_object_that_failed_is_claimed_once_its_time_has_come(engine: Engine) -> None:
    inbox.enqueue(engine, objects(["a/c/over", "a/c/ahead", "a/c/new"]), "event")
    times = {"a/c/over": utc_now() - timedelta(minutes=1), "a/c/ahead": utc_now() + timedelta(hours=1)}
    with write_transaction(engine) as connection:
        for key, at in times.items():
            chosen = sa.update(tables.inbox).where(tables.inbox.c.object == key)
            connection.execute(chosen.values(not_before=at, attempts=1))
    claimed = [row for _ in range(3) for row in inbox.lease(engine, "w", 10)["object"]]
    assert sorted(claimed) == ["a/c/new", "a/c/over"]


@pytest.mark.parametrize(("coin", "first"), [(1, 0), (0, 1)])
def test_objects_that_failed_come_first_one_time_in_sixteen(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, coin: int, first: int
) -> None:
    notice(engine, "a", 128)
    with write_transaction(engine) as connection:
        connection.execute(sa.update(tables.inbox).where(tables.inbox.c.id % 2 == 0).values(attempts=1))
    monkeypatch.setattr(inbox.secrets, "randbelow", lambda _: coin)
    assert set(inbox.lease(engine, "w", 32)["attempts"]) == {first}


def test_why_and_when_an_object_failed_or_was_closed_is_kept(engine: Engine) -> None:
    notice(engine, "a", 4)
    failed, closed, parked, done = inbox.lease(engine, "w", 4)["id"].sort().to_list()
    inbox.requeue_failed(engine, "w", [failed], "no answer")
    inbox.close_overwritten(engine, "w", [closed], "a newer version arrived")
    inbox.park(engine, "w", [parked], "no contract")
    with write_transaction(engine) as connection:
        inbox.acknowledge("w", [done])(connection)
    with engine.connect() as connection:
        columns = tables.inbox.c
        query = sa.select(columns.status, columns.reason, columns.done_at.is_not(None)).order_by(columns.id)
        rows = connection.execute(query).tuples().all()
    assert rows == [
        ("waiting", "no answer", False), ("done", "a newer version arrived", True), ("parked", "no contract", True),
        ("done", None, True),
    ]  # fmt: skip


def test_a_claim_ends_at_its_bytes(engine: Engine) -> None:
    inbox.enqueue(engine, objects((f"a/c/{n}" for n in range(9)), size=100), "event")
    assert inbox.lease(engine, "w", 100, bytes_limit=350).height == 3
    assert inbox.lease(engine, "w", 100, bytes_limit=1).height == 1, "one is always claimed"


def test_who_lost_the_lease_settles_nothing(engine: Engine) -> None:
    notice(engine, "a", 2)
    slow = inbox.lease(engine, "slow", 2, lease_time=AT_ONCE)
    quick = inbox.lease(engine, "quick", 64)
    assert quick.height == 2
    with pytest.raises(LeaseLost, match="2 of 2 leased objects are held by another worker or done"):
        close(engine, "slow", slow)
    assert states(engine) == {"leased": 2}
    close(engine, "quick", quick)
    with pytest.raises(LeaseLost):
        close(engine, "quick", quick)
    assert states(engine) == {"done": 2}


def test_settling_and_registering_are_one(engine: Engine) -> None:
    notice(engine, "a", 1)
    claimed = inbox.lease(engine, "w", 1, lease_time=AT_ONCE)
    other = inbox.lease(engine, "other", 1)

    def register() -> None:
        with write_transaction(engine) as connection:
            unit = {"unit_id": "provisional:x", "kind": "k", "name": "x"}
            connection.execute(sa.insert(tables.provisional_units).values(unit))
            inbox.acknowledge("w", claimed["id"].to_list())(connection)

    with pytest.raises(LeaseLost):
        register()
    assert ledger_submissions.read_provisional_units(engine).is_empty()
    assert other.height == 1


def test_registering_what_a_row_was_about_to_become_settles_it(engine: Engine) -> None:
    notice(engine, "a", 3)
    claimed = inbox.lease(engine, "w", 3)["id"].to_list()
    inbox.reserve(engine, "w", dict(zip(claimed, ["s0", "s1", "s2"], strict=True)))
    with write_transaction(engine) as connection:
        inbox.acknowledge_submissions(["s1", "s9"])(connection)
    assert states(engine) == {"leased": 2, "done": 1}
    with write_transaction(engine) as connection:
        inbox.acknowledge("w", [claimed[0], claimed[2]])(connection)
    assert states(engine) == {"done": 3}


def test_five_deaths_park_an_object_with_its_reason(engine: Engine) -> None:
    notice(engine, "a", 1)
    for attempt in range(1, 6):
        assert inbox.lease(engine, f"w{attempt}", 9, lease_time=AT_ONCE)["attempts"].to_list() == [attempt - 1]
    assert inbox.lease(engine, "w6", 9).is_empty()
    (row,) = inbox.list_parked(engine).to_dicts()
    assert row["attempts"] == 5
    assert "the worker that held it ended" in row["reason"]
    assert inbox.requeue_parked(engine, [row["id"] + 1]) == []
    assert inbox.requeue_parked(engine) == [row["id"]]
    assert inbox.lease(engine, "w7", 9).height == 1


def test_a_failure_waits_longer_each_time_and_is_parked_at_the_fifth(engine: Engine) -> None:
    notice(engine, "a", 1)
    waits = []
    for _ in range(5):
        row = inbox.lease(engine, "w", 1)["id"].to_list()
        inbox.requeue_failed(engine, "w", row, "disk full")
        with engine.connect() as connection:
            waits.append(connection.scalar(sa.select(tables.inbox.c.not_before)))
        assert inbox.lease(engine, "w", 1).is_empty()
        wake(engine)
    assert waits[:4] == sorted(waits[:4])
    assert inbox.list_parked(engine)["reason"].to_list() == ["disk full"]


def test_what_was_no_fault_of_the_object_does_not_count(engine: Engine) -> None:
    notice(engine, "a", 1)
    for _ in range(9):
        row = inbox.lease(engine, "w", 1)["id"].to_list()
        assert row
        inbox.requeue_failed(engine, "w", row, "the store is away", count_attempt=False)
    assert states(engine) == {"waiting": 1}


def test_what_killed_its_worker_is_tried_separately_and_then_alone(engine: Engine) -> None:
    notice(engine, "a", 64)
    assert inbox.lease(engine, "w", 64, lease_time=AT_ONCE).height == 64
    assert inbox.lease(engine, "w", 64, lease_time=AT_ONCE).height == 2
    seen = Counter[tuple[int, int]]()
    while (claimed := inbox.lease(engine, "v", 64)).height:
        assert claimed["attempts"].n_unique() == 1
        seen[claimed.height, claimed["attempts"].item(0)] += 1
        close(engine, "v", claimed)
    assert seen == {(2, 1): 31, (1, 2): 2}


def test_a_flood_delays_the_others_by_one_fifteenth_at_most(engine: Engine) -> None:
    notice(engine, "flood", 9_000)
    notice(engine, "quiet", 1_000)
    claims: list[str] = []
    while (claimed := inbox.lease(engine, "w", 200)).height:
        claims += claimed["sender"].to_list()
        close(engine, "w", claimed)
    last = max(n for n, sender in enumerate(claims, 1) if sender == "quiet")
    print(f"the other 1,000 were done after {last} claims of {len(claims)}")
    assert Counter(claims) == {"flood": 9_000, "quiet": 1_000}
    assert last <= 1_000 * 16 / 15 + 200
    assert claims[:200].count("flood") in {12, 13}, "the flood itself does not starve"


def test_many_small_senders_share_a_batch(engine: Engine) -> None:
    for n in range(40):
        notice(engine, f"s{n}", 3)
    notice(engine, "flood", 1_000)
    claimed = inbox.lease(engine, "w", 160)
    assert Counter(claimed["sender"])["flood"] == 160 - 120
    assert inbox.count_open(engine).filter(pl.col("status") == "leased")["objects"].sum() == 160


def test_racing_threads_do_each_object_once(engine: Engine) -> None:
    notice(engine, "a", 700)
    notice(engine, "b", 300)
    seen: list[list[int]] = [[] for _ in range(6)]
    threads = [threading.Thread(target=work, args=(engine, f"w{n}", mine)) for n, mine in enumerate(seen)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row for mine in seen for row in mine) == sorted({row for mine in seen for row in mine})
    assert sum(map(len, seen)) == 1_000
    assert states(engine) == {"done": 1_000}


def racer(ledger_url: str, name: str) -> subprocess.Popen[str]:
    command, env = module_process.command("tests.support.inbox_worker", ledger_url, name), module_process.environment()
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_racing_processes_do_each_object_once(engine: Engine, ledger_url: str) -> None:
    notice(engine, "a", 400)
    racing = [racer(ledger_url, f"p{n}") for n in range(2)]
    for process in racing:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "ready\n"
    for process in racing:
        print("go", file=process.stdin, flush=True)
    did = [int(process.communicate(timeout=60)[0]) for process in racing]
    print(f"two processes did {did} of 400")
    assert sum(did) == 400
    assert states(engine) == {"done": 400}


def test_renewing_keeps_a_slow_worker_in_its_place(engine: Engine) -> None:
    notice(engine, "a", 1)
    ended, later = timedelta(seconds=-1), timedelta(hours=1)
    mine = inbox.lease(engine, "slow", 1, lease_time=ended)["id"].to_list()
    for _ in range(4):
        assert inbox.renew_lease(engine, "slow", mine, later) == 1
        assert inbox.lease(engine, "other", 1).is_empty()
        assert inbox.renew_lease(engine, "slow", mine, ended) == 1
    assert inbox.lease(engine, "other", 1).height == 1


def test_the_counts_say_what_waits_for_whom_since_when(engine: Engine) -> None:
    notice(engine, "a", 3)
    notice(engine, "b", 2)
    (mine,) = inbox.lease(engine, "w", 1)["id"]
    inbox.park(engine, "w", [mine], "unknown contract")
    counts = {(r["status"], r["sender"]): r for r in inbox.count_open(engine).to_dicts()}
    assert list(counts) == sorted(counts)
    assert {key: row["objects"] for key, row in counts.items()} in (
        {("parked", "b"): 1, ("waiting", "a"): 3, ("waiting", "b"): 1},
        {("parked", "a"): 1, ("waiting", "a"): 2, ("waiting", "b"): 2},
    )
    assert counts["waiting", "a"]["oldest"] is not None
    assert counts["waiting", "a"]["bytes"] == counts["waiting", "a"]["objects"] * 10


def test_what_a_person_gives_up_stays_with_who_and_why_and_is_parked_no_more(engine: Engine) -> None:
    inbox.enqueue(engine, objects(["a/nonsense", "b/nonsense"], reason="no contract"), "event")
    notice(engine, "c", 1)
    mine, other = inbox.list_parked(engine)["id"]
    (waiting,) = inbox.lease(engine, "w", 1)["id"]
    assert inbox.mark_dismissed(engine, [mine, waiting, 99], who="kari", why="a test's") == [mine]
    assert states(engine) == {"done": 1, "parked": 1, "leased": 1}
    assert inbox.list_parked(engine)["id"].to_list() == [other]
    (row,) = inbox.list_closed(engine).to_dicts()
    assert (row["id"], row["reason"]) == (mine, "dismissed by kari: a test's; parked: no contract")
    assert row["done_at"] is not None
    assert inbox.mark_dismissed(engine, [mine], who="ola", why="again") == []
    assert inbox.requeue_parked(engine) == [other]
    assert inbox.enqueue(engine, objects(["a/nonsense"], reason="no contract"), "listing") == 0
    assert "done" not in set(inbox.count_open(engine)["status"])


def test_what_was_given_up_is_found_by_an_index_of_its_own(engine: Engine) -> None:
    asked: list[tuple[str, Any]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *arguments: asked.append((arguments[2], arguments[3])))
    assert inbox.list_closed(engine, 20).is_empty()
    ((statement, parameters),) = [each for each in asked if "FROM inbox" in each[0]]
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # of an empty table nothing else is looked at
        explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    assert "ix_inbox_reasoned" in str(plan)
