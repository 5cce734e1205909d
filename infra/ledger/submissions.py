"""The ledger's submissions: contracts, submissions with their partitions and rejects, provisional units.

SQLite by default, PostgreSQL by URL. Each writing function is one transaction, kept whole or not at all; database
constraints decide whether a row already exists. Frames go in and come out; their times are UTC without a zone.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import (
    bulk_insert,
    filter_ids,
    id_chunks,
    insert_new,
    read_by_ids,
    read_frame,
    utc_now,
    write_transaction,
)
from schemas.claims import COUNT_COLUMNS, REJECT, frame_schema
from schemas.errors import StoreError


class Where(TypedDict, total=False):
    """A filter on submissions: every given column has the given value."""

    contract: str
    contract_digest: str
    obligation: str
    sender: str
    sha256: str
    content_digest: str
    status: str
    in_release: bool


def register_contract(engine: Engine, contract: str, digest: str, text: str) -> None:
    """Store a contract's text under its digest; a submission can only be registered after its contract."""
    row = {"digest": digest, "contract": contract, "text": text, "first_seen": utc_now()}
    with write_transaction(engine) as connection:
        insert_new(connection, t.contracts, pl.DataFrame([row]))


def register_submissions(
    engine: Engine,
    submissions: pl.DataFrame,
    partitions: pl.DataFrame,
    rejects: pl.DataFrame,
    provisional: pl.DataFrame,
    *,
    replace: Collection[str] = (),
    write_first: Callable[[sa.Connection], None] | None = None,
) -> list[str]:
    """Register submissions with their partitions, rejects and provisional units in one transaction.

    Returns the ids that are new. Rows of ids that already exist are ignored: the first registration holds. An id in
    `replace` is registered again if the ledger has it as rejected under another contract digest. `write_first` writes
    in the same transaction, before everything else.
    """
    if submissions["submission_id"].is_duplicated().any():
        raise StoreError("the submissions to register contain one id twice: expected each once")
    is_replacement = pl.col("submission_id").is_in(sorted(replace))
    with write_transaction(engine) as connection:
        if write_first is not None:
            write_first(connection)
        # Two workers may register the same file at once. The primary key decides: `insert_new` returns only the ids
        # that this transaction inserted, and only for those are partitions and rejects written.
        new = insert_new(connection, t.submissions, submissions.filter(~is_replacement))
        new += _replace_rejected(connection, submissions.filter(is_replacement))
        is_new = pl.col("submission_id").is_in(new)
        bulk_insert(connection, t.submission_partitions, partitions.filter(is_new))
        bulk_insert(connection, t.rejects, rejects.filter(is_new))
        insert_new(connection, t.provisional_units, provisional.unique("unit_id"))
    return new


def run_in_transaction(engine: Engine, write: Callable[[sa.Connection], None]) -> None:
    """Run `write` in a transaction of its own: for a registration that registers nothing new."""
    with write_transaction(engine) as connection:
        write(connection)


def _replace_rejected(connection: sa.Connection, submissions: pl.DataFrame) -> list[str]:
    """Overwrite submissions that were rejected under another contract digest; return the ids written."""
    stored = t.submissions.c
    written = insert_new(
        connection,
        t.submissions,
        submissions,
        lambda new: (stored.status == "rejected") & (stored.contract_digest != new.contract_digest),
    )
    for ids in id_chunks(written):
        for table in (t.submission_partitions, t.rejects):
            connection.execute(sa.delete(table).where(table.c.submission_id.in_(ids)))
    return written


def set_status(engine: Engine, submission_id: str, status: str) -> bool:
    """Make a submission live or withdrawn; return whether its status changed.

    Raises `StoreError` for a submission that is unknown or rejected: it has nothing to withdraw.
    """
    if status not in {"live", "withdrawn"}:
        raise StoreError(f"a submission cannot be made {status!r}: expected live or withdrawn")
    is_submission = t.submissions.c.submission_id == submission_id
    with write_transaction(engine) as connection:
        before = connection.scalar(sa.select(t.submissions.c.status).where(is_submission).with_for_update())
        if before in {None, "rejected"}:
            raise StoreError(f"submission {submission_id} is {before or 'unknown'}: expected one that was accepted")
        connection.execute(sa.update(t.submissions).where(is_submission).values(status=status))
    return bool(before != status)


