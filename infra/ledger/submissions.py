"""The ledger: which submissions there are, how their rows ended, which releases and runs there were.

SQLite by default, PostgreSQL by URL. Each writing function is one transaction, kept whole or not at all; whether
something is already there is decided by a constraint. Frames go in and come out; their times are UTC without a zone.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict, Unpack, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.open import open_ledger
from infra.ledger.records import RecordsPublished, add_published
from infra.ledger.runs import PUBLISHERS, close_killed_runs, publishing_lock, run, runs
from infra.ledger.sql import bulk_insert, chunks, fitting, insert_new, now, read, read_for, writing
from schemas.claims import COUNTED, REJECT, frame_schema
from schemas.errors import StoreError

__all__ = [
    "PUBLISHERS",
    "RecordsPublished",
    "Release",
    "Where",
    "as_release",
    "bucket_totals",
    "close_killed_runs",
    "contracts",
    "current_release",
    "open_ledger",
    "partitions",
    "provisional_units",
    "publish",
    "publishing_lock",
    "register_contract",
    "register_submissions",
    "rejects",
    "releases",
    "restore",
    "row_counts",
    "run",
    "runs",
    "set_status",
    "submission_counts",
    "submissions",
    "write",
]


class Release(TypedDict):
    """One release as the ledger knows it: `tables` says the version of each table, `counts` what was counted."""

    release: int
    run_id: str | None
    published_at: datetime
    digest: str
    digest_lanes: str
    tables: dict[str, int]
    counts: dict[str, int]
    register_digest: str
    rules_digest: str
    models: NotRequired[dict[str, dict[str, str]]]
    """Read, always there; written from `RecordsPublished`."""


class Where(TypedDict, total=False):
    """Which submissions: those of which every given column has the given value."""

    contract: str
    contract_digest: str
    obligation: str
    sender: str
    sha256: str
    content_digest: str
    status: str
    in_release: bool


def register_contract(engine: Engine, contract: str, digest: str, text: str) -> None:
    """Keep a contract's text under its digest; a submission can only be registered after its contract."""
    row = {"digest": digest, "contract": contract, "text": text, "first_seen": now()}
    with writing(engine) as connection:
        insert_new(connection, t.contracts, pl.DataFrame([row]))


def register_submissions(  # noqa: PLR0913  four frames that are one transaction
    engine: Engine,
    submissions: pl.DataFrame,
    partitions: pl.DataFrame,
    rejects: pl.DataFrame,
    provisional: pl.DataFrame,
    *,
    replace: Collection[str] = (),
    first: Callable[[sa.Connection], None] | None = None,
) -> list[str]:
    """Register submissions with their partitions, rejects and provisional units in one transaction.

    Returns the ids that are new; what is told of the others is dropped, their first registration stands. An id
    in `replace` is registered anew if the ledger holds it as rejected under another contract digest. What `first`
    writes is of the same transaction, and before all else in it.
    """
    if submissions["submission_id"].is_duplicated().any():
        raise StoreError("one submission stands twice in what is to be registered: expected each once")
    again = pl.col("submission_id").is_in(sorted(replace))
    with writing(engine) as connection:
        if first is not None:
            first(connection)
        new = insert_new(connection, t.submissions, submissions.filter(~again))
        new += _register_again(connection, submissions.filter(again))
        mine = pl.col("submission_id").is_in(new)
        bulk_insert(connection, t.submission_partitions, partitions.filter(mine))
        bulk_insert(connection, t.rejects, rejects.filter(mine))
        insert_new(connection, t.provisional_units, provisional.unique("unit_id"))
    return new


def write(engine: Engine, first: Callable[[sa.Connection], None]) -> None:
    """Do in one transaction what a registration of nothing new still has to write."""
    with writing(engine) as connection:
        first(connection)


def _register_again(connection: sa.Connection, submissions: pl.DataFrame) -> list[str]:
    told = t.submissions.c
    written = insert_new(
        connection,
        t.submissions,
        submissions,
        lambda new: (told.status == "rejected") & (told.contract_digest != new.contract_digest),
    )
    for some in chunks(written):
        for table in (t.submission_partitions, t.rejects):
            connection.execute(sa.delete(table).where(table.c.submission_id.in_(some)))
    return written


