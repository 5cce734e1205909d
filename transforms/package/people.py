"""Rows of a package as people open them: every cell a text or a number, and none that a spreadsheet runs."""

from typing import Final

import polars as pl

from schemas.claims import Column
from schemas.spreadsheets import FORMULA_STARTS
from transforms.numbers import decimal_text

CSV_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
_AFTER_SEPARATOR: Final = r"([;\t\r\n]\s*\"?)([=+\-@\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}])"
_LIST_OPENING: Final = len('{"x":')


def csv_columns(columns: tuple[Column, ...]) -> list[pl.Expr]:
    """Return the columns as CSV has them: exact numbers, ISO 8601, lists as JSON.

    A text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    return [_csv_cell(column).alias(column.name) for column in columns]


def defused_text(text: pl.Expr) -> pl.Expr:
    """Return a text with an apostrophe before what a spreadsheet would run as a formula.

    After a separator too: where the list separator is a semicolon, a spreadsheet splits the line there.
    """
    defused = text.str.replace_all(_AFTER_SEPARATOR, "${1}'${2}")
    return pl.when(is_formula(text)).then(pl.concat_str(pl.lit("'"), defused)).otherwise(defused)


def is_formula(text: pl.Expr) -> pl.Expr:
    """Return whether a spreadsheet would run a text as a formula; false for null."""
    return text.str.slice(0, 1).is_in(list(FORMULA_STARTS)).fill_null(False)


def list_as_json(cell: pl.Expr) -> pl.Expr:
    """Return lists as JSON array texts; null for null."""
    text = pl.struct(cell.alias("x")).struct.json_encode().str.slice(_LIST_OPENING)
    return pl.when(cell.is_not_null()).then(text.str.head(-1))


def _csv_cell(column: Column) -> pl.Expr:
    cell, dtype = pl.col(column.name), column.dtype
    if dtype == pl.String:
        text = cell.str.replace_all("\0", " ", literal=True)
        return defused_text(text)
    if isinstance(dtype, pl.Decimal):
        return decimal_text(cell)
    if isinstance(dtype, pl.List):
        return defused_text(list_as_json(cell))
    return cell.dt.to_string(CSV_TIME) if isinstance(dtype, pl.Datetime) else cell
