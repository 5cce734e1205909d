"""How wide the columns of a printed table are, so that it fits a terminal."""

import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

LEAST_WIDTH: Final = 12
"""Characters that a column of texts keeps, however narrow the terminal."""
BETWEEN: Final = "  "
CUT: Final = "…"


def terminal_width() -> int | None:
    """Return how many characters a line of the terminal has; None where nobody looks: in a file or a pipe."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def fitting_widths(widths: Sequence[int], may_shrink: Sequence[bool], room: int | None) -> list[int]:
    """Return the widths of columns that fit into a line: the widest that may shrink do, evenly, to the least width."""
    if room is None:
        return list(widths)
    room -= len(BETWEEN) * (len(widths) - 1)
    found = list(widths)
    while sum(found) > room:
        wide = [n for n, width in enumerate(found) if may_shrink[n] and width > LEAST_WIDTH]
        if not wide:
            break
        found[max(wide, key=lambda n: found[n])] -= 1
    return found


def fitted_lines(line: Sequence[str], widths: Sequence[int], cut: Sequence[bool]) -> Iterator[str]:
    """Yield the lines of a row of cells: those that are too long go on below, or are cut."""
    parts = [
        [shortened(cell.rstrip(), width)] if is_cut else wrapped(cell.rstrip(), width)
        for cell, width, is_cut in zip(line, widths, cut, strict=True)
    ]
    for texts in zip_longest(*parts, fillvalue=""):
        yield BETWEEN.join(text.ljust(width) for text, width in zip(texts, widths, strict=True)).rstrip()


def wrapped(cell: str, width: int) -> list[str]:
    """Return a cell's lines of at most this width."""
    return textwrap.wrap(cell, width, break_on_hyphens=False) or [""] if len(cell) > width else [cell]


def shortened(cell: str, width: int) -> str:
    """Return a cell of at most this width, cut at its end."""
    return cell if len(cell) <= width else f"{cell[: max(width - 1, 0)].rstrip()}{CUT}"
