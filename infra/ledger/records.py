"""The ledger's part of the records: what people decided, which models there are, where reports are at home.

Decisions, pins and homes are append-only: a withdrawal is written beside what it takes back, the last pin and the last
home are in force. Frames go in and come out; their times are UTC without a zone.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, TypedDict, cast

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import bulk_insert, chunks, dtype, fitting, insert_new, now, read, read_for, writing
from schemas.errors import StoreError

SAID: Final = ("kind", "a", "b", "verdict", "who", "why", "at")
"""What a decision says: two that say all of it alike are one."""
TAKEN_BACK: Final = ("withdrawn_at", "withdrawn_by", "withdrawn_why")
DECISION: Final = {c.name: dtype(c) for c in t.decisions.c if c.name != "digest"}
"""The columns of a frame of decisions: id, what was decided, its withdrawal (null if it stands), in_release."""
HOME: Final = {"report_id": pl.String(), "item_id": pl.String(), "release": pl.Int32()}
NEW_HOME: Final = {"kind": pl.String(), "report_id": pl.String(), "item_id": pl.String()}
WARNING: Final = {"kind": pl.String(), "what": pl.String(), "detail": pl.String(), "count": pl.Int64()}


@dataclass(frozen=True)
class Decision:
    """What a person decides of two reports of a kind, now."""

    kind: str
    a: str
    b: str
    verdict: str
    who: str
    why: str


@dataclass(frozen=True)
class Added:
    """What adding decisions changed: the ids of those that are new, and of those that are now withdrawn."""

    new: list[int]
    withdrawn: list[int]


class Model(TypedDict):
    """One model: its JSON text, when it was trained and what it saw."""

    digest: str
    kind: str
    text: str
    trained_at: datetime
    about: dict[str, Any]


class Pin(TypedDict):
    """Which model is in force for a kind: who chose it, why, when."""

    kind: str
    digest: str
    who: str
    why: str
    at: datetime


@dataclass(frozen=True)
class RecordsPublished:
    """What a release writes of the records besides their tables."""

    homes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=NEW_HOME))
    """`NEW_HOME`: homes that are new or changed."""
    counted: Collection[int] = ()
    """Decisions that the release counts and the one before did not."""
    uncounted: Collection[int] = ()
    """Decisions that the one before counted and the release does not: they were withdrawn."""
    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """kind -> kind_digest, model_digest: what scored its pairs."""
    warnings: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=WARNING))
    """`WARNING`: what the matching left out or could not do."""


# Decisions


def decide(engine: Engine, decision: Decision) -> int:
    """Keep a decision and return its id. Of its two reports, either may come first."""
    frame = _in_order(pl.DataFrame([{**asdict(decision), "at": now()}]))
    mine = sa.select(t.decisions.c.id).where(t.decisions.c.digest == frame["digest"].item())
    with writing(engine) as connection:
        insert_new(connection, t.decisions, frame, key=t.decisions.c.digest)
        return int(connection.execute(mine).scalar_one())


def add_decisions(engine: Engine, decisions: pl.DataFrame) -> Added:
    """Keep decisions (`SAID`, and `TAKEN_BACK` if given) that are not there yet, in one transaction.

    One that is there and stands is withdrawn where the frame says so; a withdrawal that is there is never undone.
    """
    frame = _in_order(decisions).unique("digest", keep="first", maintain_order=True)
    with writing(engine) as connection:
        new = insert_new(connection, t.decisions, frame, key=t.decisions.c.digest)
        known = frame.filter(~pl.col("digest").is_in(new))
        withdrawn = _take_back(connection, known) if "withdrawn_at" in frame.columns else []
        return Added(_ids(connection, new), _ids(connection, withdrawn))


def _take_back(connection: sa.Connection, decisions: pl.DataFrame) -> list[str]:
    c = t.decisions.c
    done: list[str] = []
    for row in decisions.filter(pl.col("withdrawn_at").is_not_null()).to_dicts():
        standing = (c.digest == row["digest"]) & c.withdrawn_at.is_(None)
        told = {name: row[name] for name in TAKEN_BACK if name in row}
        done += connection.execute(sa.update(t.decisions).where(standing).values(told).returning(c.digest)).scalars()
    return done


def _ids(connection: sa.Connection, digests: list[str]) -> list[int]:
    c = t.decisions.c
    found = [connection.execute(sa.select(c.id).where(c.digest.in_(some))).scalars() for some in chunks(digests)]
    return sorted(id_ for some in found for id_ in some)


def _in_order(decisions: pl.DataFrame) -> pl.DataFrame:
    """Return what is kept of decisions: the smaller report first, and the digest of what each says."""
    names = [c for c in decisions.columns if c in (*SAID, *TAKEN_BACK)]
    frame = fitting(t.decisions, decisions.select(names)).with_columns(
        pl.min_horizontal("a", "b").alias("a"),
        pl.max_horizontal("a", "b").alias("b"),
    )
    said = frame.select(*SAID[:-1], pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f")).rows()
    digests = [hashlib.sha256(json.dumps(row).encode()).hexdigest()[:24] for row in said]
    return frame.with_columns(pl.Series("digest", digests, dtype=pl.String))


def withdraw_decision(engine: Engine, decision: int, *, who: str, why: str) -> bool:
    """Withdraw a decision; return whether it stood until now. Raises `StoreError` if there is none of this id."""
    c = t.decisions.c
    told = {"withdrawn_at": now(), "withdrawn_by": who, "withdrawn_why": why}
    with writing(engine) as connection:
        if connection.scalar(sa.select(c.id).where(c.id == decision)) is None:
            raise StoreError(f"there is no decision {decision}: `engang decisions list` shows them")
        stood = (c.id == decision) & c.withdrawn_at.is_(None)
        return connection.execute(sa.update(t.decisions).where(stood).values(told)).rowcount == 1


def decisions(engine: Engine, kind: str | None = None, *, active: bool | None = None) -> pl.DataFrame:
    """Return decisions (`DECISION`), oldest first: of one kind or all, those that stand, those withdrawn, or both."""
    c = t.decisions.c
    query = _decisions().where(*([] if kind is None else [c.kind == kind]))
    if active is not None:
        query = query.where(c.withdrawn_at.is_(None) if active else c.withdrawn_at.is_not(None))
    return read(engine, query)


def moved_decisions(engine: Engine, kind: str | None = None) -> pl.DataFrame:
    """Return the decisions (`DECISION`) that the current release counts and the next will not, or the other way."""
    c = t.decisions.c
    moved = _decisions().where(c.withdrawn_at.is_(None) != c.in_release)
    return read(engine, moved if kind is None else moved.where(c.kind == kind))


def _decisions() -> sa.Select[Any]:
    return sa.select(*(t.decisions.c[name] for name in DECISION)).order_by(t.decisions.c.at, t.decisions.c.id)


# Models


def add_model(engine: Engine, model: Model) -> bool:
    """Keep a model under its digest; return whether it is new: one that is there stays as it is."""
    row = {**model, "about": json.dumps(model["about"], sort_keys=True)}
    with writing(engine) as connection:
        return bool(insert_new(connection, t.models, pl.DataFrame([row])))


def models(engine: Engine, kind: str | None = None) -> pl.DataFrame:
    """Return digest, kind, trained_at, about (JSON text) of the models of a kind or all, oldest first."""
    c = t.models.c
    query = sa.select(c.digest, c.kind, c.trained_at, c.about).order_by(c.trained_at, c.digest)
    return read(engine, query if kind is None else query.where(c.kind == kind))


def model(engine: Engine, digest: str) -> Model | None:
    """Return the model of a digest, None if there is none."""
    found = read(engine, sa.select(t.models).where(t.models.c.digest == digest)).to_dicts()
    return cast("Model", {**found[0], "about": json.loads(found[0]["about"])}) if found else None


def pin_model(engine: Engine, kind: str, digest: str, *, who: str, why: str) -> bool:
    """Put a model in force for its kind; return whether another one was, or none.

    Raises `StoreError` if the kind has no such model.
    """
    with writing(engine) as connection:
        return add_pin(connection, kind, digest, who=who, why=why)


def add_pin(connection: sa.Connection, kind: str, digest: str, *, who: str, why: str) -> bool:
    """Do what `pin_model` does, in the connection's transaction."""
    c = t.model_pins.c
    known = sa.select(t.models.c.digest).where(t.models.c.kind == kind, t.models.c.digest == digest)
    if connection.scalar(known) is None:
        raise StoreError(f"kind {kind} has no model {digest}: `engang train {kind}` makes one")
    last = sa.select(c.digest).where(c.kind == kind).order_by(c.id.desc()).limit(1)
    if connection.scalar(last) == digest:
        return False
    row = {"kind": kind, "digest": digest, "who": who, "why": why, "at": now()}
    connection.execute(sa.insert(t.model_pins), row)
    return True


