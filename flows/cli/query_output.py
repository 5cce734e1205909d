"""The result of a query as a table, CSV or JSON, printed some rows at a time."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import chain
from typing import Any, Final, Protocol, Self

import typer

from flows.cli.terminal import as_json, is_number, one_line, plain_text, print_text
from flows.spreadsheet import BYTE_ORDER_MARK, defused

SLICE_ROWS: Final = 10_000


class OutputFormat(StrEnum):
    """How a query's result is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Frame(Protocol):
    """What is used of a data frame."""

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""

    @property
    def height(self) -> int:
        """How many rows it has."""

    def iter_slices(self, n_rows: int) -> Iterator[Self]:
        """Yield the frame in parts."""

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows as tuples."""

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the rows as mappings."""


def print_result(result: Frame, form: OutputFormat, *, spreadsheet: bool) -> None:
    """Print a query's result."""
    if form is OutputFormat.JSON:
        _print_json(result)
    elif form is OutputFormat.CSV:
        _print_csv(result, spreadsheet=spreadsheet)
    else:
        _print_table(result)


def _print_json(result: Frame) -> None:
    """Print a list of one object a row, as `print_json` does."""
    between = "[\n"
    for rows in result.iter_slices(SLICE_ROWS):
        if rows.height:
            print_text(between + as_json(rows.to_dicts())[len("[\n") : -len("\n]")], newline=False)
            between = ",\n"
    print_text("\n]" if result.height else "[]")


def _print_csv(result: Frame, *, spreadsheet: bool) -> None:
    """Print exact data; only a terminal gets control characters replaced.

    For a spreadsheet formulas are defused, and the file is as a Norwegian one opens it at a double click.
    """
    safe = sys.stdout.isatty()
    if spreadsheet and not safe:
        typer.echo(BYTE_ORDER_MARK, nl=False)
    parts = (part.rows() for part in result.iter_slices(SLICE_ROWS))
    for rows in chain([[tuple(result.columns)]], parts):
        text = io.StringIO()
        cells = ([_csv_cell(cell, spreadsheet=spreadsheet, safe=safe) for cell in row] for row in rows)
        csv.writer(text, delimiter=";" if spreadsheet else ",", lineterminator="\n").writerows(cells)
        # With `color` nothing is taken for a terminal's colours and left out.
        typer.echo(text.getvalue(), nl=False, color=True)


def _csv_cell(cell: object, *, spreadsheet: bool, safe: bool) -> str:
    text = plain_text(cell)
    if spreadsheet and is_number(cell):
        text = text.replace(".", ",")
    elif spreadsheet:
        text = defused(text)
    return one_line(text) if safe else text


def _print_table(result: Frame) -> None:
    """Print an aligned table: text left, numbers right."""
    widths = [len(name) for name in result.columns]
    numbers = [result.height > 0] * len(widths)
    for cells, row in _lines(result):
        widths = [max(pair) for pair in zip(widths, map(len, cells), strict=True)]
        numbers = [n and (v is None or is_number(v)) for n, v in zip(numbers, row, strict=True)]
    _print_line(list(map(one_line, result.columns)), widths, numbers)
    for cells, _ in _lines(result):
        _print_line(cells, widths, numbers)


def _lines(result: Frame) -> Iterator[tuple[list[str], tuple[Any, ...]]]:
    for part in result.iter_slices(SLICE_ROWS):
        for row in part.rows():
            yield [one_line(plain_text(value)) for value in row], row


def _print_line(cells: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> None:
    aligned = (c.rjust(w) if n else c.ljust(w) for c, w, n in zip(cells, widths, numbers, strict=True))
    print_text("  ".join(aligned).rstrip())
