"""The ledger's runs: how each ended, which still run, and the lock that lets only one run publish at a time.

In either database a lock ends with its process. A killed run's row stays "running", and its own lock is free: so it is
recognised, and the next run closes its row.
"""

import hashlib
import sqlite3
import traceback
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import read_frame, utc_now, write_transaction
from schemas.errors import EngangError, ReleaseRefused, StoreError, SubmissionError

PUBLISHING_LOCK: Final = 7_464_913_201
"""Key of PostgreSQL's advisory lock: any number, but always the same."""
PUBLISHERS: Final = ("nightly", "backfill")
"""Kinds of runs that publish, and hold the lock while they do."""
INTAKE: Final = "intake"
"""The kind of the rows that hold when a served worker last looked for arrivals."""
RUN_LIMIT: Final = timedelta(hours=12)
"""A run whose lock cannot be examined counts as dead when it is older."""
HEARTBEATS_KEPT: Final = timedelta(days=1)
DEAD_RUN: Final = "its process ended before it did"
MESSAGE_CHARACTERS: Final = 2000
_DISK: Final = "the disk, its free space and this user's rights"


class OpenRun(NamedTuple):
    """A run without an end. `dead`: its process ended, so it never will have one."""

    run_id: str
    kind: str
    started_at: datetime
    dead: bool


@contextmanager
def recorded_run(engine: Engine, kind: str) -> Iterator[str]:
    """Store a run's row while the block runs, and how it ended: done, refused (`ReleaseRefused`) or failed.

    Yields the run's id. Exceptions of the block propagate.
    """
    started = utc_now()
    run_id = f"{kind}-{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    with _run_lock(engine, run_id):
        with write_transaction(engine) as connection:
            row = {"run_id": run_id, "kind": kind, "started_at": started, "status": "running"}
            connection.execute(sa.insert(t.runs), row)
        try:
            yield run_id
        except BaseException as error:  # interrupts are recorded too
            status = "refused" if isinstance(error, ReleaseRefused) else "failed"
            _end_run(engine, t.runs.c.run_id == run_id, status, run_message(error))
            raise
        _end_run(engine, t.runs.c.run_id == run_id, "done", None)


def record_check(engine: Engine, kind: str, problem: str | None) -> None:
    """Store the row of a check that has ended: done, or failed with what it found."""
    at = utc_now()
    row = {"run_id": f"{kind}-{at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}", "kind": kind, "started_at": at}
    row |= {"finished_at": at, "status": "failed" if problem else "done"}
    with write_transaction(engine) as connection:
        connection.execute(sa.insert(t.runs), {**row, "message": problem and problem[:MESSAGE_CHARACTERS]})


def record_heartbeat(engine: Engine, worker: str) -> None:
    """Store when a served worker last looked for arrivals: a row each. Those of workers that died a day ago go."""
    at, c = utc_now(), t.runs.c
    row = {"run_id": f"{INTAKE}-{worker}", "kind": INTAKE, "started_at": at, "finished_at": at, "status": "done"}
    with write_transaction(engine) as connection:
        old = (c.run_id == row["run_id"]) | (c.started_at < at - HEARTBEATS_KEPT)
        connection.execute(sa.delete(t.runs).where(c.kind == INTAKE, old))
        connection.execute(sa.insert(t.runs), row)


def remove_heartbeat(engine: Engine, worker: str) -> None:
    """Remove the row of a worker that has ended as it should."""
    with write_transaction(engine) as connection:
        connection.execute(sa.delete(t.runs).where(t.runs.c.run_id == f"{INTAKE}-{worker}"))


