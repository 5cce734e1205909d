"""The ledger's tables, the same on SQLite and PostgreSQL. Every timestamp is UTC and stored without a zone.

A change here needs a migration in `infra/migrations/versions` and its number in `HEAD`; a test compares the two.
"""

from collections.abc import Iterable
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    false,
)

from schemas.claims import BUCKETS, VERDICTS

HEAD: Final = "0003"
"""The newest migration: a ledger that stands at it is opened as it is."""

SUBMISSION_STATUS: Final = ("live", "withdrawn", "rejected")
RUN_STATUS: Final = ("running", "done", "failed", "refused")
INBOX_STATUS: Final = ("waiting", "leased", "done", "parked")
BACKFILL_STATUS: Final = ("reading", "ready", "published", "discarded")

COUNTED: Final = ("delivered", "claims", "rejected", "ignored", "warnings")
"""What is counted of every submission: rows delivered, claims made, rows rejected, rows ignored, warnings."""

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

SERIAL: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A number the database gives; SQLite does so only for its own INTEGER."""


def _text(name: str, *args: ForeignKey, primary_key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column(name, Text, *args, primary_key=primary_key, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, DateTime, nullable=nullable)


def _count(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def _one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(v) for v in values)})", name=column)


contracts: Final = Table(
    "contracts",
    metadata,
    _text("digest", primary_key=True),
    _text("contract"),
    _text("text"),
    _time("first_seen"),
)
"""Every contract that a submission was ever read with, whole."""

submissions: Final = Table(
    "submissions",
    metadata,
    _text("submission_id", primary_key=True),
    _text("contract"),
    _text("contract_digest", ForeignKey("contracts.digest")),
    _text("obligation"),
    _text("sender"),
    _text("filename"),
    _text("period", nullable=True),
    _text("sha256"),
    _count("bytes"),
    _time("received_at"),
    _text("status"),
    _text("content_digest", nullable=True),
    _text("batch", nullable=True),
    *(_count(name) for name in COUNTED),
    Column("in_release", Boolean, nullable=False, server_default=false()),
    Column("first_release", Integer, nullable=True),
    _one_of("status", SUBMISSION_STATUS),
    # Counting is answered from this index alone, without reading the submissions.
    Index("ix_submissions_counts", "contract", "status", "in_release", *COUNTED),
    Index(None, "status", "in_release", "received_at"),
    Index(None, "contract", "sender", "received_at"),
    Index(None, "in_release"),
    Index(None, "sha256"),
    Index(None, "content_digest"),
)
"""One delivered file each; `in_release` says whether the current release counts its claims, `first_release` which one
did so first: once written it never changes."""

submission_partitions: Final = Table(
    "submission_partitions",
    metadata,
    _text("submission_id", ForeignKey("submissions.submission_id"), primary_key=True),
    _text("partition", primary_key=True),
    _count("claims"),
    Index(None, "partition"),
)
"""Which months a submission's claims speak of."""

rejects: Final = Table(
    "rejects",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    _text("submission_id", ForeignKey("submissions.submission_id")),
    Column("row", Integer),
    _text("column", nullable=True),
    _text("reason"),
    _text("rule", nullable=True),
    _text("severity"),
    _text("found", nullable=True),
    _text("expected"),
    _text("hint"),
    _one_of("severity", ("critical", "warning")),
    Index(None, "submission_id"),
)
"""Rows and cells that a contract refuses or warns of: `schemas.claims.REJECT`."""

decisions: Final = Table(
    "decisions",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    _text("kind"),
    _text("a"),
    _text("b"),
    _text("verdict"),
    _text("who"),
    _text("why"),
    _time("at"),
    _time("withdrawn_at", nullable=True),
    _text("withdrawn_by", nullable=True),
    _text("withdrawn_why", nullable=True),
    Column("in_release", Boolean, nullable=False, server_default=false()),
    _text("digest"),
    _one_of("verdict", VERDICTS),
    # The order is the code's: a database may sort text by its country's alphabet, in which "aa" comes last.
    CheckConstraint("a <> b", name="two_reports"),
    Index(None, "kind", "a", "b"),
    Index(None, "in_release"),
    Index(None, "digest", unique=True),
)
"""What a person decided of two reports, a before b; append-only: a withdrawal is written beside what it takes back.

`digest` says all of the decision but its withdrawal: the same one is kept once. `in_release` says whether the current
release counts it.
"""

runs: Final = Table(
    "runs",
    metadata,
    _text("run_id", primary_key=True),
    _text("kind"),
    _time("started_at"),
    _time("finished_at", nullable=True),
    _text("status"),
    _text("message", nullable=True),
    _one_of("status", RUN_STATUS),
    Index(None, "kind", "started_at"),
)
"""Every start of a flow and how it ended."""

releases: Final = Table(
    "releases",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    _text("run_id", ForeignKey("runs.run_id"), nullable=True),
    _time("published_at"),
    _text("digest"),
    _text("digest_lanes"),
    _text("tables"),
    _text("counts"),
    _text("register_digest"),
    _text("rules_digest"),
    Column("models", Text, nullable=False, server_default="{}"),
)
"""One row makes a release visible: the table versions that belong together (JSON text: name -> version).

`models` says which model scored each record kind (JSON text: kind -> kind_digest, model_digest).
"""

