"""Releases that can be read no more, and those with which the lake was rebuilt."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    for name in ("removed_at", "rebuilt_at"):
        op.add_column("releases", sa.Column(name, sa.DateTime, nullable=True))


def downgrade() -> None:
    for name in ("rebuilt_at", "removed_at"):
        op.drop_column("releases", name)
