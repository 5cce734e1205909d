"""The ledger's releases: which table versions belong together, and in which bucket each submission's rows ended."""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NotRequired, TypedDict, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.records import RecordsPublished, add_published
from infra.ledger.sql import (
    bulk_insert,
    filter_ids,
    id_chunks,
    read_by_ids,
    read_frame,
    stored_frame,
    utc_now,
    write_transaction,
)
from schemas.errors import StoreError


class Release(TypedDict):
    """One release in the ledger: `tables` maps each table to its version, `counts` holds the release's counts."""

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
    """Always present when read; when written it comes from `RecordsPublished`."""
    tree_head: NotRequired[dict[str, Any] | None]
    """The signed head of its tree, None in a release of an older version: head, signature, public_key, peaks."""
    removed_at: NotRequired[datetime | None]
    """Since when it cannot be read, UTC without a zone; None while it can."""
    rebuilt_at: NotRequired[datetime | None]
    """When the lake was rebuilt with it, if it was: then it has no older release."""


def publish_release(
    engine: Engine,
    release: Release,
    row_counts: pl.DataFrame,
    entered: Collection[str],
    removed: Collection[str],
    *,
    records: RecordsPublished | None = None,
    leaves: pl.DataFrame | None = None,
    write_also: Callable[[sa.Connection], None] | None = None,
) -> None:
    """Make a release visible in one transaction: its row, its row counts, the submissions it counts, its records.

    `row_counts` has submission_id, bucket, rows: all buckets of each submission of which any changed. A submission that
    enters for the first time gets its `first_release`. `leaves` are those that it appends to the tree. `write_also`
    writes in the same transaction. Raises `StoreError`, and writes nothing, if the release already exists.
    """
    fields: dict[str, object] = {"tables": release["tables"], "counts": release["counts"]}
    fields["models"] = records.models if records else {}
    if release.get("tree_head") is not None:
        fields["tree_head"] = release["tree_head"]
    row = {**release, **{name: json.dumps(value, sort_keys=True) for name, value in fields.items()}}
    number = pl.lit(release["release"], dtype=pl.Int32).alias("release")
    c = t.submissions.c
    entry = {"in_release": True, "first_release": sa.func.coalesce(c.first_release, release["release"])}
    with write_transaction(engine) as connection:
        # This row is the moment of publication: readers find the tables' versions in it, never in the lake. The
        # primary key is the last guard against two publishers of one number, should a publishing lock have been lost.
        connection.execute(sa.insert(t.releases), stored_frame(t.releases, pl.DataFrame([row])).to_dicts())
        bulk_insert(connection, t.row_counts, row_counts.with_columns(number))
        for ids, values in ((entered, entry), (removed, {"in_release": False})):
            for some_ids in id_chunks(ids):
                connection.execute(sa.update(t.submissions).where(c.submission_id.in_(some_ids)).values(values))
        if leaves is not None:
            bulk_insert(connection, t.tree_leaves, leaves.with_columns(number))
        if records is not None:
            add_published(connection, release["release"], records)
        if write_also is not None:
            write_also(connection)


def read_releases(engine: Engine) -> pl.DataFrame:
    """Return every release, oldest first; `tables` and `counts` are JSON text."""
    return read_frame(engine, sa.select(t.releases).order_by(t.releases.c.release))


def current_release(engine: Engine) -> Release | None:
    """Return the newest release, None before the first."""
    newest = sa.select(t.releases).order_by(t.releases.c.release.desc()).limit(1)
    rows = read_frame(engine, newest).to_dicts()
    return as_release(rows[0]) if rows else None


def update_tables(engine: Engine, release: int, tables: Mapping[str, int]) -> None:
    """Name other table versions for a release: those without what was erased."""
    row = sa.update(t.releases).where(t.releases.c.release == release)
    with write_transaction(engine) as connection:
        connection.execute(row.values(tables=json.dumps(dict(tables), sort_keys=True)))


def oldest_kept_release(engine: Engine) -> int:
    """Return the number of the oldest release that was not removed."""
    removed = sa.select(sa.func.max(t.releases.c.release)).where(t.releases.c.removed_at.is_not(None))
    with engine.connect() as connection:
        return (connection.scalar(removed) or 0) + 1


def mark_removed(engine: Engine, before: int) -> None:
    """Record that the releases before this one can be read no more; those that were already keep their time."""
    c = t.releases.c
    older = sa.update(t.releases).where(c.release < before, c.removed_at.is_(None))
    with write_transaction(engine) as connection:
        connection.execute(older.values(removed_at=utc_now()))


def name_rebuilt(engine: Engine, release: int, tables: Mapping[str, int], batches: pl.DataFrame) -> None:
    """Name a rebuilt lake's tables for a release, and the batches of its claims (submission_id, batch), at once."""
    c = t.submissions.c
    fields = {"tables": json.dumps(dict(tables), sort_keys=True), "rebuilt_at": utc_now()}
    each = (
        sa.update(t.submissions).where(c.submission_id == sa.bindparam("submission")).values(batch=sa.bindparam("at"))
    )
    rows = batches.select(submission="submission_id", at="batch").to_dicts()
    with write_transaction(engine) as connection:
        connection.execute(sa.update(t.releases).where(t.releases.c.release == release).values(fields))
        if rows:
            connection.execute(each, rows)


def as_release(row: Mapping[str, Any]) -> Release:
    """Return a row of `releases` with its JSON texts parsed; `StoreError` if one of them is none."""
    try:
        texts = ("tables", "counts", "models", *(["tree_head"] if row["tree_head"] else []))
        parsed = {name: dict(json.loads(row[name])) for name in texts}
    except (ValueError, TypeError) as error:
        hint = "restore the ledger from its backup"
        raise StoreError(f"the ledger's row of release {row['release']} is damaged: {hint}") from error
    return cast("Release", {**row, **parsed})


def read_row_counts(engine: Engine, release: int, ids: Collection[str] | None = None) -> pl.DataFrame:
    """Return submission_id, release, bucket, rows as of a release: each submission's newest counts up to it."""

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        return _row_counts_at(release, some_ids).order_by(*t.row_counts.primary_key)

    return read_by_ids(engine, ids, _query)


def _row_counts_at(release: int, ids: Sequence[str] | None) -> sa.Select[Any]:
    # A release writes all buckets of a submission or none, so the newest release with any of them has all of them.
    c = t.row_counts.c
    newest = sa.select(c.submission_id, sa.func.max(c.release).label("release")).where(c.release <= release)
    last = filter_ids(newest, t.row_counts, ids).group_by(c.submission_id).subquery()
    same = (c.submission_id == last.c.submission_id) & (c.release == last.c.release)
    return filter_ids(sa.select(t.row_counts).join(last, same), t.row_counts, ids)
