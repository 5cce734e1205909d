"""Agreement of duplicate claims: how the claims of one item agree, and which of them is published.

A claim means any number in the closed interval value ± ½·10^-decimals, and exactly its value when decimals is null. A
sum of lines means the sum of their intervals: four thousands of ±500 each are 4000 ± 2000. Where its contract declares
a tolerance, a claim means value ± that share of it, if this is more; claims with one need not be equal to agree.
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
from transforms import identity

_TENTHS: Final = 10
"""Bounds have one place more than values, so half of a value's last place is a whole number of bound units."""
_EDGE: Final = 10 ** (VALUE_DIGITS + VALUE_SCALE + 1) - 1
"""The largest bound that `BOUND` holds. Clipping there changes no comparison: every value is nearer to zero."""
_MILLION: Final = 10**6
_COARSEST: Final = -VALUE_DIGITS
"""An accuracy below this has no information: its interval contains every possible value."""
_HALVES: Final = {decimals: 5 * 10 ** (VALUE_SCALE - decimals) for decimals in range(_COARSEST, VALUE_SCALE + 1)}
"""Half a unit of each accuracy. Finer than a value's last place counts as exact: two values cannot be that close."""

_WIDEST: Final = _HALVES[_COARSEST]
_MOST_LINES: Final = 10**7
"""A sum of so many lines at most, each of a width at most `_WIDEST / _MOST_LINES`, stays within 128 bits."""

TIE_BREAKERS: Final = ("precedence", "contract", "reported_by", "submission_id", "row", "column")
"""The sort keys that decide between equally accurate claims, each ascending, a null precedence last.

The value is not among them: claims that agree and are equally accurate have the same value.
"""
_SINGLE: Final = pl.DataFrame(
    {"reporters": [1], "agreement": ["single"], "chosen": [True], "represents": [True]},
    schema_overrides={"reporters": pl.UInt32},
)
"""The verdict on a claim that is the only one of its item."""


def bounds(
    value: str = "value", decimals: str = "decimals", slack: str | None = None, tolerance: str | None = None
) -> tuple[pl.Expr, pl.Expr]:
    """Return the ends of the closed interval that a claim stands for, least and greatest, as `BOUND`.

    slack: a column with half the width of the interval where the accuracy does not give it (`sum_slack`), else null.
    tolerance: a column with the share of the value that half the width is at least, in millionths, or null.
    """
    accuracy = pl.col(decimals)
    middle = pl.col(value).to_physical() * _TENTHS
    half = _half(decimals, slack)
    if tolerance is not None:
        # In two parts, each without a loss and of a size that 128 bits hold, as the ends are up to `_WIDEST`.
        size, share = middle.abs(), pl.col(tolerance).cast(pl.Int128)
        tolerated = size // _MILLION * share + size % _MILLION * share // _MILLION
        half = pl.max_horizontal(half, tolerated.clip(upper_bound=_WIDEST))
    everything = accuracy < _COARSEST
    lower = pl.when(everything).then(-_EDGE).otherwise((middle - half).clip(-_EDGE, _EDGE))
    upper = pl.when(everything).then(_EDGE).otherwise((middle + half).clip(-_EDGE, _EDGE))
    return (
        lower.cast(pl.Int128).reinterpret(dtype=BOUND).alias("lower"),
        upper.cast(pl.Int128).reinterpret(dtype=BOUND).alias("upper"),
    )


def _half(decimals: str, slack: str | None) -> pl.Expr:
    own = pl.col(decimals).replace_strict(_HALVES, default=0, return_dtype=pl.Int128)
    return own if slack is None else pl.coalesce(slack, own)


