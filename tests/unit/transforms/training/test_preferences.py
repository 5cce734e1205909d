"""Pairs that prefer each other to all others."""

import polars as pl

from transforms.training.preferences import preferring_pairs

PAIR = {"a": pl.String, "b": pl.String, "weight": pl.Float64}


def preferring(*rows: tuple[str, str, float]) -> list[tuple[str, str]]:
    return preferring_pairs(pl.DataFrame(rows, schema=PAIR, orient="row")).select("a", "b").rows()


def test_each_prefers_the_other() -> None:
    assert preferring(("a1", "b1", 5.0), ("a1", "b2", 4.0), ("a2", "b2", 3.0)) == [("a1", "b1")]


def test_equal_weights_are_no_preference() -> None:
    assert preferring(("a1", "b1", 5.0), ("a1", "b2", 5.0), ("a2", "b3", 1.0)) == [("a2", "b3")]
    assert preferring() == []
