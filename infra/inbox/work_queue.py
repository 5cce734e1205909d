"""The inbox: a work queue with one row per version of each arrived object, processed once however often announced.

    waiting → leased → done         `lease`, then `acknowledge` in the transaction that registers the submission
              leased → waiting      `requeue_failed`, after a back-off; or the lease of a dead worker expired
              leased → parked       five failures, or an error that no retry can solve
              parked → waiting      `requeue_parked`: a person solved it
              parked → done         `mark_dismissed`: a person gave the object up; `reason` has who and why

A lease gives one worker the right to finish a row. The transaction that finishes it checks the lease again, so a wrong
clock or a worker that was suspended costs time, and no object is registered twice. Times are the database server's.
"""

import secrets
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from infra.ledger import tables as t
from infra.ledger.sql import (
    id_chunks,
    insert_statement,
    read_by_ids,
    read_frame,
    stored_frame,
    utc_now,
    write_transaction,
)
from schemas.errors import LeaseLost

ATTEMPTS: Final = 5
"""After so many failures a row is parked."""
LEASE_TIME: Final = timedelta(seconds=90)
BACK_OFF: Final = tuple(timedelta(seconds=s) for s in (10, 60, 360, 2160))
"""How long a row waits after its first, second, third and fourth failure."""
AGE_SHARE: Final = 16
"""One place in so many of a batch goes to the oldest rows of all senders; the others to the smallest backlogs."""
RETRY_DIVISOR: Final = 32
"""Rows that failed once, or whose worker died, are leased again in batches smaller by this factor; then one by one."""
BATCH_BYTES_LIMIT: Final = 24 * 2**20

INBOX_ROW: Final = {
    "object": pl.String,
    "version": pl.String,
    "sender": pl.String,
    "bytes": pl.Int64,
    "reason": pl.String,
}
"""Columns that `enqueue` takes; a row with a reason is parked at once."""
LEASED_COLUMNS: Final = ("id", "object", "version", "sender", "bytes", "attempts", "source")
OPEN_STATUSES: Final = ("waiting", "leased", "parked")

_c: Final = t.inbox.c


def enqueue(engine: Engine, objects: pl.DataFrame, found_by: str) -> int:
    """Insert objects (`INBOX_ROW`) that an event or a listing named, durably; return how many are new."""
    # The event, the listing and a second worker may insert the same object at once. The unique index on (object,
    # version) keeps the first row. All insert in the same order, so two transactions cannot deadlock.
    rows_in_order = objects.unique(["object", "version"], keep="first").sort("object", "version")
    values = rows_in_order.with_columns(
        status=pl.when(pl.col("reason").is_null()).then(pl.lit("waiting")).otherwise(pl.lit("parked")),
        found_at=pl.lit(utc_now()),
        found_by=pl.lit(found_by),
        done_at=pl.when(pl.col("reason").is_not_null()).then(pl.lit(utc_now())),
    )
    rows = stored_frame(t.inbox, values).to_dicts()
    if not rows:
        return 0
    with write_transaction(engine) as connection:
        statement = insert_statement(connection, t.inbox).on_conflict_do_nothing(index_elements=[_c.object, _c.version])
        return len(connection.execute(statement.returning(_c.id), rows).all())


def not_enqueued(engine: Engine, objects: pl.DataFrame) -> pl.DataFrame:
    """Return the objects (by object, version) that have no row in the inbox."""

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        return sa.select(_c.object, _c.version).where(_c.object.in_(some or []))

    return objects.join(read_by_ids(engine, objects["object"].to_list(), _query), on=["object", "version"], how="anti")


def lease(
    engine: Engine, worker: str, limit: int, *, bytes_limit: int = BATCH_BYTES_LIMIT, lease_time: timedelta = LEASE_TIME
) -> pl.DataFrame:
    """Lease up to `limit` rows of about `bytes_limit` bytes, at least one if any is due; return `LEASED_COLUMNS`.

    Fifteen of sixteen places go to the senders with the smallest backlog, by age within a sender; one to the oldest
    rows. Rows that were leased before are leased in small batches and then alone, so that a file that kills its worker
    delays no other.
    """
    if not _any_due(engine):
        return _leased_frame([])
    # Workers lease at the same time. PostgreSQL locks the chosen rows and skips rows that another worker has locked
    # (SKIP LOCKED), so two workers get different rows and neither waits. SQLite has one writer at a time. The lease
    # is committed before any work starts: if the worker dies, the next `lease` after `lease_until` requeues the row.
    with write_transaction(engine) as connection:
        at = clock(connection)
        _expire_leases(connection, at)
        rows = _within_bytes(_choose(connection, at, limit), bytes_limit)
        values = {"status": "leased", "lease_by": worker, "lease_until": at + lease_time, "attempts": _c.attempts + 1}
        for ids in id_chunks(row.id for row in rows):
            connection.execute(sa.update(t.inbox).where(_c.id.in_(ids)).values(values))
    return _leased_frame(rows)