def set_status(engine: Engine, submission_id: str, status: str) -> bool:
    """Make a submission live or withdrawn; return whether that changed it.

    Raises `StoreError` for a submission that is not there or was rejected, since it holds nothing to withdraw.
    """
    if status not in {"live", "withdrawn"}:
        raise StoreError(f"a submission cannot be made {status!r}: expected live or withdrawn")
    mine = t.submissions.c.submission_id == submission_id
    with writing(engine) as connection:
        before = connection.scalar(sa.select(t.submissions.c.status).where(mine).with_for_update())
        if before in {None, "rejected"}:
            raise StoreError(f"submission {submission_id} is {before or 'unknown'}: expected one that was accepted")
        connection.execute(sa.update(t.submissions).where(mine).values(status=status))
    return bool(before != status)


def restore(connection: sa.Connection, ids: Collection[str]) -> None:
    """Make those of the submissions that are withdrawn live again, in the connection's transaction."""
    c = t.submissions.c
    for some in chunks(ids):
        withdrawn = sa.update(t.submissions).where(c.submission_id.in_(some), c.status == "withdrawn")
        connection.execute(withdrawn.values(status="live"))


def submissions(
    engine: Engine,
    *,
    ids: Collection[str] | None = None,
    columns: Sequence[str] | None = None,
    **where: Unpack[Where],
) -> pl.DataFrame:
    """Return submissions by id: those of `ids` and of `where`, all when neither is given; only `columns` if given."""
    wanted = [t.submissions.c[c] for c in columns or t.submissions.c.keys()]

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        return _among(sa.select(*wanted).where(*_fits(where)), t.submissions, some).order_by(*t.submissions.primary_key)

    return read_for(engine, ids, _query)


def submission_counts(engine: Engine, **where: Unpack[Where]) -> pl.DataFrame:
    """Return how many submissions and rows there are by contract, status, in_release: few rows, counted in SQL.

    Columns: contract, status, in_release, submissions, delivered, claims, rejected, ignored, warnings.
    """
    c = t.submissions.c
    by = (c.contract, c.status, c.in_release)
    sums = [_sum(c[name]) for name in COUNTED]
    count = sa.func.count().cast(sa.BigInteger).label("submissions")
    return read(engine, sa.select(*by, count, *sums).where(*_fits(where)).group_by(*by).order_by(*by))


def partitions(
    engine: Engine,
    *,
    ids: Collection[str] | None = None,
    **where: Unpack[Where],
) -> pl.DataFrame:
    """Return submission_id, partition, claims of the submissions of `ids` and of `where`."""
    table = t.submission_partitions

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        chosen = sa.select(table).join(t.submissions).where(*_fits(where))
        return _among(chosen, table, some).order_by(*table.primary_key)

    return read_for(engine, ids, _query)


def rejects(engine: Engine, submission_id: str | None = None) -> pl.DataFrame:
    """Return the rejects of a submission, or of all, in the order in which they were told, with REJECT's columns."""
    columns = [t.rejects.c[name] for name in frame_schema(REJECT)]
    mine = sa.true() if submission_id is None else t.rejects.c.submission_id == submission_id
    return read(engine, sa.select(*columns).where(mine).order_by(t.rejects.c.id))


def contracts(engine: Engine) -> pl.DataFrame:
    """Return every contract text that was ever used: digest, contract, text, first_seen."""
    return read(engine, sa.select(t.contracts).order_by(t.contracts.c.first_seen, t.contracts.c.digest))


def provisional_units(engine: Engine) -> pl.DataFrame:
    """Return unit_id, kind, name of the units known only by name."""
    return read(engine, sa.select(t.provisional_units).order_by(t.provisional_units.c.unit_id))