def restore_withdrawn(connection: sa.Connection, ids: Collection[str]) -> None:
    """Make those of the submissions that are withdrawn live again, in the connection's transaction."""
    c = t.submissions.c
    for some_ids in id_chunks(ids):
        withdrawn = sa.update(t.submissions).where(c.submission_id.in_(some_ids), c.status == "withdrawn")
        connection.execute(withdrawn.values(status="live"))


def read_submissions(
    engine: Engine,
    *,
    ids: Collection[str] | None = None,
    columns: Sequence[str] | None = None,
    **where: Unpack[Where],
) -> pl.DataFrame:
    """Return submissions ordered by id: those of `ids` that match `where`, all by default; only `columns` if given."""
    selected = [t.submissions.c[c] for c in columns or t.submissions.c.keys()]

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        query = filter_ids(sa.select(*selected).where(*_conditions(where)), t.submissions, some_ids)
        return query.order_by(*t.submissions.primary_key)

    return read_by_ids(engine, ids, _query)


def count_submissions(engine: Engine, *, since: datetime | None = None, **where: Unpack[Where]) -> pl.DataFrame:
    """Return the number of submissions and rows by contract, status and in_release: few rows, counted in SQL.

    since: only those that were received later.

    Columns: contract, status, in_release, submissions, delivered, claims, rejected, ignored, warnings.
    """
    c = t.submissions.c
    by = (c.contract, c.status, c.in_release)
    sums = [_sum(c[name]) for name in COUNT_COLUMNS]
    count = sa.func.count().cast(sa.BigInteger).label("submissions")
    later = sa.true() if since is None else c.received_at > since
    query = sa.select(*by, count, *sums).where(later, *_conditions(where)).group_by(*by).order_by(*by)
    return read_frame(engine, query)


def read_submission_partitions(
    engine: Engine,
    *,
    ids: Collection[str] | None = None,
    **where: Unpack[Where],
) -> pl.DataFrame:
    """Return submission_id, partition, claims of those submissions of `ids` that match `where`."""
    table = t.submission_partitions

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        query = sa.select(table).join(t.submissions).where(*_conditions(where))
        return filter_ids(query, table, some_ids).order_by(*table.primary_key)

    return read_by_ids(engine, ids, _query)


def read_rejects(engine: Engine, submission_id: str | None = None) -> pl.DataFrame:
    """Return the rejects (`REJECT`) of a submission, or of all, in the order in which they were found."""
    columns = [t.rejects.c[name] for name in frame_schema(REJECT)]
    condition = sa.true() if submission_id is None else t.rejects.c.submission_id == submission_id
    return read_frame(engine, sa.select(*columns).where(condition).order_by(t.rejects.c.id))


def read_contracts(engine: Engine) -> pl.DataFrame:
    """Return every contract text that was ever used: digest, contract, text, first_seen."""
    return read_frame(engine, sa.select(t.contracts).order_by(t.contracts.c.first_seen, t.contracts.c.digest))


def read_contract_digests(engine: Engine) -> pl.DataFrame:
    """Return contract and digest of every contract text that was ever used."""
    return read_frame(engine, sa.select(t.contracts.c.contract, t.contracts.c.digest).order_by(t.contracts.c.digest))


def read_contracts_in_use(engine: Engine, contract: str) -> pl.DataFrame:
    """Return digest and text of a contract by which a submission was read that was not rejected whole."""
    c = t.submissions.c
    used = sa.exists().where(c.contract == contract, c.status != "rejected", c.contract_digest == t.contracts.c.digest)
    query = sa.select(t.contracts.c.digest, t.contracts.c.text).where(t.contracts.c.contract == contract, used)
    return read_frame(engine, query.order_by(t.contracts.c.digest))


def read_provisional_units(engine: Engine) -> pl.DataFrame:
    """Return unit_id, kind, name of the units known only by name."""
    return read_frame(engine, sa.select(t.provisional_units).order_by(t.provisional_units.c.unit_id))


def _sum(column: sa.ColumnElement[Any]) -> sa.Label[Any]:
    return sa.func.sum(column).cast(sa.BigInteger).label(column.name)


def _conditions(where: Where) -> list[sa.ColumnElement[bool]]:
    return [t.submissions.c[column] == value for column, value in where.items()]
