"""Which submissions count, and in which buckets their rows are before consolidation.

State is a pure function of the live submissions. `mark_counting` serves every night. A backfill publishes submissions
that are reread while all others stay as the last release has them: `add_release_state` and `pin_submissions` give that
view, from the ledger's submissions, the row counts of the last release and the new readings. Arrivals, withdrawals and
restorations since that release wait for the next night: they are `pinned` here.
"""

from typing import Final

import polars as pl

from schemas.claims import CLAIM_BUCKETS, READING_COLUMNS

BUCKET_ROWS: Final = ("submission_id", "bucket", "rows")
ORDER_COLUMNS: Final = ("arrival", "stream")
"""The columns of a submission that decide which of two statements corrects the other."""


def mark_counting(submissions: pl.DataFrame) -> pl.DataFrame:
    """Return the submissions with `counts` Boolean, `rewraps` and `replaced_by` String, and their order (`_ordered`).

    A submission counts if it is live, no live submission of its contract and sender replaces it, and none with the
    same content and the same statements of its sender (`as_of`, `replaces`) was received before it: one content in two
    formats, encodings or orders is one report (a rewrapped one). `rewraps` is the id of the one that counts instead,
    `replaced_by` of the one that replaces it. Columns used: submission_id, contract, sender, status, content_digest,
    received_at, as_of, replaces.
    """
    ordered = _ordered(submissions).with_columns(_replaced(submissions))
    live = (pl.col("status") == "live") & pl.col("replaced_by").is_null()
    content = (pl.coalesce("content_digest", "submission_id"), "as_of", "replaces")
    first = pl.col("submission_id").filter(live).sort_by(pl.col("arrival").filter(live)).first()
    first = first.over("contract", "sender", *content)
    return ordered.with_columns(
        (live & (pl.col("submission_id") == first)).fill_null(False).alias("counts"),
        pl.when(live & (pl.col("submission_id") != first)).then(first).alias("rewraps"),
    )


def _ordered(submissions: pl.DataFrame) -> pl.DataFrame:
    """Add `arrival` UInt32 and `stream` UInt32: the order in which statements count, and who makes them.

    arrival: the rank by the time that the sender stated (`as_of`), else the receipt time, both of the landing note;
    equal times by submission id. So it is the same in every rebuild, whatever the order in which submissions are read.
    stream: a number for each contract and sender; a statement corrects those of its own stream only.
    """
    time = pl.coalesce("as_of", "received_at").cast(pl.Datetime("us")).alias("_time")
    return submissions.with_columns(
        pl.struct(time, "received_at", "submission_id").rank("ordinal").cast(pl.UInt32).alias("arrival"),
        pl.struct("contract", "sender").rank("dense").cast(pl.UInt32).alias("stream"),
    )


def _replaced(submissions: pl.DataFrame) -> pl.Series:
    """Return `replaced_by`: the least id of the live submissions of the same contract and sender that replace it."""
    replacing = submissions.filter(pl.col("status") == "live", pl.col("replaces").is_not_null())
    keys = ["contract", "sender", "submission_id"]
    by = replacing.group_by("contract", "sender", submission_id="replaces").agg(
        pl.col("submission_id").min().alias("replaced_by")
    )
    return submissions.select(keys).join(by, on=keys, how="left", maintain_order="left")["replaced_by"]


def counted_batches(submissions: pl.DataFrame) -> pl.DataFrame:
    """Return one row per (submission, batch): submission_id, batch, before, after, first_release, arrival, stream.

    `before` and `after` are whether the last release and this one count the batch. A reread submission (`reread`, where
    there is such a column) has two rows: `batch_before` counted before; `batch` counts now, and no release has counted
    it yet. Columns used: in_release, counts too.
    """
    batches = submissions.select(
        "submission_id", "batch", pl.col("in_release").alias("before"), pl.col("counts").alias("after"),
        "first_release", *ORDER_COLUMNS,
    )  # fmt: skip
    if "reread" not in submissions.columns:
        return batches
    reread = submissions["reread"]
    first = pl.when(~reread).then("first_release")
    current = batches.with_columns(pl.col("before") & ~reread, first.alias("first_release"))
    replaced = submissions.filter("reread").select(
        "submission_id", pl.col("batch_before").alias("batch"), pl.col("in_release").alias("before"),
        pl.lit(False).alias("after"), "first_release", *ORDER_COLUMNS,
    )  # fmt: skip
    return pl.concat([current, replaced])


