"""The preconditions of training a match model: what is missing, and what to do about it."""

from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.blocking import prepare_comparison, scored_key_columns
from transforms.linkage.candidates import reports_by_key

MIN_CANDIDATE_PAIRS: Final = 10
"""Candidate pairs that training needs at least."""


def missing_for_training(reports: pl.DataFrame, kind: Kind) -> str:
    """Return why no model can be estimated from these reports; an empty text if one can."""
    if not kind.compared():
        return "it compares no field: declared identities and decisions alone join its reports, without a model"
    if not reports.height:
        return "it has no standing report: `engang submit` some"
    missing = {name for name in kind.fields if reports[name].null_count() == reports.height}
    if all({*kind.sources_of(name)} <= missing for name in kind.compared()):
        return (
            f"none of {reports.height} standing reports has a value that is compared: nothing shows what agreement "
            f"means. Deliver reports that have {' or '.join(kind.compared())}, or compare other fields"
        )
    found = count_candidate_pairs(reports, kind)
    if found < MIN_CANDIDATE_PAIRS:
        whose = " of different reporters" if kind.one_report_per_item else ""
        return (
            f"among {reports.height} standing reports, {found} pairs{whose} share a blocking key: expected at least "
            f"{MIN_CANDIDATE_PAIRS}. Deliver more, or make the blocking rules of kinds/{kind.kind}.yml coarser"
        )
    return ""


def count_candidate_pairs(reports: pl.DataFrame, kind: Kind) -> int:
    """Return the number of candidate pairs, a pair once for each blocking rule that finds it."""
    reporter = pl.col("reported_by") if kind.one_report_per_item else pl.col("report_id")
    index = prepare_comparison(reports, kind).with_columns(reporter.alias("_own"))
    total = 0
    for name in scored_key_columns(kind):
        keyed = reports_by_key(index, name)
        counts = keyed.group_by("_key", "_own").agg(pl.len().cast(pl.Int64).alias("n"))
        groups = counts.group_by("_key").agg(
            pl.col("n").sum().alias("all"), (pl.col("n") * pl.col("n")).sum().alias("own")
        )
        total += int(groups.select((pl.col("all") * pl.col("all") - pl.col("own")).sum()).item()) // 2
    return total