def pins(engine: Engine, kind: str | None = None) -> pl.DataFrame:
    """Return every pin of a kind or all, oldest first: id, kind, digest, who, why, at. A kind's last is in force."""
    query = sa.select(t.model_pins).order_by(t.model_pins.c.id)
    return read(engine, query if kind is None else query.where(t.model_pins.c.kind == kind))


def pinned(engine: Engine) -> dict[str, Pin]:
    """Return the pin in force of each kind that has one."""
    told = pins(engine).select(*Pin.__annotations__).to_dicts()
    return {row["kind"]: cast("Pin", row) for row in told}


def pinned_model(engine: Engine, kind: str) -> Model | None:
    """Return the model in force for a kind, None if none was ever pinned."""
    pin = pinned(engine).get(kind)
    return None if pin is None else model(engine, pin["digest"])


# Homes


def homes(
    engine: Engine, kind: str, reports: Collection[str] | None = None, *, release: int | None = None
) -> pl.DataFrame:
    """Return the homes in force (`HOME`) of these reports or all: now, or as they were in a release.

    A report that is not there is at home in the item of its own id. `release` says since when.
    """
    return read_for(engine, reports, lambda some: _homes(kind, some, release))


def at_home(engine: Engine, kind: str, items: Collection[str], *, release: int | None = None) -> pl.DataFrame:
    """Return the homes in force (`HOME`) of all reports that are at home in these items."""
    c = t.record_homes.c

    def _ever(some: Sequence[str] | None) -> sa.Select[Any]:
        return sa.select(c.report_id).where(c.kind == kind, c.item_id.in_(some or [])).distinct()

    reports = read_for(engine, items, _ever)["report_id"]
    found = homes(engine, kind, reports.unique().to_list(), release=release)
    return found.filter(pl.col("item_id").is_in(list(items)))


