"""Which value of a field is published, and where reports differ by more than the tolerance."""

import datetime as dt
import random
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.kind import FieldSpec
from transforms.records.survivorship import conflicting_items, surviving_value, value_text


def spec(field_type: str, **declared: Any) -> FieldSpec:
    return FieldSpec.model_validate({"type": field_type, "role": "attribute", "doc": "x", **declared})


def votes(field: FieldSpec, *rows: tuple[str, Any, int | None]) -> pl.LazyFrame:
    """Return votes from item, value and the day it was reported; the order of rows is that of reports."""
    at = [None if day is None else dt.datetime(2024, 1, day) for _, _, day in rows]
    return pl.LazyFrame(
        {
            "item_id": [item for item, _, _ in rows],
            "v": pl.Series([value for _, value, _ in rows], dtype=field.dtype()),
            "reported_at": pl.Series(at, dtype=pl.Datetime("us")),
            "_rank": pl.Series(range(len(rows)), dtype=pl.UInt32),
        },
        schema_overrides={"item_id": pl.String},
    )


def surviving(field: FieldSpec, *rows: tuple[str, Any, int | None]) -> dict[str, Any]:
    """Return the published value by item, which does not depend on the order in which votes are stored."""
    stored = votes(field, *rows).collect()
    orders = (stored, stored.reverse(), stored.sample(fraction=1, shuffle=True, seed=3))
    found = [dict(surviving_value(o.lazy(), "v", field).collect().sort("item_id").iter_rows()) for o in orders]
    assert found[0] == found[1] == found[2]
    return found[0]


def conflicting(field: FieldSpec, *values: Any) -> bool:
    rows = [("x", value, 1) for value in values]
    random.Random(2).shuffle(rows)
    found = conflicting_items(votes(field, *rows), "v", field).collect()
    assert found.rows() in ([], [("x", "v")])
    return bool(found.height)


def test_the_value_of_most_reports_survives_and_the_order_breaks_ties() -> None:
    code = spec("code")
    assert surviving(code, ("x", "b", 1), ("x", "a", 1), ("x", "a", 1)) == {"x": "a"}
    assert surviving(code, ("x", "b", 1), ("x", "a", 1)) == {"x": "b"}
    assert surviving(code, ("x", "c", 1), ("x", "a", 1), ("x", "b", 1), ("x", "b", 1), ("x", "a", 1)) == {"x": "a"}
    assert surviving(code, ("x", "a", 1), ("y", "b", 1)) == {"x": "a", "y": "b"}


def test_an_empty_field_has_no_vote() -> None:
    assert surviving(spec("code"), ("x", None, 1), ("x", None, 1), ("x", "a", 1), ("y", None, 1)) == {"x": "a"}
    assert surviving(spec("code", survives="first"), ("x", None, 1), ("x", "a", 2)) == {"x": "a"}
    assert surviving(spec("code")) == {}


def test_lists_of_the_same_elements_are_one_value() -> None:
    rows = [("x", ["c"], 1), ("x", ["a", "b"], 1), ("x", ["a", "b"], 1), ("x", [], 1)]
    assert surviving(spec("list"), *rows) == {"x": ["a", "b"]}


@pytest.mark.parametrize(("survives", "expected"), [("first", "b"), ("last", "c")])
def test_first_and_last_are_by_the_time_of_the_report(survives: str, expected: str) -> None:
    rows = [("x", "z", None), ("x", "a", 2), ("x", "b", 1), ("x", "c", 3), ("x", "d", 3), ("x", "e", 1)]
    assert surviving(spec("code", survives=survives), *rows) == {"x": expected}
    assert surviving(spec("code", survives=survives), ("x", "z", None), ("x", "y", None)) == {"x": "z"}


