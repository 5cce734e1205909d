"""Text as a spreadsheet takes it: no cell of it is run as a formula, and a Norwegian one opens it at a double click."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from schemas.spreadsheets import FORMULA_STARTS

BYTE_ORDER_MARK: Final = "\ufeff"
"""Marks a file as UTF-8 for a spreadsheet."""


def defused(text: str) -> str:
    """Return a text that a spreadsheet shows and never runs."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def spreadsheet_csv(rows: Iterable[Sequence[object]]) -> str:
    """Return rows of texts and whole numbers as CSV for a spreadsheet, with formulas defused; None is an empty cell."""
    text = io.StringIO()
    cells = ([_cell(value) for value in row] for row in rows)
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerows(cells)
    return BYTE_ORDER_MARK + text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else defused(str(value).replace("\0", " "))
