"""What a release changes: only items whose content differs."""

from decimal import Decimal

import polars as pl

from schemas.claims import VALUE
from transforms.identity import LANES
from transforms.observations.changes import added_items, changed_items, differing_content


def content(*items: tuple[str, int, int]) -> pl.DataFrame:
    """Return the content of items, each an id, a value and a lane of its digest."""
    rows = [(item, Decimal(value), "single", "2024-01", lane, 0, 0, 0) for item, value, lane in items]
    types = {"item_id": pl.String, "value": VALUE, "agreement": pl.String, "partition": pl.String}
    return pl.DataFrame(rows, schema=types | dict.fromkeys(LANES, pl.UInt64), orient="row")


def test_nothing_changes_where_the_content_is_the_same() -> None:
    same = content(("a", 1, 7), ("b", 2, 8))
    assert changed_items(same, same).is_empty()


def test_an_item_that_differs_is_added_changed_or_removed() -> None:
    before, after = content(("a", 1, 7), ("b", 2, 8), ("c", 3, 9)), content(("a", 1, 7), ("b", 5, 10), ("d", 4, 9))
    changes = changed_items(before, after).sort("item_id").select("item_id", "change", "value_before", "value_after")
    assert changes.rows() == [
        ("b", "changed", Decimal(2), Decimal(5)),
        ("c", "removed", Decimal(3), None),
        ("d", "added", None, Decimal(4)),
    ]


def test_an_item_differs_in_any_lane_and_in_nothing_else() -> None:
    before = content(("a", 1, 7))
    for lane in LANES:
        assert changed_items(before, before.with_columns(pl.lit(9, pl.UInt64).alias(lane))).height == 1
    assert changed_items(before, content(("a", 5, 7))).is_empty(), "the lanes are what is compared"


def test_an_item_that_moves_to_another_month_leaves_one_and_enters_the_other() -> None:
    before = content(("a", 1, 7))
    after = before.with_columns(partition=pl.lit("2024-02"))
    moved = changed_items(before, after).sort("partition").select("partition", "change")
    assert moved.rows() == [("2024-01", "removed"), ("2024-02", "added")]
    by_item = differing_content(before, after.with_columns(pl.lit(8, pl.UInt64).alias(LANES[3])), "item_id")
    assert by_item.select("change", "partition", "partition_after").rows() == [("changed", "2024-01", "2024-02")]


def test_items_that_are_all_new_are_the_changes_against_nothing() -> None:
    after = content(("a", 1, 7), ("b", 2, 8)).with_columns(agreement=pl.Series(["single", "conflict"]))
    against_nothing = changed_items(content(), after).sort("item_id")
    assert added_items(after).equals(against_nothing)
    assert against_nothing["agreement_after"].to_list() == ["single", "conflict"]
    assert changed_items(after, content())["agreement_before"].sort().to_list() == ["conflict", "single"]
