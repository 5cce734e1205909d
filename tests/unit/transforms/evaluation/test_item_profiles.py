"""What holds items together, against a count of every report and link by itself."""

from itertools import combinations, pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.evaluation.item_profiles import MAX_BRIDGED, PROFILE_COUNT, profile_counts, profile_items

EDGE = {"a": pl.String, "b": pl.String, "weight": pl.Float64}


def items_of(**items: str) -> pl.DataFrame:
    """Return report_id, item_id; by item, one letter a report."""
    rows = [(report, item) for item, reports in items.items() for report in reports]
    return pl.DataFrame(rows, schema={"report_id": pl.String, "item_id": pl.String}, orient="row")


def edges_of(**edges: float) -> pl.DataFrame:
    """Return a, b, weight; by the two letters of a pair."""
    return pl.DataFrame([(*pair, weight) for pair, weight in edges.items()], schema=EDGE, orient="row")


def test_the_item_that_hangs_on_the_weakest_link_comes_first() -> None:
    items = items_of(triangle="abc", chain="def", pair="gh", single="i")
    edges = edges_of(ab=9.0, ac=8.0, bc=2.0, de=7.0, ef=1.5, gh=4.0, ai=3.0)
    assert profile_items(items, edges).rows() == [
        ("chain", 3, 2, 1.5, "f", 0, 2),
        ("pair", 2, 1, 4.0, "g", 0, 0),
        ("triangle", 3, 3, 8.0, "c", 0, 0),
    ]


def test_a_report_that_no_edge_holds_is_counted() -> None:
    (found,) = profile_items(items_of(tied="abc"), edges_of(ab=5.0)).to_dicts()
    assert (found["unlinked"], found["weakest"], found["edges"]) == (1, 5.0, 1)
    (found,) = profile_items(items_of(tied="ab"), edges_of()).to_dicts()
    assert (found["unlinked"], found["weakest"], found["edges"], found["bridges"]) == (2, None, 0, 0)


def test_bridges_of_a_large_item_are_not_counted() -> None:
    letters = "".join(chr(0x4E00 + n) for n in range(MAX_BRIDGED + 1))
    edges = edges_of(**{one + other: 1.0 for one, other in pairwise(letters)})
    assert profile_items(items_of(large=letters), edges)["bridges"].to_list() == [None]
    assert profile_items(items_of(small=letters[:-1]), edges)["bridges"].to_list() == [MAX_BRIDGED - 1]


def test_items_are_counted_by_what_holds_them() -> None:
    items = items_of(x="abc", y="de", z="fg")
    counts = profile_counts(profile_items(items, edges_of(ab=5.2, bc=5.9, de=5.0)))
    assert counts.schema == PROFILE_COUNT
    assert counts.rows() == [
        ("reports", 2, 2), ("reports", 3, 1), ("weakest", 5, 2), ("bridges", 0, 2), ("bridges", 2, 1),
    ]  # fmt: skip


@settings(max_examples=25)
@given(st.sets(st.sampled_from([one + other for one, other in combinations("abcdef", 2)])))
def test_a_bridge_is_a_link_that_no_third_report_has_both_ends_of(pairs: set[str]) -> None:
    linked = {frozenset(pair) for pair in pairs}
    bridges = sum(
        not any({frozenset((one, third)), frozenset((other, third))} <= linked for third in "abcdef")
        for one, other in linked
    )
    edges = edges_of(**dict.fromkeys(sorted(pairs), 1.0))
    assert profile_items(items_of(item="abcdef"), edges)["bridges"].to_list() == [bridges]
