"""The rule that compares a value with its series' previous period: which item that is, and the warnings."""

from typing import Final

import polars as pl

from schemas.claims import VALUE
from schemas.contract import ChangeRule, Contract
from transforms import identity
from transforms.normalisation.rules import change_breaks, rule_expectation
from transforms.numbers import decimal_text
from transforms.rejects import reject_columns

PERIOD_MONTHS: Final = {"year": 12, "school_year": 12, "half_year": 6, "quarter": 3, "month": 1}
"""Months in a period of each type; a week and a day have none."""


def change_rules(contract: Contract) -> list[ChangeRule]:
    """Return the contract's rules that compare with the previous period."""
    return [rule for rule in contract.rules if isinstance(rule, ChangeRule)]


def previous_items(claims: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the claims that such rules check, with `previous_id` and `previous_partition` of the period before.

    The period before has the same length and ends where this one starts.
    """
    checked = claims.filter(pl.col("concept").is_in([rule.concept for rule in change_rules(contract)]))
    start, end = pl.col("period_start"), pl.col("period_end")
    period = contract.place()[1]
    if period.as_of is not None:
        before, start = start.dt.offset_by("-1y"), end.dt.offset_by("-1y")
    elif period.type in PERIOD_MONTHS:
        months = (end.dt.year() - start.dt.year()) * 12 + end.dt.month() - start.dt.month()
        before = start.dt.offset_by(pl.format("-{}mo", months))
    else:
        before = start - (end - start)
    earlier = checked.select(
        "concept", "unit_id", before.alias("period_start"), start.alias("period_end"), "breakdown", "unit_measure"
    )
    found = earlier.select(
        identity.item_id().alias("previous_id"),
        pl.col("period_start").dt.strftime("%Y-%m").alias("previous_partition"),
    )
    return checked.hstack(found)


def change_warnings(claims: pl.DataFrame, known: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the warnings (`REJECT`) for claims of `previous_items` that differ too much from the previous value.

    known: item_id, value of the previous periods; a value that the same submission reports takes precedence.
    """
    own = claims.select("submission_id", pl.col("item_id").alias("previous_id"), pl.col("value").alias("own"))
    own = own.unique(["submission_id", "previous_id"], keep="first", maintain_order=True)
    before = known.select(pl.col("item_id").alias("previous_id"), pl.col("value").cast(VALUE).alias("before"))
    both = claims.join(own, on=["submission_id", "previous_id"], how="left").join(before, on="previous_id", how="left")
    both = both.with_columns(pl.coalesce("own", "before").alias("previous"))
    parts = [
        both.filter((pl.col("concept") == rule.concept) & change_breaks(rule)).select(_warning(rule))
        for rule in change_rules(contract)
    ]
    return pl.concat(parts).sort("submission_id", "row", "column")


def _warning(rule: ChangeRule) -> list[pl.Expr]:
    return reject_columns(
        "rule",
        found=pl.format("{} after {}", decimal_text(pl.col("value")), decimal_text(pl.col("previous"))),
        expected=rule_expectation(rule),
        hint="check the value; it is accepted as it is",
        column=pl.col("column"),
        rule=rule.id,
        severity="warning",
    )
