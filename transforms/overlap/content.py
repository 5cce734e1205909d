"""The content of the tables of overlap: what their digest covers.

Hours and agencies follow from the contracts in force, and verdicts from people: a rebuild has neither, and no digest
covers them. Of the evidence for `suspected` it covers the counts, not the statistics, whose last digits may differ from
machine to machine.
"""

from typing import Final

import polars as pl

from transforms.identity import LANES, frame_lanes
from transforms.overlap.counts import NAME_SEPARATOR, OVERLAP_KEY, REPORTER_KEY

CONTENT: Final = {
    "overlap": (*OVERLAP_KEY, "items", "agreeing", "consistent", "conflicting", "expected"),
    "overlap_reporters": (*REPORTER_KEY, "items", "agreeing", "consistent", "conflicting"),
    "burden": (
        "obligation", "period_start", "unit_kind", "reports", "figures", "figures_elsewhere", "reports_elsewhere",
    ),
    "coverage": ("obligations", "most_accurate", "concept", "period_start", "items"),
    "redundancy": ("scope", "name", "items", "figures", "figures_elsewhere"),
    "suspected": (
        "kind", "series_a", "series_b", "obligation_a", "concept_a", "breakdown_a", "reporter_a", "obligation_b",
        "concept_b", "breakdown_b", "reporter_b", "parts", "common", "agreeing", "scale", "shift",
    ),
}  # fmt: skip
COVERED_SCOPES: Final = ("sender", "unit")


def table_lanes(name: str, rows: pl.DataFrame) -> tuple[int, ...]:
    """Return the summed digest lanes of rows of a table of overlap; of `redundancy`, rows of one release."""
    if name == "redundancy":
        rows = rows.filter(pl.col("scope").is_in(COVERED_SCOPES) & (pl.col("figures") > 0))
    if rows.is_empty():
        return (0,) * len(LANES)
    if name == "coverage":
        rows = rows.with_columns(pl.col("obligations", "most_accurate").list.join(NAME_SEPARATOR))
    return frame_lanes(rows, pl.lit(name), *map(pl.col, CONTENT[name])).sum().row(0)


def latest_scopes(redundancy: pl.DataFrame) -> pl.DataFrame:
    """Return the last row of each scope: `redundancy` as it is in the newest release that the rows have."""
    return redundancy.sort("release").unique(["scope", "name"], keep="last", maintain_order=True)
