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


def members(submissions: pl.DataFrame) -> pl.DataFrame:
    """Return one row a reading: submission_id, batch, before, after (which release counts it), first_release.

    A submission that is read anew (`anew`, where there is such a column) has two: that of `batch_before` counted
    before, that of `batch` counts now, and no release has counted it yet. Columns used: in_release, counts too.
    """
    told = submissions.select(
        "submission_id", "batch", pl.col("in_release").alias("before"), pl.col("counts").alias("after"), "first_release"
    )
    if "anew" not in submissions.columns:
        return told
    anew = submissions["anew"]
    first = pl.when(~anew).then("first_release")
    now = told.with_columns(pl.col("before") & ~anew, first.alias("first_release"))
    was = submissions.filter("anew").select(
        "submission_id", pl.col("batch_before").alias("batch"), pl.col("in_release").alias("before"),
        pl.lit(False).alias("after"), "first_release",
    )  # fmt: skip
    return pl.concat([now, was])


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
