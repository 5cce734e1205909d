"""A key that repeats inside one file: additive lines, an error, a warning, or the same statement twice."""

from typing import Literal

import polars as pl

from schemas.claims import IDENTITY, REJECT, empty
from transforms.rejects import reject_columns

CLAIM_KEY = ("submission_id", "item_id", "reported_by")


def handle_repeats(
    claims: pl.DataFrame, repeat: Literal["sum", "error", "warn", "distinct"]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the accepted claims and the rejects (`REJECT`) for keys that repeat inside a submission.

    sum: repeating claims become `additive`. error: every row with such a key is rejected. warn: all are accepted, each
    with a warning. distinct: equal claims are accepted (as duplicates of each other), rows that differ are rejected.
    """
    hashed = claims.select(pl.struct(CLAIM_KEY).hash()).to_series()
    if hashed.n_unique() == claims.height:  # unique hashes prove unique keys; otherwise the keys themselves decide
        return claims, empty(REJECT)
    repeating = claims.with_columns(_repeating=pl.struct(CLAIM_KEY).is_duplicated())
    if repeat == "sum":
        return repeating.with_columns(additive=pl.col("_repeating")).drop("_repeating"), empty(REJECT)
    bad = repeating.filter("_repeating")
    if repeat == "distinct":
        differs = pl.struct("value", "decimals").n_unique().over(CLAIM_KEY) > 1
        bad = bad.filter(differs)
    rejects = bad.unique(["submission_id", "row"], keep="first").select(_reject(repeat))
    if repeat != "warn":
        claims = claims.join(bad, on=["submission_id", "row"], how="anti")
    return claims, rejects.sort("submission_id", "row")


def _reject(repeat: str) -> list[pl.Expr]:
    hint = (
        "add up the lines, or declare `repeat: sum` in the contract"
        if repeat == "error"
        else "keep the row that is right"
    )
    return reject_columns(
        "duplicate-key",
        found=pl.concat_str(*(column.name for column in IDENTITY), separator=" "),
        expected="each key once in a file",
        hint=hint,
        column=pl.col("column"),
        rule=f"repeat: {repeat}",
        severity="warning" if repeat == "warn" else "critical",
    )
