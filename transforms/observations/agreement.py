"""The law of sameness: what the claims of one item say together, and which of them is published.

A claim means every number in the closed interval value ± ½·10^-decimals, and exactly its value when decimals is null.
As the XBRL working group's note on duplicate facts and the SEC's EDGAR manual 6.5.12 have it, an item is

- `single`: one claim;
- `complete`: several, all of equal value and equal accuracy;
- `consistent`: claims of the same accuracy have the same value, and one number lies in all the intervals;
- `conflict`: anything else.

Consistency is not transitive (500 ± 50 agrees with 455 ± 5 and with 545 ± 5, which disagree), so the test is greatest
lower end <= least upper end over the whole set. Nothing here depends on the order of the rows.
"""

from typing import Final

import polars as pl

from schemas.claims import BOUND, VALUE_DIGITS, VALUE_SCALE

_TENTHS: Final = 10
"""Bounds have one place more than values, so that half of a value's last place is a whole number of them."""
_EDGE: Final = 10 ** (VALUE_DIGITS + VALUE_SCALE + 1) - 1
"""The farthest end that `BOUND` holds. Cutting there decides nothing: every value is nearer to zero."""
_COARSEST: Final = -VALUE_DIGITS
"""An accuracy below this says nothing: its interval holds every value there is."""
_HALVES: Final = {decimals: 5 * 10 ** (VALUE_SCALE - decimals) for decimals in range(_COARSEST, VALUE_SCALE + 1)}
"""Half a unit of each accuracy. Finer than a value's last place is as good as exact: two values cannot be that near."""

ORDER: Final = ("precedence", "contract", "reported_by", "submission_id", "row", "column")
"""What decides between equally accurate claims, each ascending, a null precedence last.

The value is none of it: claims that agree and are equally accurate have the same.
"""


def bounds(value: str = "value", decimals: str = "decimals") -> tuple[pl.Expr, pl.Expr]:
    """Return the ends of the closed interval that a claim means, least and greatest, as `BOUND`."""
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
    """Return the first step of two: aggregations over the claims of one item and one accuracy."""
    return [
        pl.len().alias("reports"),
        pl.col("value").min().alias("value"),
        (pl.col("value").min() != pl.col("value").max()).alias("differs"),
    ]


def agreement_aggs() -> list[pl.Expr]:
    """Return the second step: aggregations over the accuracies of one item, as `accuracy_aggs` left them."""
    lower, upper = bounds()
    return [
        pl.col("reports").sum(),
        pl.len().alias("accuracies"),
        pl.col("differs").any(),
        lower.max().alias("lower"),
        upper.min().alias("upper"),
    ]


def agreement() -> pl.Expr:
    """Return how an item's claims agree, one of `AGREEMENTS`, from what `agreement_aggs` left."""
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


def agree(statements: pl.DataFrame) -> pl.DataFrame:
    """Return one row an item, in order of first mention: item_id, reports (UInt32), agreement (one of `AGREEMENTS`).

    Statements have item_id, value (`VALUE`) and decimals (Int16, null is exact).
    """
    gathered = _gather(statements)
    together = gathered.filter(pl.col("reports") > 1)
    claims = statements.select("value", "decimals")[together["at"]].hstack(together.select("group"))
    items = gathered.filter(_first_of_group())
    items = items.join(_classify(claims).drop("reports"), on="group", how="left").sort("at")
    return items.select(statements["item_id"][items["at"]], "reports", pl.col("agreement").fill_null("single"))


