"""Reports side by side on a terminal: a row a field, differences marked, long texts wrapped."""

import shutil
import textwrap
from collections.abc import Collection, Sequence
from typing import Any, Final

import typer

from flows.cli.terminal import is_number, one_line, plain

WIDTH: Final = 120
"""Columns of a terminal that does not say how many it has: a pipe."""
LONGEST: Final = 2_000
"""Characters of a text that are shown: JSON has all of it."""
GAP: Final = 2
LEAST: Final = 12
"""Columns of the narrowest column of text."""


def show_wrapped(rows: Sequence[dict[str, Any]], names: Sequence[str], wide: Collection[str]) -> None:
    """Print rows as an aligned table of the terminal's width: the `wide` columns share what the others leave."""
    cells = [{name: shown(row[name]) for name in names} for row in rows]
    widths = _widths(cells, names, wide)
    numbers = {name for name in names if rows and _numbers([row[name] for row in rows])}
    for row in ({name: name for name in names}, *cells):
        _print(row, widths, numbers)


def _widths(cells: Sequence[dict[str, str]], names: Sequence[str], wide: Collection[str]) -> dict[str, int]:
    widths = {name: max(1, len(name), *(len(row[name]) for row in cells)) for name in names}
    left = shutil.get_terminal_size((WIDTH, 0)).columns - sum(w + GAP for n, w in widths.items() if n not in wide)
    share = max(LEAST, left // max(len(wide), 1) - GAP)
    return widths | {name: min(widths[name], share) for name in wide}


def _numbers(values: Sequence[object]) -> bool:
    return all(value is None or is_number(value) for value in values)


def _print(row: dict[str, str], widths: dict[str, int], numbers: set[str]) -> None:
    lines = {name: textwrap.wrap(row[name], width) or [""] for name, width in widths.items()}
    for n in range(max(map(len, lines.values()))):
        told = {name: lines[name][n] if n < len(lines[name]) else "" for name in widths}
        aligned = (told[n].rjust(w) if n in numbers else told[n].ljust(w) for n, w in widths.items())
        typer.echo((" " * GAP).join(aligned).rstrip())


def shown(value: object) -> str:
    """Return a value as one line: lists by comma, a number of bits to two decimals, the beginning of a long text."""
    if isinstance(value, float):
        return f"{value:+.2f}"
    told = one_line(", ".join(map(plain, value)) if isinstance(value, list) else plain(value))
    return told if len(told) <= LONGEST else f"{told[:LONGEST]} [...] ({len(told)} characters)"
