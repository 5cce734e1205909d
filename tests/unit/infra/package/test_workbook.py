"""A workbook has each value as a number or a date where a sheet has it exactly, else as text, and no formula."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from python_calamine import CalamineWorkbook

from infra.package import workbook
from infra.package.workbook import CELL_CHARACTERS, WorkbookSheet, write_workbook


def written(
    folder: Path, *sheets: WorkbookSheet, cover: tuple[tuple[str, str], ...] = ()
) -> dict[str, list[list[Any]]]:
    """Write a workbook and read it again: name of a sheet -> its rows."""
    file = folder / "book.xlsx"
    write_workbook(file, cover, sheets)
    book = CalamineWorkbook.from_path(file)
    return {name: book.get_sheet_by_name(name).to_python(skip_empty_area=False) for name in book.sheet_names}


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (Decimal(123456789012345), 123456789012345.0),
        (Decimal(1234567890123456), "1234567890123456"),
        (Decimal("0.000000001"), 1e-9),
        (Decimal("1.500000000"), 1.5),
        (Decimal(1200000000000000000000), 1.2e21),
        (Decimal("-123456.7890123456"), "-123456.7890123456"),
        (10**15 + 1, "1000000000000001"),
        (float("inf"), "inf"),
        (float("nan"), "nan"),
        (True, True),
        (dt.date(1900, 1, 1), dt.date(1900, 1, 1)),
        (dt.date(1899, 12, 31), "1899-12-31"),
        (dt.datetime(2024, 2, 29, 12, 30), dt.datetime(2024, 2, 29, 12, 30)),
        (dt.datetime(1838, 1, 1), "1838-01-01 00:00:00"),
        ("=1+1", "=1+1"),
        ("@SUM(A1)", "@SUM(A1)"),
        ("https://example.no", "https://example.no"),
        ("x" * (CELL_CHARACTERS + 5), "x" * CELL_CHARACTERS),
    ],
)
def test_a_value_is_what_a_sheet_has_of_it(value: Any, cell: Any, tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": [value]}, {"a": pl.Object}) if isinstance(value, int) else pl.DataFrame({"a": [value]})
    assert written(tmp_path, WorkbookSheet("s", [("a", "")], rows))["s"][1] == [cell]


def test_a_list_is_one_text_and_null_an_empty_cell(tmp_path: Path) -> None:
    rows = pl.DataFrame({"a": [["x", "y"], None, []]})
    found = written(tmp_path, WorkbookSheet("s", [("a", "")], rows))["s"]
    assert [row[0] for row in found[:3]] == ["a", "x; y", ""]


def test_the_cover_comes_first_and_a_note_above_its_rows(tmp_path: Path) -> None:
    sheet = WorkbookSheet("s", [("a", ""), ("b", "")], pl.DataFrame({"a": ["1"], "b": ["2"]}), "the first of many")
    found = written(tmp_path, sheet, cover=(("Title", "=cmd()"), ("", "")))
    assert list(found) == ["About", "s"]
    assert found["About"][0] == ["Title", "=cmd()"]
    assert found["s"][0][0] == "the first of many"
    assert found["s"][1:] == [["a", "b"], ["1", "2"]]


def test_a_sheet_without_rows_has_its_head(tmp_path: Path) -> None:
    rows = pl.DataFrame(schema={"a": pl.String})
    assert written(tmp_path, WorkbookSheet("s", [("a", "")], rows))["s"] == [["a"]]


def test_each_sheet_has_a_name_that_is_possible_and_its_own() -> None:
    taken = {"about"}
    names = ["About", "a/b[c]:d*e?f\\g'h", "x" * 40, "X" * 40, "x" * 31, "a_b"]
    found = [workbook._free_name(name, taken) for name in names]  # noqa: SLF001
    assert found == ["About_1", "a_b_c__d_e_f_g_h", "x" * 31, "X" * 27 + "_1", "x" * 27 + "_2", "a_b"]
    assert len({name.lower() for name in found}) == len(found)
    assert max(map(len, found)) <= 31
