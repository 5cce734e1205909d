"""The ledger's part of a backfill: which submissions are read again, what became of each, the switch to it.

A reading stands beside the submission until it is published: nothing that counts changes before `switch`, which is
part of the transaction that publishes a release. Frames go in and come out; their times are UTC without a zone.
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
from infra.ledger.records import NEW_HOME
from infra.ledger.sql import bulk_insert, chunks, insert_new, now, read, read_for, writing
from schemas.claims import READING, REJECT, frame_schema
from schemas.errors import StoreError

UNFINISHED: Final = ("reading", "ready")
COPIED: Final = (t.backfill_partitions, t.backfill_rejects)


class Backfill(TypedDict):
    """One backfill: what was asked of it, how far it is, and what its last dry run found (None: there was none)."""

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


class Progress(TypedDict):
    """How far the reading is: submissions and bytes, read and all."""

    read: int
    submissions: int
    bytes_read: int
    bytes: int


@dataclass(frozen=True)
class Switch:
    """What the release that publishes a backfill writes of it.

    ids: the submissions that are read anew from now on. provisional: unit_id, kind, name. homes: kind, report_id,
    item_id, release: where reports were at home so far. anew: whether first publication is counted from this release.
    """

    backfill: int
    release: int
    ids: Collection[str]
    obligation: str
    provisional: pl.DataFrame
    homes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={**NEW_HOME, "release": pl.Int32()}))
    anew: bool = False


def open_backfill(engine: Engine, contract: tuple[str, str], asked: dict[str, Any], chosen: pl.DataFrame) -> int:
    """Begin a backfill of a contract (id, digest) and return its id; `chosen`: submission_id, batch_before."""
    row = {
        "contract": contract[0],
        "contract_digest": contract[1],
        "asked": json.dumps(asked, sort_keys=True),
        "status": "reading",
        "started_at": now(),
    }
    with writing(engine) as connection:
        number = connection.execute(sa.insert(t.backfills).returning(t.backfills.c.id), row).scalar_one()
        mine = pl.lit(number, dtype=pl.Int64).alias("backfill_id")
        bulk_insert(connection, t.backfill_readings, chosen.select(mine, "submission_id", "batch_before"))
    return int(number)


def backfills(engine: Engine) -> list[Backfill]:
    """Return every backfill, oldest first."""
    return [_as_backfill(row) for row in read(engine, sa.select(t.backfills).order_by(t.backfills.c.id)).to_dicts()]


def backfill(engine: Engine, number: int) -> Backfill | None:
    """Return a backfill, None if there is none of this id."""
    found = read(engine, sa.select(t.backfills).where(t.backfills.c.id == number)).to_dicts()
    return _as_backfill(found[0]) if found else None


def _as_backfill(row: dict[str, Any]) -> Backfill:
    told = {name: json.loads(row[name]) if row[name] else None for name in ("asked", "diff")}
    return cast("Backfill", {**row, **told})


def newest_unfinished(engine: Engine) -> int | None:
    """Return the id of the newest backfill that is neither published nor discarded, None if there is none."""
    c = t.backfills.c
    newest = sa.select(sa.func.max(c.id).label("id")).where(c.status.in_(UNFINISHED))
    found: int | None = read(engine, newest).item()
    return found


def progress(engine: Engine, number: int) -> Progress:
    """Return how far the reading of a backfill is."""
    r, s = t.backfill_readings.c, t.submissions.c
    done = r.batch.is_not(None)
    names = (
        sa.func.count(r.batch).label("read"),
        sa.func.count().label("submissions"),
        sa.func.coalesce(sa.func.sum(sa.case((done, s.bytes), else_=0)), 0).cast(sa.BigInteger).label("bytes_read"),
        sa.func.coalesce(sa.func.sum(s.bytes), 0).cast(sa.BigInteger).label("bytes"),
    )
    mine = sa.select(*names).join_from(t.backfill_readings, t.submissions).where(r.backfill_id == number)
    return cast("Progress", read(engine, cast("sa.Select[Any]", mine)).row(0, named=True))


def unread(engine: Engine, number: int, limit: int) -> pl.DataFrame:
    """Return the next submissions, as the ledger holds them, that a backfill has not read yet."""
    r = t.backfill_readings.c
    mine = sa.select(t.submissions).join(t.backfill_readings).where(r.backfill_id == number, r.batch.is_(None))
    return read(engine, mine.order_by(r.submission_id).limit(limit))


def keep_readings(
    engine: Engine, number: int, read_: pl.DataFrame, reached: pl.DataFrame, refused: pl.DataFrame
) -> None:
    """Keep what became of some submissions, in one transaction.

    read_: submission_id and `READING`; reached: submission_id, partition, claims; refused: `REJECT`. Raises
    `StoreError`, nothing kept, if any of them was read meanwhile or the backfill is over.
    """
    r = t.backfill_readings.c
    mine = pl.lit(number, dtype=pl.Int64).alias("backfill_id")
    with writing(engine) as connection:
        _must_be(connection, number, UNFINISHED)
        for row in read_.select("submission_id", *READING).to_dicts():
            open_ = (r.backfill_id == number) & (r.submission_id == row.pop("submission_id")) & r.batch.is_(None)
            if connection.execute(sa.update(t.backfill_readings).where(open_).values(row)).rowcount != 1:
                raise StoreError(f"another process reads backfill {number} too: wait for its end")
        bulk_insert(connection, t.backfill_partitions, reached.with_columns(mine))
        bulk_insert(connection, t.backfill_rejects, refused.with_columns(mine))


def _must_be(connection: sa.Connection, number: int, expected: Sequence[str]) -> None:
    """Raise `StoreError` unless a backfill is in one of these states; it stays in it while the transaction lasts."""
    c = t.backfills.c
    status = connection.scalar(sa.select(c.status).where(c.id == number).with_for_update())
    if status not in expected:
        raise StoreError(f"backfill {number} is {status or 'unknown'}: expected {' or '.join(expected)}")


def readings(engine: Engine, number: int) -> pl.DataFrame:
    """Return the readings of a backfill: submission_id, batch_before and, null where it was not read yet, `READING`."""
    columns = [t.backfill_readings.c[name] for name in ("submission_id", "batch_before", *READING)]
    mine = t.backfill_readings.c.backfill_id == number
    return read(engine, sa.select(*columns).where(mine).order_by(t.backfill_readings.c.submission_id))


def batches_at(engine: Engine, release: int, now_: pl.DataFrame) -> pl.DataFrame:
    """Return submission_id, batch: which reading a release counts, of submissions and the readings that stand now."""
    told = now_.select("submission_id", "batch")
    since = [b["id"] for b in backfills(engine) if b["release"] is not None and b["release"] > release]
    if not since:
        return told
    r = t.backfill_readings.c

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        wanted = sa.select(r.submission_id, r.batch, r.batch_before)
        return wanted.where(r.backfill_id.in_(since), r.submission_id.in_(some or []), r.batch.is_not(None))

    links, key = read_for(engine, told["submission_id"].unique().to_list(), _query), ["submission_id", "batch"]
    # One backfill back at a time; a reading that none put in force leads nowhere.
    while (anew := told.join(links, on=key)).height:
        before = anew.select("submission_id", batch="batch_before")
        told = pl.concat([told.join(links, on=key, how="anti"), before])
    return told


def partitions(engine: Engine, number: int, ids: Collection[str]) -> pl.DataFrame:
    """Return submission_id, partition, claims of the new readings of some submissions."""
    c = t.backfill_partitions.c

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        wanted = sa.select(c.submission_id, c.partition, c.claims)
        return wanted.where(c.backfill_id == number, c.submission_id.in_(some or []))

    return read_for(engine, ids, _query)


def reasons(engine: Engine, number: int) -> pl.DataFrame:
    """Return how often each reason was told of the submissions of a backfill, as they stand and as they are read anew.

    Columns: column, reason, rule, severity, before, after.
    """
    mine = t.rejects.c.submission_id.in_(
        sa.select(t.backfill_readings.c.submission_id).where(t.backfill_readings.c.backfill_id == number)
    )
    by = ["column", "reason", "rule", "severity"]
    told = []
    for name, table, which in (
        ("before", t.rejects, mine),
        ("after", t.backfill_rejects, t.backfill_rejects.c.backfill_id == number),
    ):
        columns = [table.c[c] for c in by]
        count = sa.func.count().label(name)
        told.append(read(engine, sa.select(*columns, count).where(which).group_by(*columns)))
    before, after = told
    both = before.join(after, on=by, how="full", coalesce=True, nulls_equal=True)
    return both.with_columns(pl.col("before", "after").fill_null(0)).sort(by, nulls_last=True)


def rejects(engine: Engine, number: int) -> pl.DataFrame:
    """Return the rejects (`REJECT`) of the new readings of a backfill."""
    c = t.backfill_rejects.c
    columns = [c[name] for name in frame_schema(REJECT)]
    return read(engine, sa.select(*columns).where(c.backfill_id == number).order_by(c.id))


def tried(engine: Engine, number: int, release: int, diff: dict[str, Any]) -> None:
    """Keep what a dry run of a backfill would change of a release."""
    with writing(engine) as connection:
        _must_be(connection, number, UNFINISHED)
        told = {"status": "ready", "release_before": release, "diff": json.dumps(diff, sort_keys=True)}
        connection.execute(sa.update(t.backfills).where(t.backfills.c.id == number).values(told))


def discard(engine: Engine, number: int) -> None:
    """Give a backfill up: its readings are never published. `StoreError` if it was published or is unknown."""
    with writing(engine) as connection:
        _must_be(connection, number, (*UNFINISHED, "discarded"))
        _forget(connection, number)
        told = {"status": "discarded", "finished_at": now()}
        connection.execute(sa.update(t.backfills).where(t.backfills.c.id == number).values(told))


def _forget(connection: sa.Connection, number: int) -> None:
    for table in COPIED:
        connection.execute(sa.delete(table).where(table.c.backfill_id == number))


def switch(connection: sa.Connection, told: Switch) -> None:
    """Let submissions be what a backfill read, in the connection's transaction, and say that it is published.

    Raises `StoreError` if one of them was read otherwise meanwhile. One that was withdrawn meanwhile stays withdrawn.
    """
    _must_be(connection, told.backfill, UNFINISHED)
    for some in chunks(told.ids):
        _read_anew(connection, told, some)
    insert_new(connection, t.provisional_units, told.provisional.unique("unit_id"))
    bulk_insert(connection, t.record_homes, told.homes)
    _forget(connection, told.backfill)
    over = {"status": "published", "release": told.release, "finished_at": now()}
    connection.execute(sa.update(t.backfills).where(t.backfills.c.id == told.backfill).values(over))


def _read_anew(connection: sa.Connection, told: Switch, ids: list[str]) -> None:
    r, s = t.backfill_readings.c, t.submissions.c
    digest = sa.select(t.backfills.c.contract_digest).where(t.backfills.c.id == told.backfill).scalar_subquery()
    values: dict[str, Any] = {name: r[name] for name in READING if name != "status"}
    values["status"] = sa.case((s.status == "withdrawn", s.status), else_=r.status)
    values |= {"contract_digest": digest, "obligation": told.obligation}
    if told.anew:
        values["first_release"] = sa.case((s.in_release, told.release), else_=s.first_release)
    mine = (r.backfill_id == told.backfill) & (r.submission_id == s.submission_id) & s.submission_id.in_(ids)
    same = s.batch.is_not_distinct_from(r.batch_before)
    if connection.execute(sa.update(t.submissions).where(mine, same).values(values)).rowcount != len(ids):
        raise StoreError(f"submissions of backfill {told.backfill} were read otherwise meanwhile: run it again")
    for kept, copy in ((t.submission_partitions, t.backfill_partitions), (t.rejects, t.backfill_rejects)):
        connection.execute(sa.delete(kept).where(kept.c.submission_id.in_(ids)))
        names = [c.name for c in kept.c if c.name != "id"]
        copied = sa.select(*(copy.c[name] for name in names)).where(
            copy.c.backfill_id == told.backfill, copy.c.submission_id.in_(ids)
        )
        if "id" in copy.c:
            copied = copied.order_by(copy.c.id)
        connection.execute(sa.insert(kept).from_select(names, copied))
