"""Which submissions count: state is a pure function of the live ones."""

import polars as pl


def counting(submissions: pl.DataFrame) -> pl.DataFrame:
    """Return the submissions with `counts` Boolean and `rewraps` String added.

    A submission counts if it is live and no live submission of its contract and sender says the same under a smaller
    id: one content in two formats, encodings or orders is one report (design, section 5: rewrapped). `rewraps` names
    the one that counts in its stead. Columns used: submission_id, contract, sender, status, content_digest.
    """
    live = pl.col("status") == "live"
    content = pl.coalesce("content_digest", "submission_id")
    first = pl.col("submission_id").filter(live).min().over("contract", "sender", content)
    return submissions.with_columns(
        (live & (pl.col("submission_id") == first)).fill_null(False).alias("counts"),
        pl.when(live & (pl.col("submission_id") != first)).then(first).alias("rewraps"),
    )


def standing_buckets(submissions: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets that a submission's own state decides: submission_id, bucket, rows.

    Rejected and ignored rows are so for good; the other rows of a withdrawn submission are withdrawn, those of a
    rewrapped one duplicates. Columns used: submission_id, status, counts, delivered, rejected, ignored.
    """
    rest = pl.col("delivered") - pl.col("rejected") - pl.col("ignored")
    told = submissions.select(
        "submission_id",
        "rejected",
        "ignored",
        pl.when(pl.col("status") == "withdrawn").then(rest).otherwise(0).alias("withdrawn"),
        pl.when((pl.col("status") == "live") & ~pl.col("counts")).then(rest).otherwise(0).alias("duplicate"),
    )
    return told.unpivot(index="submission_id", variable_name="bucket", value_name="rows").filter(pl.col("rows") > 0)
