"""Submissions read anew while all others stay as the last release has them: what a backfill publishes from.

A pure function of the submissions as the ledger has them, the row counts of the last release and the new readings. What
came, was withdrawn or came back since that release waits for the next night: it is `fixed` here.
"""

from typing import Final

import polars as pl

from schemas.claims import CLAIM_BUCKETS, READING
from transforms.submissions import counting, standing_buckets

CELL: Final = ("submission_id", "bucket", "rows")


def released(submissions: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the submissions with what the last release has of them, and whether each may be read anew.

    Adds `held` (rows it counts, in whatever bucket), `rewrapped` (whether it stands there for the content of another)
    and `readable`. known: submission_id, bucket, rows of that release.
    """
    duplicate = (pl.col("bucket") == "duplicate") & (pl.col("rows") > 0)
    held = known.group_by("submission_id").agg(pl.col("rows").sum().alias("held"), duplicate.any().alias("rewrapped"))
    told = submissions.join(held, on="submission_id", how="left").with_columns(
        pl.col("held").fill_null(0), pl.col("rewrapped").fill_null(False) & ~pl.col("in_release")
    )
    stands = (pl.col("status") == "live") & (pl.col("in_release") | pl.col("rewrapped"))
    return told.with_columns((stands | (pl.col("status") == "rejected")).alias("readable"))


def frozen(submissions: pl.DataFrame, known: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """Return the submissions as they count when these readings stand and nothing else has changed.

    readings: submission_id, batch_before (of the reading that it replaces) and `READING`; one that replaces another
    reading than the ledger's, or one that may not be read anew, is left out. Adds `anew`, `batch_before`, `counts`,
    `fixed` (whether the last release's row counts stay as they are).
    """
    new = readings.filter(pl.col("batch").is_not_null()).rename({name: f"{name}_new" for name in READING})
    told = released(submissions, known)
    told = told.join(new, on="submission_id", how="left")
    anew = pl.col("readable") & pl.col("batch_new").is_not_null() & pl.col("batch").eq_missing(pl.col("batch_before"))
    told = told.with_columns(anew.alias("anew"))
    stood = pl.col("in_release") | (pl.col("rewrapped") & (pl.col("status") == "live"))
    status = pl.when("anew").then("status_new").when(stood).then(pl.lit("live")).otherwise(pl.lit("fixed"))
    others = [pl.when("anew").then(f"{name}_new").otherwise(name).alias(name) for name in READING if name != "status"]
    told = told.with_columns(pl.col("batch").alias("batch_before"), status.alias("status"), *others)
    told = counting(told.drop(f"{name}_new" for name in READING))
    fixed = ~pl.col("anew") & (pl.col("counts") == pl.col("in_release"))
    outside = pl.col("fixed") & ~pl.col("in_release")
    return told.with_columns(fixed.alias("fixed")).with_columns(
        pl.when(outside).then("held").otherwise("delivered").alias("delivered")
    )


def standing(frozen_: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets before anything is consolidated: submission_id, bucket, rows.

    Those of the last release, but for submissions that are read anew, come or go: theirs are what their own state
    decides, and what the release counts of their claims, which is taken away as they are consolidated.
    """
    known = known.select(CELL)
    free = frozen_.filter(~pl.col("fixed"))
    counted = free.filter("in_release").select("submission_id")
    parts = [
        known.join(frozen_.filter("fixed"), on="submission_id", how="semi"),
        known.join(counted, on="submission_id", how="semi").filter(pl.col("bucket").is_in(CLAIM_BUCKETS)),
        standing_buckets(free).select(CELL).cast({"rows": pl.Int64}),
    ]
    return pl.concat(parts).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
