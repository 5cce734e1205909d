"""Erasures: submissions that were erased, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "erasures",
        sa.Column("submission_id", sa.Text, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("begun_at", sa.DateTime, nullable=False),
        sa.Column("erased_at", sa.DateTime, nullable=True),
        sa.Column("release", sa.Integer, nullable=True),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.submission_id"], name="fk_erasures_submission_id"),
        sa.PrimaryKeyConstraint("submission_id", name="pk_erasures"),
    )


def downgrade() -> None:
    op.drop_table("erasures")
