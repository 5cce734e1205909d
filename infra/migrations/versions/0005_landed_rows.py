"""Rows of the inbox for what has landed: a source for each row."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("inbox", sa.Column("source", sa.Text, nullable=False, server_default="arrivals"))
    # Ledgers made while 0003 was being written have no such index.
    where = {"postgresql_where": sa.text("reason IS NOT NULL"), "sqlite_where": sa.text("reason IS NOT NULL")}
    op.create_index("ix_inbox_reasoned", "inbox", ["status", "id"], if_not_exists=True, **where)


def downgrade() -> None:
    op.drop_column("inbox", "source")
