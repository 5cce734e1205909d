"""The chart of a dossier: a bar for each column, by what is known of its items elsewhere."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from flows.dossier_page.drawings import BarRow, Drawing, draw_bars

PARTS: Final = ("equal", "near", "other", "nowhere")
"""What the items of a column are, in the order of the bar; each is a class that fills its shape."""


def parts_of_column(column: dict[str, Any]) -> dict[str, int]:
    """Return how many of a column's items are each of `PARTS`."""
    counts = (
        column["agreeing"],
        column["tolerated"] - column["agreeing"],
        column["covered"] - column["tolerated"],
        column["items"] - column["covered"],
    )
    return dict(zip(PARTS, counts, strict=True))


def draw_columns(
    columns: Sequence[dict[str, Any]],
    labels: Sequence[str],
    titles: tuple[str, str],
    figure: Callable[[int, int], str],
) -> Drawing:
    """Return the chart of the largest columns of a dossier, each a bar of the same length.

    titles: title and description. figure: what is written behind a bar of so many known items of so many.
    """
    pairs = sorted(zip(columns, labels, strict=True), key=lambda pair: (-pair[0]["items"], pair[1]))
    rows = [
        BarRow(
            label,
            tuple((part, count / column["items"]) for part, count in parts_of_column(column).items()),
            figure(column["agreeing"], column["items"]),
        )
        for column, label in pairs
    ]
    return draw_bars("columns-chart", titles, rows)
