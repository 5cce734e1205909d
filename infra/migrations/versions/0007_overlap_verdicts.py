"""Overlap verdicts: what people decided of suspected double reporting."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXTS = ("series_a", "series_b", "verdict", "who", "why")


def upgrade() -> None:
    op.create_table(
        "overlap_verdicts",
        sa.Column("id", SERIAL, autoincrement=True, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in TEXTS),
        sa.Column("at", sa.DateTime, nullable=False),
        sa.Column("evidence", sa.Text, nullable=False),
        sa.CheckConstraint(
            "verdict IN ('same', 'derivable', 'different', 'later')", name=op.f("ck_overlap_verdicts_verdict")
        ),
        sa.PrimaryKeyConstraint("id", name="pk_overlap_verdicts"),
    )
    op.create_index("ix_overlap_verdicts_series_a_series_b", "overlap_verdicts", ["series_a", "series_b"])


def downgrade() -> None:
    op.drop_table("overlap_verdicts")
