"""Agreement of duplicate claims: how the claims of one item agree, and which of them is published.

A claim means any number in the closed interval value ± ½·10^-decimals, and exactly its value when decimals is null.
Following the XBRL working group's note on duplicate facts and the SEC's EDGAR manual 6.5.12, an item is

- `single`: one claim;
- `complete`: several, all of equal value and equal accuracy;
- `consistent`: claims of the same accuracy have the same value, and one number lies in all the intervals;
- `conflict`: anything else.

Consistency is not transitive (500 ± 50 agrees with 455 ± 5 and with 545 ± 5, which disagree with each other), so the
test is greatest lower end <= least upper end over the whole set. Nothing here depends on the order of the rows.
"""

from typing import Final

import polars as pl

from schemas.claims import BOUND, VALUE_DIGITS, VALUE_SCALE

_TENTHS: Final = 10
"""Bounds have one place more than values, so half of a value's last place is a whole number of bound units."""
_EDGE: Final = 10 ** (VALUE_DIGITS + VALUE_SCALE + 1) - 1
"""The largest bound that `BOUND` holds. Clipping there changes no comparison: every value is nearer to zero."""
_COARSEST: Final = -VALUE_DIGITS
"""An accuracy below this has no information: its interval contains every possible value."""
_HALVES: Final = {decimals: 5 * 10 ** (VALUE_SCALE - decimals) for decimals in range(_COARSEST, VALUE_SCALE + 1)}
"""Half a unit of each accuracy. Finer than a value's last place counts as exact: two values cannot be that close."""

TIE_BREAKERS: Final = ("precedence", "contract", "reported_by", "submission_id", "row", "column")
"""The sort keys that decide between equally accurate claims, each ascending, a null precedence last.

The value is not among them: claims that agree and are equally accurate have the same value.
"""


def bounds(value: str = "value", decimals: str = "decimals") -> tuple[pl.Expr, pl.Expr]:
    """Return the ends of the closed interval that a claim stands for, least and greatest, as `BOUND`."""
    accuracy = pl.col(decimals)
    middle = pl.col(value).to_physical() * _TENTHS
    half = accuracy.replace_strict(_HALVES, default=0, return_dtype=pl.Int128)
    everything = accuracy < _COARSEST
    lower = pl.when(everything).then(-_EDGE).otherwise((middle - half).clip(-_EDGE, _EDGE))
    upper = pl.when(everything).then(_EDGE).otherwise((middle + half).clip(-_EDGE, _EDGE))
    return (
        lower.cast(pl.Int128).reinterpret(dtype=BOUND).alias("lower"),
        upper.cast(pl.Int128).reinterpret(dtype=BOUND).alias("upper"),
    )


def accuracy_aggs() -> list[pl.Expr]:
    """Return the first of two steps: aggregations over the claims of one item and one accuracy."""
    return [
        pl.len().alias("reports"),
        pl.col("value").min().alias("value"),
        (pl.col("value").min() != pl.col("value").max()).alias("differs"),
    ]


def agreement_aggs() -> list[pl.Expr]:
    """Return the second step: aggregations over the accuracies of one item, on the result of `accuracy_aggs`."""
    lower, upper = bounds()
    return [
        pl.col("reports").sum(),
        pl.len().alias("accuracies"),
        pl.col("differs").any(),
        lower.max().alias("lower"),
        upper.min().alias("upper"),
    ]


def agreement() -> pl.Expr:
    """Return how an item's claims agree, one of `AGREEMENTS`, from the result of `agreement_aggs`."""
    return (
        pl.when(pl.col("reports") == 1)
        .then(pl.lit("single"))
        .when(pl.col("differs") | (pl.col("lower") > pl.col("upper")))
        .then(pl.lit("conflict"))
        .when(pl.col("accuracies") == 1)
        .then(pl.lit("complete"))
        .otherwise(pl.lit("consistent"))
        .alias("agreement")
    )


