"""The minimal set covers every item, at the least cost that any set has."""

from itertools import combinations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.support.overlap_statements import statements
from transforms.overlap.minimal import column_costs, column_name, derived_coverage, frontier, minimal_set

NAMES = "abcd"


def test_an_obligation_that_others_cover_is_dropped() -> None:
    coverage = pl.DataFrame({"item": [1, 2, 3, 1, 2, 3], "obligation": ["a", "a", "b", "c", "c", "c"]})
    assert minimal_set(coverage, {"a": 1.0, "b": 1.0, "c": 5.0}).obligations == ("a", "b")
    assert minimal_set(coverage, {"a": 1.0, "b": 1.0, "c": 1.0}).obligations == ("c",)
    assert minimal_set(coverage.clear(), {}).obligations == ()


@given(
    st.sets(st.tuples(st.integers(0, 6), st.sampled_from(NAMES)), min_size=1),
    st.lists(st.integers(0, 9), min_size=4, max_size=4),
    st.sampled_from([0.5, 0.9, 1.0]),
)
def test_no_set_is_cheaper(cells: set[tuple[int, str]], costs: list[int], share: float) -> None:
    hours = dict(zip(NAMES, map(float, costs), strict=True))
    found = minimal_set(pl.DataFrame(sorted(cells), schema=["item", "obligation"], orient="row"), hours, share)
    needed = share * len({item for item, _ in cells})
    reported = {
        each: len({item for item, name in cells if name in each})
        for size in range(5)
        for each in combinations(NAMES, size)
    }
    covering = [each for each, items in reported.items() if items >= needed]
    assert found.obligations in covering
    assert found.items == reported[found.obligations]
    assert sum(hours[name] for name in found.obligations) == min(sum(hours[name] for name in each) for each in covering)


def test_the_frontier_retains_more_items_for_more_hours() -> None:
    cells = (
        [(item, "a") for item in range(60)]
        + [(item, "b") for item in range(55, 95)]
        + [(item, "c") for item in range(94, 100)]
    )
    coverage = pl.DataFrame(cells, schema=["item", "obligation"], orient="row")
    sets = frontier(coverage, {"a": 1.0, "b": 10.0, "c": 100.0})
    assert [(each.obligations, each.items) for each in sets] == [
        (("a",), 60), (("a", "b"), 95), (("a", "b", "c"), 100),
    ]  # fmt: skip


def test_columns_share_the_hours_of_their_reports() -> None:
    both = [{"obligation": "a", "unit": unit, "value": 1, "concept": c} for unit in "xy" for c in ("beds", "staff")]
    rows = [*both, {"obligation": "a", "unit": "z", "value": 1}, {"obligation": "b", "unit": "x", "value": 1}]
    stated = statements([*rows, {**rows[0], "value": 2}])
    hours = pl.DataFrame({"obligation": ["a", "b"], "high": [4.0, None]})
    costs = column_costs(stated, hours)
    assert costs.rows() == [("a beds", 2.0, 8.0), ("a staff", 1.0, 4.0), ("b beds", 1.0, None)]
    coverage = stated.select(item="item_id", obligation=column_name())
    assert minimal_set(coverage, {"a beds": 8.0, "a staff": 4.0}).obligations == ("a beds", "a staff")
    assert [each.items for each in frontier(coverage, {"a beds": 8.0, "a staff": 4.0})][-1] == 5


def test_what_follows_from_one_obligation_is_covered_by_it() -> None:
    cells = [("whole", "a"), ("x", "b"), ("y", "b"), ("y", "c"), ("other", "a")]
    coverage = pl.DataFrame(cells, schema=["item", "obligation"], orient="row")
    edges = pl.DataFrame(
        [(item, "r", part) for item in ("whole", "other") for part in "xy"],
        schema=["item_id", "rule", "part_id"],
        orient="row",
    )
    derivable = pl.DataFrame(
        {"item_id": ["whole", "other"], "rule": ["r", "r"], "parts": [2, 2], "relation": ["equal", "conflict"]}
    )
    found = derived_coverage(coverage, derivable, edges)
    assert set(found.rows()) == {*cells, ("whole", "b")}
