"""The chart of a dossier: a horizontal bar for each column, by what is known of it elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Final

PARTS: Final = ("equal", "near", "other", "nowhere")
"""What the items of a column are, in the order of the bar."""
MOST_BARS: Final = 30
LABEL_CHARACTERS: Final = 34
LABEL_WIDTH: Final = 270
BAR_WIDTH: Final = 430
COUNT_WIDTH: Final = 100
ROW_HEIGHT: Final = 30
BAR_HEIGHT: Final = 20


@dataclass(frozen=True)
class Bar:
    """The bar of one column: its shortened label, where it is, its segments (part, x, width), known and all items."""

    label: str
    y: int
    segments: tuple[tuple[str, float, float], ...]
    known: int
    items: int


@dataclass(frozen=True)
class ColumnChart:
    """The bars of the largest columns, and the size of the picture."""

    bars: tuple[Bar, ...]
    width: int
    height: int


def parts_of_column(column: dict[str, Any]) -> dict[str, int]:
    """Return how many of a column's items are each of `PARTS`."""
    counts = (
        column["agreeing"],
        column["tolerated"] - column["agreeing"],
        column["covered"] - column["tolerated"],
        column["items"] - column["covered"],
    )
    return dict(zip(PARTS, counts, strict=True))


def draw_chart(columns: Sequence[dict[str, Any]], labels: Sequence[str]) -> ColumnChart:
    """Return the chart of the columns of a dossier."""
    pairs = sorted(zip(columns, labels, strict=True), key=lambda pair: (-pair[0]["items"], pair[1]))[:MOST_BARS]
    bars = tuple(_bar(column, label, number * ROW_HEIGHT) for number, (column, label) in enumerate(pairs))
    return ColumnChart(bars, LABEL_WIDTH + BAR_WIDTH + COUNT_WIDTH, len(bars) * ROW_HEIGHT)


def _bar(column: dict[str, Any], label: str, y: int) -> Bar:
    parts = parts_of_column(column)
    ends = [BAR_WIDTH * sum_ / column["items"] for sum_ in accumulate(parts.values(), initial=0)]
    segments = tuple(
        (part, round(LABEL_WIDTH + start, 1), round(end - start, 1))
        for part, (start, end) in zip(parts, pairwise(ends), strict=True)
        if end > start
    )
    short = label if len(label) <= LABEL_CHARACTERS else f"{label[: LABEL_CHARACTERS - 1]}…"
    return Bar(short, y, segments, column["agreeing"], column["items"])
