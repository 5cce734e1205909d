"""Statements: what each obligation's standing claims say about each item, additive lines summed.

Everything about overlap is computed from these. A statement's value is null where its claims are confidential, so that
nothing withheld can be read off a comparison.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import polars as pl

from schemas.claims import VALUE
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
_LINE: Final = (*_KEY, "contract", "sender", "value", "decimals", "relation", "tolerance")
_PLAIN: Final = ("single", "complete")
"""How the sources of an item are related to it that all have one value, of one accuracy, each on one line."""


class StatedItems(NamedTuple):
    """What a release states of an obligation's items.

    statements: all of some items, as `read_statements`. alone: counts of the obligation's other items, which nobody
    else has, by concept and breakdown: items, own_checks (UInt32: those that several reporters state). Each of these is
    stated plainly: its statements have one value and one accuracy, and none is withheld.
    """

    statements: pl.DataFrame
    alone: pl.DataFrame


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
    lines = sources.select(_LINE)
    single = lines.filter(pl.col("relation") != "additive").with_columns(slack=pl.lit(None, pl.Int128))
    stated = pl.col("value")
    sums = (
        lines.filter(pl.col("relation") == "additive")
        .group_by(_KEY)
        .agg(
            pl.col("contract", "sender").first(),
            # a sum with a line that is withheld is withheld: its other lines would reveal it
            pl.when(stated.is_not_null().all()).then(stated.sum()).cast(VALUE).alias("value"),
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


def read_figures(sources: pl.LazyFrame, items: pl.LazyFrame) -> pl.DataFrame:
    """Return the statements of a release (as `read_statements`) with the columns alone that discovery compares.

    Columns: obligation, reported_by, value, and of `ITEM_COLUMNS` all but item_id; texts are Categorical.
    """
    columns = ["item_id", "obligation", "reported_by", "value"]
    is_line, stated = pl.col("relation") == "additive", pl.col("value")
    whole = pl.when(stated.is_not_null().all()).then(stated.sum()).cast(VALUE).alias("value")
    sums = sources.filter(is_line).group_by(_KEY).agg(whole)
    rows = pl.concat([each.select(columns) for each in (sources.filter(~is_line), sums)])
    texts = pl.col(pl.String).exclude("item_id").cast(pl.Categorical)  # few, and repeated: the join moves numbers
    coded = [each.with_columns(texts) for each in (rows, items.select(ITEM_COLUMNS))]
    return coded[0].join(coded[1], on="item_id").drop("item_id").collect()


def read_stated_items(
    sources: pl.LazyFrame, items: pl.LazyFrame, obligation: str, edges: pl.DataFrame, hidden: Sequence[str] = ()
) -> StatedItems:
    """Return what is stated of an obligation's items, and of the items that these are sums of.

    Most items of most obligations are stated plainly and by nobody else: these are counted, and their statements not
    even looked at. sources, items: the live tables `sources` and `observations` of some months, of all obligations.
    edges: `derivable_from` of the obligation's items. hidden: obligations whose statements are left out.
    """
    own = pl.col("obligation") == obligation
    plain = own & pl.col("relation").is_in(_PLAIN) & pl.col("value").is_not_null()
    sums = pl.concat([edges["item_id"], edges["part_id"]]).to_frame("item_id").lazy()
    listed = pl.concat([sources.filter(~plain).select("item_id"), sums]).unique().collect()
    alone = items.join(listed.lazy(), on="item_id", how="anti") if listed.height else items
    counts = alone.group_by("concept", "breakdown").agg(items=pl.len(), own_checks=(pl.col("reporters") > 1).sum())
    if listed.is_empty():
        return StatedItems(read_statements(sources.clear(), items.clear()), counts.collect())
    mine = sources.filter(own).join(listed.lazy(), on="item_id", how="semi").select(_LINE).collect()
    wanted = pl.concat([mine["item_id"], edges["part_id"]]).unique().to_frame("item_id").lazy()
    others = sources.filter(~own & ~pl.col("obligation").is_in(hidden)).join(wanted, on="item_id", how="semi")
    lines = pl.concat([mine.lazy(), others.select(_LINE)])
    return StatedItems(read_statements(lines, items.join(wanted, on="item_id", how="semi")), counts.collect())