def sum_slack() -> pl.Expr:
    """Return half the width of the interval of a sum of lines, in units of `BOUND`: that of all lines together.

    An aggregation over `decimals`; null where the least accuracy of the lines gives as much.
    """
    half = _half("decimals", None)
    large = ((pl.col("decimals") < _COARSEST) | (half > _WIDEST // _MOST_LINES)).any()
    width = (
        pl.when(large).then(pl.lit(_WIDEST, pl.Int128)).otherwise(half.clip(upper_bound=_WIDEST // _MOST_LINES).sum())
    )
    return pl.when(width > half.max()).then(width).cast(pl.Int128).alias("slack")


def accuracy_aggs() -> list[pl.Expr]:
    """Return the first of two steps: aggregations over the claims of one item and one accuracy."""
    return [
        pl.len().alias("reports"),
        pl.col("value").min().alias("value"),
        (pl.col("value").min() != pl.col("value").max()).alias("differs"),
    ]


def agreement_aggs(slack: str | None = None, tolerance: str | None = None) -> list[pl.Expr]:
    """Return the second step: aggregations over the accuracies of one item, on the result of `accuracy_aggs`."""
    lower, upper = bounds(slack=slack, tolerance=tolerance)
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


def judge_claims(statements: pl.DataFrame, items: pl.DataFrame | None = None) -> pl.DataFrame:
    """Return the same rows in the same order with the verdict on each. items: their `group_by_item`, if it is known.

    Added are the item's `reports` and `reporters` (UInt32), its `agreement` (String), `chosen` (Boolean: this claim's
    value and accuracy are published; at most one claim per item) and `represents` (Boolean: exactly one claim per item,
    the chosen one, or the first in order where the item is withheld).

    The most accurate claim is chosen, by `TIE_BREAKERS` among equals. If the claims conflict, only those of the lowest
    declared precedence count: the most accurate of them is chosen if they agree, none if they do not or if none is
    declared. Statements have item_id, value, decimals, the columns of `TIE_BREAKERS` and, if there are sums of lines,
    `slack` (`sum_slack`), if there are tolerances, `tolerance`; (submission_id, row, column) is unique among the claims
    of one item.
    """
    gathered = group_by_item(statements) if items is None else items
    several = gathered.filter(pl.col("reports") > 1)
    slack = "slack" if "slack" in statements.columns else pl.lit(None, pl.Int128).alias("slack")
    tolerance = ("tolerance",) if has_tolerance(statements) else ()
    claims = statements.select("value", "decimals", slack, *tolerance, *TIE_BREAKERS)[several["at"]]
    judged = _judge(_rank(claims.hstack(several.select("at", "group"))))
    reports = pl.zeros(statements.height, pl.UInt32, eager=True).alias("reports")
    verdicts = [
        reports.scatter(gathered["at"], gathered["reports"]),
        *(_verdicts(single, judged, statements.height) for single in _SINGLE),
    ]
    return statements.hstack(verdicts)


def _verdicts(single: pl.Series, judged: pl.DataFrame, height: int) -> pl.Series:
    """Return a column of verdicts: of judged claims in the rows `at`, and of a single claim in the other rows.

    Placing values by row number costs a tenth of sorting the rows.
    """
    return single.new_from_index(0, height).scatter(judged["at"], judged[single.name])


def has_tolerance(statements: pl.DataFrame) -> bool:
    """Return whether any of these claims declares a tolerance: most data have none."""
    return "tolerance" in statements.columns and statements["tolerance"].count() > 0


def group_by_item(statements: pl.DataFrame) -> pl.DataFrame:
    """Group the rows by item: `at` (row number), `group` (a number for the item), `reports` (its number of rows).

    All UInt32, in the order of the items' ids. The long ids are sorted once: later steps group by the short number, and
    skip single claims, which are most of them.
    """
    order = identity.order_ids(statements["item_id"])
    group = order["first"].cum_sum().cast(pl.UInt32) - 1
    starts = order["first"].arg_true().append(pl.Series([order.height], dtype=pl.UInt32))
    reports = starts.diff().slice(1).cast(pl.UInt32).gather(group)
    return pl.DataFrame({"at": order["at"], "group": group, "reports": reports})


def _first_of_group() -> pl.Expr:
    """Mark the first row of each group in a frame sorted by group."""
    return pl.col("group").ne_missing(pl.col("group").shift())


def _rank(claims: pl.DataFrame) -> pl.DataFrame:
    """Sort the claims of each group, the one to publish first: exact, then most accurate, then by `TIE_BREAKERS`."""
    width = pl.when(pl.col("decimals") < _COARSEST).then(_EDGE).otherwise(_half("decimals", "slack"))
    keys = ["group", "_width", "decimals", *TIE_BREAKERS]
    ranked = claims.with_columns(width.alias("_width")).sort(
        keys, descending=[key == "decimals" for key in keys], nulls_last=[key == "precedence" for key in keys]
    )
    return ranked.drop("_width")


def _classify(claims: pl.DataFrame) -> pl.DataFrame:
    like, tolerance = ["group", "decimals", "slack"], None
    if "tolerance" in claims.columns:
        # claims that tolerate a difference are each compared by their intervals, never for equal values
        tolerance, own = "tolerance", pl.when(pl.col("tolerance").is_not_null()).then("value").alias("_own")
        claims, like = claims.with_columns(own), [*like, "tolerance", "_own"]
    steps = claims.lazy().group_by(like).agg(accuracy_aggs())
    grouped = steps.group_by("group").agg(agreement_aggs("slack", tolerance))
    return grouped.select("group", "reports", agreement()).collect()


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
