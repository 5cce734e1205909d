"""The outbox: what is to be told to others, kept until it was told, and for a while after.

At least once: an event is written in the transaction of what it tells of, and taken up again until someone has said
that it was sent. Whoever is told knows a doubled one by its `event_id`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa

from infra.ledger import tables as t
from infra.ledger.sql import inserting, now, read, writing

LEASE: Final = timedelta(minutes=2)
"""How long who took an event up has it to itself."""
LONGEST_WAIT: Final = timedelta(hours=1)
PROBLEM_CHARACTERS: Final = 500


class Event(NamedTuple):
    """One event: `text` is the CloudEvent as JSON, `at` UTC without a zone."""

    event_id: str
    type: str
    subject: str
    text: str
    at: datetime


def add(to: sa.Engine | sa.Connection, events: Sequence[Event], *, told: bool = False) -> list[str]:
    """Keep events, each once by its id, and return the ids that are new; `told`: known for good, not to be sent.

    On a connection it is part of that transaction.
    """
    if isinstance(to, sa.Engine):
        with writing(to) as connection:
            return add(connection, events, told=told)
    if not events:
        return []
    rows = [{**event._asdict(), "sent_at": event.at if told else None} for event in events]
    statement = inserting(to, t.outbox).values(rows).on_conflict_do_nothing(index_elements=["event_id"])
    return sorted(to.execute(statement.returning(t.outbox.c.event_id)).scalars())


def take(engine: sa.Engine) -> dict[str, Any] | None:
    """Take up the oldest event that is due: id, event_id, type, text, attempts; None if none is.

    It is the caller's for `LEASE`: `sent` or `failed` says how it ended; who dies leaves it to the next.
    """
    c, at = t.outbox.c, now()
    due = sa.select(c.id).where(c.sent_at.is_(None), sa.or_(c.not_before.is_(None), c.not_before <= at))
    with writing(engine) as connection:
        mine = connection.scalar(due.order_by(c.id).limit(1).with_for_update(skip_locked=True))
        if mine is None:
            return None
        taken = sa.update(t.outbox).where(c.id == mine).values(attempts=c.attempts + 1, not_before=at + LEASE)
        row = connection.execute(taken.returning(c.id, c.event_id, c.type, c.text, c.attempts)).mappings().one()
    return dict(row)


def sent(engine: sa.Engine, number: int) -> None:
    """Write down that an event was told."""
    _end(engine, number, {"sent_at": now(), "not_before": None, "problem": None})


def failed(engine: sa.Engine, number: int, attempts: int, problem: str) -> None:
    """Write down why an event was not told; it is due again after a wait that doubles with every attempt."""
    wait = min(LONGEST_WAIT, timedelta(seconds=5 * 2 ** min(attempts, 12)))
    _end(engine, number, {"not_before": now() + wait, "problem": problem[:PROBLEM_CHARACTERS]})


def _end(engine: sa.Engine, number: int, told: dict[str, Any]) -> None:
    with writing(engine) as connection:
        connection.execute(sa.update(t.outbox).where(t.outbox.c.id == number).values(told))


def forget(engine: sa.Engine, before: datetime, kept: Collection[str]) -> int:
    """Delete what was told before then, but for these types; return how many. What is not told yet stays."""
    c = t.outbox.c
    with writing(engine) as connection:
        return connection.execute(sa.delete(t.outbox).where(c.sent_at < before, c.type.not_in(kept))).rowcount


def unsent(engine: sa.Engine, limit: int = 1000) -> pl.DataFrame:
    """Return the events not told yet, oldest first: event_id, type, subject, at, attempts, not_before, problem."""
    c = t.outbox.c
    columns = (c.event_id, c.type, c.subject, c.at, c.attempts, c.not_before, c.problem)
    return read(engine, sa.select(*columns).where(c.sent_at.is_(None)).order_by(c.id).limit(limit))
