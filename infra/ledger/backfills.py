"""The ledger's backfills: which submissions are reread, the new reading of each, and its publication.

A reading is stored next to the submission until it is published: nothing that counts changes before
`publish_readings`, which is part of the transaction that publishes a release. Frames go in and come out; their times
are UTC without a zone.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypedDict, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.records import NEW_ASSIGNMENT
from infra.ledger.sql import (
    bulk_insert,
    id_chunks,
    insert_new,
    read_by_ids,
    read_frame,
    utc_now,
    write_transaction,
)
from schemas.claims import READING_COLUMNS
from schemas.errors import StoreError

UNFINISHED_STATUS: Final = ("reading", "ready")
READING_TABLES: Final = (t.backfill_partitions, t.backfill_rejects)
"""Rows of readings, copied to the submissions' own tables on publication."""


class Backfill(TypedDict):
    """One backfill: its parameters (`asked`), its state, and the result of its last dry run (None: there was none)."""

    id: int
    contract: str
    contract_digest: str
    asked: dict[str, Any]
    status: str
    started_at: datetime
    finished_at: datetime | None
    release_before: int | None
    release: int | None
    diff: dict[str, Any] | None


class ReadingProgress(TypedDict):
    """Progress of the reading: submissions and bytes, those read and all."""

    read: int
    submissions: int
    bytes_read: int
    bytes: int


@dataclass(frozen=True)
class BackfillPublished:
    """What the release that publishes a backfill writes to the ledger about it.

    ids: the submissions whose new reading is in force from now on. provisional: unit_id, kind, name.
    item_assignments: kind, report_id, item_id, release: those in force until now. resets_first_release: whether first
    publication counts from this release.
    """

    backfill: int
    release: int
    ids: Collection[str]
    obligation: str
    provisional: pl.DataFrame
    item_assignments: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(schema={**NEW_ASSIGNMENT, "release": pl.Int32()})
    )
    resets_first_release: bool = False


def open_backfill(engine: Engine, contract: tuple[str, str], asked: dict[str, Any], chosen: pl.DataFrame) -> int:
    """Begin a backfill of a contract (id, digest) and return its id; `chosen`: submission_id, batch_before."""
    row = {
        "contract": contract[0],
        "contract_digest": contract[1],
        "asked": json.dumps(asked, sort_keys=True),
        "status": "reading",
        "started_at": utc_now(),
    }
    with write_transaction(engine) as connection:
        number = connection.execute(sa.insert(t.backfills).returning(t.backfills.c.id), row).scalar_one()
        backfill_id = pl.lit(number, dtype=pl.Int64).alias("backfill_id")
        bulk_insert(connection, t.backfill_readings, chosen.select(backfill_id, "submission_id", "batch_before"))
    return int(number)


def read_backfills(engine: Engine) -> list[Backfill]:
    """Return every backfill, oldest first."""
    return [
        _as_backfill(row) for row in read_frame(engine, sa.select(t.backfills).order_by(t.backfills.c.id)).to_dicts()
    ]


def find_backfill(engine: Engine, number: int) -> Backfill | None:
    """Return a backfill, None if there is none of this id."""
    rows = read_frame(engine, sa.select(t.backfills).where(t.backfills.c.id == number)).to_dicts()
    return _as_backfill(rows[0]) if rows else None


def _as_backfill(row: dict[str, Any]) -> Backfill:
    fields = {name: json.loads(row[name]) if row[name] else None for name in ("asked", "diff")}
    return cast("Backfill", {**row, **fields})


def newest_unfinished(engine: Engine) -> int | None:
    """Return the id of the newest backfill that is neither published nor discarded, None if there is none."""
    c = t.backfills.c
    newest = sa.select(sa.func.max(c.id).label("id")).where(c.status.in_(UNFINISHED_STATUS))
    number: int | None = read_frame(engine, newest).item()
    return number


def reading_progress(engine: Engine, number: int) -> ReadingProgress:
    """Return the progress of a backfill's reading."""
    r, s = t.backfill_readings.c, t.submissions.c
    is_read = r.batch.is_not(None)
    sums = (
        sa.func.count(r.batch).label("read"),
        sa.func.count().label("submissions"),
        sa.func.coalesce(sa.func.sum(sa.case((is_read, s.bytes), else_=0)), 0).cast(sa.BigInteger).label("bytes_read"),
        sa.func.coalesce(sa.func.sum(s.bytes), 0).cast(sa.BigInteger).label("bytes"),
    )
    query = sa.select(*sums).join_from(t.backfill_readings, t.submissions).where(r.backfill_id == number)
    return cast("ReadingProgress", read_frame(engine, cast("sa.Select[Any]", query)).row(0, named=True))


