"""Cells for people: no text that a spreadsheet runs, wherever it splits the line."""

import datetime as dt
import json
from decimal import Decimal

import polars as pl
import pytest

from schemas.claims import Column
from transforms.package.people import csv_columns, is_formula, list_as_json


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("Oslo;=HYPERLINK(A1)", "Oslo;'=HYPERLINK(A1)"),
        ('a; "+1', "a; \"'+1"),
        ("a\tb\t@x", "a\tb\t'@x"),
        ("=1;=2", "'=1;'=2"),
        ("a\r\nb", "a\r\nb"),
        ("a;\uff1dx", "a;'\uff1dx"),
        ("a=1; b-2", "a=1; b-2"),
    ],
)
def test_what_a_spreadsheet_would_run_after_a_separator_is_text(text: str, cell: str) -> None:
    columns = (Column("c", pl.String, ""), Column("l", pl.List(pl.String), ""))
    shown = pl.DataFrame({"c": [text], "l": [[text]]}).select(csv_columns(columns))
    assert shown["c"].item() == cell
    listed = json.loads(shown["l"].item())[0]
    assert listed in {text, cell.removeprefix("'")}


def test_numbers_and_dates_are_exact_and_nothing_is_empty() -> None:
    columns = (
        Column("d", pl.Decimal(38, 10), ""), Column("t", pl.Datetime("us"), ""), Column("n", pl.Int64, ""),
        Column("s", pl.String, ""), Column("l", pl.List(pl.String), ""),
    )  # fmt: skip
    rows = {
        "d": [Decimal("1234.50"), None],
        "t": [dt.datetime(2025, 1, 2, 3, 4, 5, 600_000), None],
        "n": [-3, None],
        "s": ["a\0b", None],
        "l": [["x", 'y"'], None],
    }
    shown = pl.DataFrame(rows, schema={column.name: column.dtype for column in columns}).select(csv_columns(columns))
    assert shown.row(0) == ("1234.5", "2025-01-02T03:04:05Z", -3, "a b", '["x","y\\""]')
    assert shown.row(1) == (None, None, None, None, None)


@pytest.mark.parametrize(
    ("text", "runs"), [("=1", True), ("-1", True), ("a=1", False), ("", False), (" =1", False), (None, False)]
)
def test_only_a_text_that_begins_so_is_a_formula(text: str | None, runs: bool) -> None:
    assert pl.DataFrame({"t": [text]}, schema={"t": pl.String}).select(is_formula(pl.col("t"))).item() is runs


def test_a_list_is_a_json_array_of_its_own() -> None:
    lists = pl.DataFrame({"l": [["a", "]}"], [], None]}, schema={"l": pl.List(pl.String)})
    assert lists.select(list_as_json(pl.col("l"))).to_series().to_list() == ['["a","]}"]', "[]", None]
