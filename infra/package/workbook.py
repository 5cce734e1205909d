"""A package as one workbook for people: a cover, the notes, then one table a sheet, each with bounded rows."""

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import polars as pl
import xlsxwriter

from schemas.spreadsheets import FORMULA_STARTS

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

WORKBOOK_ROWS: Final = 5_000
"""As many rows of a table are in the workbook; the cover states how many there are."""
CELL_CHARACTERS: Final = 32_767
"""The longest text that a cell holds."""
EXACT_DIGITS: Final = 15
"""Digits that a number of a spreadsheet keeps; a longer one is written as text."""
FIRST_SHEET_YEAR: Final = 1900
"""The first year of which a spreadsheet has dates; an earlier day is written as text."""
_SHEET_NAME: Final = 31
_COLUMN_WIDTH: Final = 18
_NOT_IN_NAMES: Final = re.compile(r"[\[\]:*?/\\']")


class WorkbookSheet(NamedTuple):
    """One sheet: its name, the names of its columns with what they mean, its rows, and a note above them, if any."""

    name: str
    columns: Sequence[tuple[str, str]]
    rows: pl.DataFrame
    note: str | None = None


def write_workbook(file: Path, cover: Sequence[tuple[str, str]], sheets: Iterable[WorkbookSheet]) -> None:
    """Write a workbook: `cover` as the first sheet, line by line, then the sheets. No text of it is a formula."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(file), options) as book:
        formats = _formats(book)
        page = book.add_worksheet("About")
        page.set_column(0, 0, _COLUMN_WIDTH)
        page.set_column(1, 1, 6 * _COLUMN_WIDTH)
        for at, (name, text) in enumerate(cover):
            _write_cell(page, (at, 0), name, formats)
            _write_cell(page, (at, 1), text, formats)
        names = {"about"}
        for sheet in sheets:
            _write_sheet(book, sheet, _free_name(sheet.name, names), formats)


def _formats(book: "Workbook") -> dict[str, Any]:
    return {
        "head": book.add_format({"bold": True, "text_wrap": True, "valign": "top"}),
        "text": book.add_format({"quote_prefix": True}),
        "date": book.add_format({"num_format": "yyyy-mm-dd"}),
        "time": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        "note": book.add_format({"italic": True}),
    }


def _write_sheet(book: "Workbook", sheet: WorkbookSheet, name: str, formats: dict[str, Any]) -> None:
    page, top = book.add_worksheet(name), 0
    page.set_column(0, max(len(sheet.columns) - 1, 0), _COLUMN_WIDTH)
    if sheet.note is not None:
        page.write_string(0, 0, sheet.note, formats["note"])
        top = 1
    page.freeze_panes(top + 1, 0)
    page.autofilter(top, 0, top + max(sheet.rows.height, 1), max(len(sheet.columns) - 1, 0))
    for column, (title, _) in enumerate(sheet.columns):
        page.write_string(top, column, title, formats["head"])
    for at, row in enumerate(sheet.rows.iter_rows(), top + 1):
        for column, value in enumerate(row):
            if value is not None:
                _write_cell(page, (at, column), value, formats)


def _write_cell(page: "Worksheet", cell: tuple[int, int], value: object, formats: dict[str, Any]) -> None:
    if isinstance(value, bool):
        page.write_boolean(*cell, value)
    elif isinstance(value, int | float | Decimal) and _is_exact(value):
        page.write_number(*cell, float(value))
    elif isinstance(value, date) and value.year >= FIRST_SHEET_YEAR:
        page.write_datetime(*cell, value, formats["time" if isinstance(value, datetime) else "date"])
    else:
        text = _text_of(value)[:CELL_CHARACTERS]
        page.write_string(*cell, text, formats["text"] if text.startswith(FORMULA_STARTS) else None)


def _is_exact(number: float | Decimal) -> bool:
    if isinstance(number, float):
        return number - number == 0  # no NaN, no infinity: a sheet has neither
    return len(Decimal(number).normalize().as_tuple().digits) <= EXACT_DIGITS


def _text_of(value: object) -> str:
    if isinstance(value, list):
        return "; ".join(str(each) for each in value)
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)


def _free_name(name: str, taken: set[str]) -> str:
    """Return a name that a sheet may have and none has yet, and add it to those taken."""
    plain = _NOT_IN_NAMES.sub("_", name)
    candidates = (plain[:_SHEET_NAME], *(f"{plain[: _SHEET_NAME - 4]}_{n}" for n in range(1, 1000)))
    free = next(candidate for candidate in candidates if candidate.lower() not in taken)
    taken.add(free.lower())
    return free