def read_unread_submissions(engine: Engine, number: int, limit: int) -> pl.DataFrame:
    """Return the ledger's rows of the next submissions that a backfill has not read yet."""
    r = t.backfill_readings.c
    query = sa.select(t.submissions).join(t.backfill_readings).where(r.backfill_id == number, r.batch.is_(None))
    return read_frame(engine, query.order_by(r.submission_id).limit(limit))


def write_readings(
    engine: Engine, number: int, readings: pl.DataFrame, partitions: pl.DataFrame, rejects: pl.DataFrame
) -> None:
    """Store the new readings of some submissions, in one transaction.

    readings: submission_id and `READING_COLUMNS`; partitions: submission_id, partition, claims; rejects: `REJECT`.
    Raises `StoreError`, and writes nothing, if any of them was read meanwhile or the backfill has ended.
    """
    r = t.backfill_readings.c
    backfill_id = pl.lit(number, dtype=pl.Int64).alias("backfill_id")
    with write_transaction(engine) as connection:
        _lock_in_status(connection, number, UNFINISHED_STATUS)
        for row in readings.select("submission_id", *READING_COLUMNS).to_dicts():
            # Two processes may read one backfill. `batch IS NULL` lets the first write only: the second updates no row.
            is_unread = (r.backfill_id == number) & (r.submission_id == row.pop("submission_id")) & r.batch.is_(None)
            if connection.execute(sa.update(t.backfill_readings).where(is_unread).values(row)).rowcount != 1:
                raise StoreError(f"another process reads backfill {number} too: wait for its end")
        bulk_insert(connection, t.backfill_partitions, partitions.with_columns(backfill_id))
        bulk_insert(connection, t.backfill_rejects, rejects.with_columns(backfill_id))


def _lock_in_status(connection: sa.Connection, number: int, expected: Sequence[str]) -> None:
    """Raise `StoreError` unless a backfill has one of these statuses; lock it in that for the transaction."""
    c = t.backfills.c
    status = connection.scalar(sa.select(c.status).where(c.id == number).with_for_update())
    if status not in expected:
        raise StoreError(f"backfill {number} is {status or 'unknown'}: expected {' or '.join(expected)}")


def read_readings(engine: Engine, number: int) -> pl.DataFrame:
    """Return the readings of a backfill: submission_id, batch_before and `READING_COLUMNS`, null where not read yet."""
    columns = [t.backfill_readings.c[name] for name in ("submission_id", "batch_before", *READING_COLUMNS)]
    of_backfill = t.backfill_readings.c.backfill_id == number
    return read_frame(engine, sa.select(*columns).where(of_backfill).order_by(t.backfill_readings.c.submission_id))


def batches_at(engine: Engine, release: int, current: pl.DataFrame) -> pl.DataFrame:
    """Return submission_id, batch: the reading that a release counts of each of these submissions' current ones."""
    batches = current.select("submission_id", "batch")
    later = [b["id"] for b in read_backfills(engine) if b["release"] is not None and b["release"] > release]
    if not later:
        return batches
    r = t.backfill_readings.c

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        query = sa.select(r.submission_id, r.batch, r.batch_before)
        return query.where(r.backfill_id.in_(later), r.submission_id.in_(some_ids or []), r.batch.is_not(None))

    links, key = read_by_ids(engine, batches["submission_id"].unique().to_list(), _query), ["submission_id", "batch"]
    # Each pass goes one backfill back. A reading that was never in force is no one's current batch, so it is not found.
    while (replaced := batches.join(links, on=key)).height:
        before = replaced.select("submission_id", batch="batch_before")
        batches = pl.concat([batches.join(links, on=key, how="anti"), before])
    return batches


def read_reading_partitions(engine: Engine, number: int, ids: Collection[str]) -> pl.DataFrame:
    """Return submission_id, partition, claims of the new readings of some submissions."""
    c = t.backfill_partitions.c

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        query = sa.select(c.submission_id, c.partition, c.claims)
        return query.where(c.backfill_id == number, c.submission_id.in_(some_ids or []))

    return read_by_ids(engine, ids, _query)


