"""The minimal set covers every item, at the least cost that any set has."""

from itertools import combinations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.support.overlap_statements import statements
from transforms.overlap.counts import count_statements
from transforms.overlap.measures import coverage_rows
from transforms.overlap.minimal import (
    accurate_patterns,
    column_costs,
    column_name,
    frontier,
    minimal_set,
    patterns_of,
    with_derived,
)

NAMES = "abcd"


def test_an_obligation_that_others_cover_is_dropped() -> None:
    coverage = pl.DataFrame({"item": [1, 2, 3, 1, 2, 3], "obligation": ["a", "a", "b", "c", "c", "c"]})
    assert minimal_set(patterns_of(coverage), {"a": 1.0, "b": 1.0, "c": 5.0}).obligations == ("a", "b")
    assert minimal_set(patterns_of(coverage), {"a": 1.0, "b": 1.0, "c": 1.0}).obligations == ("c",)
    assert minimal_set(patterns_of(coverage.clear()), {}).obligations == ()


@given(
    st.sets(st.tuples(st.integers(0, 6), st.sampled_from(NAMES)), min_size=1),
    st.lists(st.integers(0, 9), min_size=4, max_size=4),
    st.sampled_from([0.5, 0.9, 1.0]),
)
def test_no_set_is_cheaper(cells: set[tuple[int, str]], costs: list[int], share: float) -> None:
    hours = dict(zip(NAMES, map(float, costs), strict=True))
    found = minimal_set(
        patterns_of(pl.DataFrame(sorted(cells), schema=["item", "obligation"], orient="row")), hours, share
    )
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
    sets = frontier(patterns_of(coverage), {"a": 1.0, "b": 10.0, "c": 100.0})
    assert [(each.obligations, each.items) for each in sets] == [
        (("a",), 60), (("a", "b"), 95), (("a", "b", "c"), 100),
    ]  # fmt: skip


def test_columns_share_the_hours_of_their_reports() -> None:
    both = [{"obligation": "a", "unit": unit, "value": 1, "concept": c} for unit in "xy" for c in ("beds", "staff")]
    rows = [*both, {"obligation": "a", "unit": "z", "value": 1}, {"obligation": "b", "unit": "x", "value": 1}]
    stated = statements([*rows, {**rows[0], "value": 2}])
    hours = pl.DataFrame({"obligation": ["a", "b"], "high": [4.0, None]})
    counts = count_statements(stated)
    costs = column_costs(counts.reports, hours)
    assert costs.rows() == [("a beds", 2.0, 8.0), ("a staff", 1.0, 4.0), ("b beds", 1.0, None)]
    patterns = accurate_patterns(coverage_rows(counts.sets), columns=True)
    assert patterns.rows() == patterns_of(stated.select(item="item_id", obligation=column_name())).rows()
    assert minimal_set(patterns, {"a beds": 8.0, "a staff": 4.0}).obligations == ("a beds", "a staff")
    assert [each.items for each in frontier(patterns, {"a beds": 8.0, "a staff": 4.0})][-1] == 5


def test_an_item_is_covered_at_its_best_accuracy_only() -> None:
    rows = [
        {"obligation": name, "unit": unit, "value": 100, "half": half}
        for name, unit, half in (("a", "x", "50"), ("b", "x", "5"), ("c", "x", "5"), ("a", "y", "0"), ("b", "y", "0.5"))
    ]
    rows += [{"obligation": name, "unit": "z", "value": None} for name in "ab"]
    coverage = coverage_rows(count_statements(statements(rows)).sets)
    assert coverage.select("obligations", "most_accurate", "items").rows() == [
        (["a", "b"], ["a"], 1), (["a", "b"], ["a", "b"], 1), (["a", "b", "c"], ["b", "c"], 1),
    ]  # fmt: skip
    patterns = accurate_patterns(coverage)
    assert patterns.rows() == [(["a"], 1), (["a", "b"], 1), (["b", "c"], 1)]
    assert minimal_set(patterns, {"a": 9.0, "b": 3.0, "c": 2.0}).obligations == ("a", "c")


def test_what_follows_from_one_obligation_is_covered_by_it_if_the_sum_is_as_accurate() -> None:
    cells = [
        ("whole", "a", 1.0), ("x", "b", 0.5), ("y", "b", 0.5), ("y", "c", 0.0), ("x", "d", 0.5), ("y", "d", 0.6),
        ("other", "a", 9.0),
    ]  # fmt: skip
    widths = pl.DataFrame(cells, schema=["item", "obligation", "width"], orient="row")
    edges = pl.DataFrame(
        [(item, "r", part) for item in ("whole", "other") for part in "xy"],
        schema=["item_id", "rule", "part_id"],
        orient="row",
    )
    derivable = pl.DataFrame(
        {"item_id": ["whole", "other"], "rule": ["r", "r"], "parts": [2, 2], "relation": ["equal", "conflict"]}
    )
    patterns = pl.DataFrame({"obligation": [["a"], ["b", "d"]], "items": [7, 1]})
    found = with_derived(patterns, widths, derivable, edges)
    assert found.rows() == [(["a"], 6), (["a", "b"], 1), (["b", "d"], 1)]
