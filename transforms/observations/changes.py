"""The changes of a release against the one before: which items were added, changed or removed."""

import polars as pl

from schemas.claims import VALUE
from transforms.identity import LANES


def added_items(observations: pl.DataFrame) -> pl.DataFrame:
    """Return the changes (columns as in `changed_items`) of observations that are all new."""
    return observations.select(
        "item_id",
        pl.lit("added").alias("change"),
        pl.lit(None, dtype=VALUE).alias("value_before"),
        pl.col("value").alias("value_after"),
        pl.lit(None, dtype=pl.String).alias("agreement_before"),
        pl.col("agreement").alias("agreement_after"),
        "partition",
    )


def changed_items(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Compare two `observation_content` frames (see `consolidate`) and return one row per item that differs.

    Columns: item_id, change (added, changed, removed), value_before, value_after, agreement_before, agreement_after,
    partition.
    """
    return differing_content(before, after, "item_id", "partition").select(
        "item_id",
        "change",
        pl.col("value").alias("value_before"),
        "value_after",
        pl.col("agreement").alias("agreement_before"),
        "agreement_after",
        "partition",
    )


def differing_content(before: pl.DataFrame, after: pl.DataFrame, *keys: str) -> pl.DataFrame:
    """Return one row per item whose digest lanes differ: keys, change, the columns of both sides (`_after`)."""
    both = before.join(after, on=keys, how="full", coalesce=True, suffix="_after")
    lane = LANES[0]
    change = (
        pl.when(pl.col(lane).is_null()).then(pl.lit("added"))
        .when(pl.col(f"{lane}_after").is_null()).then(pl.lit("removed"))
        .otherwise(pl.lit("changed"))
    )  # fmt: skip
    same = pl.all_horizontal(pl.col(x).eq_missing(pl.col(f"{x}_after")) for x in LANES)
    return both.filter(~same).with_columns(change.alias("change"))