def run_message(error: BaseException) -> str:
    """Return what a run's row stores of the error that ended it.

    The message of an unforeseen error may quote delivered data, so only its type and the line that raised it are given.
    """
    name = type(error).__name__
    if isinstance(error, EngangError | OSError) and not isinstance(error, SubmissionError):
        return f"{name}: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{name}: unforeseen" + (f", at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "")


def open_runs(engine: Engine) -> list[OpenRun]:
    """Return the runs without an end, oldest first."""
    c = t.runs.c
    query = sa.select(c.run_id, c.kind, c.started_at).where(c.status == "running").order_by(c.started_at)
    rows = read_frame(engine, query).rows()
    return [OpenRun(run_id, kind, began, _is_dead(engine, run_id, began)) for run_id, kind, began in rows]


def close_dead_runs(engine: Engine) -> list[OpenRun]:
    """Mark the runs whose process ended as failed; return those that this call has closed."""
    closed = []
    for run in open_runs(engine):
        if run.dead and _end_run(engine, t.runs.c.run_id == run.run_id, "failed", DEAD_RUN):
            closed.append(run)
            if engine.dialect.name == "sqlite":
                _run_lock_file(engine, run.run_id).unlink(missing_ok=True)
    return closed


def _end_run(engine: Engine, which: sa.ColumnElement[bool], status: str, message: str | None) -> int:
    values = {"status": status, "message": message and message[:MESSAGE_CHARACTERS], "finished_at": utc_now()}
    update = sa.update(t.runs).where(which, t.runs.c.status == "running").values(values)
    with write_transaction(engine) as connection:
        return connection.execute(update).rowcount


# The lock of a run.
#
# A run holds a lock of its own from before its row is written until after its end is. So a row that is still "running"
# while its lock is free belongs to a dead process, and anybody may look: `engang status` reports it, the next run
# closes it. The lock of a living run is never taken away: who looks takes it only if it is free, and gives it back.


@contextmanager
def _run_lock(engine: Engine, run_id: str) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        with _postgresql_lock(engine, _run_key(run_id)):
            yield
        return
    file = _run_lock_file(engine, run_id)
    try:
        with _locked_file(engine, str(file)):
            yield
    finally:
        file.unlink(missing_ok=True)


def _is_dead(engine: Engine, run_id: str, began: datetime) -> bool:
    if engine.dialect.name != "sqlite":
        with engine.connect() as connection:  # the lock ends with the transaction
            return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_run_key(run_id)))))
    file = _run_lock_file(engine, run_id)
    if not file.exists():
        return True
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", timeout=0, isolation_level=None, uri=True)) as probe:
            probe.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        is_held = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
        return not is_held and utc_now() - began > RUN_LIMIT
    return True


def _run_lock_file(engine: Engine, run_id: str) -> Path:
    return Path(f"{engine.url.database}.{run_id}.lock").absolute()


def _run_key(run_id: str) -> int:
    return int.from_bytes(hashlib.blake2b(run_id.encode(), digest_size=8).digest(), signed=True)


# The publishing lock.
#
# Two nights, or a night and a backfill, may start at once. Both would restore the lake's tables to the last release
# and write after it, and each would delete the other's rows. The lock must end with its holder, however that dies, or
# a killed night would block all that follow. So it is no row in a table but a lock that the database releases when
# the connection closes: an exclusive transaction on SQLite, a session's advisory lock on PostgreSQL.
# A PostgreSQL session can break while its process runs on. `infra.lake.delta.own_versions` finds such a run out.


@contextmanager
def publishing_lock(engine: Engine, run_id: str | None = None) -> Iterator[None]:
    """Hold the publishing lock while the block runs; it ends with its process.

    Raises `StoreError` when another run than `run_id` holds it.
    """
    # On SQLite a separate database next to the ledger: others can read and write the ledger while one publishes.
    is_sqlite = engine.dialect.name == "sqlite"
    file = f"{engine.url.database}.lock"
    lock = _locked_file(engine, file, run_id) if is_sqlite else _postgresql_lock(engine, PUBLISHING_LOCK, run_id)
    with lock:
        yield


@contextmanager
def _locked_file(engine: Engine, file: str, run_id: str | None = None) -> Iterator[None]:
    try:
        connection = sqlite3.connect(file, timeout=0, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _no_lock(file, error, _DISK) from error
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        connection.close()
        is_held = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        raise (_lock_held(engine, run_id) if is_held else _no_lock(file, error, _DISK)) from error
    try:
        yield
    finally:
        connection.close()


@contextmanager
def _postgresql_lock(engine: Engine, key: int, run_id: str | None = None) -> Iterator[None]:
    try:
        session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # never returns to the pool: when it closes, the lock ends
        is_free = session.scalar(sa.select(sa.func.pg_try_advisory_lock(key)))
    except sa.exc.DBAPIError as error:
        raise _no_lock("in PostgreSQL", error.orig or error, "the database") from error
    with session as connection:
        if not is_free:
            raise _lock_held(engine, run_id)
        try:
            yield
        finally:
            with suppress(sa.exc.DBAPIError):  # a broken session has released it already
                connection.execute(sa.select(sa.func.pg_advisory_unlock(key)))


def _lock_held(engine: Engine, run_id: str | None) -> StoreError:
    """Return the error for a lock that is held. It names the oldest other run that lives, most likely its holder."""
    others = [run for run in open_runs(engine) if run.kind in PUBLISHERS and not run.dead and run.run_id != run_id]
    holder = f"another {others[0].kind} ({others[0].run_id})" if others else "another run"
    return StoreError(f"{holder} is publishing: wait for its end")


def _no_lock(where: str, error: BaseException, what: str) -> StoreError:
    message = f"the publishing lock {where} cannot be taken: {error}"
    return StoreError(f"{message}. Nothing was published; check {what} and run it again")
