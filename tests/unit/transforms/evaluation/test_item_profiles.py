"""What holds items together: weakest links, reports without a link, and links that no third report confirms."""

from itertools import pairwise

import polars as pl
import pytest

from transforms.evaluation.item_profiles import (
    FEWEST_BRIDGED,
    ITEM_PROFILE,
    MAX_BRIDGED,
    PROFILE_COUNT,
    profile_counts,
    profile_items,
)


def profiles(items: dict[str, str], edges: list[tuple[str, str, float]]) -> pl.DataFrame:
    """Return the profiles of items, each given by its reports (`abc`), by name."""
    members = [(report, item) for item, reports in items.items() for report in reports.split()]
    frame = pl.DataFrame(members, schema={"report_id": pl.String, "item_id": pl.String}, orient="row")
    links = pl.DataFrame(edges, schema={"a": pl.String, "b": pl.String, "weight": pl.Float64}, orient="row")
    found = profile_items(frame, links)
    assert found.schema == pl.Schema(ITEM_PROFILE)
    return found


def test_an_item_is_as_strong_as_its_report_of_the_weakest_best_link() -> None:
    found = profiles({"i": "a b c d"}, [("a", "b", 9.0), ("b", "c", 2.0), ("a", "c", 4.0), ("a", "x", 1.0)])
    assert found.rows() == [("i", 4, 3, 4.0, "c", 1, 0)]


def test_the_weakest_items_come_first_and_those_without_a_link_last() -> None:
    edges = [("a", "b", 5.0), ("c", "d", 3.0), ("g", "h", 3.0)]
    found = profiles({"y": "a b", "z": "c d", "w": "e f", "x": "g h", "alone": "k"}, edges)
    assert found.select("item_id", "weakest", "report_id", "unlinked").rows() == [
        ("x", 3.0, "g", 0), ("z", 3.0, "c", 0), ("y", 5.0, "a", 0), ("w", None, "e", 2),
    ]  # fmt: skip
    assert found.filter(item_id="w")["edges"].item() == 0


@pytest.mark.parametrize(
    ("edges", "bridges"),
    [
        (["ab", "bc", "ac"], 0), (["ab", "bc"], 2), (["ab", "bc", "ac", "cd"], 1), (["ab", "cd"], 2), (["ab"], 1),
        (["ab", "bc", "cd", "ad"], 4), (["ab", "bc", "cd", "ad", "ac"], 0),
    ],
)  # fmt: skip
def test_a_bridge_is_a_link_that_no_third_report_confirms(edges: list[str], bridges: int) -> None:
    found = profiles({"i": "a b c d"}, [(a, b, 1.0) for a, b in edges])
    assert found["bridges"].to_list() == [bridges]


@pytest.mark.parametrize(
    ("count", "bridges"), [(FEWEST_BRIDGED - 1, 0), (FEWEST_BRIDGED, 2), (MAX_BRIDGED, 49), (MAX_BRIDGED + 1, None)]
)
def test_bridges_are_counted_of_items_of_some_reports_up_to_a_limit(count: int, bridges: int | None) -> None:
    names = [f"r{n:02}" for n in range(count)]
    found = profiles({"i": " ".join(names)}, [(a, b, 1.0) for a, b in pairwise(names)])
    assert found.select("reports", "bridges").rows() == [(count, bridges)]


def test_items_are_counted_by_size_weakest_link_and_bridges() -> None:
    found = profiles(
        {"p": "a b", "q": "c d", "r": "e f", "s": "g h i"},
        [("a", "b", 3.9), ("c", "d", 3.0), ("g", "h", -0.5), ("h", "i", 2.0)],
    )
    counts = profile_counts(found)
    assert counts.schema == pl.Schema(PROFILE_COUNT)
    assert counts.rows() == [
        ("reports", 2, 3), ("reports", 3, 1), ("weakest", -1, 1), ("weakest", 3, 2), ("bridges", 0, 3),
        ("bridges", 2, 1),
    ]  # fmt: skip
