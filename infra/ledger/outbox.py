"""The outbox: events to be sent, stored until they are sent and for a while after.

Delivery is at least once. An event is written in the same transaction as the change it describes, and is leased again
until `mark_sent` records that it was sent. Receivers recognise a duplicate by its `event_id`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import polars as pl
import sqlalchemy as sa

from infra.ledger import tables as t
from infra.ledger.sql import insert_statement, read_frame, utc_now, write_transaction

EVENT_LEASE: Final = timedelta(minutes=2)
"""How long a leased event belongs to one sending process."""
LONGEST_WAIT: Final = timedelta(hours=1)
PROBLEM_CHARACTERS: Final = 500


class Event(NamedTuple):
    """One event: `text` is the CloudEvent as JSON, `at` UTC without a zone."""

    event_id: str
    type: str
    subject: str
    text: str
    at: datetime


def add_events(to: sa.Engine | sa.Connection, events: Sequence[Event], *, is_sent: bool = False) -> list[str]:
    """Store events, each id once, and return the ids that are new; `is_sent`: store them as sent already.

    On a connection it is part of that transaction.
    """
    if isinstance(to, sa.Engine):
        with write_transaction(to) as connection:
            return add_events(connection, events, is_sent=is_sent)
    if not events:
        return []
    rows = [{**event._asdict(), "sent_at": event.at if is_sent else None} for event in events]
    statement = insert_statement(to, t.outbox).values(rows).on_conflict_do_nothing(index_elements=["event_id"])
    return sorted(to.execute(statement.returning(t.outbox.c.event_id)).scalars())


def lease_event(
    engine: sa.Engine, due: datetime | None = None, *, only: Collection[str] = (), never: Collection[str] = ()
) -> dict[str, Any] | None:
    """Lease the oldest event that is due (now, or at an earlier time): id, event_id, type, text, attempts; else None.

    Of these types only, if any are given, and never of those.
    It belongs to the caller for `EVENT_LEASE`, who then calls `mark_sent` or `mark_failed`. If the caller dies, the
    event is due again when the lease ends.
    """
    c, at = t.outbox.c, utc_now()
    waited = sa.or_(c.not_before.is_(None), c.not_before <= (due or at))
    wanted = sa.and_(c.type.in_(only) if only else sa.true(), c.type.not_in(never))
    oldest = sa.select(c.id).where(c.sent_at.is_(None), waited, wanted).order_by(c.id).limit(1)
    with write_transaction(engine) as connection:
        # Several processes send at once. `skip_locked` lets each lock a different row on PostgreSQL; SQLite has one
        # writer. The lease (`not_before`) outlives the transaction, so no lock is held while the event is sent.
        number = connection.scalar(oldest.with_for_update(skip_locked=True))
        if number is None:
            return None
        values = {"attempts": c.attempts + 1, "not_before": at + EVENT_LEASE}
        leased = sa.update(t.outbox).where(c.id == number).values(values)
        row = connection.execute(leased.returning(c.id, c.event_id, c.type, c.text, c.attempts)).mappings().one()
    return dict(row)


def mark_sent(engine: sa.Engine, number: int) -> None:
    """Record that an event was sent."""
    _update(engine, number, {"sent_at": utc_now(), "not_before": None, "problem": None})


def mark_failed(engine: sa.Engine, number: int, attempts: int, problem: str) -> None:
    """Record why an event could not be sent; it is due again after a wait that doubles with every attempt."""
    wait = min(LONGEST_WAIT, timedelta(seconds=5 * 2 ** min(attempts, 12)))
    _update(engine, number, {"not_before": utc_now() + wait, "problem": problem[:PROBLEM_CHARACTERS]})


def _update(engine: sa.Engine, number: int, values: dict[str, Any]) -> None:
    with write_transaction(engine) as connection:
        connection.execute(sa.update(t.outbox).where(t.outbox.c.id == number).values(values))


def delete_sent_events(engine: sa.Engine, before: datetime, except_types: Collection[str]) -> int:
    """Delete events sent before then, except those of these types; return how many. Unsent events stay."""
    c = t.outbox.c
    delete = sa.delete(t.outbox).where(c.sent_at < before, c.type.not_in(except_types))
    with write_transaction(engine) as connection:
        return connection.execute(delete).rowcount


def read_unsent_events(engine: sa.Engine, limit: int = 1000) -> pl.DataFrame:
    """Return the unsent events, oldest first: event_id, type, subject, at, attempts, not_before, problem."""
    c = t.outbox.c
    columns = (c.event_id, c.type, c.subject, c.at, c.attempts, c.not_before, c.problem)
    return read_frame(engine, sa.select(*columns).where(c.sent_at.is_(None)).order_by(c.id).limit(limit))