def choose(statements: pl.DataFrame) -> pl.DataFrame:
    """Return the same rows in the same order, and what was decided of each.

    Added are its item's `reports` and `reporters` (UInt32), the item's `agreement` (String), `chosen` (Boolean: this
    claim's value and accuracy are published; at most one claim an item) and `represents` (Boolean: exactly one claim an
    item, the chosen one, or the first in order where the item is withheld).

    The most accurate claim is chosen, in `ORDER` among equals. Where the claims conflict, those of the lowest declared
    precedence are looked at alone: the most accurate of them is chosen if they agree, none if not or if none is
    declared. Statements have item_id, value, decimals and the columns of `ORDER`; (submission_id, row, column) tells
    the claims of one item apart.
    """
    gathered = _gather(statements)
    alone = gathered.filter(pl.col("reports") == 1).select(
        "at",
        "reports",
        pl.col("reports").alias("reporters"),
        pl.lit("single").alias("agreement"),
        pl.lit(True).alias("chosen"),
        pl.lit(True).alias("represents"),
    )
    together = gathered.filter(pl.col("reports") > 1)
    claims = statements.select("value", "decimals", *ORDER)[together["at"]].hstack(together.select("at", "group"))
    verdicts = pl.concat([alone, _judge(_rank(claims)).select(alone.columns)]).sort("at")
    return statements.hstack(verdicts.drop("at"))


def published(chosen: pl.DataFrame) -> pl.DataFrame:
    """Return one row an item of what `choose` decided: item_id, value and decimals (null where withheld), agreement."""
    return chosen.filter("represents").select(
        "item_id",
        pl.when("chosen").then("value").alias("value"),
        pl.when("chosen").then("decimals").alias("decimals"),
        "agreement",
    )


def _gather(statements: pl.DataFrame) -> pl.DataFrame:
    """Bring the rows of each item together: `at` (row number), `group` (a number for the item), `reports`.

    One pass over the long ids; all that follows groups by the short number, and the claims that stand alone, most of
    them, are out of the way.
    """
    items = statements.select("item_id").with_row_index("at").group_by("item_id").agg("at")
    reports = pl.col("at").list.len().alias("reports")
    return items.select("at", reports).with_row_index("group").explode("at")


def _first_of_group() -> pl.Expr:
    """Mark the first row of each group, where the rows of a group stand together."""
    return pl.col("group").ne_missing(pl.col("group").shift())


def _rank(claims: pl.DataFrame) -> pl.DataFrame:
    """Sort the claims of each group, the one to publish first: exact, then accurate, then by `ORDER`."""
    keys = ["group", "decimals", *ORDER]
    return claims.sort(
        keys, descending=[key == "decimals" for key in keys], nulls_last=[key == "precedence" for key in keys]
    )


def _classify(claims: pl.DataFrame) -> pl.DataFrame:
    steps = claims.lazy().group_by("group", "decimals").agg(accuracy_aggs())
    return steps.group_by("group").agg(agreement_aggs()).select("group", "reports", agreement()).collect()


def _judge(ranked: pl.DataFrame) -> pl.DataFrame:
    """Decide for claims of several to a group, ranked: agreement, which is chosen, which represents."""
    verdicts = _classify(ranked)
    reporters = ranked.group_by("group").agg(pl.col("reported_by").n_unique().alias("reporters"))
    decided = ranked.join(verdicts, on="group", how="left", maintain_order="left").join(
        reporters, on="group", how="left", maintain_order="left"
    )
    conflict = pl.col("agreement") == "conflict"
    winners = _prevail(decided.filter(conflict).drop("reports", "agreement"))
    first = _first_of_group()
    settled = pl.col("group").is_in(winners["group"].implode())
    chosen = pl.when(conflict).then(pl.col("at").is_in(winners["at"].implode())).otherwise(first)
    return decided.with_columns(
        chosen.alias("chosen"), pl.when(settled).then(chosen).otherwise(first).alias("represents")
    )


def _prevail(ranked: pl.DataFrame) -> pl.DataFrame:
    """Return the claim that prevails in each conflict whose claims of lowest precedence agree among themselves."""
    highest = ranked.filter(pl.col("precedence") == pl.col("precedence").min().over("group"))
    agreed = _classify(highest).filter(pl.col("agreement") != "conflict")
    return highest.join(agreed, on="group", how="semi", maintain_order="left").filter(_first_of_group())
