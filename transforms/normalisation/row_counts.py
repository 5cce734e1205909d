"""The rows of a batch counted by bucket, each bucket from its own frame, so that the balance check is independent."""

import polars as pl

from transforms.normalisation.problems import Findings, Problem


def sunk_files(rejects: pl.DataFrame, rule_problems: list[Problem]) -> pl.DataFrame:
    """Return the submission_id of the files that a rule rejects as a whole."""
    rules = [p.rule for p in rule_problems if p.sinks_file]
    return rejects.filter(pl.col("rule").is_in(rules)).select("submission_id").unique()


def count_rows(cells: pl.DataFrame, content: pl.DataFrame, findings: Findings, sunk: pl.DataFrame) -> pl.DataFrame:
    """Return one row per submission: submission_id, rows, ignored, claimed, claims, rejected, warnings, and its lanes.

    cells: every row, with `_ignored`. content: submission_id, claimed (rows that became claims or records), claims and
    the sums of the lanes. sunk: submission_id of the files that are rejected as a whole.
    """
    rows = cells.group_by("submission_id").agg(pl.len().alias("rows"), pl.col("_ignored").sum().alias("ignored"))
    rejected_rows = findings.rejected.group_by("submission_id").agg(pl.col("row").n_unique().alias("rejected"))
    warnings = findings.warned.group_by("submission_id").agg(pl.col("warnings").sum())
    counts = rows
    for counted in (content, rejected_rows, warnings):
        counts = counts.join(counted, on="submission_id", how="left")
    whole = pl.col("submission_id").is_in(sunk["submission_id"].implode())
    rejected = pl.when(whole).then(pl.col("rows") - pl.col("ignored")).otherwise("rejected")
    counts = counts.with_columns(rejected=rejected).fill_null(0).sort("submission_id")
    return counts.with_columns(pl.col("rows", "ignored", "claimed", "claims", "rejected", "warnings").cast(pl.Int64))
