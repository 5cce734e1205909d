"""What a release says of records, as digest lanes, and what it changes against the one before.

The lanes name an item by who is together in it, never by the letters of its id: two installations that came to the same
items by other ways have one digest (design, law 2).
"""

from typing import Final

import numpy as np
import polars as pl

from schemas.kind import Kind
from schemas.record_tables import ALL, CHANGE_RECORD, item
from transforms.identity import LANES, laned
from transforms.records.consolidate import beside

BESIDE: Final = ("item_id", "release", "partition")
"""Columns of an item that its lanes leave out."""
SAID: Final = ("report_id", "submission_id", "row", "content", "relation", "lead")
"""What lanes hold of a delivery; the rest of its columns follows from the bytes that these name."""


def record_content(items: pl.DataFrame, sources: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row an item: item_id, agreement, reports and its four lanes (UInt64), its deliveries' included."""
    behind = beside(items.select("item_id"), _behind(sources, kind), "item_id")
    values = [_as_text(c.name, c.dtype) for c in item(kind) if c.name not in BESIDE]
    own = laned(items, pl.lit("item"), pl.lit(kind.kind), pl.lit(behind["_label"]), *values)
    sums = [(own[lane] + behind[lane]).alias(lane) for lane in LANES]
    return items.select("item_id", "agreement", "reports").with_columns(sums)


def _behind(sources: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return one row an item, in order: item_id, `_label` (its least report id), its deliveries' lanes, summed."""
    said = sources.select("item_id", *SAID)
    said = said if said["item_id"].is_sorted() else said.sort("item_id")
    runs, number = said["item_id"].rle().struct.unnest(), said["item_id"].rle_id()
    begin = runs["len"].cum_sum() - runs["len"]
    several = said.select("report_id", n=number).filter((runs["len"] > 1).gather(number))
    least = several.group_by("n").agg(pl.col("report_id").min())
    label = said["report_id"].gather(begin).scatter(least["n"], least["report_id"])
    each = laned(said, pl.lit("source"), pl.lit(kind.kind), pl.lit(label.gather(number)), *map(pl.col, SAID))
    sums = {lane: np.add.reduceat(each[lane].to_numpy(), begin.to_numpy()) for lane in LANES if said.height}
    told = pl.DataFrame(sums, schema=dict.fromkeys(LANES, pl.UInt64))
    return told.with_columns(runs["value"].alias("item_id"), label.alias("_label"))


def record_lane_sums(content: pl.DataFrame) -> tuple[int, ...]:
    """Return the lanes of some items (see `record_content`), summed: their share of the release's digest."""
    return tuple(content.select(pl.col(LANES).sum()).row(0))


def record_changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Compare two `record_content` frames; return the rows of `<kind>_changes`, `release` left out."""
    both = before.join(after, on="item_id", how="full", coalesce=True, suffix="_after")
    lane = LANES[0]
    change = (
        pl.when(pl.col(lane).is_null()).then(pl.lit("added"))
        .when(pl.col(f"{lane}_after").is_null()).then(pl.lit("removed"))
        .otherwise(pl.lit("changed"))
    )  # fmt: skip
    same = pl.all_horizontal(pl.col(x).eq_missing(pl.col(f"{x}_after")) for x in LANES)
    told = both.rename({"agreement": "agreement_before", "reports": "reports_before"}).with_columns(
        change.alias("change"), pl.lit(ALL).alias("partition")
    )
    return told.filter(~same).select(c.name for c in CHANGE_RECORD if c.name != "release").sort("item_id")


def _as_text(name: str, dtype: pl.DataType | type[pl.DataType]) -> pl.Expr:
    """Return a value as text; a list with its length, so that none, nothing and an empty text are three things."""
    value = pl.col(name)
    if dtype == pl.List:
        return pl.concat_str(value.list.len(), value.list.join("\x1e"), separator=":")
    return value
