"""The waterfalls of pairs of reports as one chart, one below the other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flows.cli.charts import Chart, waterfall, write
from flows.queries.pairs import Pair
from schemas.errors import UsageError

MOST: Final = 12
"""So many pairs are drawn at most."""
SHARED: Final = ("$schema", "config", "datasets")
"""What a chart of several has once."""


def write_waterfalls(pairs: Sequence[Pair], path: Path) -> Path:
    """Draw the first pairs that were weighed, as SVG or PNG by the file's name; `UsageError` if there is none."""
    weighed = [pair for pair in pairs if pair.weights.height][:MOST]
    if not weighed:
        raise UsageError("nothing to draw: no two reports of it were weighed")
    return write(_stacked([waterfall(pair.weights, _title(pair)) for pair in weighed]), path)


def _title(pair: Pair) -> str:
    ends = (f"{row['reported_by']} {row['report_id'][:8]}" for row in (pair.a, pair.b))
    return f"{' and '.join(ends)}: {pair.weight:.2f} bits"


def _stacked(charts: Sequence[Chart]) -> Chart:
    first = charts[0]
    if len(charts) == 1:
        return first
    shared: Chart = {key: first[key] for key in SHARED if key in first}
    if "datasets" in first:
        shared["datasets"] = {name: rows for chart in charts for name, rows in chart["datasets"].items()}
    parts = [{key: value for key, value in chart.items() if key not in SHARED} for chart in charts]
    return {**shared, "vconcat": parts}
