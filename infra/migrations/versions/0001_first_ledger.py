"""The first ledger: contracts, submissions and what was counted of them, rejects, decisions, runs, releases."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _contracts()
    _submissions()
    _submission_partitions()
    _rejects()
    _decisions()
    _runs()
    _releases()
    _row_counts()
    _provisional_units()


def downgrade() -> None:
    names = ("provisional_units", "row_counts", "releases", "runs", "decisions")
    for name in (*names, "rejects", "submission_partitions", "submissions", "contracts"):
        op.drop_table(name)


def _text(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=nullable)


def _time(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.DateTime, nullable=nullable)


def _count(name: str) -> sa.Column:
    return sa.Column(name, sa.BigInteger, nullable=False)


def _contracts() -> None:
    op.create_table(
        "contracts",
        _text("digest"),
        _text("contract"),
        _text("text"),
        _time("first_seen"),
        sa.PrimaryKeyConstraint("digest", name="pk_contracts"),
    )


def _submissions() -> None:
    op.create_table(
        "submissions",
        _text("submission_id"),
        _text("contract"),
        _text("contract_digest"),
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
        _count("delivered"),
        _count("claims"),
        _count("rejected"),
        _count("ignored"),
        _count("warnings"),
        sa.Column("in_release", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.CheckConstraint("status IN ('live', 'withdrawn', 'rejected')", name=op.f("ck_submissions_status")),
        sa.ForeignKeyConstraint(["contract_digest"], ["contracts.digest"], name="fk_submissions_contract_digest"),
        sa.PrimaryKeyConstraint("submission_id", name="pk_submissions"),
    )
    counted = ["delivered", "claims", "rejected", "ignored", "warnings"]
    op.create_index("ix_submissions_counts", "submissions", ["contract", "status", "in_release", *counted])
    for columns in (["status", "in_release"], ["in_release"], ["sha256"], ["content_digest"]):
        op.create_index("_".join(["ix_submissions", *columns]), "submissions", columns)


def _submission_partitions() -> None:
    op.create_table(
        "submission_partitions",
        _text("submission_id"),
        _text("partition"),
        _count("claims"),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.submission_id"], name="fk_submission_partitions_submission_id"
        ),
        sa.PrimaryKeyConstraint("submission_id", "partition", name="pk_submission_partitions"),
    )
    op.create_index("ix_submission_partitions_partition", "submission_partitions", ["partition"])


def _rejects() -> None:
    op.create_table(
        "rejects",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        _text("submission_id"),
        sa.Column("row", sa.Integer),
        _text("column", nullable=True),
        _text("reason"),
        _text("rule", nullable=True),
        _text("severity"),
        _text("found", nullable=True),
        _text("expected"),
        _text("hint"),
        sa.CheckConstraint("severity IN ('critical', 'warning')", name=op.f("ck_rejects_severity")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.submission_id"], name="fk_rejects_submission_id"),
        sa.PrimaryKeyConstraint("id", name="pk_rejects"),
    )
    op.create_index("ix_rejects_submission_id", "rejects", ["submission_id"])


def _decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        *(_text(name) for name in ("kind", "a", "b", "verdict", "who", "why")),
        _time("at"),
        _time("withdrawn_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        _text("run_id"),
        _text("kind"),
        _time("started_at"),
        _time("finished_at", nullable=True),
        _text("status"),
        _text("message", nullable=True),
        sa.CheckConstraint("status IN ('running', 'done', 'failed', 'refused')", name=op.f("ck_runs_status")),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )
    op.create_index("ix_runs_kind_started_at", "runs", ["kind", "started_at"])


def _releases() -> None:
    op.create_table(
        "releases",
        sa.Column("release", sa.Integer, autoincrement=False, nullable=False),
        _text("run_id", nullable=True),
        _time("published_at"),
        *(_text(name) for name in ("digest", "digest_lanes", "tables", "counts", "register_digest", "rules_digest")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name="fk_releases_run_id"),
        sa.PrimaryKeyConstraint("release", name="pk_releases"),
    )


def _row_counts() -> None:
    buckets = "'published', 'duplicate', 'additive', 'superseded', 'withdrawn', 'conflict', 'rejected', 'ignored'"
    op.create_table(
        "row_counts",
        _text("submission_id"),
        sa.Column("release", sa.Integer, autoincrement=False, nullable=False),
        _text("bucket"),
        _count("rows"),
        sa.CheckConstraint(f"bucket IN ({buckets})", name=op.f("ck_row_counts_bucket")),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.submission_id"], name="fk_row_counts_submission_id"),
        sa.ForeignKeyConstraint(["release"], ["releases.release"], name="fk_row_counts_release"),
        sa.PrimaryKeyConstraint("submission_id", "release", "bucket", name="pk_row_counts"),
    )


def _provisional_units() -> None:
    op.create_table(
        "provisional_units",
        *(_text(name) for name in ("unit_id", "kind", "name")),
        sa.PrimaryKeyConstraint("unit_id", name="pk_provisional_units"),
    )
