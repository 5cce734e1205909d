"""Whose reports are one an item: the reporter as linkage knows it."""

import polars as pl

from schemas.kind import Kind, OneReport


def linked_reporter(kind: Kind) -> pl.Expr:
    """Return `reported_by` as linkage compares it: two reports with an equal one are two items, if one is one an item.

    Where a kind declares that of some contracts or reporters only, every other report has a reporter of its own.
    """
    rule, reporter = kind.one_report_per_item, pl.col("reported_by")
    if not isinstance(rule, OneReport):
        return reporter
    once = pl.col("contract").is_in(rule.contracts) | reporter.is_in(rule.reporters)
    return pl.when(once).then(reporter).otherwise(pl.format("report {}", "report_id")).alias("reported_by")


def linked_columns(kind: Kind) -> list[str]:
    """Return the columns that `linked_reporter` reads."""
    return ["reported_by", *(["contract"] if isinstance(kind.one_report_per_item, OneReport) else [])]
