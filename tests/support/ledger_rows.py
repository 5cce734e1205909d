"""Rows of the ledger that no use case reads or writes by itself: all runs, item assignments of earlier releases."""

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables
from infra.ledger.sql import bulk_insert, read_frame, write_transaction


def read_runs(engine: Engine) -> pl.DataFrame:
    """Return every run that does work, oldest first; the results of a night's checks are left out."""
    c = tables.runs.c
    query = sa.select(tables.runs).where(c.kind.not_in(["storage-check", "register-check"]))
    return read_frame(engine, query.order_by(c.started_at, c.run_id))


def write_item_assignments(engine: Engine, assignments: pl.DataFrame) -> None:
    """Store item assignments: kind, report_id, item_id, release."""
    with write_transaction(engine) as connection:
        bulk_insert(connection, tables.item_assignments, assignments)
