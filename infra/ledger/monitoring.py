"""What a watch asks of the ledger: who delivered for a period, what waits, how the nights ended.

Every question is answered from an index, with as many looks into it as there are senders, nights or waiting rows: never
by reading all submissions.
"""

from collections.abc import Iterable
from datetime import date, datetime, time
from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import read

COUNTED_UP_TO: Final = 10_000
"""More than so many waiting submissions are told as so many."""
SHOWN_RUNS: Final = 100


class Span(NamedTuple):
    """Which deliveries speak of a period: received since a day, and of months from first until before beyond.

    Without months, any delivery since that day. Most come after the period: what came from `likely` on is looked at
    first.
    """

    name: str
    since: date
    likely: date
    first: str | None = None
    beyond: str | None = None


def delivered(engine: Engine, contract: str, spans: Iterable[Span]) -> dict[str, set[str]]:
    """Return who has delivered for each period: a live submission of theirs speaks of it."""
    c, wanted = t.submissions.c, _rows(list(spans))
    senders = _senders(contract)
    of_months = sa.select(sa.literal(1)).where(
        t.submission_partitions.c.submission_id == c.submission_id,
        t.submission_partitions.c.partition >= wanted.c.first,
        t.submission_partitions.c.partition < wanted.c.beyond,
    )
    # Scalar subqueries, which no planner turns into a join: each is one look into an index.
    speaks = sa.or_(wanted.c.first == "", of_months.limit(1).correlate(t.submissions, wanted).scalar_subquery() == 1)

    def _found(*when: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
        mine = sa.select(sa.literal(1)).where(c.contract == contract, c.sender == senders.c.sender, *when)
        first = mine.where(c.status == "live", speaks).limit(1)  # any: put in order, PostgreSQL would look at all
        return first.correlate(senders, wanted).scalar_subquery()

    after = _found(c.received_at >= wanted.c.likely)
    before = _found(c.received_at >= wanted.c.since, c.received_at < wanted.c.likely)
    found = sa.func.coalesce(after, before)
    query = sa.select(wanted.c.name, senders.c.sender).join(senders, sa.true()).where(senders.c.sender.is_not(None))
    told: dict[str, set[str]] = {}
    for name, sender in read(engine, query.where(found == 1)).iter_rows():
        told.setdefault(name, set()).add(sender)
    return told


def _rows(spans: list[Span]) -> sa.Subquery:
    """Return the spans as a table: name, since, likely, first (empty: any month), beyond."""
    selects = [
        sa.select(
            sa.literal(s.name, sa.Text).label("name"),
            sa.literal(datetime.combine(s.since, time()), sa.DateTime).label("since"),
            sa.literal(datetime.combine(s.likely, time()), sa.DateTime).label("likely"),
            sa.literal(s.first or "", sa.Text).label("first"),
            sa.literal(s.beyond or "", sa.Text).label("beyond"),
        )
        for s in spans
    ]
    return sa.union_all(*selects).subquery("wanted")


def _senders(contract: str) -> sa.CTE:
    """Return the senders of a contract, each found by one look into the index, and a null at the end."""
    c = t.submissions.c
    least = sa.select(sa.func.min(c.sender, type_=sa.Text).label("sender")).where(c.contract == contract)
    found = least.cte("senders", recursive=True)
    following = least.where(c.sender > found.c.sender).correlate(found).scalar_subquery()
    return found.union_all(sa.select(following).where(found.c.sender.is_not(None)))


def waiting_since(engine: Engine, since: datetime | None) -> tuple[int, datetime | None]:
    """Return how many submissions received since then no release counts, and when the first of them was received.

    Counted up to `COUNTED_UP_TO`.
    """
    c = t.submissions.c
    waits = (c.status == "live", c.in_release.is_(False), c.received_at >= (since or datetime.min))  # noqa: DTZ901  UTC
    ordered = sa.select(c.received_at).where(*waits).order_by(c.received_at)
    some = ordered.limit(COUNTED_UP_TO).subquery()
    count: sa.Label[Any] = sa.func.count().cast(sa.BigInteger).label("count")
    oldest = sa.func.min(some.c.received_at, type_=sa.DateTime).label("oldest")
    number, first = read(engine, sa.select(count, oldest).select_from(some)).row(0)
    return number, first


def last_runs(engine: Engine, kind: str) -> pl.DataFrame:
    """Return the last runs of a kind, newest first: run_id, started_at, finished_at, status, message."""
    c = t.runs.c
    columns = (c.run_id, c.started_at, c.finished_at, c.status, c.message)
    return read(engine, sa.select(*columns).where(c.kind == kind).order_by(c.started_at.desc()).limit(SHOWN_RUNS))


def last_done(engine: Engine, kind: str) -> datetime | None:
    """Return when the last run of a kind began that ended well."""
    c = t.runs.c
    query = sa.select(c.started_at).where(c.kind == kind, c.status == "done").order_by(c.started_at.desc()).limit(1)
    found: list[Any] = read(engine, query).rows()
    return found[0][0] if found else None


def last_release(engine: Engine) -> dict[str, Any] | None:
    """Return the newest release's number, digest and time; None before the first."""
    c = t.releases.c
    query = sa.select(c.release, c.digest, c.published_at).order_by(c.release.desc()).limit(1)
    return next(iter(read(engine, query).to_dicts()), None)
