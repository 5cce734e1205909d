"""Charts as shapes of an SVG picture that its template draws: bars, steps, columns, a heat map.

No chart codes by colour alone: each bar and cell has its figure as text, parts differ in pattern too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Final

MOST_DRAWN: Final = 24
"""Bars of a chart, and rows and columns of a heat map; the table beneath has more."""
LABEL_LENGTH: Final = 36
HEAT_CHARACTERS: Final = 30
NAME_SPACE: Final = 290
BAR_SPACE: Final = 430
FIGURE_SPACE: Final = 150
LINE_HEIGHT: Final = 32
BAR_THICKNESS: Final = 20
HEAT_CELL: Final = 78
HATCHED: Final = frozenset({"known", "taken", "late", "near"})
"""Classes of shapes that have a pattern besides their colour."""
HEAT_LEVELS: Final = 5
"""Shades of a heat map, the first for nothing."""


@dataclass(frozen=True)
class BarShape:
    """A rectangle; css: the class that fills it."""

    x: float
    y: float
    width: float
    height: float
    css: str


@dataclass(frozen=True)
class Label:
    """A text at a point; anchor: start, middle or end."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    css: str = ""


@dataclass(frozen=True)
class Drawing:
    """A picture. name: unique in its page; title and description are read out."""

    name: str
    title: str
    description: str
    width: int
    height: int
    bars: tuple[BarShape, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True)
class BarRow:
    """One row of a bar chart: its name, its parts from left to right as (class, amount), what is written behind it."""

    name: str
    parts: tuple[tuple[str, float], ...]
    figure: str


def shorten(text: str, characters: int = LABEL_LENGTH) -> str:
    """Return a text that is not longer than so many characters."""
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


def draw_bars(name: str, titles: tuple[str, str], rows: Sequence[BarRow]) -> Drawing:
    """Return horizontal bars of one scale. titles: title and description."""
    rows = rows[:MOST_DRAWN]
    scale = BAR_SPACE / max((sum(amount for _, amount in row.parts) for row in rows), default=1) if rows else 1
    bars, labels = [], []
    for number, row in enumerate(rows):
        top = number * LINE_HEIGHT
        ends = list(accumulate((amount * scale for _, amount in row.parts), initial=float(NAME_SPACE)))
        for (css, _), (start, end) in zip(row.parts, pairwise(ends), strict=True):
            if end > start:
                bars.append(BarShape(round(start, 1), top + 6, round(end - start, 1), BAR_THICKNESS, css))
        labels += [Label(0, top + 21, shorten(row.name)), Label(round(ends[-1] + 8, 1), top + 21, row.figure)]
    return _drawing(name, titles, (NAME_SPACE + BAR_SPACE + FIGURE_SPACE, len(rows) * LINE_HEIGHT), bars, labels)


def draw_steps(name: str, titles: tuple[str, str], rows: Sequence[tuple[str, float, str]]) -> Drawing:
    """Return a waterfall: the first row is the whole, the last what remains; each between takes its part away.

    rows: name, amount, what is written.
    """
    whole = rows[0][1] if rows else 0
    scale = BAR_SPACE / whole if whole else 1
    bars, labels, rest = [], [], float(whole)
    for number, (text, amount, figure) in enumerate(rows):
        top, is_end = number * LINE_HEIGHT, number in {0, len(rows) - 1}
        start = 0.0 if is_end else rest - amount
        x, width = round(NAME_SPACE + start * scale, 1), round(max(amount * scale, 1.0), 1)
        bars.append(BarShape(x, top + 6, width, BAR_THICKNESS, "whole" if is_end else "taken"))
        labels += [Label(0, top + 21, shorten(text)), Label(round(x + width + 8, 1), top + 21, figure)]
        rest = rest if is_end else start
    return _drawing(name, titles, (NAME_SPACE + BAR_SPACE + FIGURE_SPACE, len(rows) * LINE_HEIGHT), bars, labels)


def draw_heat(
    name: str, titles: tuple[str, str], names: Sequence[str], shares: dict[tuple[int, int], tuple[float, str]]
) -> Drawing:
    """Return a heat map of rows and columns of the same names. shares: (row, column) -> share from 0 to 1, its text.

    Columns bear the numbers of the rows.
    """
    names = names[:MOST_DRAWN]
    bars, labels = [], []
    for number, each in enumerate(names):
        labels += [
            Label(0, 30 + number * 40 + 25, f"{number + 1}. {shorten(each, HEAT_CHARACTERS)}"),
            Label(NAME_SPACE + number * HEAT_CELL + HEAT_CELL / 2, 20, str(number + 1), "middle"),
        ]
    for (row, column), (share, text) in shares.items():
        if row < len(names) and column < len(names):
            x, y = NAME_SPACE + column * HEAT_CELL, 30 + row * 40
            level = 0 if share <= 0 else 1 + min(int(share * (HEAT_LEVELS - 1)), HEAT_LEVELS - 2)
            bars.append(BarShape(x + 2, y + 2, HEAT_CELL - 4, 36, f"heat-{level}"))
            labels.append(Label(x + HEAT_CELL / 2, y + 25, text, "middle", f"on-heat-{level}"))
    size = (NAME_SPACE + len(names) * HEAT_CELL, 30 + len(names) * 40)
    return _drawing(name, titles, size, bars, labels)


def _drawing(
    name: str, titles: tuple[str, str], size: tuple[int, int], bars: list[BarShape], labels: list[Label]
) -> Drawing:
    return Drawing(name, *titles, *size, tuple(bars), tuple(labels))