def homes_written(engine: Engine, kind: str, reports: Collection[str] | None = None) -> pl.DataFrame:
    """Return every home (`HOME`) that was ever written, old ones too, of all that the naming of these reports asks for.

    Those of the reports, and of any report that was ever at home in an item of their ids or in one that they were at
    home in: in one, not nowhere (the empty text). All there are, without reports.
    """
    c = t.record_homes.c

    def _rows(some: Sequence[str] | None, column: str = "report_id") -> sa.Select[Any]:
        wanted = [c.kind == kind] if some is None else [c.kind == kind, c[column].in_(some)]
        return sa.select(*(c[name] for name in HOME)).where(*wanted)

    if reports is None:
        return read(engine, _rows(None))
    own = read_for(engine, reports, _rows)
    items = {*reports, *own["item_id"]} - {""}
    others = read_for(engine, items, lambda some: _rows(some, "item_id"))["report_id"]
    return pl.concat([own, read_for(engine, set(others) - set(reports), _rows)])


def _homes(kind: str, reports: Sequence[str] | None, release: int | None) -> sa.Select[Any]:
    c = t.record_homes.c
    wanted = [c.kind == kind]
    if reports is not None:
        wanted.append(c.report_id.in_(reports))
    until = wanted if release is None else [*wanted, c.release <= release]
    newest = sa.select(c.report_id, sa.func.max(c.release).label("release")).where(*until).group_by(c.report_id)
    last = newest.subquery()
    same = (c.report_id == last.c.report_id) & (c.release == last.c.release)
    return sa.select(*(c[name] for name in HOME)).join_from(t.record_homes, last, same).where(*wanted)


# Releases


def add_published(connection: sa.Connection, release: int, records: RecordsPublished) -> None:
    """Write a release's homes, its decisions and its warnings, in the connection's transaction."""
    number = pl.lit(release, dtype=pl.Int32).alias("release")
    bulk_insert(connection, t.record_homes, records.homes.with_columns(number))
    bulk_insert(connection, t.record_warnings, records.warnings.with_columns(number))
    c = t.decisions.c
    for ids, inside in ((records.counted, True), (records.uncounted, False)):
        for some in chunks(ids):
            connection.execute(sa.update(t.decisions).where(c.id.in_(some)).values(in_release=inside))


def record_warnings(engine: Engine, release: int, kind: str | None = None) -> pl.DataFrame:
    """Return what a release's matching warned of (`WARNING`), of one kind or all."""
    c = t.record_warnings.c
    query = sa.select(*(c[name] for name in WARNING)).where(c.release == release).order_by(c.id)
    return read(engine, query if kind is None else query.where(c.kind == kind))


def keep_history(engine: Engine, first_releases: pl.DataFrame, known_homes: pl.DataFrame) -> None:
    """Write what another ledger knows of first publication, so that a rebuild gives the same ids.

    Columns submission_id, first_release (written where none is known) and kind, report_id, item_id, release.
    """
    c = t.submissions.c
    first = first_releases.drop_nulls("first_release")
    with writing(engine) as connection:
        for (number,), group in first.group_by("first_release"):
            for some in chunks(group["submission_id"].to_list()):
                mine = c.submission_id.in_(some) & c.first_release.is_(None)
                connection.execute(sa.update(t.submissions).where(mine).values(first_release=number))
        bulk_insert(connection, t.record_homes, known_homes)
