"""Ids and digests of known rows: the same on every machine, with every version of the hash libraries, for ever."""

import polars as pl

from transforms.identity import LANES, digest, frame_lanes, lanes

ROWS = pl.DataFrame({"a": ["x", "Ålesund", None], "b": [1, None, 3]})
KNOWN = [
    (1349051337, 1634589157, 1291219688, 3541615915),
    (1561457899, 2790576174, 3252762309, 4108564038),
    (4283918510, 1279107313, 323572670, 936211592),
]
DIGEST = "154d2c0cf40c2c647c24bf907a461204"


def test_the_lanes_of_known_rows_are_those_that_they_always_were() -> None:
    assert ROWS.select(lanes(pl.col("a"), pl.col("b"))).rows() == KNOWN
    assert frame_lanes(ROWS, pl.col("a"), pl.col("b")).rows() == KNOWN


def test_a_lane_has_32_bits() -> None:
    many = pl.DataFrame({"a": range(1000)}).select(lanes(pl.col("a")))
    for lane in LANES:
        assert many[lane].n_unique() > 990
        assert many[lane].max() < 2**32


def test_the_digest_of_known_rows_is_what_it_always_was() -> None:
    assert digest(tuple(map(sum, zip(*KNOWN, strict=True)))) == DIGEST
