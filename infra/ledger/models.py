"""The ledger's match models and pins. Both are append-only: a kind's last pin is in force."""

import json
from datetime import datetime
from typing import Any, TypedDict, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import insert_new, read_frame, utc_now, write_transaction
from schemas.errors import StoreError


class StoredModel(TypedDict):
    """A trained model: its JSON text, when it was trained, and on what (`about`)."""

    digest: str
    kind: str
    text: str
    trained_at: datetime
    about: dict[str, Any]


class ModelPin(TypedDict):
    """The choice of a model for a kind: who chose it, why and when."""

    kind: str
    digest: str
    who: str
    why: str
    at: datetime


def add_model(engine: Engine, model: StoredModel) -> bool:
    """Store a model under its digest; return whether it is new. A stored model never changes."""
    row = {**model, "about": json.dumps(model["about"], sort_keys=True)}
    with write_transaction(engine) as connection:
        return bool(insert_new(connection, t.models, pl.DataFrame([row])))


def read_models(engine: Engine, kind: str | None = None) -> pl.DataFrame:
    """Return digest, kind, trained_at, about (JSON text) of the models of a kind or all, oldest first."""
    c = t.models.c
    query = sa.select(c.digest, c.kind, c.trained_at, c.about).order_by(c.trained_at, c.digest)
    return read_frame(engine, query if kind is None else query.where(c.kind == kind))


def find_model(engine: Engine, digest: str) -> StoredModel | None:
    """Return the model of a digest, None if there is none."""
    rows = read_frame(engine, sa.select(t.models).where(t.models.c.digest == digest)).to_dicts()
    return cast("StoredModel", {**rows[0], "about": json.loads(rows[0]["about"])}) if rows else None


def write_pin(engine: Engine, kind: str, digest: str, *, who: str, why: str) -> bool:
    """Put a model in force for its kind; return whether that changed the model in force.

    Raises `StoreError` if the kind has no such model.
    """
    with write_transaction(engine) as connection:
        return add_pin(connection, kind, digest, who=who, why=why)


def add_pin(connection: sa.Connection, kind: str, digest: str, *, who: str, why: str) -> bool:
    """Pin a model as `write_pin` does, in the connection's transaction."""
    c = t.model_pins.c
    known = sa.select(t.models.c.digest).where(t.models.c.kind == kind, t.models.c.digest == digest)
    if connection.scalar(known) is None:
        raise StoreError(f"kind {kind} has no model {digest}: `engang train {kind}` makes one")
    last = sa.select(c.digest).where(c.kind == kind).order_by(c.id.desc()).limit(1)
    if connection.scalar(last) == digest:
        return False
    row = {"kind": kind, "digest": digest, "who": who, "why": why, "at": utc_now()}
    connection.execute(sa.insert(t.model_pins), row)
    return True


def read_pins(engine: Engine, kind: str | None = None) -> pl.DataFrame:
    """Return every pin of a kind or all, oldest first: id, kind, digest, who, why, at. A kind's last is in force."""
    query = sa.select(t.model_pins).order_by(t.model_pins.c.id)
    return read_frame(engine, query if kind is None else query.where(t.model_pins.c.kind == kind))


def pins_in_force(engine: Engine) -> dict[str, ModelPin]:
    """Return the pin in force of each kind that has one."""
    rows = read_pins(engine).select(*ModelPin.__annotations__).to_dicts()
    return {row["kind"]: cast("ModelPin", row) for row in rows}


def find_pinned_model(engine: Engine, kind: str) -> StoredModel | None:
    """Return the model in force for a kind, None if none was ever pinned."""
    pin = pins_in_force(engine).get(kind)
    return None if pin is None else find_model(engine, pin["digest"])
