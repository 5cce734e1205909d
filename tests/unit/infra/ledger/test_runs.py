"""Runs in the ledger: how each ended, which are dead, and the lock that one of them holds."""

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import runs
from infra.ledger import tables as t
from schemas.errors import ReleaseRefused, StoreError, SubmissionError, UsageError
from tests.support.submission_rows import write

NOW = datetime(2026, 3, 1, 12)
SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def _clock_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "utc_now", lambda: NOW)


def stored(engine: Engine, *names: str) -> list[tuple[Any, ...]]:
    query = sa.select(*(t.runs.c[name] for name in names)).order_by(t.runs.c.started_at, t.runs.c.run_id)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def put(engine: Engine, run_id: str, began: datetime = NOW, **stated: Any) -> None:
    row = {"run_id": run_id, "kind": "nightly", "started_at": began, "status": "running", **stated}
    write(engine, sa.insert(t.runs).values(row))


def lock_file(engine: Engine, run_id: str) -> Path:
    return Path(f"{engine.url.database}.{run_id}.lock")


def test_a_run_is_there_while_it_works_and_done_after(engine: Engine) -> None:
    with runs.recorded_run(engine, "nightly") as run_id:
        assert run_id.startswith("nightly-20260301T120000-")
        assert stored(engine, "run_id", "kind", "started_at", "finished_at", "status", "message") == [
            (run_id, "nightly", NOW, None, "running", None)
        ]
        assert runs.open_runs(engine) == [(run_id, "nightly", NOW, False)]
        assert lock_file(engine, run_id).exists()
    assert stored(engine, "finished_at", "status", "message") == [(NOW, "done", None)]
    assert runs.open_runs(engine) == []
    assert not lock_file(engine, run_id).exists()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ReleaseRefused("checks failed", failed=[]), "refused", "ReleaseRefused: checks failed"),
        (StoreError("the disk is full"), "failed", "StoreError: the disk is full"),
        (OSError(28, "No space left"), "failed", "OSError: [Errno 28] No space left"),
        (KeyboardInterrupt(), "failed", "KeyboardInterrupt: unforeseen, at test_runs.py:"),
        (ValueError("10018012345"), "failed", "ValueError: unforeseen, at test_runs.py:"),
        (StoreError("x" * 3000), "failed", "StoreError: " + "x" * 1988),
    ],
)
def test_how_a_run_failed_is_stored_and_raised(engine: Engine, error: BaseException, status: str, message: str) -> None:
    with pytest.raises(type(error)), runs.recorded_run(engine, "nightly"):
        raise error
    ((found, text),) = stored(engine, "status", "message")
    assert found == status
    assert text.startswith(message)
    assert len(text) <= 2000
    assert "10018012345" not in text


def test_only_what_engang_says_on_purpose_is_quoted() -> None:
    assert runs.run_message(UsageError("no such file")) == "UsageError: no such file"
    assert runs.run_message(ValueError("10018012345")) == "ValueError: unforeseen"
    quoting = SubmissionError("bad-cell", found="10018012345", expected="a number", hint="correct it")
    assert runs.run_message(quoting) == "SubmissionError: unforeseen"


def test_a_check_is_a_run_that_has_ended(engine: Engine) -> None:
    runs.record_check(engine, "storage-check", None)
    assert stored(engine, "kind", "started_at", "finished_at", "status", "message") == [
        ("storage-check", NOW, NOW, "done", None)
    ]
    runs.record_check(engine, "storage-check", "y" * 2001)
    assert sorted(stored(engine, "status", "message"))[1] == ("failed", "y" * 2000)


def test_a_sign_of_life_is_one_row_a_worker_and_those_of_a_day_ago_go(engine: Engine) -> None:
    for worker, ago in (("me", 3 * SECOND), ("other", timedelta(days=1)), ("dead", timedelta(days=1, seconds=1))):
        put(engine, f"intake-{worker}", NOW - ago, kind="intake", status="done")
    put(engine, "old", NOW - timedelta(days=9))
    runs.record_heartbeat(engine, "me")
    found = stored(engine, "run_id", "started_at")
    assert found == [("old", NOW - timedelta(days=9)), ("intake-other", NOW - timedelta(days=1)), ("intake-me", NOW)]
    runs.remove_heartbeat(engine, "me")
    assert stored(engine, "run_id") == [("old",), ("intake-other",)]


@pytest.mark.parametrize(("ago", "dead"), [(timedelta(hours=12), False), (timedelta(hours=12, seconds=1), True)])
def test_a_run_whose_lock_cannot_be_examined_is_dead_when_it_is_old(engine: Engine, ago: timedelta, dead: bool) -> None:
    put(engine, "r1", NOW - ago)
    lock_file(engine, "r1").write_bytes(b"no database at all" * 100)
    assert runs.open_runs(engine) == [("r1", "nightly", NOW - ago, dead)]


def test_a_dead_run_is_closed_once_and_a_living_one_left(engine: Engine) -> None:
    put(engine, "gone", NOW - SECOND)
    put(engine, "free", NOW)
    put(engine, "ended", NOW, status="done")
    put(engine, "living", NOW + SECOND, kind="backfill")
    with closing(sqlite3.connect(lock_file(engine, "free"))) as left:
        left.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(lock_file(engine, "living"), isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        assert [run.run_id for run in runs.open_runs(engine)] == ["gone", "free", "living"]
        assert runs.close_dead_runs(engine) == [
            ("gone", "nightly", NOW - SECOND, True), ("free", "nightly", NOW, True),
        ]  # fmt: skip
        assert runs.close_dead_runs(engine) == []
    assert not lock_file(engine, "free").exists()
    died = ("failed", "its process ended before it did", NOW)
    assert stored(engine, "run_id", "status", "message", "finished_at") == [
        ("gone", *died), ("ended", "done", None, None), ("free", *died), ("living", "running", None, None),
    ]  # fmt: skip


def refusal(engine: Engine, run_id: str | None = None) -> str:
    """Return why the publishing lock is refused to a run while another one holds it."""
    with (
        runs.publishing_lock(engine),
        pytest.raises(StoreError) as raised,
        runs.publishing_lock(engine, run_id),
    ):
        pytest.fail("taken twice")
    return str(raised.value)


def test_one_publishes_at_a_time(engine: Engine) -> None:
    assert refusal(engine) == "another run is publishing: wait for its end"
    with runs.publishing_lock(engine):
        pass


def test_who_holds_the_publishing_lock_is_named(engine: Engine) -> None:
    put(engine, "dead", NOW - 9 * SECOND)
    with runs.recorded_run(engine, "matching"), runs.recorded_run(engine, "backfill") as holder:
        assert refusal(engine, "mine") == f"another backfill ({holder}) is publishing: wait for its end"
        assert refusal(engine, holder) == "another run is publishing: wait for its end", "not itself"


def test_a_lock_that_cannot_be_taken_says_what_to_check(engine: Engine) -> None:
    Path(f"{engine.url.database}.lock").mkdir()
    with pytest.raises(StoreError) as raised, runs.publishing_lock(engine):
        pytest.fail("taken")
    assert str(raised.value) == (
        f"the publishing lock {engine.url.database}.lock cannot be taken: unable to open database file. Nothing was "
        "published; check the disk, its free space and this user's rights and run it again"
    )