def publish(  # noqa: PLR0913  all of it is one transaction
    engine: Engine,
    release: Release,
    row_counts: pl.DataFrame,
    entered: Collection[str],
    left: Collection[str],
    *,
    records: RecordsPublished | None = None,
    also: Callable[[sa.Connection], None] | None = None,
) -> None:
    """Make a release visible in one transaction: its row, its row counts, which submissions it counts, its records.

    `row_counts` has submission_id, bucket, rows: all buckets of each submission of which any changed. A submission that
    enters for the first time is given its `first_release`. `also` writes in the same transaction. Raises `StoreError`,
    nothing kept, when the release is there already.
    """
    told = {"tables": release["tables"], "counts": release["counts"], "models": records.models if records else {}}
    row = {**release, **{name: json.dumps(value, sort_keys=True) for name, value in told.items()}}
    number = pl.lit(release["release"], dtype=pl.Int32).alias("release")
    c = t.submissions.c
    entry = {"in_release": True, "first_release": sa.func.coalesce(c.first_release, release["release"])}
    with writing(engine) as connection:
        connection.execute(sa.insert(t.releases), fitting(t.releases, pl.DataFrame([row])).to_dicts())
        bulk_insert(connection, t.row_counts, row_counts.with_columns(number))
        for ids, written in ((entered, entry), (left, {"in_release": False})):
            for some in chunks(ids):
                connection.execute(sa.update(t.submissions).where(c.submission_id.in_(some)).values(written))
        if records is not None:
            add_published(connection, release["release"], records)
        if also is not None:
            also(connection)


def releases(engine: Engine) -> pl.DataFrame:
    """Return every release, oldest first; `tables` and `counts` are JSON text."""
    return read(engine, sa.select(t.releases).order_by(t.releases.c.release))


def current_release(engine: Engine) -> Release | None:
    """Return the newest release, None before the first."""
    newest = sa.select(t.releases).order_by(t.releases.c.release.desc()).limit(1)
    found = read(engine, newest).to_dicts()
    if not found:
        return None
    return as_release(found[0])


def as_release(row: Mapping[str, Any]) -> Release:
    """Return a row of `releases` with its JSON texts read."""
    return cast("Release", {**row, **{name: json.loads(row[name]) for name in ("tables", "counts", "models")}})


def row_counts(engine: Engine, release: int, ids: Collection[str] | None = None) -> pl.DataFrame:
    """Return submission_id, release, bucket, rows as they stood in a release: the last counts up to it."""

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        return _standing(release, some).order_by(*t.row_counts.primary_key)

    return read_for(engine, ids, _query)


def bucket_totals(engine: Engine, release: int) -> dict[str, int]:
    """Return how many rows stood in each bucket in a release, summed in SQL over all submissions there are."""
    standing = _standing(release, None).subquery()
    total = sa.func.sum(standing.c.rows).cast(sa.BigInteger).label("rows")
    frame = read(engine, sa.select(standing.c.bucket, total).group_by(standing.c.bucket))
    return dict(frame.sort("bucket").iter_rows())


def _standing(release: int, ids: Sequence[str] | None) -> sa.Select[Any]:
    # A release writes all buckets of a submission or none, so its newest release holds the whole of it.
    c = t.row_counts.c
    newest = sa.select(c.submission_id, sa.func.max(c.release).label("release")).where(c.release <= release)
    last = _among(newest, t.row_counts, ids).group_by(c.submission_id).subquery()
    same = (c.submission_id == last.c.submission_id) & (c.release == last.c.release)
    return _among(sa.select(t.row_counts).join(last, same), t.row_counts, ids)


def _sum(column: sa.ColumnElement[Any]) -> sa.Label[Any]:
    return sa.func.sum(column).cast(sa.BigInteger).label(column.name)


def _fits(where: Where) -> list[sa.ColumnElement[bool]]:
    return [t.submissions.c[column] == value for column, value in where.items()]


def _among(query: sa.Select[Any], table: sa.Table, ids: Sequence[str] | None) -> sa.Select[Any]:
    return query if ids is None else query.where(table.c.submission_id.in_(ids))
