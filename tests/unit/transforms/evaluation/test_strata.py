"""Strata of pairs, how many pairs each gives, and the pairs that are drawn."""

import polars as pl
import pytest

from transforms.evaluation.strata import allocate, count_strata, draw_pairs, with_strata

PAIRS = pl.DataFrame(
    {"a": [f"a{n:03}" for n in range(300)], "b": [f"b{n:03}" for n in range(300)],
     "weight": [-9.0] * 200 + [0.5] * 40 + [12.0] * 60, "within": [False] * 220 + [True] * 80}
)  # fmt: skip


def strata(threshold: float = 1.0) -> tuple[pl.DataFrame, pl.DataFrame]:
    pairs = with_strata(PAIRS, threshold)
    return pairs, count_strata(pairs)


def test_a_stratum_is_a_range_of_weights_within_or_between_items() -> None:
    _, counts = strata()
    assert counts.select("within", "joins", "pairs", "least").rows() == [
        (True, True, 60, 12.0), (True, False, 20, 0.5), (False, False, 20, 0.5), (False, False, 200, -9.0),
    ]  # fmt: skip
    assert counts["p"].to_list() == pytest.approx([0.99976, 0.58579, 0.58579, 0.00195], abs=1e-4)
    assert {*strata(0.2)[1].filter(joins=True)["least"]} == {0.5, 12.0}  # the threshold in use divides strata


@pytest.mark.parametrize("wanted", [1, 7, 8, 60, 299, 300, 999])
def test_as_many_pairs_as_wanted_are_drawn_half_of_them_within_items(wanted: int) -> None:
    pairs, counts = strata()
    allocated = allocate(counts, wanted)
    assert allocated["drawn"].sum() == min(wanted, 300)
    assert (allocated["drawn"] <= allocated["pairs"]).all()
    inside = allocated.filter("within")["drawn"].sum()
    assert inside == min(80, max(wanted - wanted // 2, wanted - 220))
    if 8 <= wanted <= 60:
        assert (allocated["drawn"] >= 2).all()
    drawn = draw_pairs(pairs, allocated)
    assert drawn.height == drawn.unique(["a", "b"]).height == min(wanted, 300)


def test_where_matches_and_others_mix_more_are_drawn() -> None:
    allocated = allocate(strata()[1], 60)
    assert allocated.select(pl.col("drawn") / pl.col("pairs")).to_series().round(1).to_list() == [0.2, 1.0, 0.6, 0.1]


def test_a_sample_is_the_same_for_the_same_seed_and_grows_with_the_number() -> None:
    pairs, counts = strata()
    few, again = (draw_pairs(shuffled, allocate(counts, 20)) for shuffled in (pairs, pairs.reverse()))
    assert few.select("a", "b").rows() == again.select("a", "b").rows()
    more = draw_pairs(pairs, allocate(counts, 40))
    assert {*few["a"]} <= {*more["a"]}
    assert {*few["a"]} != {*draw_pairs(pairs, allocate(counts, 20), seed=1)["a"]}
