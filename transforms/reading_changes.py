"""What two readings of the same file give otherwise: claim by claim, or record by record."""

from collections.abc import Sequence
from typing import Final

import polars as pl

CLAIM_FIELDS: Final = (
    "concept", "unit_id", "unit_name", "period_start", "period_end", "breakdown", "unit_measure", "value", "decimals",
    "obs_status", "reported_by", "version", "action", "precedence", "confidential",
    "tolerance", "copy_of",
)  # fmt: skip
"""What a claim states: two readings of its cell are compared by it."""
KEY: Final = ("row", "column", "nth")
CHANGES: Final = ("same", "changed", "only_old", "only_new")


def compare_readings(old: pl.DataFrame, new: pl.DataFrame, fields: Sequence[str]) -> pl.DataFrame:
    """Return a row for each statement of either reading: row, column, nth, `change` and the fields of both.

    change: one of `CHANGES`. A field is `<name>` of the old and `<name>_new` of the new reading. Several statements of
    one cell are matched by their order.
    """
    compared = [name for name in fields if name in old.columns and name in new.columns]
    sides = [_keyed(frame).select(*KEY, *compared, pl.lit(value=True).alias("there")) for frame in (old, new)]
    both = sides[0].join(sides[1], on=list(KEY), how="full", suffix="_new", coalesce=True, nulls_equal=True)
    differs = pl.any_horizontal(pl.lit(value=False), *(pl.col(n).ne_missing(pl.col(f"{n}_new")) for n in compared))
    change = (
        pl.when(pl.col("there").is_null())
        .then(pl.lit("only_new"))
        .when(pl.col("there_new").is_null())
        .then(pl.lit("only_old"))
        .when(differs)
        .then(pl.lit("changed"))
        .otherwise(pl.lit("same"))
    )
    return both.with_columns(change.alias("change")).drop("there", "there_new").sort(KEY)


def count_changes(compared: pl.DataFrame) -> dict[str, int]:
    """Return how many statements are the same, changed, only in the old or only in the new reading."""
    found = dict(compared.group_by("change").len().iter_rows())
    return {name: int(found.get(name, 0)) for name in CHANGES}


def list_changes(compared: pl.DataFrame, most: int) -> list[dict[str, object]]:
    """Return the first statements that differ: row, column, change, and what each field was and is."""
    rows = compared.filter(pl.col("change") != "same").head(most).to_dicts()
    names = [name.removesuffix("_new") for name in compared.columns if name.endswith("_new")]
    return [
        {
            "row": row["row"], "column": row["column"], "change": row["change"],
            "fields": {n: (row[n], row[f"{n}_new"]) for n in names if row[n] != row[f"{n}_new"]},
        }
        for row in rows
    ]  # fmt: skip


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a reading with the key of each statement; a record has no column."""
    if "column" not in frame.columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias("column"))
    nth = pl.int_range(pl.len()).over("row", "column").alias("nth")
    return frame.with_columns(nth)
