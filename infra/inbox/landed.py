"""Rows of the inbox for deliveries that have landed: by `submit`, or found by listing the landing zone.

Their object is the key of the landing note, their source `landing`. What could not be read is parked here, whatever
path it came by.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from infra.inbox.work_queue import LEASE_TIME, clock
from infra.ledger import tables as t
from infra.ledger.sql import id_chunks, insert_statement, read_by_ids, stored_frame, utc_now, write_transaction

LANDED_ROW: Final = {"object": pl.String, "sender": pl.String, "bytes": pl.Int64, "submission_id": pl.String}
"""Columns that the functions here take; `object` is the key of the landing note."""
LANDED: Final = "landing"
"""The source of these rows; the version of an object is `landing:<submission_id>`."""
PARKED_ROW: Final = {**LANDED_ROW, "reason": pl.String}

_c: Final = t.inbox.c


def lease_landed(engine: Engine, worker: str, landed: pl.DataFrame, *, retry: bool) -> list[int]:
    """Lease the rows of landed deliveries (`LANDED_ROW`), inserted where there are none; return their ids.

    Rows that another worker holds are taken over: it may be dead, and if it lives, it finds its lease lost. Parked rows
    are leased only with `retry`; rows that are done stay done.
    """
    open_statuses = ("waiting", "leased", *(("parked",) if retry else ()))
    with write_transaction(engine) as connection:
        at = clock(connection)
        known = _known(connection, landed["submission_id"].to_list())
        values = {"status": "leased", "lease_by": worker, "lease_until": at + LEASE_TIME, "reason": None}
        held = [row.id for row in known if row.status in open_statuses]
        for ids in id_chunks(held):
            again = {"attempts": 1, "not_before": None, "done_at": None}
            connection.execute(sa.update(t.inbox).where(_c.id.in_(ids)).values({**values, **again}))
        new = landed.filter(~pl.col("submission_id").is_in([row.submission_id for row in known]))
        return held + _insert(connection, new, {**values, "attempts": 1}, at)


def left_to_others(engine: Engine, submissions: Collection[str]) -> set[str]:
    """Return those of the submissions whose row a listing leaves alone: done, parked, or failed a moment ago."""

    def _query(some: Sequence[str] | None) -> sa.Select[Any]:
        waits = (_c.status == "waiting") & (_c.not_before > utc_now())
        return sa.select(_c.submission_id).where(
            _c.submission_id.in_(some or []), _c.status.in_(("parked", "done")) | waits
        )

    return set(read_by_ids(engine, list(submissions), _query)["submission_id"])


def acknowledge_and_park(
    acknowledge: Callable[[Connection], None], parked: pl.DataFrame
) -> Callable[[Connection], None]:
    """Return a function that acknowledges, then parks what could not be read (`PARKED_ROW`), in one transaction.

    The row of such a submission is parked, whatever its source; a submission without one, such as a member of an
    archive, gets its own.
    """

    def _write(connection: Connection) -> None:
        open_rows: Mapping[int, str] = {
            row.id: row.submission_id
            for row in _known(connection, parked["submission_id"].to_list())
            if row.status != "done"
        }
        acknowledge(connection)
        at = clock(connection)
        values = {"status": "parked", "done_at": at, "lease_by": None, "lease_until": None}
        reasons = dict(parked.select("submission_id", "reason").iter_rows())
        for id_, submission in open_rows.items():
            own = {**values, "reason": reasons[submission]}
            connection.execute(sa.update(t.inbox).where(_c.id == id_).values(own))
        _insert(connection, parked.filter(~pl.col("submission_id").is_in(list(open_rows.values()))), values, at)

    return _write


def park_landed(engine: Engine, parked: pl.DataFrame) -> None:
    """Park landed deliveries (`PARKED_ROW`) that no worker can even begin with."""
    with write_transaction(engine) as connection:
        acknowledge_and_park(lambda _: None, parked)(connection)


def _known(connection: Connection, submissions: list[str]) -> list[Any]:
    columns = (_c.id, _c.submission_id, _c.status)
    rows: list[Any] = []
    for some in id_chunks(submissions):
        query = sa.select(*columns).where(_c.submission_id.in_(some)).order_by(_c.id).with_for_update()
        rows += connection.execute(query).all()
    return rows


def _insert(connection: Connection, landed: pl.DataFrame, values: dict[str, Any], at: datetime) -> list[int]:
    """Insert rows of landed deliveries with these values; a row that is there already gets the values."""
    if landed.is_empty():
        return []
    rows = landed.unique("submission_id", keep="first", maintain_order=True).with_columns(
        version=pl.format("{}:{}", pl.lit(LANDED), "submission_id"),
        source=pl.lit(LANDED),
        found_at=pl.lit(at),
        found_by=pl.lit("listing"),
        **{name: pl.lit(value) for name, value in values.items()},
    )
    statement = insert_statement(connection, t.inbox)
    written = {name: statement.excluded[name] for name in (*values, *({"reason"} & {*rows.columns}))}
    upsert = statement.on_conflict_do_update(index_elements=[_c.object, _c.version], set_=written)
    in_order = stored_frame(t.inbox, rows.sort("object")).to_dicts()
    return [row.id for row in connection.execute(upsert.returning(_c.id), in_order).all()]
