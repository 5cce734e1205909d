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
    conditions = (c.status == "live", c.in_release.is_(False), c.received_at >= (since or datetime.min))  # noqa: DTZ901  UTC
    ordered = sa.select(c.received_at).where(*conditions).order_by(c.received_at)
    waiting = ordered.limit(WAITING_LIMIT).subquery()
    count: sa.Label[Any] = sa.func.count().cast(sa.BigInteger).label("count")
    oldest = sa.func.min(waiting.c.received_at, type_=sa.DateTime).label("oldest")
    number, first = read_frame(engine, sa.select(count, oldest).select_from(waiting)).row(0)
    return number, first


def read_last_runs(engine: Engine, kind: str) -> pl.DataFrame:
    """Return the last runs of a kind, newest first: run_id, started_at, finished_at, status, message."""
    c = t.runs.c
    columns = (c.run_id, c.started_at, c.finished_at, c.status, c.message)
    return read_frame(engine, sa.select(*columns).where(c.kind == kind).order_by(c.started_at.desc()).limit(LAST_RUNS))


def last_success(engine: Engine, kind: str) -> datetime | None:
    """Return when the last successful run of a kind began."""
    c = t.runs.c
    query = sa.select(c.started_at).where(c.kind == kind, c.status == "done").order_by(c.started_at.desc()).limit(1)
    rows: list[Any] = read_frame(engine, query).rows()
    return rows[0][0] if rows else None


def last_release(engine: Engine) -> dict[str, Any] | None:
    """Return the newest release's number, digest and time; None before the first."""
    c = t.releases.c
    query = sa.select(c.release, c.digest, c.published_at).order_by(c.release.desc()).limit(1)
    return next(iter(read_frame(engine, query).to_dicts()), None)
