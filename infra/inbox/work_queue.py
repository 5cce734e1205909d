"""The inbox: one row for each version of each arrived object, worked off once, whoever tells of it and however often.

    waiting → leased → done                     `claim`, then `settle` in the transaction that registers the submission
              leased → waiting, later           `release_with`: it failed, or its worker died (the lease ends)
              leased → parked                   five failures, or nothing to try again; `retry` makes it wait anew
              parked → done                     `dismiss`: a person leaves it, and `reason` says who and why

A lease says who may settle a row. It is checked in the settling transaction itself, so a clock that is wrong or a
worker that slept costs time and never an object done twice. Times are the database's, where it has a clock.
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
from infra.ledger.sql import chunks, fitting, inserting, now, read, read_for, writing
from schemas.errors import LeaseLost

ATTEMPTS: Final = 5
"""After so many failures a row is parked."""
LEASE: Final = timedelta(seconds=90)
BACK_OFF: Final = tuple(timedelta(seconds=s) for s in (10, 60, 360, 2160))
"""How long a row waits after its first, second, third and fourth failure."""
BY_AGE: Final = 16
"""One place in so many of a batch goes to the oldest rows, whoever sent them; the others to the smallest backlogs."""
TOGETHER: Final = 32
"""What failed or died with others once is claimed again in parts of a batch so much smaller; twice: alone."""
MANY_BYTES: Final = 24 * 2**20

NOTICED: Final = {
    "object": pl.String,
    "version": pl.String,
    "sender": pl.String,
    "bytes": pl.Int64,
    "reason": pl.String,
}
"""Columns of what `notice` takes; a row with a reason is parked at once."""
CLAIMED: Final = ("id", "object", "version", "sender", "bytes", "attempts")
OPEN: Final = ("waiting", "leased", "parked")

_c: Final = t.inbox.c


def notice(engine: Engine, objects: pl.DataFrame, found_by: str) -> int:
    """Note objects (`NOTICED`) that an event or a listing told of, durably; return how many are new."""
    told = objects.unique(["object", "version"], keep="first").sort("object", "version")  # two writers cannot deadlock
    told = told.with_columns(
        status=pl.when(pl.col("reason").is_null()).then(pl.lit("waiting")).otherwise(pl.lit("parked")),
        found_at=pl.lit(now()),
        found_by=pl.lit(found_by),
        done_at=pl.when(pl.col("reason").is_not_null()).then(pl.lit(now())),
    )
    rows = fitting(t.inbox, told).to_dicts()
    if not rows:
        return 0
    with writing(engine) as connection:
        statement = inserting(connection, t.inbox).on_conflict_do_nothing(index_elements=[_c.object, _c.version])
        return len(connection.execute(statement.returning(_c.id), rows).all())


def unnoticed(engine: Engine, objects: pl.DataFrame) -> pl.DataFrame:
    """Return those of the objects (with object, version) that the inbox has no row for."""

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        return sa.select(_c.object, _c.version).where(_c.object.in_(some or []))

    return objects.join(read_for(engine, objects["object"].to_list(), _query), on=["object", "version"], how="anti")


def claim(
    engine: Engine, worker: str, limit: int, *, bytes_limit: int = MANY_BYTES, lease: timedelta = LEASE
) -> pl.DataFrame:
    """Claim up to `limit` rows of about `bytes_limit` bytes, at least one if any waits; return `CLAIMED`.

    Fifteen places of sixteen go to the senders with the smallest backlog, by age within; one to the oldest rows. What
    was claimed before in vain is claimed apart, in small parts and then alone, so that a file that kills its worker
    takes no other down.
    """
    if not _any_due(engine):
        return _claimed([])
    with writing(engine) as connection:
        at = _clock(connection)
        _end_leases(connection, at)
        rows = _bounded(_choose(connection, at, limit), bytes_limit)
        held = {"status": "leased", "lease_by": worker, "lease_until": at + lease, "attempts": _c.attempts + 1}
        for ids in chunks(row.id for row in rows):
            connection.execute(sa.update(t.inbox).where(_c.id.in_(ids)).values(held))
    return _claimed(rows)


def renew(engine: Engine, worker: str, ids: Collection[int], lease: timedelta = LEASE) -> int:
    """Hold what was claimed for longer; return how much of it is still held."""
    held = 0
    with writing(engine) as connection:
        until = _clock(connection) + lease
        for some in chunks(ids):
            held += connection.execute(
                sa.update(t.inbox).where(*_mine(worker, some)).values(lease_until=until)
            ).rowcount
    return held


def intend(engine: Engine, worker: str, becomes: Mapping[int, str]) -> None:
    """Write down which submission each claimed row is about to become: id → submission.

    Then whoever registers that submission, the landing zone's reconciliation say, settles the row with it.
    """
    rows = [{"row": key, "submission": submission} for key, submission in sorted(becomes.items())]
    mine = (_c.id == sa.bindparam("row"), _c.lease_by == worker, _c.status == "leased")
    statement = sa.update(t.inbox).where(*mine).values(submission_id=sa.bindparam("submission"))
    with writing(engine) as connection:
        connection.execute(statement, rows)


def settle(worker: str, ids: Collection[int]) -> Callable[[Connection], None]:
    """Return what marks claimed rows done, in the transaction that registers what they became and before all else.

    It raises `LeaseLost` if the worker holds one of them no more: nothing of that transaction is kept then. So a
    worker that comes too late never makes live again what was withdrawn meanwhile.
    """

    def _mark(connection: Connection) -> None:
        _held(connection, worker, ids)
        _mark_done(connection, ids)

    return _mark


def settle_found(submissions: Collection[str]) -> Callable[[Connection], None]:
    """Return what marks done the rows that were about to become these submissions, whoever holds them: see `intend`."""

    def _mark(connection: Connection) -> None:
        for some in chunks(submissions):
            _mark_done(connection, _locked(connection, _c.submission_id.in_(some), _c.status != "done"))

    return _mark


def release_with(engine: Engine, worker: str, ids: Collection[int], reason: str, *, counted: bool = True) -> None:
    """Give back what failed: it waits for its back-off, or is parked if it failed often enough.

    With `counted` false it was no fault of the objects (the store is away): the attempt does not count.
    """
    with writing(engine) as connection:
        at = _clock(connection)
        if not counted:
            _give_back(connection, worker, ids, {"attempts": _c.attempts - 1, "reason": reason})
            return
        for attempt, wait in enumerate(BACK_OFF, 1):
            told = {"not_before": at + wait, "reason": reason}
            _give_back(connection, worker, ids, told, _c.attempts == attempt)
        _give_back(connection, worker, ids, {"status": "parked", "reason": reason, "done_at": at})


def park(engine: Engine, worker: str, ids: Collection[int], reason: str) -> None:
    """Park what no further try would help, with its reason: a person puts it right, `retry` makes it wait anew."""
    with writing(engine) as connection:
        told = {"status": "parked", "reason": reason, "done_at": _clock(connection)}
        _give_back(connection, worker, ids, told)


def close(engine: Engine, worker: str, ids: Collection[int], reason: str) -> None:
    """Mark done what nothing can be made of any more: the sender wrote over it, and the newer version has a row."""
    with writing(engine) as connection:
        _give_back(connection, worker, ids, {"status": "done", "reason": reason, "done_at": _clock(connection)})


def retry(engine: Engine, ids: Collection[int] | None = None) -> list[int]:
    """Make parked rows wait anew, all or those of `ids`; return which were parked."""
    anew = {"status": "waiting", "attempts": 0, "not_before": None, "reason": None, "done_at": None}
    done: list[int] = []
    with writing(engine) as connection:
        for some in [None] if ids is None else list(chunks(ids)):
            among = sa.true() if some is None else _c.id.in_(some)
            statement = sa.update(t.inbox).where(_c.status == "parked", among).values(anew).returning(_c.id)
            done += connection.scalars(statement).all()
    return sorted(done)


def dismiss(engine: Engine, ids: Collection[int], *, who: str, why: str) -> list[int]:
    """Mark parked rows done that a person decides to leave, who and why before what parked them; return which were."""
    said = sa.literal(f"dismissed by {who}: {why}")
    told = {"status": "done", "done_at": now(), "reason": sa.func.coalesce(said + "; parked: " + _c.reason, said)}
    done: list[int] = []
    with writing(engine) as connection:
        for some in chunks(sorted(ids)):
            statement = sa.update(t.inbox).where(_c.status == "parked", _c.id.in_(some)).values(told).returning(_c.id)
            done += connection.scalars(statement).all()
    return sorted(done)


def counts(engine: Engine) -> pl.DataFrame:
    """Return status, sender, objects, bytes and oldest (found_at) of what is not done yet, counted in SQL."""
    size = sa.func.sum(_c.bytes).cast(sa.BigInteger).label("bytes")
    count = sa.func.count().cast(sa.BigInteger).label("objects")
    oldest = sa.func.min(_c.found_at, type_=sa.DateTime).label("oldest")
    by = (_c.status, _c.sender)
    return read(engine, sa.select(*by, count, size, oldest).where(_c.status.in_(OPEN)).group_by(*by).order_by(*by))


def done_count(engine: Engine) -> int:
    """Return how many objects are done, counted in an index."""
    count = sa.func.count().cast(sa.BigInteger).label("objects")
    return int(read(engine, sa.select(count).where(_c.status == "done")).item())


def parked(engine: Engine, limit: int | None = None, since: datetime | None = None) -> pl.DataFrame:
    """Return the parked rows, oldest first: id, object, version, sender, attempts, found_at, done_at, reason.

    `done_at` is when it was parked; with `since`, only those parked then or later.
    """
    columns = (_c.id, _c.object, _c.version, _c.sender, _c.attempts, _c.found_at, _c.done_at, _c.reason)
    lately = sa.true() if since is None else _c.done_at >= since
    return read(engine, sa.select(*columns).where(_c.status == "parked", lately).order_by(_c.id).limit(limit))


def closed(engine: Engine, limit: int | None = None) -> pl.DataFrame:
    """Return the rows that are done and became nothing, newest first: columns as `parked`; `reason` says why."""
    columns = (_c.id, _c.object, _c.version, _c.sender, _c.attempts, _c.found_at, _c.done_at, _c.reason)
    said = (_c.status == "done", _c.reason.is_not(None))
    return read(engine, sa.select(*columns).where(*said).order_by(_c.id.desc()).limit(limit))


def fence(worker: str, ids: Collection[int]) -> Callable[[Connection], None]:
    """Return what raises `LeaseLost`, in a transaction, if the worker holds one of the rows no more; see `settle`."""
    return lambda connection: _held(connection, worker, ids)


def _choose(connection: Connection, at: datetime, limit: int) -> list[Any]:
    """Return the rows to claim, locked: fresh ones as a rule, one time in sixteen what was tried before."""
    due = (_c.status == "waiting", sa.or_(_c.not_before.is_(None), _c.not_before <= at))
    fresh = (*due, _c.attempts == 0)
    if secrets.randbelow(BY_AGE):
        return _fair(connection, fresh, limit) or _tried(connection, due, limit)
    return _tried(connection, due, limit) or _fair(connection, fresh, limit)


def _fair(connection: Connection, fresh: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Any]:
    # Of a limit that sixteen does not divide, the last places fall to age as often as is fair.
    by_age = limit // BY_AGE + (secrets.randbelow(BY_AGE) < limit % BY_AGE)
    chosen = _smallest_first(connection, fresh, limit - by_age)
    taken = [row.id for row in chosen]
    return chosen + _lock(connection, (*fresh, _c.id.not_in(taken)), limit - len(taken))


def _smallest_first(connection: Connection, fresh: Sequence[sa.ColumnElement[bool]], places: int) -> list[Any]:
    """Return rows of the senders with the smallest backlog: as many senders at a time as the places hold."""
    count = sa.func.count().label("n")
    backlog = sa.select(_c.sender, count).where(_c.status == "waiting").group_by(_c.sender)
    left = deque(connection.execute(backlog.order_by("n", _c.sender)).all())
    chosen: list[Any] = []
    while left and len(chosen) < places:
        free = places - len(chosen)
        senders, total = [left[0].sender], left.popleft().n
        while left and total + left[0].n <= free:
            total += left[0].n
            senders.append(left.popleft().sender)
        chosen += _lock(connection, (*fresh, _c.sender.in_(senders)), free)
    return chosen


def _tried(connection: Connection, due: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Any]:
    once = _lock(connection, (*due, _c.attempts == 1), max(1, limit // TOGETHER))
    return once or _lock(connection, (*due, _c.attempts > 1), 1)


def _lock(connection: Connection, where: Sequence[sa.ColumnElement[bool]], limit: int) -> list[Any]:
    query = sa.select(*(_c[name] for name in CLAIMED)).where(*where).order_by(_c.id).limit(limit)
    return list(connection.execute(query.with_for_update(skip_locked=True)).all())


def _bounded(rows: list[Any], bytes_limit: int) -> list[Any]:
    kept, total = rows[:1], rows[0].bytes or 0 if rows else 0
    for row in rows[1:]:
        total += row.bytes or 0
        if total > bytes_limit:
            break
        kept.append(row)
    return kept


def _end_leases(connection: Connection, at: datetime) -> None:
    """Make what dead workers held wait again, or park what was held so often."""
    ended = sa.select(_c.id).where(_c.status == "leased", _c.lease_until <= at).order_by(_c.id)
    reason = "the worker that held it ended, or was too slow to renew its lease"
    for ids in chunks(connection.scalars(ended.with_for_update(skip_locked=True))):
        told = {"lease_by": None, "lease_until": None, "reason": reason}
        often = _c.attempts >= ATTEMPTS
        ended_as: dict[str, Any] = {
            "status": sa.case((often, "parked"), else_="waiting"),
            "done_at": sa.case((often, at), else_=None),
        }
        connection.execute(sa.update(t.inbox).where(_c.id.in_(ids)).values(told | ended_as))


def _held(connection: Connection, worker: str, ids: Collection[int]) -> None:
    held = {row for some in chunks(ids) for row in _locked(connection, *_mine(worker, some))}
    if lost := set(ids) - held:
        raise LeaseLost(
            f"{len(lost)} of {len(ids)} claimed objects are held by another worker or done (the first is inbox row "
            f"{min(lost)}): this one did not renew its lease in time. Nothing of this was kept, the other does it"
        )


def _locked(connection: Connection, *where: sa.ColumnElement[bool]) -> list[int]:
    return list(connection.scalars(sa.select(_c.id).where(*where).order_by(_c.id).with_for_update()))


def _mark_done(connection: Connection, ids: Collection[int]) -> None:
    told = {"status": "done", "done_at": now(), "lease_by": None, "lease_until": None, "reason": None}
    for some in chunks(ids):
        connection.execute(sa.update(t.inbox).where(_c.id.in_(some)).values(told))


def _give_back(
    connection: Connection, worker: str, ids: Collection[int], told: dict[str, Any], *also: sa.ColumnElement[bool]
) -> None:
    free = {"status": "waiting", "lease_by": None, "lease_until": None}
    for some in chunks(ids):
        connection.execute(sa.update(t.inbox).where(*_mine(worker, some), *also).values(free | told))


def _mine(worker: str, ids: Collection[int]) -> tuple[sa.ColumnElement[bool], ...]:
    return _c.id.in_(ids), _c.lease_by == worker, _c.status == "leased"


def _any_due(engine: Engine) -> bool:
    """Tell, without the lock that writing takes, whether anything may be claimed."""
    at = _at(engine.dialect.name)
    waits = (_c.status == "waiting") & (_c.not_before.is_(None) | (_c.not_before <= at))
    ended = (_c.status == "leased") & (_c.lease_until <= at)
    return any(read(engine, sa.select(_c.id).where(which).limit(1)).height for which in (waits, ended))


def _clock(connection: Connection) -> datetime:
    at = connection.scalar(sa.select(_at(connection.dialect.name)))
    return at or now()


def _at(dialect: str) -> sa.ColumnElement[datetime]:
    """Return this moment by the database's clock: hosts that share it agree on leases. SQLite has the host's."""
    if dialect == "sqlite":
        return sa.literal(now(), sa.DateTime)
    return sa.func.timezone("UTC", sa.func.now(), type_=sa.DateTime)


def _claimed(rows: list[Any]) -> pl.DataFrame:
    whole = (pl.Int64, pl.String, pl.String, pl.String, pl.Int64, pl.Int32)
    return pl.DataFrame([tuple(row) for row in rows], schema=dict(zip(CLAIMED, whole, strict=True)), orient="row")