def test_the_longest_is_counted_in_characters_or_elements() -> None:
    longest = spec("text", survives="longest")
    assert surviving(longest, ("x", "abc", 1), ("x", "æøå", 1), ("x", "abcd", 1), ("x", "wxyz", 1)) == {"x": "abcd"}
    assert surviving(longest, ("x", "abc", 1), ("x", "øø", 1)) == {"x": "abc"}
    assert surviving(spec("list", survives="longest"), ("x", ["long"], 1), ("x", ["a", "b"], 1)) == {"x": ["a", "b"]}


@pytest.mark.parametrize(("survives", "expected"), [("greatest", 10), ("least", -2)])
def test_greatest_and_least(survives: str, expected: int) -> None:
    rows = [("x", 9, 1), ("x", 10, 1), ("x", None, 1), ("x", -2, 1)]
    assert surviving(spec("integer", survives=survives), *rows) == {"x": expected}


def test_a_text_survives_in_every_version_in_the_order_of_reports() -> None:
    text = spec("text", role="text")
    rows = [("x", "b", 1), ("x", "a", 1), ("x", "b", 1), ("y", "c", 1), ("x", None, 1), ("z", None, 1)]
    assert surviving(text, *rows) == {"x": ["b", "a"], "y": ["c"]}
    assert not conflicting(text, "a", "b")


@pytest.mark.parametrize(
    ("field", "near", "far"),
    [
        (spec("code"), ["a", "a", None], ["a", "b"]),
        (spec("list"), [["a", "b"], ["b", "a"]], [["a"], ["a", "b"]]),
        (spec("integer", tolerance=2), [1, 2, 3], [1, 2, 4]),
        (spec("number", tolerance=0.1), [Decimal("0.1"), Decimal("0.2")], [Decimal("0.1"), Decimal("0.200000001")]),
        (spec("number"), [Decimal("0.1"), Decimal("0.10")], [Decimal("0.1"), Decimal("0.100000001")]),
        (
            spec("datetime", tolerance=0.5),
            [dt.datetime(2024, 1, 1, 0, 0, 0), dt.datetime(2024, 1, 1, 0, 0, 30)],
            [dt.datetime(2024, 1, 1, 0, 0, 0), dt.datetime(2024, 1, 1, 0, 0, 30, 1)],
        ),
        (
            spec("datetime", tolerance=10),
            [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 0, 10)],
            [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 0, 10, 0, 1)],
        ),
        (
            spec("date", tolerance=1440),
            [dt.date(2024, 1, 1), dt.date(2024, 1, 2)],
            [dt.date(2024, 1, 1), dt.date(2024, 1, 3)],
        ),
        (spec("boolean"), [True, True], [True, False]),
        (spec("integer", tolerance=2), [None, None], [-3, 0]),
    ],
)
def test_a_conflict_is_a_difference_beyond_the_tolerance(field: FieldSpec, near: list[Any], far: list[Any]) -> None:
    assert not conflicting(field, *near)
    assert conflicting(field, *far)


def test_conflicts_are_found_item_by_item() -> None:
    code = spec("code")
    found = conflicting_items(votes(code, ("x", "a", 1), ("y", "b", 1), ("y", "c", 1)), "v", code).collect()
    assert found.rows() == [("y", "v")]
    assert conflicting_items(votes(code), "v", code).collect().height == 0


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        (spec("number"), Decimal("1.500000000"), "1.5"),
        (spec("number"), Decimal(1000), "1000"),
        (spec("list"), ["b", "a"], "b, a"),
        (spec("datetime"), dt.datetime(2024, 1, 2, 3, 4, 5), "2024-01-02T03:04:05"),
        (spec("date"), dt.date(2024, 1, 2), "2024-01-02"),
        (spec("integer"), -7, "-7"),
        (spec("boolean"), True, "true"),
        (spec("code"), "x", "x"),
        (spec("number"), None, None),
    ],
)
def test_values_as_text(field: FieldSpec, value: Any, text: str | None) -> None:
    frame = pl.DataFrame({"v": pl.Series([value], dtype=field.dtype())})
    assert frame.select(value_text("v", field)).item() == text
