"""A key that repeats inside one file: additive lines, an error, a warning, or the same thing said twice."""

from typing import Literal

import polars as pl

from schemas.claims import REJECT, empty, frame_schema

KEY = ("submission_id", "item_id", "reported_by")


def repeats(
    claims: pl.DataFrame, repeat: Literal["sum", "error", "warn", "distinct"]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the claims that stand and the rejects (`REJECT`) for keys that repeat inside a submission.

    sum: repeating claims become `additive`. error: every row with such a key is rejected. warn: all stand, each with a
    warning. distinct: equal claims stand (they are duplicates of each other), rows that differ are rejected.
    """
    hashed = claims.select(pl.struct(KEY).hash()).to_series()
    if hashed.n_unique() == claims.height:  # a hash that is unique proves the keys are; the rest is exact
        return claims, empty(REJECT)
    repeating = claims.with_columns(_repeating=pl.struct(KEY).is_duplicated())
    if repeat == "sum":
        return repeating.with_columns(additive=pl.col("_repeating")).drop("_repeating"), empty(REJECT)
    bad = repeating.filter("_repeating")
    if repeat == "distinct":
        differs = pl.struct("value", "decimals").n_unique().over(KEY) > 1
        bad = bad.filter(differs)
    rejects = bad.unique(["submission_id", "row"], keep="first").select(_row_of(repeat))
    if repeat != "warn":
        claims = claims.join(bad, on=["submission_id", "row"], how="anti")
    return claims, rejects.sort("submission_id", "row")


def _row_of(repeat: str) -> list[pl.Expr]:
    identity = ("concept", "unit_id", "period_start", "period_end", "breakdown", "unit_measure")
    hint = "add the lines up, or let the contract say `repeat: sum`" if repeat == "error" else "say which one holds"
    told = {
        "submission_id": pl.col("submission_id"),
        "row": pl.col("row"),
        "column": pl.col("column"),
        "reason": pl.lit("duplicate-key"),
        "rule": pl.lit(f"repeat: {repeat}"),
        "severity": pl.lit("warning" if repeat == "warn" else "critical"),
        "found": pl.concat_str(*identity, separator=" ").str.slice(0, 200),
        "expected": pl.lit("each key once in a file"),
        "hint": pl.lit(hint),
    }
    return [told[name].cast(dtype).alias(name) for name, dtype in frame_schema(REJECT).items()]