def renew_lease(engine: Engine, worker: str, ids: Collection[int], lease_time: timedelta = LEASE_TIME) -> int:
    """Extend the worker's leases; return how many of the rows it still holds."""
    held = 0
    with write_transaction(engine) as connection:
        until = clock(connection) + lease_time
        for some in id_chunks(ids):
            held += connection.execute(
                sa.update(t.inbox).where(*_held_by(worker, some)).values(lease_until=until)
            ).rowcount
    return held


def reserve(engine: Engine, worker: str, submissions: Mapping[int, str]) -> None:
    """Record which submission each leased row is about to become: row id → submission id. Call it before landing."""
    # A worker can die after it landed the bytes and before it registered them. Then the reconciliation of the landing
    # zone may register the submission before the lease expires. It finds the row by this id and acknowledges it
    # (`acknowledge_submissions`), so that no worker fetches the object again.
    rows = [{"row": key, "submission": submission} for key, submission in sorted(submissions.items())]
    held = (_c.id == sa.bindparam("row"), _c.lease_by == worker, _c.status == "leased")
    statement = sa.update(t.inbox).where(*held).values(submission_id=sa.bindparam("submission"))
    with write_transaction(engine) as connection:
        connection.execute(statement, rows)


def acknowledge(worker: str, ids: Collection[int]) -> Callable[[Connection], None]:
    """Return a function that marks leased rows done, to run first in the transaction that registers their submissions.

    It raises `LeaseLost` if the worker no longer holds one of them: then nothing of that transaction is stored.
    """

    # A worker that was suspended longer than its lease still believes that it holds the rows, while another worker
    # has registered them and a person may have withdrawn the submission since. The check locks the rows and shares the
    # transaction with the registration: the late worker's registration is rolled back and revives nothing.
    def _mark(connection: Connection) -> None:
        _check_held(connection, worker, ids)
        _mark_done(connection, ids)

    return _mark


def acknowledge_submissions(submissions: Collection[str]) -> Callable[[Connection], None]:
    """Return a function that marks done the rows reserved for these submissions, whichever worker holds them."""

    def _mark(connection: Connection) -> None:
        for some in id_chunks(submissions):
            _mark_done(connection, _locked_ids(connection, _c.submission_id.in_(some), _c.status != "done"))

    return _mark


def assert_lease(worker: str, ids: Collection[int]) -> Callable[[Connection], None]:
    """Return a function that raises `LeaseLost`, in a transaction, if the worker no longer holds one of the rows.

    For an archive's batches but the last, which is acknowledged: see `acknowledge`.
    """
    return lambda connection: _check_held(connection, worker, ids)


def requeue_failed(
    engine: Engine, worker: str, ids: Collection[int], reason: str, *, count_attempt: bool = True
) -> None:
    """End the leases of rows that failed: they wait for their back-off, or are parked after `ATTEMPTS` failures.

    Without `count_attempt` the objects were not the cause (a store does not answer): they are due at once.
    """
    with write_transaction(engine) as connection:
        at = clock(connection)
        if not count_attempt:
            _end_lease(connection, worker, ids, {"attempts": _c.attempts - 1, "reason": reason})
            return
        for attempt, wait in enumerate(BACK_OFF, 1):
            values = {"not_before": at + wait, "reason": reason}
            _end_lease(connection, worker, ids, values, _c.attempts == attempt)
        _end_lease(connection, worker, ids, {"status": "parked", "reason": reason, "done_at": at})


def park(engine: Engine, worker: str, ids: Collection[int], reason: str) -> None:
    """Park rows that no retry would help, with the reason; a person solves it and runs `requeue_parked`."""
    with write_transaction(engine) as connection:
        values = {"status": "parked", "reason": reason, "done_at": clock(connection)}
        _end_lease(connection, worker, ids, values)


def close_overwritten(engine: Engine, worker: str, ids: Collection[int], reason: str) -> None:
    """Mark rows done whose object the sender has overwritten: the newer version has its own row."""
    with write_transaction(engine) as connection:
        values = {"status": "done", "reason": reason, "done_at": clock(connection)}
        _end_lease(connection, worker, ids, values)


def requeue_parked(engine: Engine, ids: Collection[int] | None = None) -> list[int]:
    """Let parked rows wait again, all or those of `ids`, with no attempts counted; return the ids that were parked."""
    values = {"status": "waiting", "attempts": 0, "not_before": None, "reason": None, "done_at": None}
    requeued: list[int] = []
    with write_transaction(engine) as connection:
        for some in [None] if ids is None else list(id_chunks(ids)):
            chosen = sa.true() if some is None else _c.id.in_(some)
            statement = sa.update(t.inbox).where(_c.status == "parked", chosen).values(values).returning(_c.id)
            requeued += connection.scalars(statement).all()
    return sorted(requeued)


