"""What a release changes: only items whose content differs."""

from decimal import Decimal

import polars as pl

from schemas.claims import VALUE
from transforms.identity import LANES
from transforms.observations.changes import changed_items


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
