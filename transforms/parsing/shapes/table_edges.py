"""The edges of a table: names of columns in several rows above it, and notes below it."""

import re
from collections.abc import Sequence

import polars as pl

from schemas.contract import Format
from transforms.clean_text import clean


def joined_names(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return one name for each column: the texts above it, joined by a blank.

    An empty cell of any row but the last takes the text to its left, where the column has a text below it.
    """
    width = max(len(row) for row in rows)
    texts = [[clean(text) for text in row] + [""] * (width - len(row)) for row in rows]
    for number, row in enumerate(texts[:-1]):
        for i in range(1, width):
            if not row[i] and any(below[i] for below in texts[number + 1 :]):
                row[i] = row[i - 1]
    return [" ".join(filter(None, column)) for column in zip(*texts, strict=True)]


def cut_notes(text: bytes, start: int, form: Format) -> tuple[bytes, int]:
    """Return a text whose rows begin at `start` without the notes below them, and how many lines those are."""
    if not (form.until_empty_row or form.skip_footer):
        return text, 0
    end = _first_empty_line(text, start, form) if form.until_empty_row else len(text)
    end = _before_last_lines(text, start, end, form)
    notes = sum(1 for line in text[end:].split(b"\n") if not _is_empty(line, form))
    return text[:end], notes


def _blanks(form: Format) -> bytes:
    return b" \t\r" + form.delimiter.encode()


def _is_empty(line: bytes, form: Format) -> bool:
    return not line.strip(_blanks(form))


def _first_empty_line(text: bytes, start: int, form: Format) -> int:
    """Return where the first empty line below the first row begins, outside quotes; the end if there is none."""
    empty = re.compile(b"(?m)^[" + re.escape(_blanks(form)) + b"]*$")
    quote, open_quotes, seen = (form.quote or "").encode(), 0, start
    first_row = re.compile(b"[^\n" + re.escape(_blanks(form)) + b"]").search(text, start)
    for found in empty.finditer(text, first_row.end() if first_row else len(text)):
        if quote:
            open_quotes += text.count(quote, seen, found.start())
            seen = found.start()
        if open_quotes % 2 == 0 and found.start() < len(text):
            return found.start()
    return len(text)


def _before_last_lines(text: bytes, start: int, end: int, form: Format) -> int:
    """Return where the lines of the footer begin, which ends at `end`; empty ones are not counted."""
    count = form.skip_footer or 0
    while count and end > start:
        begin = max(text.rfind(b"\n", start, end - 1) + 1, start)
        count -= not _is_empty(text[begin:end].rstrip(b"\n"), form)
        end = begin
    return end


def without_notes(rows: pl.DataFrame, form: Format) -> tuple[pl.DataFrame, int]:
    """Return a sheet's rows that are not empty (row, then its cells), without the notes, and how many those are."""
    filled = rows.filter(pl.any_horizontal(pl.exclude("row").str.strip_chars() != ""))
    table = filled
    if form.until_empty_row:
        table = table.filter((pl.col("row") - pl.col("row").first()) == pl.int_range(pl.len()))
    if form.skip_footer:
        table = table.head(max(0, table.height - form.skip_footer))
    return table, filled.height - table.height
