"""Two readings of a file compared statement by statement: the same, changed, only in one of them."""

from typing import Any

import polars as pl

from transforms.reading_changes import CHANGES, compare_readings, count_changes, list_changes

FIELDS = ("concept", "value")


def frame(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["row", "column", "concept", "value"], orient="row")


OLD = frame((2, "n", "a", 1), (3, "n", "a", 2), (3, "n", "b", 2), (4, "n", "a", 3))


def test_each_statement_is_counted_once() -> None:
    new = frame((2, "n", "a", 1), (3, "n", "a", 9), (3, "n", "b", 2), (5, "n", "a", 5), (5, "m", "a", 5))
    compared = compare_readings(OLD, new, FIELDS)
    assert count_changes(compared) == {"same": 2, "changed": 1, "only_old": 1, "only_new": 2}
    changed, *others = list_changes(compared, 10)
    assert (changed["row"], changed["fields"]) == (3, {"value": (2, 9)})
    assert [each["change"] for each in others] == ["only_old", "only_new", "only_new"]
    assert len(list_changes(compared, 2)) == 2


def test_a_reading_equals_itself() -> None:
    assert count_changes(compare_readings(OLD, OLD, FIELDS)) == dict.fromkeys(CHANGES, 0) | {"same": OLD.height}


def test_nulls_and_records_without_columns() -> None:
    old = pl.DataFrame({"row": [2, 3], "name": ["a", None]})
    new = pl.DataFrame({"row": [2, 3], "name": ["a", "b"]})
    compared = compare_readings(old, new, ["name", "unknown"])
    assert list_changes(compared, 5) == [
        {"row": 3, "column": None, "change": "changed", "fields": {"name": (None, "b")}}
    ]
    assert count_changes(compare_readings(old.clear(), new, ["name"]))["only_new"] == 2


def test_statements_of_one_cell_are_matched_by_their_order_and_rows_are_in_order() -> None:
    old = frame((9, "n", "a", 1), (2, "n", "a", 1), (2, "n", "b", 2))
    new = frame((2, "n", "b", 2), (2, "n", "a", 1), (9, "n", "a", 1))
    compared = compare_readings(old, new, FIELDS)
    assert compared.select("row", "nth", "change").rows() == [(2, 0, "changed"), (2, 1, "changed"), (9, 0, "same")]
    assert compare_readings(old, new, ["value"])["change"].to_list() == ["changed", "changed", "same"]
    assert compare_readings(old, new, ["unknown"])["change"].to_list() == ["same"] * 3
    assert list_changes(compared, 1) == [
        {"row": 2, "column": "n", "change": "changed", "fields": {"concept": ("a", "b"), "value": (1, 2)}}
    ]


def test_what_is_in_one_reading_only_lists_its_fields_against_nothing() -> None:
    only_new = list_changes(compare_readings(OLD.clear(), OLD.head(1), FIELDS), 5)
    assert only_new == [
        {"row": 2, "column": "n", "change": "only_new", "fields": {"concept": (None, "a"), "value": (None, 1)}}
    ]
    assert list_changes(compare_readings(OLD, OLD, FIELDS), 5) == []