def buckets_by_status(submissions: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets that a submission's own state decides: submission_id, bucket, rows.

    Rejected and ignored rows stay so for good; the other rows of a withdrawn submission are withdrawn, those of one
    that another replaces superseded, those of a rewrapped one duplicates. Columns used: submission_id, status, counts,
    replaced_by, delivered, rejected, ignored.
    """
    rest = pl.col("delivered") - pl.col("rejected") - pl.col("ignored")
    idle = (pl.col("status") == "live") & ~pl.col("counts")
    counts = submissions.select(
        "submission_id",
        "rejected",
        "ignored",
        pl.when(pl.col("status") == "withdrawn").then(rest).otherwise(0).alias("withdrawn"),
        pl.when(idle & pl.col("replaced_by").is_null()).then(rest).otherwise(0).alias("duplicate"),
        pl.when(idle & pl.col("replaced_by").is_not_null()).then(rest).otherwise(0).alias("superseded"),
    )
    return counts.unpivot(index="submission_id", variable_name="bucket", value_name="rows").filter(pl.col("rows") > 0)


def add_release_state(submissions: pl.DataFrame, row_counts: pl.DataFrame) -> pl.DataFrame:
    """Return the submissions with what the last release has of them, and whether each may be reread.

    Adds `held` (rows that the release counts, in any bucket), `rewrapped` (whether it counts there as a duplicate of
    another submission's content) and `readable`. row_counts: submission_id, bucket, rows of that release.
    """
    duplicate = (pl.col("bucket") == "duplicate") & (pl.col("rows") > 0)
    held = row_counts.group_by("submission_id").agg(
        pl.col("rows").sum().alias("held"), duplicate.any().alias("rewrapped")
    )
    result = submissions.join(held, on="submission_id", how="left").with_columns(
        pl.col("held").fill_null(0), pl.col("rewrapped").fill_null(False) & ~pl.col("in_release")
    )
    released = (pl.col("status") == "live") & (pl.col("in_release") | pl.col("rewrapped"))
    return result.with_columns((released | (pl.col("status") == "rejected")).alias("readable"))


def pin_submissions(submissions: pl.DataFrame, row_counts: pl.DataFrame, readings: pl.DataFrame) -> pl.DataFrame:
    """Return the submissions as they count when these readings apply and nothing else has changed.

    readings: submission_id, batch_before (of the reading that it replaces) and `READING_COLUMNS`. A reading is left out
    if the ledger's current reading is not the one it replaces, or if the submission may not be reread. Adds `reread`,
    `batch_before`, `counts`, `pinned` (whether the last release's row counts stay as they are).
    """
    new = readings.filter(pl.col("batch").is_not_null()).rename({name: f"{name}_new" for name in READING_COLUMNS})
    result = add_release_state(submissions, row_counts).join(new, on="submission_id", how="left")
    reread = pl.col("readable") & pl.col("batch_new").is_not_null() & pl.col("batch").eq_missing(pl.col("batch_before"))
    result = result.with_columns(reread.alias("reread"))
    was_live = pl.col("in_release") | (pl.col("rewrapped") & (pl.col("status") == "live"))
    status = pl.when("reread").then("status_new").when(was_live).then(pl.lit("live")).otherwise(pl.lit("pinned"))
    others = [
        pl.when("reread").then(f"{name}_new").otherwise(name).alias(name)
        for name in READING_COLUMNS
        if name != "status"
    ]
    result = result.with_columns(pl.col("batch").alias("batch_before"), status.alias("status"), *others)
    result = mark_counting(result.drop(f"{name}_new" for name in READING_COLUMNS))
    pinned = ~pl.col("reread") & (pl.col("counts") == pl.col("in_release"))
    outside = pl.col("pinned") & ~pl.col("in_release")
    return result.with_columns(pinned.alias("pinned")).with_columns(
        pl.when(outside).then("held").otherwise("delivered").alias("delivered")
    )


def initial_buckets(pinned: pl.DataFrame, row_counts: pl.DataFrame) -> pl.DataFrame:
    """Return the buckets before anything is consolidated: submission_id, bucket, rows.

    pinned: the result of `pin_submissions`. Pinned submissions have the buckets of the last release. The others are
    reread or change whether they count: they have the buckets that their own state decides, and those in which the
    release counts their claims, which consolidation subtracts.
    """
    row_counts = row_counts.select(BUCKET_ROWS)
    free = pinned.filter(~pl.col("pinned"))
    counted = free.filter("in_release").select("submission_id")
    parts = [
        row_counts.join(pinned.filter("pinned"), on="submission_id", how="semi"),
        row_counts.join(counted, on="submission_id", how="semi").filter(pl.col("bucket").is_in(CLAIM_BUCKETS)),
        buckets_by_status(free).select(BUCKET_ROWS).cast({"rows": pl.Int64}),
    ]
    return pl.concat(parts).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
