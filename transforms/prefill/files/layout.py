"""What a draft's file holds, whatever its format; and the texts that no draft holds."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from schemas.contract import Contract, Format
from schemas.spreadsheets import FORMULA_STARTS
from transforms.prefill.texts.take_texts import Cells

SOURCES_SHEET: Final = "Sources"
"""The sheet of a workbook that lists where each figure is from."""
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+)?")
_TABLES: Final = ("csv", "sdmx_csv")
"""Formats that a spreadsheet opens and in which any text may run as a formula."""


@dataclass(frozen=True)
class Layout:
    """A file's columns, its rows (column -> text), and which columns hold figures.

    sources: a table, its header first, for formats that have a place for it.
    """

    columns: Sequence[str]
    rows: Sequence[Cells]
    figures: frozenset[str]
    contract: Contract
    sources: Sequence[Sequence[object]] = field(default=())

    @property
    def form(self) -> Format:
        """The format of the contract."""
        return self.contract.format

    def table(self) -> list[list[str]]:
        """Return the texts of each row, in the order of the columns."""
        return [[row.get(column, "") for column in self.columns] for row in self.rows]


def is_writable(text: str, form: Format) -> bool:
    """Return whether a text may stand in a draft: a spreadsheet that opens the file runs none of its cells.

    The text of a row's key cannot be marked as text, as a report is: another text would be another unit or code.
    """
    if not text.isprintable():
        return False
    runs = text.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(text)
    return form.type not in _TABLES or not runs


def plain_decimal(text: str, form: Format) -> Decimal:
    """Return the number that a figure's text is."""
    return Decimal(text.replace(form.decimal, "."))
