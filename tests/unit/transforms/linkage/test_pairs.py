"""Edges and pairs that are none, as one frame and taken apart again."""

import polars as pl

from transforms.linkage.pairs import mark_unblocked, no_pairs, split_unblocked


def pairs(*rows: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, no_pairs().schema, orient="row")


def test_what_is_put_together_is_taken_apart_again() -> None:
    edges, unblocked = pairs(("a", "b", 5.0), ("b", "c", -1.0)), pairs(("a", "c", 2.0))
    for each in ((edges, unblocked), (edges, no_pairs()), (no_pairs(), unblocked)):
        assert all(one.equals(other) for one, other in zip(split_unblocked(mark_unblocked(*each)), each, strict=True))


def test_pairs_without_a_mark_are_all_edges() -> None:
    edges = pairs(("a", "b", 5.0))
    assert [side.rows() for side in split_unblocked(edges)] == [edges.rows(), []]
