"""The rows of a batch counted bucket by bucket, each bucket by its own evidence: what the balance is checked with."""

import polars as pl

from transforms.normalisation.problems import Problem


def sunk_files(rejects: pl.DataFrame, ruled: list[Problem]) -> pl.DataFrame:
    """Return the submission_id of files that a rule rejects whole."""
    rules = [p.rule for p in ruled if p.sinks_file]
    return rejects.filter(pl.col("rule").is_in(rules)).select("submission_id").unique()


def row_counts(cells: pl.DataFrame, content: pl.DataFrame, rejects: pl.DataFrame, sunk: pl.DataFrame) -> pl.DataFrame:
    """Return one row a submission: submission_id, rows, ignored, claimed, claims, rejected, warnings, and its lanes.

    `cells` has every row, with `_ignored`; `content` counts what was made of them: submission_id, claimed (rows),
    claims and the sums of the lanes; `sunk` names files that are rejected whole.
    """
    rows = cells.group_by("submission_id").agg(pl.len().alias("rows"), pl.col("_ignored").sum().alias("ignored"))
    critical = pl.col("severity") == "critical"
    refused = rejects.group_by("submission_id").agg(
        pl.col("row").filter(critical).n_unique().alias("rejected"), (~critical).sum().alias("warnings")
    )
    counts = rows.join(content, on="submission_id", how="left").join(refused, on="submission_id", how="left")
    whole = pl.col("submission_id").is_in(sunk["submission_id"].implode())
    rejected = pl.when(whole).then(pl.col("rows") - pl.col("ignored")).otherwise("rejected")
    counts = counts.with_columns(rejected=rejected).fill_null(0).sort("submission_id")
    return counts.with_columns(pl.col("rows", "ignored", "claimed", "claims", "rejected", "warnings").cast(pl.Int64))
