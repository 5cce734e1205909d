"""What is known of items from what others have reported: the value that a draft may show, or why it shows none.

Whether a value is known, and which, depends on no statement that may not be shown: nothing withheld can be read off it.
"""

from collections.abc import Mapping
from typing import Final

import polars as pl

from schemas.claims import BOUND, VALUE

KNOWN: Final = "known"
DERIVED: Final = "derived"
WITHHELD: Final = "withheld"
PERSONAL: Final = "personal"
TOO_SMALL: Final = "suppressed"
CONTRADICTED: Final = "conflict"
FILLED: Final = (KNOWN, DERIVED)
"""The states of items whose value a draft may show."""
_TEXTS: Final = (
    "item_id", "concept", "breakdown", "unit_measure", "unit_id", "unit_kind", "unit_code", "unit_name"
)  # fmt: skip
ITEM: Final = pl.Schema([*((name, pl.String) for name in _TEXTS), ("period_start", pl.Date), ("period_end", pl.Date)])
"""What an item is about."""
KNOWN_ITEM: Final = pl.Schema(
    [
        *ITEM.items(),
        ("state", pl.String),
        ("value", VALUE),
        ("lower", BOUND),
        ("upper", BOUND),
        ("obligations", pl.List(pl.String)),
        ("senders", pl.List(pl.String)),
        ("reported_by", pl.String),
        ("received_at", pl.Datetime("us")),
        ("rule", pl.String),
        ("parts", pl.UInt32),
    ]
)
"""Items and what is known of them. state: one of the constants above; all after it is null where nothing is shown.

rule, parts: of a derived value the roll-up that gives it, and how many values it is the sum of.
"""


def known_values(
    statements: pl.DataFrame, items: pl.DataFrame, obligation: str, suppress_below: Mapping[str, int]
) -> pl.DataFrame:
    """Return what others state of each item that any of them states (`KNOWN_ITEM`).

    statements: those that the agency of the obligation may be shown, its own included (columns of `read_statements`,
    received_at, and personal: whether a contract declares the figure as personal data). items: `ITEM`. suppress_below:
    concept -> the least count that may be shown. The obligation's own statements are no source; one that contradicts
    what the others state makes it a conflict.
    """
    mine = pl.col("obligation") == obligation
    others, own = statements.filter(~mine), statements.filter(mine)
    width = (pl.col("upper") - pl.col("lower")).alias("width")
    ranked = others.with_columns(width).sort("item_id", "width", "obligation", "reported_by", "submission_id")
    by_item = ranked.group_by("item_id", maintain_order=True).agg(
        withheld=pl.col("value").null_count() > 0,
        smallest=pl.col("value").abs().min(),
        personal=pl.col("personal").any(),
        least=pl.col("lower").max(),
        most=pl.col("upper").min(),
        value=pl.col("value").first(),
        lower=pl.col("lower").first(),
        upper=pl.col("upper").first(),
        obligations=pl.col("obligation").unique().sort(),
        senders=pl.col("sender").unique().sort(),
        reported_by=pl.col("reported_by").first(),
        received_at=pl.col("received_at").first(),
    )
    limits = pl.col("concept").replace_strict(dict(suppress_below), default=None, return_dtype=pl.Int64)
    found = (
        by_item.join(items, on="item_id")
        .join(_differing(statements), on="item_id", how="left")
        .join(_own_bounds(own), on="item_id", how="left")
    )
    contradicts = pl.max_horizontal("least", "own_least") > pl.min_horizontal("most", "own_most")
    state = _state(
        pl.col("smallest") < limits, pl.col("differs").fill_null(value=False) | contradicts.fill_null(value=False)
    )
    stated = found.with_columns(state=state, rule=pl.lit(None, pl.String), parts=pl.lit(None, pl.UInt32))
    return without_hidden(stated.select(KNOWN_ITEM.names()).cast(KNOWN_ITEM))


def _state(is_small: pl.Expr, is_contradicted: pl.Expr) -> pl.Expr:
    # What is hidden comes before conflicts: else these would show whether the hidden value is that of another report.
    return (
        pl.when("personal").then(pl.lit(PERSONAL))
        .when("withheld").then(pl.lit(WITHHELD))
        .when(is_small.fill_null(value=False)).then(pl.lit(TOO_SMALL))
        .when(is_contradicted).then(pl.lit(CONTRADICTED))
        .otherwise(pl.lit(KNOWN))
    )  # fmt: skip


def without_hidden(known: pl.DataFrame) -> pl.DataFrame:
    """Return the items with what is stated of them where it may be shown only."""
    shown = pl.col("state").is_in(FILLED)
    names = KNOWN_ITEM.names()[KNOWN_ITEM.names().index("state") + 1 :]
    return known.with_columns(pl.when(shown).then(name).alias(name) for name in names).sort("item_id")


def _own_bounds(own: pl.DataFrame) -> pl.DataFrame:
    return own.group_by("item_id").agg(own_least=pl.col("lower").max(), own_most=pl.col("upper").min())


def _differing(statements: pl.DataFrame) -> pl.DataFrame:
    """Return the items of which two statements of one accuracy have two values: that is a conflict by the law."""
    width = (pl.col("upper") - pl.col("lower")).alias("width")
    known = statements.filter(pl.col("value").is_not_null()).group_by("item_id", width)
    values = known.agg(differs=pl.col("value").min() != pl.col("value").max())
    return values.group_by("item_id").agg(pl.col("differs").any())