def judge_claims(statements: pl.DataFrame) -> pl.DataFrame:
    """Return the same rows in the same order with the verdict on each.

    Added are the item's `reports` and `reporters` (UInt32), its `agreement` (String), `chosen` (Boolean: this claim's
    value and accuracy are published; at most one claim per item) and `represents` (Boolean: exactly one claim per item,
    the chosen one, or the first in order where the item is withheld).

    The most accurate claim is chosen, by `TIE_BREAKERS` among equals. If the claims conflict, only those of the lowest
    declared precedence count: the most accurate of them is chosen if they agree, none if they do not or if none is
    declared. Statements have item_id, value, decimals and the columns of `TIE_BREAKERS`; (submission_id, row, column)
    is unique among the claims of one item.
    """
    gathered = _gather(statements)
    single = gathered.filter(pl.col("reports") == 1).select(
        "at",
        "reports",
        pl.col("reports").alias("reporters"),
        pl.lit("single").alias("agreement"),
        pl.lit(True).alias("chosen"),
        pl.lit(True).alias("represents"),
    )
    several = gathered.filter(pl.col("reports") > 1)
    claims = statements.select("value", "decimals", *TIE_BREAKERS)[several["at"]].hstack(several.select("at", "group"))
    verdicts = pl.concat([single, _judge(_rank(claims)).select(single.columns)]).sort("at")
    return statements.hstack(verdicts.drop("at"))


def _gather(statements: pl.DataFrame) -> pl.DataFrame:
    """Group the rows by item: `at` (row number), `group` (a number for the item), `reports`.

    One pass over the long ids: later steps group by the short number, and skip single claims, which are most of them.
    """
    items = statements.select("item_id").with_row_index("at").group_by("item_id").agg("at")
    reports = pl.col("at").list.len().alias("reports")
    return items.select("at", reports).with_row_index("group").explode("at")


def _first_of_group() -> pl.Expr:
    """Mark the first row of each group in a frame sorted by group."""
    return pl.col("group").ne_missing(pl.col("group").shift())


def _rank(claims: pl.DataFrame) -> pl.DataFrame:
    """Sort the claims of each group, the one to publish first: exact, then most accurate, then by `TIE_BREAKERS`."""
    keys = ["group", "decimals", *TIE_BREAKERS]
    return claims.sort(
        keys, descending=[key == "decimals" for key in keys], nulls_last=[key == "precedence" for key in keys]
    )


def _classify(claims: pl.DataFrame) -> pl.DataFrame:
    steps = claims.lazy().group_by("group", "decimals").agg(accuracy_aggs())
    return steps.group_by("group").agg(agreement_aggs()).select("group", "reports", agreement()).collect()


def _judge(ranked: pl.DataFrame) -> pl.DataFrame:
    """Return the verdicts on ranked claims of groups with several: agreement, chosen, represents."""
    verdicts = _classify(ranked)
    reporters = ranked.group_by("group").agg(pl.col("reported_by").n_unique().alias("reporters"))
    decided = ranked.join(verdicts, on="group", how="left", maintain_order="left").join(
        reporters, on="group", how="left", maintain_order="left"
    )
    conflict = pl.col("agreement") == "conflict"
    winners = _prevailing(decided.filter(conflict).drop("reports", "agreement"))
    first = _first_of_group()
    settled = pl.col("group").is_in(winners["group"].implode())
    chosen = pl.when(conflict).then(pl.col("at").is_in(winners["at"].implode())).otherwise(first)
    return decided.with_columns(
        chosen.alias("chosen"), pl.when(settled).then(chosen).otherwise(first).alias("represents")
    )


def _prevailing(ranked: pl.DataFrame) -> pl.DataFrame:
    """Return the prevailing claim of each conflict whose claims of lowest precedence agree among themselves."""
    highest = ranked.filter(pl.col("precedence") == pl.col("precedence").min().over("group"))
    agreed = _classify(highest).filter(pl.col("agreement") != "conflict")
    return highest.join(agreed, on="group", how="semi", maintain_order="left").filter(_first_of_group())