def mark_dismissed(engine: Engine, ids: Collection[int], *, who: str, why: str) -> list[int]:
    """Mark parked rows done that a person gives up; return the ids that were parked.

    Their reason then has who and why, followed by the reason for which they were parked.
    """
    note = sa.literal(f"dismissed by {who}: {why}")
    values = {"status": "done", "done_at": utc_now(), "reason": sa.func.coalesce(note + "; parked: " + _c.reason, note)}
    dismissed: list[int] = []
    with write_transaction(engine) as connection:
        for some in id_chunks(sorted(ids)):
            statement = sa.update(t.inbox).where(_c.status == "parked", _c.id.in_(some)).values(values)
            dismissed += connection.scalars(statement.returning(_c.id)).all()
    return sorted(dismissed)


def count_open(engine: Engine) -> pl.DataFrame:
    """Return status, sender, objects, bytes and oldest (found_at) of the rows that are not done, counted in SQL."""
    size = sa.func.sum(_c.bytes).cast(sa.BigInteger).label("bytes")
    count = sa.func.count().cast(sa.BigInteger).label("objects")
    oldest = sa.func.min(_c.found_at, type_=sa.DateTime).label("oldest")
    by = (_c.status, _c.sender)
    return read_frame(
        engine, sa.select(*by, count, size, oldest).where(_c.status.in_(OPEN_STATUSES)).group_by(*by).order_by(*by)
    )


def count_done(engine: Engine) -> int:
    """Return how many objects are done, counted in an index."""
    count = sa.func.count().cast(sa.BigInteger).label("objects")
    return int(read_frame(engine, sa.select(count).where(_c.status == "done")).item())


def list_parked(engine: Engine, limit: int | None = None, since: datetime | None = None) -> pl.DataFrame:
    """Return the parked rows, oldest first: id, object, version, source, sender, attempts, found_at, done_at, reason.

    `done_at` is when it was parked; with `since`, only rows parked at that time or later.
    """
    columns = (_c.id, _c.object, _c.version, _c.source, _c.sender, _c.attempts, _c.found_at, _c.done_at, _c.reason)
    recent = sa.true() if since is None else _c.done_at >= since
    return read_frame(engine, sa.select(*columns).where(_c.status == "parked", recent).order_by(_c.id).limit(limit))


def list_closed(engine: Engine, limit: int | None = None) -> pl.DataFrame:
    """Return the rows that are done without a submission, newest first; columns as `list_parked`."""
    columns = (_c.id, _c.object, _c.version, _c.source, _c.sender, _c.attempts, _c.found_at, _c.done_at, _c.reason)
    closed = (_c.status == "done", _c.reason.is_not(None))
    return read_frame(engine, sa.select(*columns).where(*closed).order_by(_c.id.desc()).limit(limit))


def _choose(connection: Connection, at: datetime, limit: int) -> list[Any]:
    """Return the rows to lease, locked: new ones first, or, one time in sixteen, rows that were tried before."""
    due = (_c.status == "waiting", sa.or_(_c.not_before.is_(None), _c.not_before <= at))
    new = (*due, _c.attempts == 0)
    if secrets.randbelow(AGE_SHARE):
        return _choose_new(connection, new, limit) or _choose_tried(connection, due, limit)
    return _choose_tried(connection, due, limit) or _choose_new(connection, new, limit)


def _choose_new(connection: Connection, new: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Any]:
    # If sixteen does not divide the limit, the remaining places go to the oldest rows in their share of the calls.
    by_age = limit // AGE_SHARE + (secrets.randbelow(AGE_SHARE) < limit % AGE_SHARE)
    chosen = _smallest_backlogs(connection, new, limit - by_age)
    ids = [row.id for row in chosen]
    return chosen + _lock(connection, (*new, _c.id.not_in(ids)), limit - len(ids))


def _smallest_backlogs(connection: Connection, new: Sequence[sa.ColumnElement[bool]], places: int) -> list[Any]:
    """Return rows of the senders with the smallest backlog: as many senders at a time as the places hold."""
    count = sa.func.count().label("n")
    per_sender = sa.select(_c.sender, count).where(_c.status == "waiting").group_by(_c.sender)
    backlogs = deque(connection.execute(per_sender.order_by("n", _c.sender)).all())
    chosen: list[Any] = []
    while backlogs and len(chosen) < places:
        free = places - len(chosen)
        senders, total = [backlogs[0].sender], backlogs.popleft().n
        while backlogs and total + backlogs[0].n <= free:
            total += backlogs[0].n
            senders.append(backlogs.popleft().sender)
        chosen += _lock(connection, (*new, _c.sender.in_(senders)), free)
    return chosen


