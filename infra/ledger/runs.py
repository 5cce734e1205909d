"""The ledger's part of a run: how each ended, and the lock that lets one publish at a time.

The lock dies with its process, in either database; a run's row does not, so whoever holds the lock closes those.
"""

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import now, read, writing
from schemas.errors import ReleaseRefused, StoreError

DISK: Final = "the disk, its room and this user's rights"
LOCK: Final = 7_464_913_201
"""The publishing lock's number in PostgreSQL: any, but always the same."""
PUBLISHERS: Final = ("nightly", "backfill")
"""Kinds of runs that publish, and hold the lock while they do."""


@contextmanager
def run(engine: Engine, kind: str) -> Iterator[str]:
    """Keep a run's row while the block runs, and how it ended: done, refused (`ReleaseRefused`) or failed.

    Gives the run's id. What the block raises goes on.
    """
    started = now()
    run_id = f"{kind}-{started:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    with writing(engine) as connection:
        row = {"run_id": run_id, "kind": kind, "started_at": started, "status": "running"}
        connection.execute(sa.insert(t.runs), row)
    try:
        yield run_id
    except BaseException as error:  # an interrupt too is written down; all of it goes on
        status = "refused" if isinstance(error, ReleaseRefused) else "failed"
        _end_run(engine, t.runs.c.run_id == run_id, status, f"{type(error).__name__}: {error}")
        raise
    _end_run(engine, t.runs.c.run_id == run_id, "done", None)


def close_killed_runs(engine: Engine, kind: str) -> int:
    """Mark as failed the runs of a kind that never said how they ended; return how many.

    Only for one who knows that none of them still runs: who holds the publishing lock knows it of `PUBLISHERS`.
    """
    return _end_run(engine, t.runs.c.kind == kind, "failed", "its process ended before it did")


def _end_run(engine: Engine, which: sa.ColumnElement[bool], status: str, message: str | None) -> int:
    told = {"status": status, "message": message and message[:2000], "finished_at": now()}
    with writing(engine) as connection:
        return connection.execute(sa.update(t.runs).where(which, t.runs.c.status == "running").values(told)).rowcount


def runs(engine: Engine) -> pl.DataFrame:
    """Return every run, oldest first."""
    return read(engine, sa.select(t.runs).order_by(t.runs.c.started_at, t.runs.c.run_id))


@contextmanager
def publishing_lock(engine: Engine) -> Iterator[None]:
    """Be the only one who publishes while the block runs; the lock dies with its process.

    Raises `StoreError` when another holds it.
    """
    lock = _sqlite_lock if engine.dialect.name == "sqlite" else _postgresql_lock
    with lock(engine):
        yield


@contextmanager
def _sqlite_lock(engine: Engine) -> Iterator[None]:
    # A database of its own, beside the ledger: others read and write the ledger while one publishes.
    file = f"{engine.url.database}.lock"
    try:
        connection = sqlite3.connect(file, timeout=0, isolation_level=None)
    except sqlite3.DatabaseError as error:
        raise _no_lock(file, error, DISK) from error
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise (
            _held(engine) if error.sqlite_errorcode == sqlite3.SQLITE_BUSY else _no_lock(file, error, DISK)
        ) from error
    try:
        yield
    finally:
        connection.close()


@contextmanager
def _postgresql_lock(engine: Engine) -> Iterator[None]:
    try:
        session = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session.detach()  # never back into the pool: its end is the lock's end
        taken = session.scalar(sa.select(sa.func.pg_try_advisory_lock(LOCK)))
    except sa.exc.DBAPIError as error:
        raise _no_lock("in PostgreSQL", error.orig or error, "the database") from error
    with session as connection:
        if not taken:
            raise _held(engine)
        try:
            yield
        finally:
            with suppress(sa.exc.DBAPIError):  # a session that broke has let go of it already
                connection.execute(sa.select(sa.func.pg_advisory_unlock(LOCK)))


def _held(engine: Engine) -> StoreError:
    """Return what to tell who finds the lock held: by which run, if that has written itself down yet."""
    c = t.runs.c
    mine = (c.kind.in_(PUBLISHERS), c.status == "running")
    found = read(engine, sa.select(c.kind, c.run_id).where(*mine).order_by(c.started_at.desc()).limit(1)).rows()
    holder = "another {} ({})".format(*found[0]) if found else "another run"
    return StoreError(f"{holder} is publishing: wait for its end")


def _no_lock(where: str, error: BaseException, what: str) -> StoreError:
    told = f"the publishing lock {where} cannot be taken: {error}"
    return StoreError(f"{told}. Nothing was published; see to {what} and run it again")
