"""The ledger's tree: a leaf for each submission of which a release states anything new. Append-only."""

from collections.abc import Collection, Sequence
from typing import Any

import polars as pl
import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import filter_ids, read_by_ids, read_frame


def last_leaves(engine: Engine, ids: Collection[str]) -> dict[str, int]:
    """Return the number of the last leaf of each of these submissions that has one."""

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        c = t.tree_leaves.c
        newest = sa.select(c.submission_id, sa.func.max(c.leaf).label("leaf")).group_by(c.submission_id)
        return filter_ids(newest, t.tree_leaves, some_ids)

    return dict(read_by_ids(engine, ids, _query).iter_rows())


def read_leaf_hashes(engine: Engine, size: int) -> list[bytes]:
    """Return the hashes of the first `size` leaves, in order."""
    c = t.tree_leaves.c
    with engine.connect() as connection:
        return [
            bytes.fromhex(text) for text in connection.scalars(sa.select(c.hash).where(c.leaf < size).order_by(c.leaf))
        ]


def read_leaves(engine: Engine, ids: Collection[str] | None, size: int) -> pl.DataFrame:
    """Return leaf, release, submission_id, hash, content of these submissions' leaves, or of all, below `size`."""

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        query = sa.select(t.tree_leaves).where(t.tree_leaves.c.leaf < size)
        return filter_ids(query, t.tree_leaves, some_ids).order_by(t.tree_leaves.c.leaf)

    return read_by_ids(engine, ids, _query)


def read_tree_heads(engine: Engine) -> pl.DataFrame:
    """Return release, tree_head (JSON) of every release that has one, oldest first."""
    c = t.releases.c
    return read_frame(engine, sa.select(c.release, c.tree_head).where(c.tree_head.is_not(None)).order_by(c.release))


def read_listed_rejects(engine: Engine, ids: Collection[str]) -> pl.DataFrame:
    """Return submission_id, row of the rejected rows that are listed of these submissions."""

    def _query(some_ids: Sequence[str] | None) -> sa.Select[Any]:
        c = t.rejects.c
        query = sa.select(c.submission_id, c.row).distinct().where(c.severity == "critical", c.row.is_not(None))
        return filter_ids(query, t.rejects, some_ids)

    return read_by_ids(engine, ids, _query)


def forget_leaves(connection: sa.Connection, submission: str) -> None:
    """Remove what the leaves of a submission state, in the connection's transaction; their hashes stay."""
    mine = t.tree_leaves.c.submission_id == submission
    connection.execute(sa.update(t.tree_leaves).where(mine).values(content=None))
