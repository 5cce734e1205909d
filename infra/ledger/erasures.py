"""The ledger's tombstones: submissions that were erased, by whom and why."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import filter_ids, insert_new, read_by_ids, utc_now, write_transaction
from infra.ledger.tree import forget_leaves

ERASED_NAME: Final = "(erased)"
"""The file name of a submission that was erased."""


def begin_erasure(engine: Engine, submission: Mapping[str, Any], *, who: str, why: str) -> None:
    """Write the tombstone of a submission and withdraw it, in one transaction; a second one changes nothing."""
    row = {"submission_id": submission["submission_id"], "sha256": submission["sha256"], "begun_at": utc_now()}
    mine = t.submissions.c.submission_id == submission["submission_id"]
    with write_transaction(engine) as connection:
        insert_new(connection, t.erasures, pl.DataFrame([{**row, "who": who, "why": why}]))
        # A rejected one too: nothing may want to read its bytes again.
        connection.execute(sa.update(t.submissions).where(mine).values(status="withdrawn"))


def finish_erasure(engine: Engine, submission: str, release: int | None) -> None:
    """Remove what quotes a submission from the ledger, and record that it is erased. Its counts stay: they add up."""
    with write_transaction(engine) as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete = ON")  # deleted rows are overwritten, not only unlinked
        for table in (t.rejects, t.backfill_rejects):
            connection.execute(sa.delete(table).where(table.c.submission_id == submission))
        forget_leaves(connection, submission)
        own = sa.update(t.submissions).where(t.submissions.c.submission_id == submission)
        connection.execute(own.values(filename=ERASED_NAME, content_digest=None))
        connection.execute(sa.update(t.inbox).where(t.inbox.c.submission_id == submission).values(reason=None))
        done = sa.update(t.erasures).where(t.erasures.c.submission_id == submission)
        connection.execute(done.values(erased_at=utc_now(), release=release))
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def read_erasures(engine: Engine, ids: Collection[str] | None = None) -> pl.DataFrame:
    """Return the tombstones, of these submissions or all."""

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        return filter_ids(sa.select(t.erasures), t.erasures, some_ids).order_by(t.erasures.c.submission_id)

    return read_by_ids(engine, ids, _query)


def unfinished_erasures(engine: Engine) -> list[str]:
    """Return the submissions whose erasure was begun and not finished, the oldest first."""
    c = t.erasures.c
    query = sa.select(c.submission_id).where(c.erased_at.is_(None)).order_by(c.begun_at, c.submission_id)
    with engine.connect() as connection:
        return list(connection.scalars(query))


def oldest_readable_release(engine: Engine) -> int:
    """Return the number of the oldest release that can be read: those before an erasure, or a new lake, cannot."""
    rebuilt = sa.select(sa.func.max(t.releases.c.release)).where(t.releases.c.rebuilt_at.is_not(None))
    with engine.connect() as connection:
        return max(connection.scalar(query) or 1 for query in (sa.select(sa.func.max(t.erasures.c.release)), rebuilt))


def inbox_objects(engine: Engine, submission: str) -> list[str]:
    """Return the objects of the arrivals that a submission was read from."""
    query = sa.select(t.inbox.c.object).where(t.inbox.c.submission_id == submission, t.inbox.c.source == "arrivals")
    with engine.connect() as connection:
        return sorted(connection.scalars(query))
