"""The ledger's decisions: what people decided of two reports. Append-only: a withdrawal is added to the decision's row.

Frames go in and come out; their times are UTC without a zone.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Final

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import (
    id_chunks,
    insert_new,
    polars_dtype,
    read_frame,
    stored_frame,
    utc_now,
    write_transaction,
)
from schemas.errors import StoreError

DECISION_CONTENT: Final = ("kind", "a", "b", "verdict", "who", "why", "at")
"""The content of a decision: two decisions that agree in all of it are the same one."""
WITHDRAWAL: Final = ("withdrawn_at", "withdrawn_by", "withdrawn_why")
DECISION_SCHEMA: Final = {c.name: polars_dtype(c) for c in t.decisions.c if c.name != "digest"}
"""The columns of a frame of decisions: id, content, withdrawal (null while it is active), in_release."""


@dataclass(frozen=True)
class Decision:
    """A new decision of a person on two reports of a kind."""

    kind: str
    a: str
    b: str
    verdict: str
    who: str
    why: str


@dataclass(frozen=True)
class DecisionsAdded:
    """The ids of the decisions that were added, and of those that were withdrawn."""

    new: list[int]
    withdrawn: list[int]


def add_decision(engine: Engine, decision: Decision) -> int:
    """Store a decision and return its id. Its two reports may come in either order."""
    frame = _ordered_and_digested(pl.DataFrame([{**asdict(decision), "at": utc_now()}]))
    same_digest = sa.select(t.decisions.c.id).where(t.decisions.c.digest == frame["digest"].item())
    with write_transaction(engine) as connection:
        insert_new(connection, t.decisions, frame, key=t.decisions.c.digest)
        return int(connection.execute(same_digest).scalar_one())


def add_decisions(engine: Engine, decisions: pl.DataFrame) -> DecisionsAdded:
    """Store the decisions (`DECISION_CONTENT`, optionally `WITHDRAWAL`) that are not stored yet, in one transaction.

    A stored active decision is withdrawn if the frame has it withdrawn; a stored withdrawal is never undone.
    """
    frame = _ordered_and_digested(decisions).unique("digest", keep="first", maintain_order=True)
    with write_transaction(engine) as connection:
        new = insert_new(connection, t.decisions, frame, key=t.decisions.c.digest)
        known = frame.filter(~pl.col("digest").is_in(new))
        withdrawn = _withdraw(connection, known) if "withdrawn_at" in frame.columns else []
        return DecisionsAdded(_ids(connection, new), _ids(connection, withdrawn))


def _withdraw(connection: sa.Connection, decisions: pl.DataFrame) -> list[str]:
    """Withdraw the stored active decisions that the frame has withdrawn; return their digests."""
    c = t.decisions.c
    digests: list[str] = []
    for row in decisions.filter(pl.col("withdrawn_at").is_not_null()).to_dicts():
        is_active = (c.digest == row["digest"]) & c.withdrawn_at.is_(None)
        values = {name: row[name] for name in WITHDRAWAL if name in row}
        update = sa.update(t.decisions).where(is_active).values(values)
        digests += connection.execute(update.returning(c.digest)).scalars()
    return digests


def _ids(connection: sa.Connection, digests: list[str]) -> list[int]:
    c = t.decisions.c
    found = [connection.execute(sa.select(c.id).where(c.digest.in_(some))).scalars() for some in id_chunks(digests)]
    return sorted(id_ for some in found for id_ in some)


def _ordered_and_digested(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return decisions as stored: the smaller report id first, with the digest of each one's content."""
    names = [c for c in decisions.columns if c in (*DECISION_CONTENT, *WITHDRAWAL)]
    frame = stored_frame(t.decisions, decisions.select(names)).with_columns(
        pl.min_horizontal("a", "b").alias("a"),
        pl.max_horizontal("a", "b").alias("b"),
    )
    contents = frame.select(*DECISION_CONTENT[:-1], pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")).rows()
    digests = [hashlib.sha256(json.dumps(content).encode()).hexdigest()[:24] for content in contents]
    return frame.with_columns(pl.Series("digest", digests, dtype=pl.String))


def write_withdrawal(engine: Engine, decision: int, *, who: str, why: str) -> bool:
    """Withdraw a decision; return whether it was active until now. Raises `StoreError` for an unknown id."""
    c = t.decisions.c
    values = {"withdrawn_at": utc_now(), "withdrawn_by": who, "withdrawn_why": why}
    with write_transaction(engine) as connection:
        if connection.scalar(sa.select(c.id).where(c.id == decision)) is None:
            raise StoreError(f"there is no decision {decision}: `engang decisions list` shows them")
        is_active = (c.id == decision) & c.withdrawn_at.is_(None)
        return connection.execute(sa.update(t.decisions).where(is_active).values(values)).rowcount == 1


def read_decisions(engine: Engine, kind: str | None = None, *, active: bool | None = None) -> pl.DataFrame:
    """Return decisions (`DECISION_SCHEMA`), oldest first, of one kind or all; `active` False: those withdrawn only."""
    c = t.decisions.c
    query = sa.select(*(c[name] for name in DECISION_SCHEMA)).order_by(c.at, c.id)
    if kind is not None:
        query = query.where(c.kind == kind)
    if active is not None:
        query = query.where(c.withdrawn_at.is_(None) if active else c.withdrawn_at.is_not(None))
    return read_frame(engine, query)