row_counts: Final = Table(
    "row_counts",
    metadata,
    _text("submission_id", ForeignKey("submissions.submission_id"), primary_key=True),
    Column("release", Integer, ForeignKey("releases.release"), primary_key=True, autoincrement=False),
    _text("bucket", primary_key=True),
    _count("rows"),
    _one_of("bucket", BUCKETS),
)
"""How many rows of a submission ended in each bucket, written when a release changes any of them."""

provisional_units: Final = Table(
    "provisional_units",
    metadata,
    _text("unit_id", primary_key=True),
    _text("kind"),
    _text("name"),
)
"""Units known only by name, in no register, for a person to resolve."""

models: Final = Table(
    "models",
    metadata,
    _text("digest", primary_key=True),
    _text("kind"),
    _text("text"),
    _time("trained_at"),
    _text("about"),
    Index(None, "kind", "trained_at"),
)
"""Every model that was ever trained for a record kind, whole (JSON text), and what it saw (`about`, JSON text)."""

model_pins: Final = Table(
    "model_pins",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    _text("kind"),
    _text("digest", ForeignKey("models.digest")),
    _text("who"),
    _text("why"),
    _time("at"),
    Index(None, "kind", "id"),
)
"""Which model a person chose for a record kind; append-only, the last one is in force."""

record_homes: Final = Table(
    "record_homes",
    metadata,
    _text("kind", primary_key=True),
    _text("report_id", primary_key=True),
    Column("release", Integer, primary_key=True, autoincrement=False),
    _text("item_id"),
    Index(None, "kind", "item_id"),
)
"""The item a report is at home in by its history, where that is not its own id.

Append-only: a report's last home is in force.
"""

record_warnings: Final = Table(
    "record_warnings",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("release", Integer, ForeignKey("releases.release"), nullable=False),
    _text("kind"),
    _text("what"),
    _text("detail"),
    _count("count"),
    Index(None, "release", "kind"),
)
"""What a release's matching left out or could not do: what, of what (`detail`), how many (`count`)."""

inbox: Final = Table(
    "inbox",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    _text("object"),
    _text("version"),
    _text("sender"),
    Column("bytes", BigInteger, nullable=True),
    _text("status"),
    _time("found_at"),
    _text("found_by"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _time("not_before", nullable=True),
    _text("lease_by", nullable=True),
    _time("lease_until", nullable=True),
    _text("reason", nullable=True),
    _text("submission_id", nullable=True),
    _time("done_at", nullable=True),
    _one_of("status", INBOX_STATUS),
    _one_of("found_by", ("event", "listing")),
    Index(None, "object", "version", unique=True),
    Index(None, "status", "sender", "id"),
    Index(None, "status", "id"),
    Index(None, "status", "lease_until"),
    Index(None, "submission_id"),
)
"""One version of one arrived object each: it is worked off once, whoever tells of it and however often.

`attempts` counts the times it was claimed; a worker holds it until `lease_until`. `submission_id` says what it became,
or is about to. `reason` says why it was parked, or why the last attempt failed.
"""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    _text("event_id"),
    _text("type"),
    _text("subject"),
    _text("text"),
    _time("at"),
    _time("sent_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    _time("not_before", nullable=True),
    _text("problem", nullable=True),
    Index(None, "event_id", unique=True),
    Index(None, "sent_at", "not_before"),
)
"""What is to be told to others, as CloudEvents (JSON text); kept until it was told, the same event once."""

backfills: Final = Table(
    "backfills",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    _text("contract"),
    _text("contract_digest", ForeignKey("contracts.digest")),
    _text("asked"),
    _text("status"),
    _time("started_at"),
    _time("finished_at", nullable=True),
    Column("release_before", Integer, nullable=True),
    Column("release", Integer, nullable=True),
    _text("diff", nullable=True),
    _one_of("status", BACKFILL_STATUS),
    Index(None, "status"),
)
"""Every backfill: what was `asked` (JSON text), and of its last dry run the release it was tried on and what it would
change (`diff`, JSON text). `release` is the one that published it.
"""

backfill_readings: Final = Table(
    "backfill_readings",
    metadata,
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), primary_key=True, autoincrement=False),
    _text("submission_id", ForeignKey("submissions.submission_id"), primary_key=True),
    _text("batch_before", nullable=True),
    _text("batch", nullable=True),
    _text("status", nullable=True),
    _text("content_digest", nullable=True),
    *(Column(name, BigInteger, nullable=True) for name in COUNTED),
    _one_of("status", SUBMISSION_STATUS),
    Index(None, "backfill_id", "batch"),
)
"""The submissions that a backfill reads again, and what became of each: nothing yet where `batch` is null."""

backfill_partitions: Final = Table(
    "backfill_partitions",
    metadata,
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), primary_key=True, autoincrement=False),
    _text("submission_id", primary_key=True),
    _text("partition", primary_key=True),
    _count("claims"),
)
"""`submission_partitions` of readings that are not published; theirs from then on."""

backfill_rejects: Final = Table(
    "backfill_rejects",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), nullable=False, autoincrement=False),
    _text("submission_id"),
    Column("row", Integer),
    _text("column", nullable=True),
    _text("reason"),
    _text("rule", nullable=True),
    _text("severity"),
    _text("found", nullable=True),
    _text("expected"),
    _text("hint"),
    Index(None, "backfill_id", "submission_id"),
)
"""`rejects` of readings that are not published; theirs from then on."""