def _choose_tried(connection: Connection, due: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Any]:
    once = _lock(connection, (*due, _c.attempts == 1), max(1, limit // RETRY_DIVISOR))
    return once or _lock(connection, (*due, _c.attempts > 1), 1)


def _lock(connection: Connection, where: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Any]:
    query = sa.select(*(_c[name] for name in LEASED_COLUMNS)).where(*where).order_by(_c.id).limit(limit)
    return list(connection.execute(query.with_for_update(skip_locked=True)).all())


def _within_bytes(rows: list[Any], bytes_limit: int) -> list[Any]:
    """Return the first rows that hold about `bytes_limit` bytes together, at least one."""
    chosen, total = rows[:1], rows[0].bytes or 0 if rows else 0
    for row in rows[1:]:
        total += row.bytes or 0
        if total > bytes_limit:
            break
        chosen.append(row)
    return chosen


def _expire_leases(connection: Connection, at: datetime) -> None:
    """Requeue the rows of expired leases, or park them after `ATTEMPTS` leases."""
    expired = sa.select(_c.id).where(_c.status == "leased", _c.lease_until <= at).order_by(_c.id)
    reason = "the worker that held it ended, or was too slow to renew its lease"
    # A row that is locked here belongs to a worker that is acknowledging or renewing it at this moment, or to another
    # worker that is expiring it. Skipping it is right in each case.
    for ids in id_chunks(connection.scalars(expired.with_for_update(skip_locked=True))):
        exhausted = _c.attempts >= ATTEMPTS
        values: dict[str, Any] = {
            "status": sa.case((exhausted, "parked"), else_="waiting"),
            "done_at": sa.case((exhausted, at), else_=None),
            "lease_by": None,
            "lease_until": None,
            "reason": reason,
        }
        connection.execute(sa.update(t.inbox).where(_c.id.in_(ids)).values(values))


def _check_held(connection: Connection, worker: str, ids: Collection[int]) -> None:
    held = {row for some in id_chunks(ids) for row in _locked_ids(connection, *_held_by(worker, some))}
    if lost := set(ids) - held:
        raise LeaseLost(
            f"{len(lost)} of {len(ids)} leased objects are held by another worker or done (the first is inbox row "
            f"{min(lost)}): this worker did not renew its lease in time. It stored nothing of them; the other does"
        )


def _locked_ids(connection: Connection, *where: sa.ColumnElement[bool]) -> list[int]:
    return list(connection.scalars(sa.select(_c.id).where(*where).order_by(_c.id).with_for_update()))


def _mark_done(connection: Connection, ids: Collection[int]) -> None:
    values = {"status": "done", "done_at": utc_now(), "lease_by": None, "lease_until": None, "reason": None}
    for some in id_chunks(ids):
        connection.execute(sa.update(t.inbox).where(_c.id.in_(some)).values(values))


def _end_lease(
    connection: Connection, worker: str, ids: Collection[int], values: dict[str, Any], *also: sa.ColumnElement[bool]
) -> None:
    """Write values to the rows that the worker still holds, and end their leases; other rows stay as they are."""
    unleased = {"status": "waiting", "lease_by": None, "lease_until": None}
    for some in id_chunks(ids):
        connection.execute(sa.update(t.inbox).where(*_held_by(worker, some), *also).values(unleased | values))


def _held_by(worker: str, ids: Collection[int]) -> tuple[sa.ColumnElement[bool], ...]:
    return _c.id.in_(ids), _c.lease_by == worker, _c.status == "leased"


def _any_due(engine: Engine) -> bool:
    """Return whether any row may be leased, without the lock that a write transaction takes."""
    at = _at(engine.dialect.name)
    waiting = (_c.status == "waiting") & (_c.not_before.is_(None) | (_c.not_before <= at))
    expired = (_c.status == "leased") & (_c.lease_until <= at)
    return any(read_frame(engine, sa.select(_c.id).where(state).limit(1)).height for state in (waiting, expired))


def clock(connection: Connection) -> datetime:
    """Return the time by the clock that leases go by."""
    at = connection.scalar(sa.select(_at(connection.dialect.name)))
    return at or utc_now()


def _at(dialect: str) -> sa.ColumnElement[datetime]:
    """Return the time by the database server's clock: all hosts agree on leases. SQLite uses the host's clock."""
    if dialect == "sqlite":
        return sa.literal(utc_now(), sa.DateTime)
    return sa.func.timezone("UTC", sa.func.now(), type_=sa.DateTime)


def _leased_frame(rows: list[Any]) -> pl.DataFrame:
    dtypes = (pl.Int64, pl.String, pl.String, pl.String, pl.Int64, pl.Int32, pl.String)
    return pl.DataFrame(
        [tuple(row) for row in rows], schema=dict(zip(LEASED_COLUMNS, dtypes, strict=True)), orient="row"
    )
