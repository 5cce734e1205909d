"""Submissions written straight to a ledger, each with only what a test states of it."""

from datetime import datetime
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import submissions as ledger_submissions
from infra.ledger import tables as t
from infra.ledger.sql import write_transaction
from schemas.claims import REJECT, empty

RECEIVED = datetime(2026, 3, 1, 12)
PARTITIONS = {"submission_id": pl.String, "partition": pl.String, "claims": pl.Int64}
UNITS = {"unit_id": pl.String, "kind": pl.String, "name": pl.String}


def submission(id_: str, **stated: Any) -> dict[str, Any]:
    """Return a row of the ledger's submissions: live, of contract `c` and sender `a`, but for what is stated."""
    row: dict[str, Any] = {
        "submission_id": id_, "contract": "c", "contract_digest": "d1", "obligation": "o", "sender": "a",
        "filename": f"{id_}.csv", "period": None, "sha256": f"sha-{id_}", "bytes": 10, "received_at": RECEIVED,
        "status": "live", "content_digest": f"content-{id_}", "batch": "b1", "delivered": 5, "claims": 4,
        "rejected": 1, "ignored": 0, "warnings": 2,
    }  # fmt: skip
    return {**row, **stated}


def frame_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return rows of submissions as they are registered."""
    return pl.DataFrame(list(rows), infer_schema_length=None)


def partitions_of(**months: list[str]) -> pl.DataFrame:
    """Return the partitions of submissions, by id: one claim in each."""
    rows = [(id_, month, 1) for id_, some in months.items() for month in some]
    return pl.DataFrame(rows, PARTITIONS, orient="row")


def reject(submission_id: str, **stated: Any) -> dict[str, Any]:
    """Return a reject (`REJECT`): critical, an unknown column of the whole file, but for what is stated."""
    row: dict[str, Any] = {
        "submission_id": submission_id, "row": None, "column": None, "reason": "unknown-column", "rule": None,
        "severity": "critical", "found": "x", "expected": "y", "hint": "z",
    }  # fmt: skip
    return {**row, **stated}


def rejects_of(*rows: dict[str, Any]) -> pl.DataFrame:
    """Return rejects as they are registered."""
    return pl.DataFrame(list(rows), empty(REJECT).schema)


def add(
    engine: Engine,
    *rows: dict[str, Any],
    months: dict[str, list[str]] | None = None,
    rejects: tuple[dict[str, Any], ...] = (),
) -> list[str]:
    """Register submissions, and the contracts that they name; return the ids that are new."""
    for contract, digest in sorted({(row["contract"], row["contract_digest"]) for row in rows}):
        ledger_submissions.register_contract(engine, contract, digest, f"text of {contract}")
    partitions, units = partitions_of(**(months or {})), pl.DataFrame(schema=UNITS)
    return ledger_submissions.register_submissions(engine, frame_of(*rows), partitions, rejects_of(*rejects), units)


def write(engine: Engine, statement: Any) -> None:
    """Execute a statement in a transaction of its own."""
    with write_transaction(engine) as connection:
        connection.execute(statement)


def values_of(engine: Engine, id_: str, *names: str) -> tuple[Any, ...]:
    """Return these columns of a submission."""
    c = t.submissions.c
    with engine.connect() as connection:
        return tuple(connection.execute(sa.select(*(c[name] for name in names)).where(c.submission_id == id_)).one())
