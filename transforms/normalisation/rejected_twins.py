"""Rows that share their key with a row that was rejected: what they state is incomplete, or may be the wrong one."""

from typing import Final, Literal

import polars as pl

from schemas.claims import IDENTITY
from transforms.normalisation.repeated_keys import CLAIM_KEY
from transforms.rejects import LOST_LINES, LOST_LINES_HINT, WHOLE_SUMS, reject_columns

EXPECTED: Final = {
    "sum": "a sum of which every line can be read",
    "error": "each key once in a file",
    "distinct": "rows of one key that are all equal",
}


def reject_twins(
    claims: pl.DataFrame, lost: pl.DataFrame, repeat: Literal["sum", "error", "distinct"]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the claims without the rows that share a key with a rejected row, and the rejects of those rows.

    lost: the claims that the rejected rows would make, null in what cannot be read. A sum without one of its lines is
    too small, and of two rows of one key nobody knows that the one that can be read is right.
    """
    found = [_lost_keys(lost)] if repeat == "sum" else []
    while True:  # a row that is rejected here may be a line of other sums too
        keys = lost.select(CLAIM_KEY).drop_nulls().unique()
        twins = claims.join(keys, on=CLAIM_KEY, how="semi").unique(["submission_id", "row"], keep="first")
        found.append(twins.select(_reject(repeat)))
        if twins.is_empty():
            return claims, pl.concat(found).sort("submission_id", "row")
        lost = claims.join(twins, on=["submission_id", "row"], how="semi")
        claims = claims.join(twins, on=["submission_id", "row"], how="anti")


def _lost_keys(lost: pl.DataFrame) -> pl.DataFrame:
    """Return a warning for each submission with rejected rows whose key cannot be read."""
    unknown = lost.filter(pl.any_horizontal(pl.col(CLAIM_KEY).is_null()))
    counts = unknown.group_by("submission_id").agg(pl.col("row").n_unique().alias("rows"))
    warning = reject_columns(
        "rejected-twin",
        found=pl.format(LOST_LINES, "rows"),
        expected=WHOLE_SUMS,
        hint=LOST_LINES_HINT,
        rule="repeat: sum",
        severity="warning",
    )
    return counts.sort("submission_id").with_columns(row=pl.lit(None, pl.Int32)).select(warning)


def _reject(repeat: Literal["sum", "error", "distinct"]) -> list[pl.Expr]:
    return reject_columns(
        "rejected-twin",
        found=pl.concat_str(*(column.name for column in IDENTITY), separator=" "),
        expected=EXPECTED[repeat],
        hint="correct the rejected row of the same key, and deliver the file again",
        column=pl.col("column"),
        rule=f"repeat: {repeat}",
    )
