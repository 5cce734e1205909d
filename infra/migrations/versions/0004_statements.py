"""What a sender states of a submission: as of when it holds, and which submission it replaces."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("submissions", sa.Column("as_of", sa.DateTime, nullable=True))
    op.add_column("submissions", sa.Column("replaces", sa.Text, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("submissions") as table:
        table.drop_column("replaces")
        table.drop_column("as_of")
