"""The rule that compares a value with its series' previous period: which item that is, and what is to be warned of."""

from typing import Final

import polars as pl

from schemas.claims import REJECT, VALUE, frame_schema
from schemas.contract import ChangeRule, Contract
from transforms import identity as identify
from transforms.normalisation.rules import change_breaks, expected

STEP: Final = {"year": 12, "quarter": 3, "month": 1}
"""Months in a period of each type; a day has none."""


def change_rules(contract: Contract) -> list[ChangeRule]:
    """Return the contract's rules that compare with the previous period."""
    return [rule for rule in contract.rules if isinstance(rule, ChangeRule)]


def previous_items(claims: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the claims that such rules speak of, with `previous_id` and `previous_partition` of the period before.

    The period before is as long and ends where this one starts.
    """
    told = claims.filter(pl.col("concept").is_in([rule.concept for rule in change_rules(contract)]))
    start, end = pl.col("period_start"), pl.col("period_end")
    if contract.place()[1].type in STEP:
        months = (end.dt.year() - start.dt.year()) * 12 + end.dt.month() - start.dt.month()
        before = start.dt.offset_by(pl.format("-{}mo", months))
    else:
        before = start - (end - start)
    earlier = told.select(
        "concept", "unit_id", before.alias("period_start"), start.alias("period_end"), "breakdown", "unit_measure"
    )
    found = earlier.select(
        identify.item_id().alias("previous_id"),
        pl.col("period_start").dt.strftime("%Y-%m").alias("previous_partition"),
    )
    return told.hstack(found)


def change_warnings(told: pl.DataFrame, known: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the warnings (`REJECT`) for claims of `previous_items` that differ too much from what stood before.

    `known` has item_id, value: what is known of the periods before; what the same submission says itself goes first.
    """
    own = told.select("submission_id", pl.col("item_id").alias("previous_id"), pl.col("value").alias("own"))
    own = own.unique(["submission_id", "previous_id"], keep="first", maintain_order=True)
    before = known.select(pl.col("item_id").alias("previous_id"), pl.col("value").cast(VALUE).alias("before"))
    both = told.join(own, on=["submission_id", "previous_id"], how="left").join(before, on="previous_id", how="left")
    both = both.with_columns(pl.coalesce("own", "before").alias("previous"))
    parts = [
        both.filter((pl.col("concept") == rule.concept) & change_breaks(rule)).select(_warning(rule))
        for rule in change_rules(contract)
    ]
    return pl.concat(parts).sort("submission_id", "row", "column")


def _plain(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")


def _warning(rule: ChangeRule) -> list[pl.Expr]:
    told = {
        "submission_id": pl.col("submission_id"),
        "row": pl.col("row"),
        "column": pl.col("column"),
        "reason": pl.lit("rule"),
        "rule": pl.lit(rule.id),
        "severity": pl.lit("warning"),
        "found": pl.format("{} after {}", _plain("value"), _plain("previous")),
        "expected": pl.lit(expected(rule)),
        "hint": pl.lit("look again; it is kept as it is"),
    }
    return [told[name].cast(dtype).alias(name) for name, dtype in frame_schema(REJECT).items()]
