"""The digest lanes of items: what they cover, and what they leave out."""

from typing import Any

import polars as pl
import pytest

from schemas.claims import frame_schema
from schemas.kind import Kind, read_kind
from schemas.record_tables import item_columns, source_table_columns
from transforms.identity import LANES
from transforms.records.content import item_content, record_changes, record_lane_sums

KIND = read_kind("""
kind: thing
version: 1
title: {nb: T, nn: T, en: T}
one_report_per_item: true
fields:
  name: {type: code, role: attribute, doc: N}
  tags: {type: list, role: attribute, doc: T}
  story: {type: text, role: text, doc: S}
thresholds: {review: 0.5}
""")


def items(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {"agreement": "single", "conflicting": [], "reports": 1, "reporters": 1, "name": "n", "partition": "all"}
    return pl.DataFrame([{**usual, **row} for row in rows], schema=frame_schema(item_columns(KIND)))


def sources(*rows: dict[str, Any]) -> pl.DataFrame:
    usual = {"submission_id": "s", "row": 2, "content": "c", "relation": "single", "lead": True, "partition": "all"}
    return pl.DataFrame([{**usual, **row} for row in rows], schema=frame_schema(source_table_columns(KIND)))


X, OF_X = {"item_id": "x"}, {"item_id": "x", "report_id": "r1"}


def lanes(item: dict[str, Any], *of: dict[str, Any]) -> tuple[int, ...]:
    return record_lane_sums(item_content(items(item), sources(*of), KIND))


def test_the_content_of_an_item_is_what_it_is_and_how_it_was_reported() -> None:
    found = item_content(items({**X, "agreement": "complete", "reports": 2}), sources(OF_X), KIND)
    assert found.columns == ["item_id", "agreement", "reports", *LANES]
    assert found.row(0)[:3] == ("x", "complete", 2)
    assert dict(found.schema)["lane_0"] == pl.UInt64


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "m"}, {"name": None}, {"tags": ["a"]}, {"story": ["s"]}, {"agreement": "conflict"}, {"reports": 2},
        {"conflicting": ["name"]}, {"tags": []}, {"tags": [""]},
    ],
)  # fmt: skip
def test_each_value_of_an_item_counts(changed: dict[str, Any]) -> None:
    assert lanes({**X, **changed}, OF_X) != lanes(X, OF_X)


def test_no_list_an_empty_list_and_an_empty_text_differ() -> None:
    found = [lanes({**X, "tags": tags}, OF_X) for tags in (None, [], [""], ["", ""], ["a", "b"], ["a\x1eb"])]
    assert len(set(found)) == 6


@pytest.mark.parametrize(
    "changed",
    [
        {"report_id": "r2"},
        {"submission_id": "t"},
        {"row": 3},
        {"content": "d"},
        {"relation": "complete"},
        {"lead": False},
    ],
)
def test_each_source_counts(changed: dict[str, Any]) -> None:
    assert lanes(X, {**OF_X, **changed}) != lanes(X, OF_X)


def test_the_id_of_an_item_and_its_release_do_not_count() -> None:
    assert lanes({"item_id": "y"}, {**OF_X, "item_id": "y"}) == lanes(X, OF_X)
    assert lanes({**X, "release": 7, "conf_status": "C"}, {**OF_X, "release": 9}) == lanes(X, OF_X)
    assert lanes(X, {**OF_X, "sender": "other", "name": "other"}) == lanes(X, OF_X)


def test_which_reports_are_together_counts_and_their_order_does_not() -> None:
    two = [
        {"item_id": "x", "report_id": "r2"},
        {"item_id": "x", "report_id": "r1"},
        {"item_id": "y", "report_id": "r3"},
    ]
    together = record_lane_sums(item_content(items(X, {"item_id": "y"}), sources(*two), KIND))
    assert together == record_lane_sums(item_content(items({"item_id": "y"}, X), sources(*reversed(two)), KIND))
    other = [{**two[0], "item_id": "y"}, *two[1:]]
    assert together != record_lane_sums(item_content(items(X, {"item_id": "y"}), sources(*other), KIND))


def test_the_content_keeps_the_order_of_the_items() -> None:
    of = sources({"item_id": "y", "report_id": "r3"}, OF_X)
    found = item_content(items({"item_id": "y"}, X), of, KIND)
    assert found["item_id"].to_list() == ["y", "x"]
    assert found.row(1)[3:] == lanes(X, OF_X)


def test_nothing_has_the_sum_zero() -> None:
    assert record_lane_sums(item_content(items(), sources(), KIND)) == (0, 0, 0, 0)


def test_changes_are_sorted_and_have_both_sides() -> None:
    before = item_content(
        items(X, {"item_id": "b"}, {"item_id": "same"}),
        sources(OF_X, {"item_id": "b", "report_id": "r2"}, {"item_id": "same", "report_id": "r3"}),
        KIND,
    )
    after = item_content(
        items({"item_id": "same"}, {**X, "agreement": "complete", "reports": 2}, {"item_id": "a"}),
        sources({"item_id": "same", "report_id": "r3"}, OF_X, {"item_id": "a", "report_id": "r4"}),
        KIND,
    )
    assert record_changes(before, after).rows() == [
        ("a", "added", None, "single", None, 1, "all"),
        ("b", "removed", "single", None, 1, None, "all"),
        ("x", "changed", "single", "complete", 1, 2, "all"),
    ]
    assert record_changes(before, before).height == 0


def test_lanes_are_of_their_kind() -> None:
    other: Kind = KIND.model_copy(update={"kind": "other"})
    of_kind = record_lane_sums(item_content(items(X), sources(OF_X), other))
    assert of_kind != lanes(X, OF_X)
