"""The text of a source: several columns, zeros before codes, maps with a default."""

from typing import Any

import polars as pl
import pytest

from schemas.contract import Take
from transforms.normalisation.texts.take_text import mapped_text, padded, source_text


def texts(rows: list[tuple[str, ...]], **keys: Any) -> list[str | None]:
    """Return the text of a source for rows of columns a and b."""
    frame = pl.DataFrame(rows, {"a": pl.String, "b": pl.String}, orient="row")
    return frame.select(mapped_text(Take(**keys)).alias("text"))["text"].to_list()


def test_several_columns_are_joined_each_with_zeros_before_it() -> None:
    rows = [("1", "3"), ("46", "113"), ("", "3"), ("1", ""), ("x", "3")]
    assert texts(rows, columns=["a", "b"], pad=[2, 3]) == ["01003", "46113", "", "", "x003"]
    assert texts(rows[:1], columns=["a", "b"], between="-") == ["1-3"]
    assert texts(rows[:1], columns=["b", "a"], pad=2, between="") == ["0301"]


def test_a_part_of_a_cell_may_be_what_is_read() -> None:
    rows = [("301 Oslo", ""), ("K-1103 Stavanger", ""), ("Oslo", ""), ("", ""), ("5001", "")]
    found = texts(rows, column="a", extract="^(?:K-)?([0-9]+) .*", pad=4)
    assert found == ["0301", "1103", "Oslo", "", "5001"]


def test_zeros_are_put_before_digits_alone() -> None:
    assert texts([("301", ""), ("0301", ""), ("30100", ""), ("Oslo", ""), ("-3", "")], column="a", pad=4) == [
        "0301", "0301", "30100", "Oslo", "-3",
    ]  # fmt: skip
    assert pl.DataFrame({"a": ["7"]}).select(padded(pl.col("a"), 0))["a"].to_list() == ["7"]


def test_a_map_may_have_a_default_or_leave_other_codes_as_they_are() -> None:
    rows = [("m", ""), ("f", ""), ("?", ""), ("", "")]
    assert texts(rows, column="a", map={"m": "men"}) == ["men", None, None, None]
    assert texts(rows, column="a", map={"m": "men"}, map_default="other") == ["men", "other", "other", ""]
    assert texts(rows, column="a", map={"m": "men"}, unmapped="keep") == ["men", "f", "?", ""]
    assert texts(rows, column="a", map={"m": "men", "": "none"}, map_default="other")[3] == "none"


def test_a_map_looks_at_the_joined_text() -> None:
    assert texts([("1", "3")], columns=["a", "b"], pad=[2, 3], map={"01003": "x"}) == ["x"]


def test_a_constant_and_an_option_have_no_columns() -> None:
    frame = pl.DataFrame({"sender": ["me"], "option_period": ["2024"]})
    for take, text in ((Take(value=" a "), "a"), (Take(option="sender"), "me"), (Take(option="period"), "2024")):
        assert frame.select(source_text(take).alias("text"))["text"].to_list() == [text]


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"column": "a", "columns": ["b"]}, "give exactly one of column, columns, value, option"),
        ({"columns": []}, "give exactly one of column, columns, value, option"),
        ({"columns": ["a", "b"], "pad": [2]}, "pad: give one width"),
        ({"column": "a", "pad": 99}, "pad: give one width of at most 32"),
        ({"value": "a", "pad": [2]}, "pad: give one width"),
        ({"column": "a", "map_default": "x"}, "map_default and unmapped are for a `map`"),
        ({"column": "a", "map": {}, "map_default": "x", "unmapped": "keep"}, "not both"),
    ],
)
def test_keys_that_do_not_fit_are_errors(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Take(**keys)
