"""Releases that can be read no more, because newer ones are kept instead."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("releases", sa.Column("removed_at", sa.DateTime, nullable=True))


def downgrade() -> None:
    op.drop_column("releases", "removed_at")
