"""What a column holds is seen from its values, and from its name where those leave a choice."""

import polars as pl
import pytest

from transforms.drafting.columns import profile_columns, text_columns

PLACES = ["Oslo", "Bergen", "Voss", "Vik", "Bodø", "Moss", "Halden", "Hamar", "Lier", "Ski", "Ås", "Sola"]


def content(name: str, *values: object) -> str:
    """Return what a column holds, in a table that has a key already."""
    table = pl.DataFrame({"id": range(len(values)), name: values}, strict=False)
    (found,) = [p.content for p in profile_columns(text_columns(table)) if p.name == name]
    return found


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("mail", [f"{p}@x.no" for p in PLACES], "email"),
        ("telephone", [f"223344{n}" for n in range(10, 22)], "telephone"),
        ("x", [f"+47 22 33-44 {n}" for n in range(10, 22)], "telephone"),
        ("x", [f"223344{n}" for n in range(10, 22)], "code"),
        ("born", [f"1971-02-{n}" for n in range(10, 22)], "date"),
        ("born", [f"197102{n}" for n in range(10, 22)], "date"),
        ("born", [f"{n}.2.1971" for n in range(10, 22)], "date"),
        ("price", list(range(12)), "number"),
        ("x", [n + 0.5 for n in range(12)], "number"),
        ("x", list(range(12)), "code"),
        ("postcode", [f"0{n}" for n in range(100, 112)], "code"),
        ("state", ["a", "b", "c"] * 10, "category"),
        ("place", PLACES, "name"),
        ("title", [f"The old mill of {p} and its dam" for p in PLACES], "text"),
        (
            "story",
            [f"On that day {p} " + "was as it had been the day before, and all were glad" for p in PLACES],
            "long_text",
        ),
        ("same", ["a"] * 12, "unused"),
        ("empty", [None] * 12, "unused"),
        ("blank", [" "] * 12, "unused"),
        ("source", ["a", "b"] * 6, "reporter"),
        ("x", ["a", "b"] * 6, "category"),
    ],
)
def test_what_a_column_holds(name: str, values: list[object], expected: str) -> None:
    assert content(name, *values, *values[: len(values) // 2]) == expected


def test_one_column_is_the_key() -> None:
    table = pl.DataFrame({"name": PLACES, "case_id": range(12), "other": [f"x{n}" for n in range(12)]})
    assert [p.content for p in profile_columns(text_columns(table))] == ["name", "key", "code"]


def test_shares_are_of_the_records_and_of_the_values() -> None:
    table = pl.DataFrame({"id": range(4), "x": ["a b", "a b", "c d", None]})
    (profile,) = [p for p in profile_columns(text_columns(table)) if p.name == "x"]
    assert (profile.filled, round(profile.distinct, 2), profile.words) == (0.75, 0.67, 2.0)


def test_a_column_of_lists_is_left_out() -> None:
    assert text_columns(pl.DataFrame({"a": [[1]], "b": [" x "]})).to_dict(as_series=False) == {"b": ["x"]}
