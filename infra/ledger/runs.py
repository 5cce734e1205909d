"""The ledger's runs: how each ended, and the lock that lets only one run publish at a time.

In either database the lock ends with its process. A killed run's row stays "running" until the next holder of the lock
closes it.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import read_frame, utc_now, write_transaction
from schemas.errors import ReleaseRefused, StoreError

PUBLISHING_LOCK: Final = 7_464_913_201
"""Key of PostgreSQL's advisory lock: any number, but always the same."""
PUBLISHERS: Final = ("nightly", "backfill")
"""Kinds of runs that publish, and hold the lock while they do."""
_DISK: Final = "the disk, its free space and this user's rights"


@contextmanager
def recorded_run(engine: Engine, kind: str) -> Iterator[str]:
    """Store a run's row while the block runs, and how it ended: done, refused (`ReleaseRefused`) or failed.

    Yields the run's id. Exceptions of the block propagate.
    """
    started = utc_now()
    run_id = f"{kind}-{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    with write_transaction(engine) as connection:
        row = {"run_id": run_id, "kind": kind, "started_at": started, "status": "running"}
        connection.execute(sa.insert(t.runs), row)
    try:
        yield run_id
    except BaseException as error:  # interrupts are recorded too
        status = "refused" if isinstance(error, ReleaseRefused) else "failed"
        _end_run(engine, t.runs.c.run_id == run_id, status, f"{type(error).__name__}: {error}")
        raise
    _end_run(engine, t.runs.c.run_id == run_id, "done", None)


def close_killed_runs(engine: Engine, kind: str) -> int:
    """Mark the runs of a kind that never recorded an end as failed; return their number.

    The caller must know that none of them still runs: for `PUBLISHERS` the holder of the publishing lock does.
    """
    return _end_run(engine, t.runs.c.kind == kind, "failed", "its process ended before it did")


def _end_run(engine: Engine, which: sa.ColumnElement[bool], status: str, message: str | None) -> int:
    values = {"status": status, "message": message and message[:2000], "finished_at": utc_now()}
    update = sa.update(t.runs).where(which, t.runs.c.status == "running").values(values)
    with write_transaction(engine) as connection:
        return connection.execute(update).rowcount


# The publishing lock.
#
# Two nights, or a night and a backfill, may start at once. Both would restore the lake's tables to the last release
# and write after it, and each would delete the other's rows. The lock must end with its holder, however that dies, or
# a killed night would block all that follow. So it is no row in a table but a lock that the database releases when
# the connection closes: an exclusive transaction on SQLite, a session's advisory lock on PostgreSQL.
# A PostgreSQL session can break while its process runs on. `infra.lake.delta.own_versions` finds such a run out.


@contextmanager
def publishing_lock(engine: Engine) -> Iterator[None]:
    """Hold the publishing lock while the block runs; it ends with its process.

    Raises `StoreError` when another run holds it.
    """
    lock = _sqlite_lock if engine.dialect.name == "sqlite" else _postgresql_lock
    with lock(engine):
        yield


@contextmanager
def _sqlite_lock(engine: Engine) -> Iterator[None]:
    # A separate database next to the ledger: others can read and write the ledger while one publishes.
    file = f"{engine.url.database}.lock"
    try:
        connection = sqlite3.connect(file, timeout=0, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _no_lock(file, error, _DISK) from error
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        connection.close()
        is_held = error.sqlite_errorcode == sqlite3.SQLITE_BUSY
        raise (_lock_held(engine) if is_held else _no_lock(file, error, _DISK)) from error
    try:
        yield
    finally:
        connection.close()


@contextmanager
def _postgresql_lock(engine: Engine) -> Iterator[None]:
    try:
        session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # never returns to the pool: when it closes, the lock ends
        is_free = session.scalar(sa.select(sa.func.pg_try_advisory_lock(PUBLISHING_LOCK)))
    except sa.exc.DBAPIError as error:
        raise _no_lock("in PostgreSQL", error.orig or error, "the database") from error
    with session as connection:
        if not is_free:
            raise _lock_held(engine)
        try:
            yield
        finally:
            with suppress(sa.exc.DBAPIError):  # a broken session has released it already
                connection.execute(sa.select(sa.func.pg_advisory_unlock(PUBLISHING_LOCK)))


def _lock_held(engine: Engine) -> StoreError:
    """Return the error for a lock that is held. It names the run that holds it, if its row is written already."""
    c = t.runs.c
    is_publishing = (c.kind.in_(PUBLISHERS), c.status == "running")
    newest = sa.select(c.kind, c.run_id).where(*is_publishing).order_by(c.started_at.desc()).limit(1)
    rows = read_frame(engine, newest).rows()
    holder = "another {} ({})".format(*rows[0]) if rows else "another run"
    return StoreError(f"{holder} is publishing: wait for its end")


def _no_lock(where: str, error: BaseException, what: str) -> StoreError:
    message = f"the publishing lock {where} cannot be taken: {error}"
    return StoreError(f"{message}. Nothing was published; check {what} and run it again")
