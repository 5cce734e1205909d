"""Tables that compare reports on a terminal: a row per field, long texts wrapped to the terminal's width."""

import shutil
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, Final

from flows.cli.terminal import is_number, one_line, plain_text, print_text

DEFAULT_WIDTH: Final = 120
"""Columns, where the output is no terminal."""
MAX_TEXT_CHARACTERS: Final = 2_000
"""Characters of a text that are printed; JSON output has all of them."""
COLUMN_GAP: Final = 2
MIN_TEXT_WIDTH: Final = 12
"""Columns of the narrowest wrapped column."""


def print_wrapped(rows: Sequence[dict[str, Any]], names: Sequence[str], wide: Collection[str]) -> None:
    """Print rows as an aligned table of the terminal's width: the `wide` columns share what the others leave."""
    cells = [{name: display_text(row[name]) for name in names} for row in rows]
    widths = _widths(cells, names, wide)
    numbers = {name for name in names if rows and _all_numbers([row[name] for row in rows])}
    for row in ({name: name for name in names}, *cells):
        _print_row(row, widths, numbers)


def _widths(cells: Sequence[dict[str, str]], names: Sequence[str], wide: Collection[str]) -> dict[str, int]:
    widths = {name: max(1, len(name), *(len(row[name]) for row in cells)) for name in names}
    narrow = sum(width + COLUMN_GAP for name, width in widths.items() if name not in wide)
    remaining = shutil.get_terminal_size((DEFAULT_WIDTH, 0)).columns - narrow
    share = max(MIN_TEXT_WIDTH, remaining // max(len(wide), 1) - COLUMN_GAP)
    return widths | {name: min(widths[name], share) for name in wide}


def _all_numbers(values: Sequence[object]) -> bool:
    return all(value is None or is_number(value) for value in values)


def _print_row(row: dict[str, str], widths: dict[str, int], numbers: set[str]) -> None:
    lines = {name: textwrap.wrap(row[name], width) or [""] for name, width in widths.items()}
    for n in range(max(map(len, lines.values()))):
        line = {name: lines[name][n] if n < len(lines[name]) else "" for name in widths}
        aligned = (line[name].rjust(w) if name in numbers else line[name].ljust(w) for name, w in widths.items())
        print_text((" " * COLUMN_GAP).join(aligned).rstrip())


def display_text(value: object) -> str:
    """Return a value as one line: lists comma-separated, bits to two decimals, only the start of a long text."""
    if isinstance(value, float):
        return f"{value:+.2f}"
    text = one_line(", ".join(map(plain_text, value)) if isinstance(value, list) else plain_text(value))
    return text if len(text) <= MAX_TEXT_CHARACTERS else f"{text[:MAX_TEXT_CHARACTERS]} [...] ({len(text)} characters)"
