"""The ledger's tables, the same on SQLite and PostgreSQL. Every timestamp is UTC and stored without a zone.

A change here needs a migration in `infra/migrations/versions` and its number in `HEAD`; a test compares the two.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, ForeignKey, Index, Integer, Table, Text, false

from infra.ledger.columns import SUBMISSION_STATUS, count, metadata, one_of, reject_details, serial_id, text, time
from infra.ledger.queue_tables import backfill_partitions, backfill_readings, backfill_rejects, backfills, inbox, outbox
from schemas.claims import BUCKETS, COUNT_COLUMNS, VERDICTS
from schemas.overlap import SUSPECTED_VERDICTS

__all__ = [
    "HEAD", "backfill_partitions", "backfill_readings", "backfill_rejects", "backfills", "contracts", "decisions",
    "erasures", "inbox", "item_assignments", "metadata", "model_pins", "models", "outbox", "overlap_verdicts",
    "provisional_units",
    "record_warnings", "rejects", "releases", "row_counts", "runs", "submission_partitions", "submissions",
    "tree_leaves",
]  # fmt: skip

HEAD: Final = "0009"
"""The newest migration: a ledger of this revision is opened as it is."""

RUN_STATUS: Final = ("running", "done", "failed", "refused")

contracts: Final = Table(
    "contracts",
    metadata,
    text("digest", primary_key=True),
    text("contract"),
    text("text"),
    time("first_seen"),
)
"""Every contract that a submission was ever read with, in full."""

submissions: Final = Table(
    "submissions",
    metadata,
    text("submission_id", primary_key=True),
    text("contract"),
    text("contract_digest", ForeignKey("contracts.digest")),
    text("obligation"),
    text("sender"),
    text("filename"),
    text("period", nullable=True),
    text("sha256"),
    count("bytes"),
    time("received_at"),
    text("status"),
    text("content_digest", nullable=True),
    text("batch", nullable=True),
    *(count(name) for name in COUNT_COLUMNS),
    Column("in_release", Boolean, nullable=False, server_default=false()),
    Column("first_release", Integer, nullable=True),
    time("as_of", nullable=True),
    text("replaces", nullable=True),
    one_of("status", SUBMISSION_STATUS),
    # Counting is answered from this index alone, without reading the submissions.
    Index("ix_submissions_counts", "contract", "status", "in_release", *COUNT_COLUMNS),
    Index(None, "status", "in_release", "received_at"),
    Index(None, "contract", "sender", "received_at"),
    Index(None, "in_release"),
    Index(None, "sha256"),
    Index(None, "content_digest"),
)
"""One row per delivered file. `in_release`: whether the current release counts its claims. `first_release`: the first
release that did; only a backfill of records resets it."""

submission_partitions: Final = Table(
    "submission_partitions",
    metadata,
    text("submission_id", ForeignKey("submissions.submission_id"), primary_key=True),
    text("partition", primary_key=True),
    count("claims"),
    Index(None, "partition"),
)
"""The months that a submission's claims are about."""

rejects: Final = Table(
    "rejects",
    metadata,
    serial_id(),
    text("submission_id", ForeignKey("submissions.submission_id")),
    *reject_details(),
    one_of("severity", ("critical", "warning")),
    Index(None, "submission_id"),
)
"""Rows and cells that a contract rejects or warns about: `schemas.claims.REJECT`."""

erasures: Final = Table(
    "erasures",
    metadata,
    text("submission_id", ForeignKey("submissions.submission_id"), primary_key=True),
    text("sha256"),
    time("begun_at"),
    time("erased_at", nullable=True),
    Column("release", Integer, nullable=True),
    text("who"),
    text("why"),
)
"""Submissions that were erased: who did it and why, and the hash by which their bytes are refused for good.

`erased_at` is null while the erasure is under way. `release`: the first release without it, from which on releases can
be read.
"""

decisions: Final = Table(
    "decisions",
    metadata,
    serial_id(),
    text("kind"),
    text("a"),
    text("b"),
    text("verdict"),
    text("who"),
    text("why"),
    time("at"),
    time("withdrawn_at", nullable=True),
    text("withdrawn_by", nullable=True),
    text("withdrawn_why", nullable=True),
    Column("in_release", Boolean, nullable=False, server_default=false()),
    text("digest"),
    one_of("verdict", VERDICTS),
    # Not a < b, which the code ensures: a database may sort text by a country's alphabet, in which "aa" comes last.
    CheckConstraint("a <> b", name="two_reports"),
    Index(None, "kind", "a", "b"),
    Index(None, "in_release"),
    Index(None, "digest", unique=True),
)
"""What a person decided of two reports, a before b. Append-only: a withdrawal fills the row's withdrawal columns.

`digest` covers the decision without its withdrawal: an equal one is stored once. `in_release`: whether the current
release counts it.
"""

