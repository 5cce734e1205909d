"""Records: withdrawals of decisions, models and their pins, item assignments of reports, warnings of the matching."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _decisions()
    op.add_column("submissions", sa.Column("first_release", sa.Integer, nullable=True))
    # As far as the counts show. Until now the ledger had observations only, whose ids do not depend on it.
    op.execute(
        "UPDATE submissions SET first_release = (SELECT min(release) FROM row_counts "
        "WHERE row_counts.submission_id = submissions.submission_id "
        "AND bucket NOT IN ('withdrawn', 'rejected', 'ignored')) WHERE in_release"
    )
    op.add_column("releases", sa.Column("models", sa.Text, nullable=False, server_default="{}"))
    _models()
    _record_homes()
    _record_warnings()


def downgrade() -> None:
    for name in ("record_warnings", "record_homes", "model_pins", "models"):
        op.drop_table(name)
    op.drop_column("releases", "models")
    op.drop_column("submissions", "first_release")
    for name in ("ix_decisions_digest", "ix_decisions_in_release", "ix_decisions_kind_a_b"):
        op.drop_index(name, "decisions")
    with op.batch_alter_table("decisions") as table:
        table.drop_constraint(op.f("ck_decisions_two_reports"), type_="check")
        table.drop_constraint(op.f("ck_decisions_verdict"), type_="check")
        for name in ("digest", "in_release", "withdrawn_why", "withdrawn_by"):
            table.drop_column(name)


def _text(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Text, nullable=nullable)


def _decisions() -> None:
    for column in (_text("withdrawn_by", nullable=True), _text("withdrawn_why", nullable=True)):
        op.add_column("decisions", column)
    op.add_column("decisions", sa.Column("in_release", sa.Boolean, server_default=sa.false(), nullable=False))
    op.add_column("decisions", _text("digest", nullable=True))
    # No code wrote decisions before; a row written by hand is kept, with a digest that no other decision has.
    op.execute("UPDATE decisions SET digest = 'by hand ' || id")
    with op.batch_alter_table("decisions") as table:
        table.alter_column("digest", existing_type=sa.Text, nullable=False)
        table.create_check_constraint(op.f("ck_decisions_verdict"), "verdict IN ('same', 'different', 'unsure')")
        table.create_check_constraint(op.f("ck_decisions_two_reports"), "a <> b")
    op.create_index("ix_decisions_kind_a_b", "decisions", ["kind", "a", "b"])
    op.create_index("ix_decisions_in_release", "decisions", ["in_release"])
    op.create_index("ix_decisions_digest", "decisions", ["digest"], unique=True)


def _models() -> None:
    op.create_table(
        "models",
        *(_text(name) for name in ("digest", "kind", "text")),
        sa.Column("trained_at", sa.DateTime, nullable=False),
        _text("about"),
        sa.PrimaryKeyConstraint("digest", name="pk_models"),
    )
    op.create_index("ix_models_kind_trained_at", "models", ["kind", "trained_at"])
    op.create_table(
        "model_pins",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        *(_text(name) for name in ("kind", "digest", "who", "why")),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["models.digest"], name="fk_model_pins_digest"),
        sa.PrimaryKeyConstraint("id", name="pk_model_pins"),
    )
    op.create_index("ix_model_pins_kind_id", "model_pins", ["kind", "id"])


def _record_homes() -> None:
    op.create_table(
        "record_homes",
        *(_text(name) for name in ("kind", "report_id")),
        sa.Column("release", sa.Integer, autoincrement=False, nullable=False),
        _text("item_id"),
        sa.PrimaryKeyConstraint("kind", "report_id", "release", name="pk_record_homes"),
    )
    op.create_index("ix_record_homes_kind_item_id", "record_homes", ["kind", "item_id"])


def _record_warnings() -> None:
    op.create_table(
        "record_warnings",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        sa.Column("release", sa.Integer, nullable=False),
        *(_text(name) for name in ("kind", "what", "detail")),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["release"], ["releases.release"], name="fk_record_warnings_release"),
        sa.PrimaryKeyConstraint("id", name="pk_record_warnings"),
    )
    op.create_index("ix_record_warnings_release_kind", "record_warnings", ["release", "kind"])
