"""XLS, XLSB and ODS: one sheet to the raw frame. Calamine reads the cells; texts are those that XLSX gives.

These formats show less: a formula without a result is an empty cell, and a time at midnight of XLS
and XLSB is a date.
"""

import io
import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from itertools import islice
from typing import Final

import polars as pl
import python_calamine

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError
from schemas.reading_limits import ReadingLimits
from transforms.numbers import DOUBLE_DIGITS
from transforms.parsing.file_kind import COMPOUND
from transforms.parsing.raw_frame import (
    NO_REJECTS,
    ParseResult,
    check_columns,
    check_count,
    check_width,
    finish_parsing,
    name_columns,
)
from transforms.parsing.real_numbers import plain_number
from transforms.parsing.shapes.table_edges import without_notes
from transforms.parsing.workbook.package import Package, Sheet
from transforms.parsing.xlsx import header_names, read_declared_sheets, unread_sheets

_MEMBER: Final = {"xlsb": "xl/workbook.bin", "ods": "content.xml"}
"""Format -> the member of the package that shows it."""
_EXPECTED: Final = {
    "xls": "an old Excel workbook (.xls)", "xlsb": "a binary Excel workbook (.xlsb)",
    "ods": "an OpenDocument spreadsheet (.ods)",
}  # fmt: skip
_HINT: Final = "Save it again in a spreadsheet program and deliver that, or change format.type in the contract."
_BATCH_ROWS: Final = 20_000
_REPEATED: Final = re.compile(
    rb"<table:table-cell\b(?=[^>]*office:value)[^>]*number-columns-repeated=\"(\d{1,9})\""
    rb"|<table:table-row\b[^>]*number-rows-repeated=\"(\d{1,9})\"[^>]*>(?=\s*<table:table-cell\b[^>]*office:value)"
)
"""Cells, and rows, of an ODS that hold values and stand for several."""


def read_other_workbook(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of one sheet, or of those that the contract declares. Raises `SubmissionError`, `UnreadError`."""
    expected = _EXPECTED[contract.format.type]
    _check_package(data, contract.format, limits)
    try:
        with python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheets = [_sheet(sheet) for sheet in book.sheets_metadata]

            def _read(sheet: Sheet, by: Contract) -> ParseResult:
                return _read_sheet(book, (sheets, sheet), by, limits)

            return read_declared_sheets(sheets, _read, contract)
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        found = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SubmissionError("unreadable", found[:200], expected, _HINT) from error


def _sheet(sheet: python_calamine.SheetMetadata) -> Sheet:
    return Sheet(sheet.name, None, sheet.visible != python_calamine.SheetVisibleEnum.Visible)


def _check_package(data: bytes, form: Format, limits: ReadingLimits) -> None:
    """Raise `SubmissionError` for a file of another kind, or one that unpacks to too much."""
    expected = _EXPECTED[form.type]
    if form.type == "xls":
        if not data.startswith(COMPOUND):
            found = "an archive or a workbook (.zip, .xlsx)" if data.startswith(b"PK") else "no workbook"
            raise SubmissionError("unreadable", found, expected, _HINT)
        return
    package = Package(data, _MEMBER[form.type], expected)
    if form.type != "ods":
        return
    rows, cells = 1, 1
    for place in _REPEATED.finditer(b"".join(package.pieces(_MEMBER["ods"]))):
        cells, rows = max(cells, int(place[1] or 1)), max(rows, int(place[2] or 1))
    check_count(rows * cells, "cells that stand for others", limits.sheet_cells, "ENGANG_READ_SHEET_CELLS")


def _read_sheet(
    book: python_calamine.CalamineWorkbook, sheet: tuple[list[Sheet], Sheet], contract: Contract, limits: ReadingLimits
) -> ParseResult:
    """Return the rows of the second of `sheet`, which is one of the first: all sheets."""
    form, (sheets, chosen) = contract.format, sheet
    cells = _cells(book.get_sheet_by_name(chosen.name), form, limits)
    names = header_names(cells, contract)
    warnings = [
        check_columns(names, contract),
        NO_REJECTS if form.sheets is not None else unread_sheets(sheets, chosen, form.sheet),
    ]
    rows = cells.with_row_index("row", offset=1).with_columns(pl.col("row").cast(pl.Int32))
    rows, notes = without_notes(rows.slice(form.last_header_row()), form)
    raw, unnamed = name_columns(rows, names, contract)
    return finish_parsing(raw, [*warnings, unnamed], nul=True, ignored=notes)


def _cells(sheet: python_calamine.CalamineSheet, form: Format, limits: ReadingLimits) -> pl.DataFrame:
    """Return all cells of a sheet as text, columns "0", "1", ..., from the sheet's first row on."""
    if sheet.start is None or sheet.end is None:
        return pl.DataFrame()
    first, width = sheet.start[0], sheet.end[1] - sheet.start[1] + 1
    check_width(width, limits)
    found = f"cells in a sheet of {sheet.end[0] + 1} rows and {sheet.end[1] + 1} columns,"
    check_count((sheet.end[0] + 1) * (sheet.end[1] + 1), found, limits.sheet_cells, "ENGANG_READ_SHEET_CELLS")
    schema = dict.fromkeys(map(str, range(width)), pl.String)
    empty = [[""] * width] * first
    batches = [pl.DataFrame(empty, schema, orient="row")]
    rows = sheet.iter_rows()
    texts = {float: lambda value: _float_text(value, form), **_TEXTS}
    while batch := [[texts.get(type(cell), str)(cell) for cell in row] for row in islice(rows, _BATCH_ROWS)]:
        batches.append(pl.DataFrame(batch, schema, orient="row"))
    return pl.concat(batches)


def _float_text(value: float, form: Format) -> str:
    return plain_number(f"{value:.{DOUBLE_DIGITS}g}", form)


def _moment_text(value: datetime) -> str:
    return value.isoformat(" ", "microseconds" if value.microsecond else "seconds")


def _span_text(value: timedelta) -> str:
    seconds = round(value.total_seconds())
    return f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"


_TEXTS: Final[dict[type, Callable[..., str]]] = {
    str: lambda value: value,
    bool: lambda value: "true" if value else "false",
    date: date.isoformat,
    datetime: _moment_text,
    time: time.isoformat,
    timedelta: _span_text,
}
"""Type of a cell -> its text."""
