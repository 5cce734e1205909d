"""What monitoring reads from the ledger: who delivered for a period, what waits, how the runs ended.

Every query is answered from an index, with one look-up per sender, run or waiting row: never by a scan of all
submissions.
"""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import read_frame

WAITING_LIMIT: Final = 10_000
"""Waiting submissions are counted up to this number."""
LAST_RUNS: Final = 100
REJECTED_LIMIT: Final = 100_000
"""Rejected submissions are read up to this number."""


class DeliveryWindow(NamedTuple):
    """The deliveries that count for a period: received since a day, with claims of months in [first, beyond).

    Without months, any delivery since that day counts. Most deliveries come after the period: those received from
    `likely` on are looked up first.
    """

    name: str
    since: date
    likely: date
    first: str | None = None
    beyond: str | None = None


def senders_by_period(engine: Engine, contract: str, windows: Iterable[DeliveryWindow]) -> dict[str, set[str]]:
    """Return window name -> the senders with a live submission that counts for it."""
    c, window = t.submissions.c, _window_rows(list(windows))
    senders = _senders(contract)
    of_months = sa.select(sa.literal(1)).where(
        t.submission_partitions.c.submission_id == c.submission_id,
        t.submission_partitions.c.partition >= window.c.first,
        t.submission_partitions.c.partition < window.c.beyond,
    )
    # Scalar subqueries, which no planner turns into a join: each is one look-up in an index.
    in_months = of_months.limit(1).correlate(t.submissions, window).scalar_subquery()
    counts = sa.or_(window.c.first == "", in_months == 1)

    def _delivered(*when: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
        of_sender = sa.select(sa.literal(1)).where(c.contract == contract, c.sender == senders.c.sender, *when)
        any_one = of_sender.where(c.status == "live", counts).limit(1)  # unordered, or PostgreSQL would read them all
        return any_one.correlate(senders, window).scalar_subquery()

    after = _delivered(c.received_at >= window.c.likely)
    before = _delivered(c.received_at >= window.c.since, c.received_at < window.c.likely)
    delivered = sa.func.coalesce(after, before)
    query = sa.select(window.c.name, senders.c.sender).join(senders, sa.true()).where(senders.c.sender.is_not(None))
    by_window: dict[str, set[str]] = {}
    for name, sender in read_frame(engine, query.where(delivered == 1)).iter_rows():
        by_window.setdefault(name, set()).add(sender)
    return by_window


def _window_rows(windows: list[DeliveryWindow]) -> sa.Subquery:
    """Return the windows as a table: name, since, likely, first (empty: any month), beyond."""
    selects = [
        sa.select(
            sa.literal(w.name, sa.Text).label("name"),
            sa.literal(datetime.combine(w.since, time()), sa.DateTime).label("since"),
            sa.literal(datetime.combine(w.likely, time()), sa.DateTime).label("likely"),
            sa.literal(w.first or "", sa.Text).label("first"),
            sa.literal(w.beyond or "", sa.Text).label("beyond"),
        )
        for w in windows
    ]
    return sa.union_all(*selects).subquery("wanted")


def _senders(contract: str) -> sa.CTE:
    """Return the senders of a contract, each found by one look-up in the index, followed by a null."""
    c = t.submissions.c
    least = sa.select(sa.func.min(c.sender, type_=sa.Text).label("sender")).where(c.contract == contract)
    found = least.cte("senders", recursive=True)
    following = least.where(c.sender > found.c.sender).correlate(found).scalar_subquery()
    return found.union_all(sa.select(following).where(found.c.sender.is_not(None)))


def count_waiting(engine: Engine, since: datetime | None) -> tuple[int, datetime | None]:
    """Return how many submissions received since then are in no release, and when the first of them was received.

    Counts up to `WAITING_LIMIT`.
    """
    c = t.submissions.c
    conditions = [c.status == "live", c.in_release.is_(False)]
    if since is not None:
        conditions.append(c.received_at >= since)
    ordered = sa.select(c.received_at).where(*conditions).order_by(c.received_at)
    waiting = ordered.limit(WAITING_LIMIT).subquery()
    count: sa.Label[Any] = sa.func.count().cast(sa.BigInteger).label("count")
    oldest = sa.func.min(waiting.c.received_at, type_=sa.DateTime).label("oldest")
    number, first = read_frame(engine, sa.select(count, oldest).select_from(waiting)).row(0)
    return number, first


def read_last_runs(engine: Engine, kind: str, limit: int = LAST_RUNS) -> pl.DataFrame:
    """Return the last runs of a kind, newest first: run_id, started_at, finished_at, status, message."""
    c = t.runs.c
    columns = (c.run_id, c.started_at, c.finished_at, c.status, c.message)
    return read_frame(engine, sa.select(*columns).where(c.kind == kind).order_by(c.started_at.desc()).limit(limit))


def last_success(engine: Engine, kind: str) -> datetime | None:
    """Return when the last successful run of a kind began."""
    c = t.runs.c
    query = sa.select(c.started_at).where(c.kind == kind, c.status == "done").order_by(c.started_at.desc()).limit(1)
    rows: list[Any] = read_frame(engine, query).rows()
    return rows[0][0] if rows else None


def read_rejected(engine: Engine, since: datetime) -> pl.DataFrame:
    """Return what was received since then and rejected whole, with the first reject of each, up to `REJECTED_LIMIT`.

    Columns: submission_id, contract, sender, filename, received_at, reason, column, found.
    """
    c, reject = t.submissions.c, t.rejects.c
    of_submission = (reject.submission_id == c.submission_id, reject.severity == "critical")
    first = sa.select(sa.func.min(reject.id)).where(*of_submission).correlate(t.submissions).scalar_subquery()
    why = t.rejects.alias("why")
    columns = (c.submission_id, c.contract, c.sender, c.filename, c.received_at)
    reject_columns = (why.c.reason, why.c.column, why.c.found)
    query = sa.select(*columns, *reject_columns).select_from(t.submissions.join(why, why.c.id == first))
    query = query.where(c.status == "rejected", c.received_at >= since)
    return read_frame(engine, query.order_by(c.received_at.desc()).limit(REJECTED_LIMIT))


def read_person_numbers(engine: Engine, since: datetime) -> pl.DataFrame:
    """Return what was received since then and has rows with person numbers: contract, submission_id, column.

    Newest first; of withdrawn and erased submissions none.
    """
    c, reject = t.submissions.c, t.rejects.c
    joined = t.submissions.join(t.rejects, reject.submission_id == c.submission_id)
    query = sa.select(c.contract, c.submission_id, reject.column, c.received_at).select_from(joined).distinct()
    # An index begins with the first three.
    where = (c.status.in_(["live", "rejected"]), c.in_release.in_([True, False]), c.received_at >= since)
    found = query.where(*where, c.rejected > 0, reject.reason == "person-number")
    return read_frame(engine, found.order_by(c.received_at.desc()).limit(REJECTED_LIMIT)).drop("received_at")


def read_accepted(engine: Engine, contracts: Iterable[str], since: datetime) -> pl.DataFrame:
    """Return contract, sender, filename, received_at of what was received under contracts since then and accepted."""
    c = t.submissions.c
    columns = (c.contract, c.sender, c.filename, c.received_at)
    where = (c.status == "live", c.in_release.in_([True, False]), c.received_at >= since)  # an index begins so
    return read_frame(engine, sa.select(*columns).where(*where, c.contract.in_(list(contracts))))


def read_unknown_units(engine: Engine, contract: str | None = None) -> pl.DataFrame:
    """Return the rejects of unknown units: contract, submission_id, found, rows; of withdrawn submissions none."""
    c, reject = t.submissions.c, t.rejects.c
    rows: sa.Label[Any] = sa.func.count().cast(sa.BigInteger).label("rows")
    by = (c.contract, c.submission_id, reject.found)
    where = [reject.reason == "unknown-unit", reject.severity == "critical", c.status != "withdrawn"]
    where += [] if contract is None else [c.contract == contract]
    joined = t.rejects.join(t.submissions, reject.submission_id == c.submission_id)
    return read_frame(engine, sa.select(*by, rows).select_from(joined).where(*where).group_by(*by))


def has_at_most(engine: Engine, submissions: int) -> bool:
    """Return whether the ledger has at most so many submissions."""
    some = sa.select(t.submissions.c.submission_id).limit(submissions + 1).subquery()
    count: sa.Label[Any] = sa.func.count().cast(sa.BigInteger).label("count")
    return bool(read_frame(engine, sa.select(count).select_from(some)).item() <= submissions)


def contracts_and_senders(engine: Engine) -> list[tuple[str, str]]:
    """Return every pair of contract and sender that has a submission, sorted."""
    c = t.submissions.c
    rows: list[Any] = read_frame(engine, sa.select(c.contract, c.sender).distinct()).sort(pl.all()).rows()
    return rows


def delivered_files(engine: Engine, contract: str, sender: str) -> list[tuple[str, int]]:
    """Return the sha256 and the size of every file that a sender delivered under a contract and that was not erased."""
    c = t.submissions.c
    query = sa.select(c.sha256, c.bytes).where(c.contract == contract, c.sender == sender, _not_erased()).distinct()
    rows: list[Any] = read_frame(engine, query).rows()
    return rows


def sample_files(engine: Engine, files: int, most_bytes: int) -> list[tuple[str, str, str]]:
    """Return contract, sender and sha256 of random submissions, of files of at most so many bytes."""
    c = t.submissions.c
    query = sa.select(c.contract, c.sender, c.sha256).where(c.bytes <= most_bytes, _not_erased())
    rows: list[Any] = read_frame(engine, query.order_by(sa.func.random()).limit(files)).rows()
    return rows


def _not_erased() -> sa.ColumnElement[bool]:
    return t.submissions.c.submission_id.not_in(sa.select(t.erasures.c.submission_id))


def last_release(engine: Engine) -> dict[str, Any] | None:
    """Return the newest release's number, digest and time; None before the first."""
    c = t.releases.c
    query = sa.select(c.release, c.digest, c.published_at).order_by(c.release.desc()).limit(1)
    return next(iter(read_frame(engine, query).to_dicts()), None)
