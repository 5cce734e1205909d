"""Replacements: what others know of each item of an obligation, as statements of their own or as a sum of parts."""

from typing import Final

import polars as pl

from transforms.overlap.statements import ITEM_COLUMNS, interval_width

_ITEM = [name for name in ITEM_COLUMNS if name != "item_id"]
REPORT: Final = ("reported_by", "unit_id", "period_start")
"""What identifies a report under an obligation: what one reporter states of a unit and period."""
_OTHER = ("other", "other_lower", "other_upper", "other_width", "other_first", "by")


def replacements(
    statements: pl.DataFrame,
    obligation: str,
    edges: pl.DataFrame,
    received: pl.DataFrame | None = None,
    figures: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Return the items of an obligation that the statements are about, in any order, with what others know of each.

    statements: at least those of these items and of the items that these are sums of. edges: `derivable_from` of the
    release. received: submission_id, received_at. figures: how many figures each report has (`REPORT`, figures), by
    default as many as the statements have of it.

    Columns: those of `ITEM_COLUMNS`, weight (Float64, the reports that the item is, if a report's figures share it
    equally), own (Decimal, null where withheld or stated with several values), lower and upper, width, checked
    (Boolean: several reporters state it, none of them withheld), first (when it was received); covered, summed
    (Boolean: known as a sum only), other (Decimal, what others give), other_lower, other_upper, other_width,
    other_first, by (List(String), the obligations), opinions (how many of them state it).
    """
    dated = _dated(statements, received)
    mine = pl.col("obligation") == obligation
    items = _items(_weighted(dated.filter(mine), figures))
    others = _stated(dated.filter(~mine))
    direct = items.join(others, on="item_id", how="left").with_columns(opinions=pl.col("by").list.len().fill_null(0))
    sums = _sums(edges.join(items, on="item_id", how="semi"), others)
    found = direct.join(sums, on="item_id", how="left", suffix="_sum")
    summed = pl.col("by").is_null() & pl.col("by_sum").is_not_null()
    chosen = [pl.when(pl.col("by").is_null()).then(f"{name}_sum").otherwise(name).alias(name) for name in _OTHER]
    flags = found.with_columns(summed=summed).with_columns(chosen).drop(f"{name}_sum" for name in _OTHER)
    return flags.with_columns(covered=pl.col("by").is_not_null())


def _dated(statements: pl.DataFrame, received: pl.DataFrame | None) -> pl.DataFrame:
    """Return the statements with the time when each was received, null where nobody knows."""
    if received is None:
        return statements.with_columns(received_at=pl.lit(None, pl.Datetime("us")))
    return statements.join(received.select("submission_id", "received_at"), on="submission_id", how="left")


def _items(own: pl.DataFrame) -> pl.DataFrame:
    """Return the items of an obligation's statements; most have one, and need no grouping."""
    once, several = (own.filter(alone) for alone in (pl.col("reports") == 1, pl.col("reports") > 1))
    single = once.select(
        "item_id",
        *_ITEM,
        "weight",
        pl.col("value").alias("own"),
        "lower",
        "upper",
        width=interval_width(),
        checked=pl.lit(value=False),
        first="received_at",
    )
    grouped = several.group_by("item_id").agg(
        pl.col(_ITEM).first(),
        weight=pl.col("weight").sum(),
        own=_only_value(),
        lower=pl.col("lower").max(),
        upper=pl.col("upper").min(),
        width=interval_width().min(),
        checked=(pl.col("reported_by").min() != pl.col("reported_by").max()) & (pl.col("value").null_count() == 0),
        first=pl.col("received_at").min(),
    )
    return pl.concat([single, grouped])


def _weighted(own: pl.DataFrame, figures: pl.DataFrame | None) -> pl.DataFrame:
    """Return statements with weight, the part of its report that each is; of several of one item, the first has it.

    A report is what one reporter states of a unit and period.
    """
    once, several = (own.filter(alone) for alone in (pl.col("reports") == 1, pl.col("reports") > 1))
    first = pl.struct("reported_by", "item_id").is_first_distinct().cast(pl.Float64)
    counted = pl.concat([once.with_columns(weight=pl.lit(1.0)), several.with_columns(weight=first)])
    if figures is None:
        return counted.with_columns(pl.col("weight") / pl.col("weight").sum().over(REPORT))
    joined = counted.join(figures.select(*REPORT, "figures"), on=REPORT, how="left")
    return joined.with_columns(pl.col("weight") / pl.col("figures")).drop("figures")


def _only_value() -> pl.Expr:
    """Return the value of an item's statements where they have one and none is withheld."""
    known = (pl.col("value").min() == pl.col("value").max()) & (pl.col("value").null_count() == 0)
    return pl.when(known).then(pl.col("value").first())


def _stated(others: pl.DataFrame) -> pl.DataFrame:
    return others.group_by("item_id").agg(
        other=_only_value(),
        other_lower=pl.col("lower").max(),
        other_upper=pl.col("upper").min(),
        other_width=interval_width().min(),
        other_first=pl.col("received_at").min(),
        by=pl.col("obligation").unique().sort(),
    )


def _sums(edges: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """Return the exact sums of the items all of whose parts others know, by the first rule of each that gives one."""
    parts = edges.join(others, left_on="part_id", right_on="item_id", how="left")
    sums = parts.group_by("item_id", "rule").agg(
        known=pl.col("other").is_not_null().all(),
        other=pl.col("other").to_physical().sum(),
        other_width=pl.col("other_width").sum(),
        other_first=pl.col("other_first").max(),
        by=pl.col("by").explode().unique().sort(),
    )
    value = pl.col("other").cast(pl.Int128).reinterpret(dtype=others.schema["other"])
    exact = value.cast(others.schema["other_lower"])
    return (
        sums.filter("known")
        .sort("item_id", "rule")
        .unique("item_id", keep="first", maintain_order=True)
        .with_columns(value, other_lower=exact, other_upper=exact)
        .select("item_id", *_OTHER)
    )
