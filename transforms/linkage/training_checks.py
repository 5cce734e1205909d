"""Whether a match model can be estimated from some reports: what is missing, and what to do about it."""

from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.blocking import comparable, scored_columns

FEWEST: Final = 10
"""Pairs of reports to compare, below which nothing is estimated."""


def lacking(reports: pl.DataFrame, kind: Kind) -> str:
    """Return why no model can be estimated from these reports, as a sentence; the empty text if one can."""
    if not kind.compared():
        return "it compares no field: declared identities and decisions alone join its reports, without a model"
    if not reports.height:
        return "no report of it stands: `engang submit` some"
    empty = [name for name in kind.compared() if reports[name].null_count() == reports.height]
    if empty:
        return (
            f"{reports.height} reports stand, and none of them tells {', '.join(empty)}: what agreeing there means "
            f"cannot be seen. Deliver reports that do, or take `compare` from it in kinds/{kind.kind}.yml"
        )
    found = candidate_pairs(reports, kind)
    if found < FEWEST:
        whose = " of different reporters" if kind.one_report_per_item else ""
        return (
            f"of {reports.height} reports that stand, {found} pairs{whose} share a blocking value: expected at least "
            f"{FEWEST}. Deliver more, or make the blocking rules of kinds/{kind.kind}.yml coarser"
        )
    return ""


def candidate_pairs(reports: pl.DataFrame, kind: Kind) -> int:
    """Return how many pairs blocking brings together, a pair once for each rule that does."""
    reporter = pl.col("reported_by") if kind.one_report_per_item else pl.col("report_id")
    keyed = comparable(reports, kind).with_columns(reporter.alias("_own"))
    total = 0
    for name in scored_columns(kind):
        held = keyed.drop_nulls(name).group_by(name, "_own").agg(pl.len().cast(pl.Int64).alias("n"))
        groups = held.group_by(name).agg(pl.col("n").sum().alias("all"), (pl.col("n") * pl.col("n")).sum().alias("own"))
        total += int(groups.select((pl.col("all") * pl.col("all") - pl.col("own")).sum()).item()) // 2
    return total