def count_reject_reasons(engine: Engine, number: int) -> pl.DataFrame:
    """Return how often each reject reason occurs for a backfill's submissions, in the current and the new readings.

    Columns: column, reason, rule, severity, before, after.
    """
    of_submissions = t.rejects.c.submission_id.in_(
        sa.select(t.backfill_readings.c.submission_id).where(t.backfill_readings.c.backfill_id == number)
    )
    by = ["column", "reason", "rule", "severity"]
    counts = []
    for name, table, condition in (
        ("before", t.rejects, of_submissions),
        ("after", t.backfill_rejects, t.backfill_rejects.c.backfill_id == number),
    ):
        columns = [table.c[c] for c in by]
        count = sa.func.count().label(name)
        counts.append(read_frame(engine, sa.select(*columns, count).where(condition).group_by(*columns)))
    before, after = counts
    both = before.join(after, on=by, how="full", coalesce=True, nulls_equal=True)
    return both.with_columns(pl.col("before", "after").fill_null(0)).sort(by, nulls_last=True)


def write_dry_run(engine: Engine, number: int, release: int, diff: dict[str, Any]) -> None:
    """Store what a dry run of a backfill would change of a release."""
    with write_transaction(engine) as connection:
        _lock_in_status(connection, number, UNFINISHED_STATUS)
        _update(connection, number, status="ready", release_before=release, diff=json.dumps(diff, sort_keys=True))


def mark_discarded(engine: Engine, number: int) -> None:
    """Discard a backfill: its readings are never published. Raises `StoreError` if it is published or unknown."""
    with write_transaction(engine) as connection:
        _lock_in_status(connection, number, (*UNFINISHED_STATUS, "discarded"))
        _delete_reading_rows(connection, number)
        _update(connection, number, status="discarded", finished_at=utc_now())


def publish_readings(connection: sa.Connection, published: BackfillPublished) -> None:
    """Put a backfill's readings in force and mark it as published, in the connection's transaction.

    Raises `StoreError` if a submission got another reading meanwhile. One that was withdrawn meanwhile stays withdrawn.
    """
    number = published.backfill
    _lock_in_status(connection, number, UNFINISHED_STATUS)
    for ids in id_chunks(published.ids):
        _replace_readings(connection, published, ids)
    insert_new(connection, t.provisional_units, published.provisional.unique("unit_id"))
    bulk_insert(connection, t.item_assignments, published.item_assignments)
    _delete_reading_rows(connection, number)
    _update(connection, number, status="published", release=published.release, finished_at=utc_now())


def _update(connection: sa.Connection, number: int, **values: Any) -> None:
    connection.execute(sa.update(t.backfills).where(t.backfills.c.id == number).values(values))


def _delete_reading_rows(connection: sa.Connection, number: int) -> None:
    for table in READING_TABLES:
        connection.execute(sa.delete(table).where(table.c.backfill_id == number))


def _replace_readings(connection: sa.Connection, published: BackfillPublished, ids: list[str]) -> None:
    r, s = t.backfill_readings.c, t.submissions.c
    digest = sa.select(t.backfills.c.contract_digest).where(t.backfills.c.id == published.backfill).scalar_subquery()
    values: dict[str, Any] = {name: r[name] for name in READING_COLUMNS if name != "status"}
    values["status"] = sa.case((s.status == "withdrawn", s.status), else_=r.status)
    values |= {"contract_digest": digest, "obligation": published.obligation}
    if published.resets_first_release:
        values["first_release"] = sa.case((s.in_release, published.release), else_=s.first_release)
    of_backfill = (
        (r.backfill_id == published.backfill) & (r.submission_id == s.submission_id) & s.submission_id.in_(ids)
    )
    # Intake may register a rejected submission again, or another backfill publish, while this one was tried out. Then
    # the submission's batch is no longer the one that this reading replaces, and fewer rows than ids are updated.
    is_unchanged = s.batch.is_not_distinct_from(r.batch_before)
    if connection.execute(sa.update(t.submissions).where(of_backfill, is_unchanged).values(values)).rowcount != len(
        ids
    ):
        raise StoreError(f"submissions of backfill {published.backfill} were read otherwise meanwhile: run it again")
    for table, readings in ((t.submission_partitions, t.backfill_partitions), (t.rejects, t.backfill_rejects)):
        connection.execute(sa.delete(table).where(table.c.submission_id.in_(ids)))
        _copy_rows(connection, readings, table, (readings.c.backfill_id == published.backfill, ids))


def _copy_rows(
    connection: sa.Connection, source: sa.Table, target: sa.Table, which: tuple[sa.ColumnElement[bool], list[str]]
) -> None:
    """Copy the rows of one table that fulfil a condition, of these submissions, to another one, in their order."""
    names = [c.name for c in target.c if c.name != "id"]
    condition, ids = which
    rows = sa.select(*(source.c[name] for name in names)).where(condition, source.c.submission_id.in_(ids))
    if "id" in source.c:
        rows = rows.order_by(source.c.id)
    connection.execute(sa.insert(target).from_select(names, rows))
