"""What a release changes against the one before: which items came, changed, left."""

import polars as pl

from schemas.claims import VALUE
from transforms.identity import LANES


def added(observations: pl.DataFrame) -> pl.DataFrame:
    """Return the changes (columns as below) of observations none of which was there before."""
    return observations.select(
        "item_id",
        pl.lit("added").alias("change"),
        pl.lit(None, dtype=VALUE).alias("value_before"),
        pl.col("value").alias("value_after"),
        pl.lit(None, dtype=pl.String).alias("agreement_before"),
        pl.col("agreement").alias("agreement_after"),
        "partition",
    )


def changes(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Compare two `content` frames (see `consolidate`) and return one row an item that differs.

    Columns: item_id, change (added, changed, removed), value_before, value_after, agreement_before, agreement_after,
    partition.
    """
    both = before.join(after, on=["item_id", "partition"], how="full", coalesce=True, suffix="_after")
    lane = LANES[0]
    change = (
        pl.when(pl.col(lane).is_null()).then(pl.lit("added"))
        .when(pl.col(f"{lane}_after").is_null()).then(pl.lit("removed"))
        .otherwise(pl.lit("changed"))
    )  # fmt: skip
    same = pl.all_horizontal(pl.col(x).eq_missing(pl.col(f"{x}_after")) for x in LANES)
    return both.filter(~same).select(
        "item_id",
        change.alias("change"),
        pl.col("value").alias("value_before"),
        "value_after",
        pl.col("agreement").alias("agreement_before"),
        "agreement_after",
        "partition",
    )
