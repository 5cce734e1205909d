"""The tree that proves what each release did with each row: its leaves, and the signed head of each release."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("releases", sa.Column("tree_head", sa.Text, nullable=True))
    op.create_table(
        "tree_leaves",
        sa.Column("leaf", sa.BigInteger, autoincrement=False, nullable=False),
        sa.Column("release", sa.Integer, nullable=False),
        sa.Column("submission_id", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
        sa.Column("content", sa.Text, nullable=True),
        sa.ForeignKeyConstraint(["release"], ["releases.release"], name="fk_tree_leaves_release"),
        sa.ForeignKeyConstraint(["submission_id"], ["submissions.submission_id"], name="fk_tree_leaves_submission_id"),
        sa.PrimaryKeyConstraint("leaf", name="pk_tree_leaves"),
    )
    op.create_index("ix_tree_leaves_submission_id_leaf", "tree_leaves", ["submission_id", "leaf"])


def downgrade() -> None:
    op.drop_table("tree_leaves")
    op.drop_column("releases", "tree_head")
