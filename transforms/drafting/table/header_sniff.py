"""Where a table begins and ends in a grid of cells: titles before it, the rows that name its columns, its footnotes."""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

NUMBER_CELL: Final = re.compile(r"^[-+\u2212]?[\d\s.,'\u00a0\u202f]*\d[\d\s.,'\u00a0\u202f]*%?$")
YEAR: Final = re.compile(r"^(1[89]|20|21)\d\d(\.0)?$")
MOST_HEADER_ROWS: Final = 3
LOOKED_AT: Final = 60
"""Rows among which the header is looked for."""
WIDE_SHARE: Final = 0.5
"""Share of the table's width that a row of it has filled at least."""
FOOTNOTE_CELLS: Final = 1
"""Filled cells of a row of notes, at most, where the table has several columns."""


@dataclass(frozen=True)
class TableSpot:
    """A table in a grid: the numbers of its header rows (the first row is 1), its names, its notes at the end."""

    header_rows: list[int]
    names: list[str]
    footer: int
    evidence: str

    @property
    def first_row(self) -> int:
        """The number of the first row with data."""
        return self.header_rows[-1] + 1


def find_table(grid: list[list[str]]) -> TableSpot | None:
    """Return where the table of a grid is, None if there is none: a row with names, then rows like each other."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in grid]
    if not filled:
        return None
    width = sorted(filled[: 10 * LOOKED_AT])[-max(1, len(filled[: 10 * LOOKED_AT]) // 3)]
    last = _last_header(grid, filled, width)
    if last is None:
        return None
    rows = _header_rows(grid, filled, last)
    names = _names(grid, rows)
    footer = _footer(filled[last + 1 :], width)
    titles = rows[0]
    why = f"row {last + 1} names {sum(map(bool, names))} columns and the rows below it hold figures"
    why += f"; the {titles} rows above are titles" if titles else ""
    why += f"; {len(rows)} rows name the columns together" if len(rows) > 1 else ""
    return TableSpot([row + 1 for row in rows], names, footer, why)


def _last_header(grid: list[list[str]], filled: list[int], width: int) -> int | None:
    """Return the row above the first row of data: the first wide row with names whose next wide row has figures."""
    wide = [n for n, count in enumerate(filled[: LOOKED_AT * 5]) if count >= max(2, WIDE_SHARE * width)]
    without = not any(_has_figures(grid[row]) for row in wide)
    for row, below in pairwise(wide):
        if not _has_figures(grid[row]) and (_has_figures(grid[below]) or without):
            return row
    return wide[0] if wide and not _has_figures(grid[wide[0]]) else None


def _has_figures(row: list[str]) -> bool:
    """Return whether a row has a number that is no year: the names of columns may be years."""
    return any(NUMBER_CELL.match(cell.strip()) and not YEAR.match(cell.strip()) for cell in row)


def _header_rows(grid: list[list[str]], filled: list[int], last: int) -> list[int]:
    """Return the header's rows: those above the last one that name the columns which it leaves empty."""
    rows = [last]
    below = grid[last + 1] if last + 1 < len(grid) else []
    while len(rows) < MOST_HEADER_ROWS and rows[0] > 0 and filled[rows[0] - 1] > 1:
        above = rows[0] - 1
        lacking = _unnamed(below, [grid[row] for row in rows])
        repeated = len(set(filter(None, grid[rows[0]]))) < filled[rows[0]]
        if not repeated and not any(_cell(grid[above], i) for i in lacking):
            break
        rows.insert(0, above)
    return rows


def _unnamed(row: list[str], header: list[list[str]]) -> list[int]:
    """Return the places of the filled cells of a row that no row of the header names."""
    return [i for i, cell in enumerate(row) if cell.strip() and not any(_cell(names, i) for names in header)]


def _cell(row: list[str], place: int) -> str:
    return " ".join(row[place].split()) if place < len(row) else ""


def _names(grid: list[list[str]], rows: list[int]) -> list[str]:
    """Return the columns' names: those of several rows joined, an empty cell taking the name to its left."""
    width = max(len(grid[row]) for row in rows)
    parts: list[list[str]] = []
    for row in rows:
        texts = [_cell(grid[row], i) for i in range(width)]
        if row != rows[-1]:
            for i in range(1, width):
                texts[i] = texts[i] or texts[i - 1]
        parts.append(texts)
    return [" ".join(filter(None, texts)) for texts in zip(*parts, strict=True)]


def _footer(filled: list[int], width: int) -> int:
    """Return how many rows at the end are notes: hardly filled where the table is wide; empty rows are not counted."""
    if width <= FOOTNOTE_CELLS + 1:
        return 0
    notes = 0
    for count in reversed(filled):
        if count > FOOTNOTE_CELLS:
            break
        notes += bool(count)
    return notes
