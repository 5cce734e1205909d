"""The content of records in a release as digest lanes, and the changes between two releases.

The lanes identify an item by its reports, not by its id: two installations that reached the same items in different
ways have the same digest (law 2: order does not matter).
"""

from typing import Final

import numpy as np
import polars as pl

from schemas.kind import Kind
from schemas.record_tables import CHANGE_RECORD, SINGLE_PARTITION, item_columns
from transforms.identity import LANES, frame_lanes
from transforms.observations.changes import differing_content
from transforms.records.consolidate import left_join_columns

EXCLUDED_COLUMNS: Final = ("item_id", "conf_status", "release", "partition")
"""Columns of an item that its lanes do not cover; `conf_status` follows from its sources' content."""
SOURCE_COLUMNS: Final = ("report_id", "submission_id", "row", "content", "relation", "lead")
"""Columns of a source that its lanes cover; the others follow from the delivered bytes that these identify."""


def item_content(items: pl.DataFrame, sources: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row for each item: item_id, agreement, reports, and its lanes with those of its sources (UInt64)."""
    source_lanes = left_join_columns(items.select("item_id"), _source_lanes(sources, kind), "item_id")
    values = [_as_text(c.name, c.dtype) for c in item_columns(kind) if c.name not in EXCLUDED_COLUMNS]
    own = frame_lanes(items, pl.lit("item"), pl.lit(kind.kind), pl.lit(source_lanes["_label"]), *values)
    sums = [(own[lane] + source_lanes[lane]).alias(lane) for lane in LANES]
    return items.select("item_id", "agreement", "reports").with_columns(sums)


def _source_lanes(sources: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row for each item, in order: item_id, `_label` (its least report id), its sources' lanes, summed."""
    rows = sources.select("item_id", *SOURCE_COLUMNS)
    rows = rows if rows["item_id"].is_sorted() else rows.sort("item_id")
    runs, number = rows["item_id"].rle().struct.unnest(), rows["item_id"].rle_id()
    begin = runs["len"].cum_sum() - runs["len"]
    several = rows.select("report_id", n=number).filter((runs["len"] > 1).gather(number))
    least = several.group_by("n").agg(pl.col("report_id").min())
    label = rows["report_id"].gather(begin).scatter(least["n"], least["report_id"])
    each = frame_lanes(
        rows, pl.lit("source"), pl.lit(kind.kind), pl.lit(label.gather(number)), *map(pl.col, SOURCE_COLUMNS)
    )
    sums = {lane: np.add.reduceat(each[lane].to_numpy(), begin.to_numpy()) for lane in LANES if rows.height}
    totals = pl.DataFrame(sums, schema=dict.fromkeys(LANES, pl.UInt64))
    return totals.with_columns(runs["value"].alias("item_id"), label.alias("_label"))


def record_lane_sums(content: pl.DataFrame) -> tuple[int, ...]:
    """Return the lanes of some items (`item_content`), summed: their share of the release's digest."""
    return tuple(content.select(pl.col(LANES).sum()).row(0))


def record_changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Compare two `item_content` frames; return the rows of `<kind>_changes` without `release`."""
    rows = differing_content(before, after, "item_id").rename(
        {"agreement": "agreement_before", "reports": "reports_before"}
    )
    columns = [c.name for c in CHANGE_RECORD if c.name != "release"]
    return rows.with_columns(pl.lit(SINGLE_PARTITION).alias("partition")).select(columns).sort("item_id")


def _as_text(name: str, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    """Return a value as text; a list with its length, so that null, an empty list and an empty text differ."""
    value = pl.col(name)
    if dtype == pl.List:
        return pl.concat_str(value.list.len(), value.list.join("\x1e"), separator=":")
    return value