overlap_verdicts: Final = Table(
    "overlap_verdicts",
    metadata,
    serial_id(),
    text("series_a"),
    text("series_b"),
    text("verdict"),
    text("who"),
    text("why"),
    time("at"),
    text("evidence"),
    one_of("verdict", SUSPECTED_VERDICTS),
    Index(None, "series_a", "series_b"),
)
"""What a person decided of suspected double reporting. Append-only: the last verdict on two series counts.

`evidence`: the row of table `suspected` that it was given on, as JSON.
"""

runs: Final = Table(
    "runs",
    metadata,
    text("run_id", primary_key=True),
    text("kind"),
    time("started_at"),
    time("finished_at", nullable=True),
    text("status"),
    text("message", nullable=True),
    one_of("status", RUN_STATUS),
    Index(None, "kind", "started_at"),
)
"""Every run of a flow and how it ended."""

releases: Final = Table(
    "releases",
    metadata,
    Column("release", Integer, primary_key=True, autoincrement=False),
    text("run_id", ForeignKey("runs.run_id"), nullable=True),
    time("published_at"),
    text("digest"),
    text("digest_lanes"),
    text("tables"),
    text("counts"),
    text("register_digest"),
    text("rules_digest"),
    Column("models", Text, nullable=False, server_default="{}"),
    text("tree_head", nullable=True),
    time("removed_at", nullable=True),
    time("rebuilt_at", nullable=True),
)
"""One row makes a release visible: the table versions that belong together (`tables`, JSON text: name -> version).

`models`: which model scored each record kind (JSON text: kind -> kind_digest, model_digest).
`tree_head`: the signed head of the tree of what became of each row (JSON text: head, signature, public_key, peaks);
null in releases of older versions of Engang. `removed_at`: when what it has in the lake was given up; null while it
can be read. `rebuilt_at`: when the lake was rebuilt with it, so that it has nothing of older ones.
"""

row_counts: Final = Table(
    "row_counts",
    metadata,
    text("submission_id", ForeignKey("submissions.submission_id"), primary_key=True),
    Column("release", Integer, ForeignKey("releases.release"), primary_key=True, autoincrement=False),
    text("bucket", primary_key=True),
    count("rows"),
    one_of("bucket", BUCKETS),
)
"""How many rows of a submission ended in each bucket, written when a release changes any of them."""

tree_leaves: Final = Table(
    "tree_leaves",
    metadata,
    Column("leaf", BigInteger, primary_key=True, autoincrement=False),
    Column("release", Integer, ForeignKey("releases.release"), nullable=False),
    text("submission_id", ForeignKey("submissions.submission_id")),
    text("hash"),
    text("content", nullable=True),
    Index(None, "submission_id", "leaf"),
)
"""The leaves of the tree of all releases, numbered from 0. Append-only: only `engang erase` removes a `content`."""

provisional_units: Final = Table(
    "provisional_units",
    metadata,
    text("unit_id", primary_key=True),
    text("kind"),
    text("name"),
)
"""Units known only by name and found in no register, for a person to resolve."""

models: Final = Table(
    "models",
    metadata,
    text("digest", primary_key=True),
    text("kind"),
    text("text"),
    time("trained_at"),
    text("about"),
    Index(None, "kind", "trained_at"),
)
"""Every model ever trained for a record kind, in full (JSON text), and on what it was trained (`about`, JSON text)."""

model_pins: Final = Table(
    "model_pins",
    metadata,
    serial_id(),
    text("kind"),
    text("digest", ForeignKey("models.digest")),
    text("who"),
    text("why"),
    time("at"),
    Index(None, "kind", "id"),
)
"""Which model a person chose for a record kind. Append-only: the last one is in force."""

item_assignments: Final = Table(
    "record_homes",
    metadata,
    text("kind", primary_key=True),
    text("report_id", primary_key=True),
    Column("release", Integer, primary_key=True, autoincrement=False),
    text("item_id"),
    Index(None, "kind", "item_id"),
)
"""The item that a report belongs to by its history, where the item's id is not the report's own.

Append-only: a report's last assignment is in force; an empty `item_id` means that it belongs to no item.
"""

record_warnings: Final = Table(
    "record_warnings",
    metadata,
    serial_id(),
    Column("release", Integer, ForeignKey("releases.release"), nullable=False),
    text("kind"),
    text("what"),
    text("detail"),
    count("count"),
    Index(None, "release", "kind"),
)
"""What a release's matching left out or could not do: the problem (`what`), its subject (`detail`) and a `count`."""
