"""Events: the inbox of arrived objects, the outbox of events to send, backfills and their readings."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SUBMISSIONS = (("status", "in_release", "received_at"), ("contract", "sender", "received_at"))
SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.drop_index("ix_submissions_status_in_release", "submissions")
    for columns in SUBMISSIONS:
        op.create_index(f"ix_submissions_{'_'.join(columns)}", "submissions", list(columns))
    _inbox()
    _outbox()
    _backfills()
    _readings()


def downgrade() -> None:
    for columns in SUBMISSIONS:
        op.drop_index(f"ix_submissions_{'_'.join(columns)}", "submissions")
    op.create_index("ix_submissions_status_in_release", "submissions", ["status", "in_release"])
    readings = ("backfill_rejects", "backfill_partitions", "backfill_readings", "backfills")
    for name in (*readings, "outbox", "inbox"):
        op.drop_table(name)


def _text(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime, nullable=nullable)


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        *(_text(name) for name in ("object", "version", "sender")),
        sa.Column("bytes", sa.BigInteger, nullable=True),
        _text("status"),
        _time("found_at"),
        _text("found_by"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        _time("not_before", nullable=True),
        _text("lease_by", nullable=True),
        _time("lease_until", nullable=True),
        _text("reason", nullable=True),
        _text("submission_id", nullable=True),
        _time("done_at", nullable=True),
        sa.CheckConstraint("status IN ('waiting', 'leased', 'done', 'parked')", name=op.f("ck_inbox_status")),
        sa.CheckConstraint("found_by IN ('event', 'listing')", name=op.f("ck_inbox_found_by")),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
    )
    op.create_index("ix_inbox_object_version", "inbox", ["object", "version"], unique=True)
    op.create_index("ix_inbox_status_sender_id", "inbox", ["status", "sender", "id"])
    op.create_index("ix_inbox_submission_id", "inbox", ["submission_id"])
    op.create_index("ix_inbox_status_id", "inbox", ["status", "id"])
    op.create_index("ix_inbox_status_lease_until", "inbox", ["status", "lease_until"])
    reasoned = sa.text("reason IS NOT NULL")
    op.create_index("ix_inbox_reasoned", "inbox", ["status", "id"], postgresql_where=reasoned, sqlite_where=reasoned)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        *(_text(name) for name in ("event_id", "type", "subject", "text")),
        _time("at"),
        _time("sent_at", nullable=True),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        _time("not_before", nullable=True),
        _text("problem", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_event_id", "outbox", ["event_id"], unique=True)
    op.create_index("ix_outbox_sent_at_not_before", "outbox", ["sent_at", "not_before"])


def _backfills() -> None:
    op.create_table(
        "backfills",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        *(_text(name) for name in ("contract", "contract_digest", "asked", "status")),
        _time("started_at"),
        _time("finished_at", nullable=True),
        sa.Column("release_before", sa.Integer, nullable=True),
        sa.Column("release", sa.Integer, nullable=True),
        _text("diff", nullable=True),
        sa.CheckConstraint(
            "status IN ('reading', 'ready', 'published', 'discarded')", name=op.f("ck_backfills_status")
        ),
        sa.ForeignKeyConstraint(["contract_digest"], ["contracts.digest"], name="fk_backfills_contract_digest"),
        sa.PrimaryKeyConstraint("id", name="pk_backfills"),
    )
    op.create_index("ix_backfills_status", "backfills", ["status"])


def _readings() -> None:
    counted = ("delivered", "claims", "rejected", "ignored", "warnings")
    op.create_table(
        "backfill_readings",
        sa.Column("backfill_id", SERIAL, autoincrement=False, nullable=False),
        _text("submission_id"),
        *(_text(name, nullable=True) for name in ("batch_before", "batch", "status", "content_digest")),
        *(sa.Column(name, sa.BigInteger, nullable=True) for name in counted),
        sa.CheckConstraint("status IN ('live', 'withdrawn', 'rejected')", name=op.f("ck_backfill_readings_status")),
        _of_backfill("backfill_readings"),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.submission_id"], name="fk_backfill_readings_submission_id"
        ),
        sa.PrimaryKeyConstraint("backfill_id", "submission_id", name="pk_backfill_readings"),
    )
    op.create_index("ix_backfill_readings_backfill_id_batch", "backfill_readings", ["backfill_id", "batch"])
    op.create_table(
        "backfill_partitions",
        sa.Column("backfill_id", SERIAL, autoincrement=False, nullable=False),
        _text("submission_id"),
        _text("partition"),
        sa.Column("claims", sa.BigInteger, nullable=False),
        _of_backfill("backfill_partitions"),
        sa.PrimaryKeyConstraint("backfill_id", "submission_id", "partition", name="pk_backfill_partitions"),
    )
    op.create_table(
        "backfill_rejects",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("backfill_id", SERIAL, autoincrement=False, nullable=False),
        _text("submission_id"),
        sa.Column("row", sa.Integer, nullable=True),
        _text("column", nullable=True),
        _text("reason"),
        _text("rule", nullable=True),
        _text("severity"),
        _text("found", nullable=True),
        _text("expected"),
        _text("hint"),
        _of_backfill("backfill_rejects"),
        sa.PrimaryKeyConstraint("id", name="pk_backfill_rejects"),
    )
    op.create_index(
        "ix_backfill_rejects_backfill_id_submission_id", "backfill_rejects", ["backfill_id", "submission_id"]
    )


def _of_backfill(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["backfill_id"], ["backfills.id"], name=f"fk_{table}_backfill_id")
