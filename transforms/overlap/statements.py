"""Statements: what each obligation's standing claims say about each item, additive lines summed.

Everything about overlap is computed from these. A statement's value is null where its claims are confidential, so that
nothing withheld can be read off a comparison.
"""

from typing import Final

import polars as pl

from transforms.observations.agreement import bounds, sum_slack

ITEM_COLUMNS: Final = (
    "item_id",
    "concept",
    "breakdown",
    "unit_id",
    "unit_kind",
    "unit_code",
    "period_start",
    "period_end",
)
"""The columns of an item that a statement has too."""
_KEY: Final = ("item_id", "obligation", "reported_by", "submission_id")


def interval_width() -> pl.Expr:
    """Return the width of the interval that a statement means (Float64): the less, the more accurate; null if withheld.

    Differences are exact before they are rounded, so statements of one accuracy have one width.
    """
    return (pl.col("upper") - pl.col("lower")).cast(pl.Float64)


def read_statements(sources: pl.LazyFrame, items: pl.LazyFrame) -> pl.DataFrame:
    """Return the statements of a release from its live tables `sources` and `observations`.

    Columns: those of `ITEM_COLUMNS`, obligation, contract, sender, reported_by, submission_id (String), value
    (Decimal), lower and upper (the interval that the statement means, `BOUND`), reports (UInt32, how many statements
    there are of the item).
    """
    lines = sources.select(*_KEY, "contract", "sender", "value", "decimals", "relation", "tolerance")
    single = lines.filter(pl.col("relation") != "additive").with_columns(slack=pl.lit(None, pl.Int128))
    stated = pl.col("value")
    sums = (
        lines.filter(pl.col("relation") == "additive")
        .group_by(_KEY)
        .agg(
            pl.col("contract", "sender").first(),
            # a sum with a line that is withheld is withheld: its other lines would reveal it
            pl.when(stated.is_not_null().all()).then(stated.sum()).cast(pl.Decimal(38, 9)).alias("value"),
            pl.col("decimals").min(),
            pl.col("tolerance").max(),
            sum_slack(),
        )
    )
    columns = [*_KEY, "contract", "sender", "value", "decimals", "slack", "tolerance"]
    lower, upper = bounds(slack="slack", tolerance="tolerance")
    statements = pl.concat([single.select(columns), sums.select(columns)]).with_columns(lower, upper)
    known = pl.col("value").is_not_null()
    statements = statements.with_columns(pl.when(known).then(name).alias(name) for name in ("lower", "upper"))
    counted = statements.drop("decimals", "slack", "tolerance").with_columns(pl.len().over("item_id").alias("reports"))
    return counted.join(items.select(ITEM_COLUMNS), on="item_id").collect()
