"""The ledger's tables of what is under way: what has arrived, what is to be told, what is read anew."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table
from sqlalchemy import text as sql

from infra.ledger.columns import SERIAL, SUBMISSION_STATUS, count, metadata, one_of, text, time
from schemas.claims import COUNTED

INBOX_STATUS: Final = ("waiting", "leased", "done", "parked")
BACKFILL_STATUS: Final = ("reading", "ready", "published", "discarded")
REASONED: Final = sql("reason IS NOT NULL")

inbox: Final = Table(
    "inbox",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    text("object"),
    text("version"),
    text("sender"),
    Column("bytes", BigInteger, nullable=True),
    text("status"),
    time("found_at"),
    text("found_by"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    time("not_before", nullable=True),
    text("lease_by", nullable=True),
    time("lease_until", nullable=True),
    text("reason", nullable=True),
    text("submission_id", nullable=True),
    time("done_at", nullable=True),
    one_of("status", INBOX_STATUS),
    one_of("found_by", ("event", "listing")),
    Index(None, "object", "version", unique=True),
    Index(None, "status", "sender", "id"),
    Index(None, "status", "id"),
    Index(None, "status", "lease_until"),
    Index(None, "submission_id"),
    # Most rows are done and have no reason: those that have one are found among a million at once.
    Index("ix_inbox_reasoned", "status", "id", postgresql_where=REASONED, sqlite_where=REASONED),
)
"""One version of one arrived object each: it is worked off once, whoever tells of it and however often.

`attempts` counts the times it was claimed; a worker holds it until `lease_until`. `submission_id` says what it became,
or is about to. `reason` says why it was parked, or why the last attempt failed.
"""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    text("event_id"),
    text("type"),
    text("subject"),
    text("text"),
    time("at"),
    time("sent_at", nullable=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    time("not_before", nullable=True),
    text("problem", nullable=True),
    Index(None, "event_id", unique=True),
    Index(None, "sent_at", "not_before"),
)
"""What is to be told to others, as CloudEvents (JSON text), the same event once; what was told goes after a while."""

backfills: Final = Table(
    "backfills",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    text("contract"),
    text("contract_digest", ForeignKey("contracts.digest")),
    text("asked"),
    text("status"),
    time("started_at"),
    time("finished_at", nullable=True),
    Column("release_before", Integer, nullable=True),
    Column("release", Integer, nullable=True),
    text("diff", nullable=True),
    one_of("status", BACKFILL_STATUS),
    Index(None, "status"),
)
"""Every backfill: what was `asked` (JSON text), and of its last dry run the release it was tried on and what it would
change (`diff`, JSON text). `release` is the one that published it.
"""

backfill_readings: Final = Table(
    "backfill_readings",
    metadata,
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), primary_key=True, autoincrement=False),
    text("submission_id", ForeignKey("submissions.submission_id"), primary_key=True),
    text("batch_before", nullable=True),
    text("batch", nullable=True),
    text("status", nullable=True),
    text("content_digest", nullable=True),
    *(Column(name, BigInteger, nullable=True) for name in COUNTED),
    one_of("status", SUBMISSION_STATUS),
    Index(None, "backfill_id", "batch"),
)
"""The submissions that a backfill reads again, and what became of each: nothing yet where `batch` is null."""

backfill_partitions: Final = Table(
    "backfill_partitions",
    metadata,
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), primary_key=True, autoincrement=False),
    text("submission_id", primary_key=True),
    text("partition", primary_key=True),
    count("claims"),
)
"""`submission_partitions` of readings that are not published; theirs from then on."""

backfill_rejects: Final = Table(
    "backfill_rejects",
    metadata,
    Column("id", SERIAL, primary_key=True, autoincrement=True),
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), nullable=False, autoincrement=False),
    text("submission_id"),
    Column("row", Integer),
    text("column", nullable=True),
    text("reason"),
    text("rule", nullable=True),
    text("severity"),
    text("found", nullable=True),
    text("expected"),
    text("hint"),
    Index(None, "backfill_id", "submission_id"),
)
"""`rejects` of readings that are not published; theirs from then on."""
