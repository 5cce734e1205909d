"""Drafts that are tables: CSV, SDMX-CSV, workbooks and Parquet."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from itertools import groupby
from typing import Final, Literal, Protocol

import polars as pl

from schemas.errors import UsageError
from transforms.numbers import DOUBLE_DIGITS
from transforms.prefill.files.layout import SOURCES_SHEET, Layout, plain_decimal
from transforms.prefill.rows import named_by_pattern

_CREATED: Final = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
"""The creation time in every workbook: its bytes do not depend on the clock."""
_STRUCTURE: Final = {"STRUCTURE": "dataflow", "STRUCTURE_ID": ""}
_NOTE: Final = "-"
_SHEET_CHARACTERS: Final = 31


def csv_bytes(layout: Layout) -> bytes:
    """Return the draft as CSV in the contract's dialect and encoding. Raises `UsageError` where that has no way."""
    form = layout.form
    records = [*_above(layout), *layout.table(), *_below(layout)]
    text = io.StringIO()
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE
    writer = csv.writer(
        text, delimiter=form.delimiter, quotechar=form.quote or '"', quoting=quoting, lineterminator="\r\n"
    )
    try:
        writer.writerows(records)
    except csv.Error:
        raise UsageError("a text of the draft has the delimiter in it, and the form has no quotes") from None
    return encoded(text.getvalue(), layout)


def sdmx_csv_bytes(layout: Layout) -> bytes:
    """Return the draft as SDMX-CSV 2.0, whose first columns name the structure: the contract."""
    first = {**_STRUCTURE, "STRUCTURE_ID": layout.contract.contract}
    columns = [*first, *(name for name in layout.columns if name not in first)]
    rows = [row | first for row in layout.rows]
    form = layout.form.model_copy(update={"delimiter": ",", "quote": '"', "header_row": 1, "header_rows": None})
    contract = layout.contract.model_copy(update={"format": form})
    return csv_bytes(Layout(columns, rows, layout.figures, contract))


def encoded(text: str, layout: Layout) -> bytes:
    """Return a text in the contract's encoding; `UsageError` if it has a letter that the encoding lacks."""
    try:
        return text.encode(layout.form.encoding)
    except UnicodeEncodeError:
        raise UsageError(f"a text of the draft cannot be written in {layout.form.encoding}") from None


def parquet_bytes(layout: Layout) -> bytes:
    """Return the draft as Parquet, all cells text in the contract's notation."""
    content = io.BytesIO()
    schema = dict.fromkeys(layout.columns, pl.String)
    pl.DataFrame(layout.table(), schema=schema, orient="row").write_parquet(content)
    return content.getvalue()


def workbook_bytes(layout: Layout) -> bytes:
    """Return the draft as XLSX: figures as numbers, all else as text, no formula; and its sources, if any, on a sheet.

    Raises `UsageError` if the contract reads several sheets that the draft cannot all fill.
    """
    import xlsxwriter  # only where a draft is a workbook

    content = io.BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"created": _CREATED})
    for name, rows in _sheets(layout):
        part = Layout([c for c in layout.columns if c not in layout.form.sheet_columns()], rows, layout.figures,
                      layout.contract)  # fmt: skip
        sheet = book.add_worksheet(name)
        for number, record in enumerate([*_above(part), *part.table(), *_below(part)]):
            for column, text in enumerate(record):
                is_figure = column < len(part.columns) and part.columns[column] in part.figures
                _write(sheet, (number, column), text, part, is_figure=is_figure)
    if layout.sources:
        sheet = book.add_worksheet(SOURCES_SHEET)
        for number, row in enumerate(layout.sources):
            for column, value in enumerate(row):
                if value is not None:
                    sheet.write_string(number, column, str(value))
    book.close()
    return content.getvalue()


class _Sheet(Protocol):
    """What is used of a sheet: xlsxwriter has no types."""

    def write_number(self, row: int, col: int, number: float) -> int:
        """Write a number into a cell."""

    def write_string(self, row: int, col: int, string: str) -> int:
        """Write a text into a cell."""


def _write(sheet: _Sheet, place: tuple[int, int], text: str, layout: Layout, *, is_figure: bool) -> None:
    digits = sum(character.isdigit() for character in text)
    if is_figure and text and digits <= DOUBLE_DIGITS:
        try:
            sheet.write_number(*place, float(plain_decimal(text, layout.form)))
        except ArithmeticError:
            sheet.write_string(*place, text)  # the name of a column
    elif text:
        sheet.write_string(*place, text)


def _sheets(layout: Layout) -> list[tuple[str | None, Sequence[dict[str, str]]]]:
    """Return the sheets that the contract reads: name, rows."""
    form = layout.form
    if form.sheets is None:
        return [(form.sheet, layout.rows)]
    if isinstance(form.sheets, dict) and any(form.sheets.values()):
        raise UsageError("the sheets of the form have columns of their own, and a draft cannot fill in such sheets")
    ordered = sorted(layout.rows, key=lambda row: _sheet_name(row, layout) or "")
    found = {name: list(rows) for name, rows in groupby(ordered, key=lambda row: _sheet_name(row, layout))}
    wanted = set(found) if isinstance(form.sheets, str) else set(form.sheets)
    if None in found or set(found) != wanted:
        raise UsageError("the form has several sheets, and the draft cannot fill in each of them")
    return sorted(found.items(), key=lambda sheet: str(sheet[0]))


def _sheet_name(row: dict[str, str], layout: Layout) -> str | None:
    form = layout.form
    if form.sheet_column and form.sheet_column in row:
        return row[form.sheet_column][:_SHEET_CHARACTERS]
    if isinstance(form.sheets, str):
        return named_by_pattern(form.sheets, row)
    return next(iter(form.sheets)) if form.sheets is not None and len(form.sheets) == 1 else None


def _above(layout: Layout) -> list[list[str]]:
    """Return the records up to the header: the title, empty ones, the names of the columns."""
    form = layout.form
    empty = [""] * len(layout.columns)
    above = [list(empty) for _ in range(form.last_header_row() - 1)]
    if above and not form.header_rows:
        above[0][0] = layout.contract.title.nb
    return [*above, list(layout.columns)]


def _below(layout: Layout) -> list[list[str]]:
    """Return as many notes as the contract passes over at the end of a file."""
    return [[_NOTE] + [""] * (len(layout.columns) - 1)] * (layout.form.skip_footer or 0)
