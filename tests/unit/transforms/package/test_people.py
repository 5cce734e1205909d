"""Cells for people: no text that a spreadsheet runs, wherever it splits the line."""

import json

import polars as pl
import pytest

from schemas.claims import Column
from transforms.package.people import csv_columns


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
