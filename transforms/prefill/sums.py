"""Values that follow from what others have reported by declared roll-ups: exact sums of all their parts."""

import polars as pl

from schemas.claims import BOUND
from schemas.concepts import Vocabulary
from transforms.derivations.derive import derive
from transforms.derivations.roll_ups import ITEM_IDENTITY
from transforms.prefill.known import CONTRADICTED, DERIVED, FILLED, KNOWN, KNOWN_ITEM, without_hidden


def with_sums(
    known: pl.DataFrame, own: pl.DataFrame, places: pl.DataFrame, vocabulary: Vocabulary, wholes: pl.DataFrame
) -> pl.DataFrame:
    """Return what is known (`KNOWN_ITEM`) with the items that follow from it.

    A stated value that its sum contradicts is a conflict, and so is a sum that the obligation's own statement (own:
    item_id, lower, upper) contradicts. An item that others state without a value that may be shown gets none by a sum.
    places: unit_id, unit_kind, unit_code, unit_name, period_start of the wholes. wholes: as `derive`.
    """
    shown = pl.col("state").is_in(FILLED)
    items = known.select(
        "item_id",
        *ITEM_IDENTITY,
        pl.when(shown).then("value").alias("value"),
        decimals=pl.lit(None, pl.Int16),
        conf_status=pl.lit("F"),
    )
    found = derive(items, vocabulary, wholes)
    if found.items.is_empty():
        return known
    sums = _with_bounds(found.items, found.edges, known).join(
        known.select("item_id", stated="state", stated_lower="lower", stated_upper="upper"), on="item_id", how="left"
    )
    contradicted = sums.filter(_disjoint("stated_lower", "stated_upper"), pl.col("stated") == KNOWN)["item_id"]
    known = known.with_columns(
        state=pl.when(pl.col("item_id").is_in(contradicted.implode())).then(pl.lit(CONTRADICTED)).otherwise("state")
    )
    new = sums.filter(pl.col("stated").is_null()).unique("item_id", keep="first", maintain_order=True)
    own_bounds = own.group_by("item_id").agg(own_lower=pl.col("lower").max(), own_upper=pl.col("upper").min())
    new = new.join(own_bounds, on="item_id", how="left").with_columns(
        state=pl.when(_disjoint("own_lower", "own_upper").fill_null(value=False))
        .then(pl.lit(CONTRADICTED))
        .otherwise(pl.lit(DERIVED))
    )
    placed = new.join(places, on=["unit_id", "period_start"], how="inner")
    return without_hidden(pl.concat([known, placed.select(KNOWN_ITEM.names()).cast(KNOWN_ITEM)]))


def _disjoint(lower: str, upper: str) -> pl.Expr:
    """Return whether the interval of a sum and another one have no number in common."""
    return pl.max_horizontal("lower", lower) > pl.min_horizontal("upper", upper)


def _with_bounds(sums: pl.DataFrame, edges: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return the sums with the interval that the intervals of their parts give, and where the parts are from."""
    parts = edges.join(known, left_on="part_id", right_on="item_id").group_by("item_id", "rule")
    totals = parts.agg(
        pl.col("lower").sum().cast(BOUND),
        pl.col("upper").sum().cast(BOUND),
        obligations=pl.col("obligations").explode().unique().sort(),
        senders=pl.col("senders").explode().unique().sort(),
        received_at=pl.col("received_at").max(),
    )
    stated = sums.drop("lower", "upper", strict=False).join(totals, on=["item_id", "rule"])
    return stated.with_columns(reported_by=pl.lit(None, pl.String)).sort("item_id", "rule")
