"""The inbox: each object noted once, claimed fairly, held by a lease, settled once; both databases."""

import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.inbox import work_queue as inbox
from infra.ledger import submissions as ledger
from infra.ledger import tables
from infra.ledger.sql import writing
from schemas.errors import LeaseLost

AT_ONCE = timedelta(0)
"""A lease that has ended when it begins: a worker that died."""


@pytest.fixture
def engine(ledger_url: str) -> Engine:
    return ledger.open_ledger(ledger_url)


def objects(keys: Iterable[str], version: str = "v1", size: int = 10, reason: str | None = None) -> pl.DataFrame:
    rows = [(key, version, key.split("/")[0], size, reason) for key in keys]
    return pl.DataFrame(rows, schema=inbox.NOTICED, orient="row")


def notice(engine: Engine, sender: str, count: int, start: int = 0) -> None:
    inbox.notice(engine, objects(f"{sender}/c/{n:06}" for n in range(start, start + count)), "event")


def done(engine: Engine, worker: str, claimed: pl.DataFrame) -> None:
    with writing(engine) as connection:
        inbox.settle(worker, claimed["id"].to_list())(connection)


def states(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        query = sa.select(tables.inbox.c.status, sa.func.count()).group_by(tables.inbox.c.status)
        return dict(connection.execute(query).tuples().all())


def wake(engine: Engine) -> None:
    """Let every back-off be over."""
    with writing(engine) as connection:
        connection.execute(sa.update(tables.inbox).values(not_before=None))


def test_an_object_is_noted_once_whoever_tells_of_it(engine: Engine) -> None:
    told = objects(["a/c/1", "a/c/2", "a/c/1"])
    assert inbox.notice(engine, told, "event") == 2
    assert inbox.notice(engine, told, "listing") == 0
    assert inbox.notice(engine, objects(["a/c/1"], "v2"), "listing") == 1, "another version is another delivery"
    assert inbox.unnoticed(engine, objects(["a/c/1", "a/c/3"]))["object"].to_list() == ["a/c/3"]
    assert inbox.notice(engine, objects([]), "event") == 0
    assert states(engine) == {"waiting": 3}


def test_what_is_no_delivery_is_parked_at_once_and_kept(engine: Engine) -> None:
    inbox.notice(engine, objects(["a/nonsense"], reason="expected another form"), "event")
    assert inbox.claim(engine, "w", 10).is_empty()
    assert inbox.parked(engine)["reason"].to_list() == ["expected another form"]


def test_a_claim_is_held_until_it_is_settled(engine: Engine) -> None:
    notice(engine, "a", 5)
    first = inbox.claim(engine, "one", 3)
    second = inbox.claim(engine, "two", 10)
    assert first.height == 3
    assert second.height == 2
    assert not set(first["id"]) & set(second["id"])
    done(engine, "one", first)
    assert inbox.renew(engine, "two", second["id"].to_list()) == 2
    assert inbox.renew(engine, "one", first["id"].to_list()) == 0
    assert states(engine) == {"done": 3, "leased": 2}
    assert inbox.done_count(engine) == 3


def test_a_claim_ends_at_its_bytes(engine: Engine) -> None:
    inbox.notice(engine, objects((f"a/c/{n}" for n in range(9)), size=100), "event")
    assert inbox.claim(engine, "w", 100, bytes_limit=350).height == 3
    assert inbox.claim(engine, "w", 100, bytes_limit=1).height == 1, "one is always claimed"


def test_who_lost_the_lease_settles_nothing(engine: Engine) -> None:
    notice(engine, "a", 2)
    slow = inbox.claim(engine, "slow", 2, lease=AT_ONCE)
    quick = inbox.claim(engine, "quick", 64)
    assert quick.height == 2
    with pytest.raises(LeaseLost, match="2 of 2 claimed objects are held by another worker or done"):
        done(engine, "slow", slow)
    assert states(engine) == {"leased": 2}
    done(engine, "quick", quick)
    with pytest.raises(LeaseLost):
        done(engine, "quick", quick)
    assert states(engine) == {"done": 2}


def test_settling_and_registering_are_one(engine: Engine) -> None:
    notice(engine, "a", 1)
    claimed = inbox.claim(engine, "w", 1, lease=AT_ONCE)
    other = inbox.claim(engine, "other", 1)

    def register() -> None:
        with writing(engine) as connection:
            unit = {"unit_id": "provisional:x", "kind": "k", "name": "x"}
            connection.execute(sa.insert(tables.provisional_units).values(unit))
            inbox.settle("w", claimed["id"].to_list())(connection)

    with pytest.raises(LeaseLost):
        register()
    assert ledger.provisional_units(engine).is_empty()
    assert other.height == 1


def test_whoever_registers_what_a_row_was_about_to_become_settles_it(engine: Engine) -> None:
    notice(engine, "a", 3)
    claimed = inbox.claim(engine, "w", 3)["id"].to_list()
    inbox.intend(engine, "w", dict(zip(claimed, ["s0", "s1", "s2"], strict=True)))
    with writing(engine) as connection:
        inbox.settle_found(["s1", "s9"])(connection)
    assert states(engine) == {"leased": 2, "done": 1}
    with writing(engine) as connection:
        inbox.settle("w", [claimed[0], claimed[2]])(connection)
    assert states(engine) == {"done": 3}


def test_five_deaths_park_an_object_with_its_reason(engine: Engine) -> None:
    notice(engine, "a", 1)
    for attempt in range(1, 6):
        assert inbox.claim(engine, f"w{attempt}", 9, lease=AT_ONCE)["attempts"].to_list() == [attempt - 1]
    assert inbox.claim(engine, "w6", 9).is_empty()
    (row,) = inbox.parked(engine).to_dicts()
    assert row["attempts"] == 5
    assert "the worker that held it ended" in row["reason"]
    assert inbox.retry(engine, [row["id"] + 1]) == []
    assert inbox.retry(engine) == [row["id"]]
    assert inbox.claim(engine, "w7", 9).height == 1


def test_a_failure_waits_longer_each_time_and_is_parked_at_the_fifth(engine: Engine) -> None:
    notice(engine, "a", 1)
    waits = []
    for _ in range(5):
        row = inbox.claim(engine, "w", 1)["id"].to_list()
        inbox.release_with(engine, "w", row, "disk full")
        with engine.connect() as connection:
            waits.append(connection.scalar(sa.select(tables.inbox.c.not_before)))
        assert inbox.claim(engine, "w", 1).is_empty()
        wake(engine)
    assert waits[:4] == sorted(waits[:4])
    assert inbox.parked(engine)["reason"].to_list() == ["disk full"]


def test_what_was_no_fault_of_the_object_does_not_count(engine: Engine) -> None:
    notice(engine, "a", 1)
    for _ in range(9):
        row = inbox.claim(engine, "w", 1)["id"].to_list()
        assert row
        inbox.release_with(engine, "w", row, "the store is away", counted=False)
    assert states(engine) == {"waiting": 1}


def test_what_killed_its_worker_is_tried_apart_and_then_alone(engine: Engine) -> None:
    notice(engine, "a", 64)
    assert inbox.claim(engine, "w", 64, lease=AT_ONCE).height == 64
    assert inbox.claim(engine, "w", 64, lease=AT_ONCE).height == 2
    seen = Counter[tuple[int, int]]()
    while (claimed := inbox.claim(engine, "v", 64)).height:
        assert claimed["attempts"].n_unique() == 1
        seen[claimed.height, claimed["attempts"].item(0)] += 1
        done(engine, "v", claimed)
    assert seen == {(2, 1): 31, (1, 2): 2}


def test_a_flood_delays_the_others_by_one_fifteenth_at_most(engine: Engine) -> None:
    notice(engine, "flood", 9_000)
    notice(engine, "quiet", 1_000)
    claims: list[str] = []
    while (claimed := inbox.claim(engine, "w", 200)).height:
        claims += claimed["sender"].to_list()
        done(engine, "w", claimed)
    last = max(n for n, sender in enumerate(claims, 1) if sender == "quiet")
    print(f"the other 1,000 were done after {last} claims of {len(claims)}")
    assert Counter(claims) == {"flood": 9_000, "quiet": 1_000}
    assert last <= 1_000 * 16 / 15 + 200
    assert claims[:200].count("flood") in {12, 13}, "the flood itself does not starve"


def test_many_small_senders_share_a_batch(engine: Engine) -> None:
    for n in range(40):
        notice(engine, f"s{n}", 3)
    notice(engine, "flood", 1_000)
    claimed = inbox.claim(engine, "w", 160)
    assert Counter(claimed["sender"])["flood"] == 160 - 120
    assert inbox.counts(engine).filter(pl.col("status") == "leased")["objects"].sum() == 160


def work(engine: Engine, worker: str, seen: list[int]) -> None:
    while (claimed := inbox.claim(engine, worker, 40)).height:
        done(engine, worker, claimed)
        seen += claimed["id"].to_list()


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


RACER = """
import sys, test_inbox
from infra import ledger
engine, seen = ledger.open_ledger(sys.argv[1]), []
print("ready", flush=True)
input()
test_inbox.work(engine, sys.argv[2], seen)
print(len(seen))
"""


def racer(ledger_url: str, name: str) -> subprocess.Popen[str]:
    here = Path(__file__).parent
    env = {**os.environ, "PYTHONPATH": f"{here.parents[1]}:{here}"}
    command = [sys.executable, "-c", RACER, ledger_url, name]
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
    mine = inbox.claim(engine, "slow", 1, lease=timedelta(seconds=0.4))
    for _ in range(4):
        time.sleep(0.2)
        assert inbox.renew(engine, "slow", mine["id"].to_list(), timedelta(seconds=0.4)) == 1
        assert inbox.claim(engine, "other", 1).is_empty()
    time.sleep(0.5)
    assert inbox.claim(engine, "other", 1).height == 1


def test_the_counts_say_what_waits_for_whom_since_when(engine: Engine) -> None:
    notice(engine, "a", 3)
    notice(engine, "b", 2)
    (mine,) = inbox.claim(engine, "w", 1)["id"]
    inbox.park(engine, "w", [mine], "unknown contract")
    told = {(r["status"], r["sender"]): r for r in inbox.counts(engine).to_dicts()}
    assert {key: row["objects"] for key, row in told.items()} in (
        {("parked", "b"): 1, ("waiting", "a"): 3, ("waiting", "b"): 1},
        {("parked", "a"): 1, ("waiting", "a"): 2, ("waiting", "b"): 2},
    )
    assert told["waiting", "a"]["oldest"] is not None
    assert told["waiting", "a"]["bytes"] == told["waiting", "a"]["objects"] * 10


def test_what_a_person_gives_up_stays_with_who_and_why_and_is_parked_no_more(engine: Engine) -> None:
    inbox.notice(engine, objects(["a/nonsense", "b/nonsense"], reason="no contract"), "event")
    notice(engine, "c", 1)
    mine, other = inbox.parked(engine)["id"]
    (waiting,) = inbox.claim(engine, "w", 1)["id"]
    assert inbox.dismiss(engine, [mine, waiting, 99], who="kari", why="a test's") == [mine]
    assert states(engine) == {"done": 1, "parked": 1, "leased": 1}
    assert inbox.parked(engine)["id"].to_list() == [other]
    (row,) = inbox.closed(engine).to_dicts()
    assert (row["id"], row["reason"]) == (mine, "dismissed by kari: a test's; parked: no contract")
    assert row["done_at"] is not None
    assert inbox.dismiss(engine, [mine], who="ola", why="again") == []
    assert inbox.retry(engine) == [other]
    assert inbox.notice(engine, objects(["a/nonsense"], reason="no contract"), "listing") == 0
    assert "done" not in set(inbox.counts(engine)["status"])


def test_what_was_given_up_is_found_by_an_index_of_its_own(engine: Engine) -> None:
    asked: list[tuple[str, Any]] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *told: asked.append((told[2], told[3])))
    assert inbox.closed(engine, 20).is_empty()
    ((statement, parameters),) = [each for each in asked if "FROM inbox" in each[0]]
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")  # of an empty table nothing else is looked at
        explain = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        plan = connection.exec_driver_sql(f"{explain} {statement}", parameters).all()
    assert "ix_inbox_reasoned" in str(plan)
