"""Scored pairs of reports as the clustering takes them: edges, and pairs that are no edges."""

from typing import Final

import polars as pl

UNBLOCKED: Final = "unblocked"
"""Column of pairs: whether a pair is no edge (`transforms.linkage.unblocked`)."""


def no_pairs() -> pl.DataFrame:
    """Return no pair: a, b, weight."""
    return pl.DataFrame(schema={"a": pl.String, "b": pl.String, "weight": pl.Float64})


def mark_unblocked(edges: pl.DataFrame, unblocked: pl.DataFrame) -> pl.DataFrame:
    """Return edges and pairs without an edge (a, b, weight) as one frame for `clustering.cluster_reports`."""
    marked = ((edges, False), (unblocked, True))
    return pl.concat([pairs.select("a", "b", "weight", pl.lit(mark).alias(UNBLOCKED)) for pairs, mark in marked])


def split_unblocked(pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the edges and the pairs that are none, as `mark_unblocked` puts them together."""
    if UNBLOCKED not in pairs.columns:
        return pairs, pairs.clear()
    return pairs.filter(~pl.col(UNBLOCKED)).drop(UNBLOCKED), pairs.filter(UNBLOCKED).drop(UNBLOCKED)
