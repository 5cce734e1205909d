"""The ledger's tables of work in progress: the inbox of arrivals, the outbox of events, the backfills."""

from typing import Final

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text
from sqlalchemy import text as sql

from infra.ledger.columns import (
    SERIAL,
    SUBMISSION_STATUS,
    count,
    metadata,
    one_of,
    reject_details,
    serial_id,
    text,
    time,
)
from schemas.claims import COUNT_COLUMNS

INBOX_STATUS: Final = ("waiting", "leased", "done", "parked")
BACKFILL_STATUS: Final = ("reading", "ready", "published", "discarded")
HAS_REASON: Final = sql("reason IS NOT NULL")

inbox: Final = Table(
    "inbox",
    metadata,
    serial_id(),
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
    Column("source", Text, nullable=False, server_default="arrivals"),
    one_of("status", INBOX_STATUS),
    one_of("found_by", ("event", "listing")),
    Index(None, "object", "version", unique=True),
    Index(None, "status", "sender", "id"),
    Index(None, "status", "id"),
    Index(None, "status", "lease_until"),
    Index(None, "submission_id"),
    # Most rows are done and have no reason: this partial index finds the others among a million at once. Naming
    # PostgreSQL here would import its dialect, a tenth of the start of a query: `infra.ledger.open` does where it is.
    Index("ix_inbox_reasoned", "status", "id", sqlite_where=HAS_REASON),
)
"""One row per version of an arrived object: it is processed once, however often it is announced.

`attempts` counts the times it was leased; a worker holds it until `lease_until`. `submission_id` is the submission that
it became, or is about to become. `source` is `arrivals`, or `landing` for what landed before it had a row: then the
object is the key of its landing note. `reason` says why it was parked, or why the last attempt failed.
"""

outbox: Final = Table(
    "outbox",
    metadata,
    serial_id(),
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
"""Events to send, as CloudEvents (JSON text), each event once; sent events are deleted after a while."""

backfills: Final = Table(
    "backfills",
    metadata,
    serial_id(),
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
"""Every backfill: its parameters (`asked`, JSON text), and of its last dry run the release that it was compared with
and what it would change (`diff`, JSON text). `release` is the one that published it.
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
    *(Column(name, BigInteger, nullable=True) for name in COUNT_COLUMNS),
    one_of("status", SUBMISSION_STATUS),
    Index(None, "backfill_id", "batch"),
)
"""The submissions that a backfill rereads, and the reading of each: none yet where `batch` is null."""

backfill_partitions: Final = Table(
    "backfill_partitions",
    metadata,
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), primary_key=True, autoincrement=False),
    text("submission_id", primary_key=True),
    text("partition", primary_key=True),
    count("claims"),
)
"""`submission_partitions` of unpublished readings; they are copied there on publication."""

backfill_rejects: Final = Table(
    "backfill_rejects",
    metadata,
    serial_id(),
    Column("backfill_id", SERIAL, ForeignKey("backfills.id"), nullable=False, autoincrement=False),
    text("submission_id"),
    *reject_details(),
    Index(None, "backfill_id", "submission_id"),
)
"""`rejects` of unpublished readings; they are copied there on publication."""
