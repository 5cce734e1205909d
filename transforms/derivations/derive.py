"""Derivable items: what follows exactly from the items of a release by declared or accepted roll-ups.

A derived item is the exact sum of its parts and is there only if every part is: a part that is missing, withheld or
confidential gives none. It is an item of its own, with edges to the parts, and changes nothing that was reported.
Derived items are parts of others in turn (months of municipalities give the county's year); edges always lead to
reported items.
"""

from dataclasses import dataclass
from typing import Final

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS
from schemas.concepts import Vocabulary
from schemas.overlap import DERIVABLE, DERIVABLE_FROM
from transforms.derivations.roll_ups import ITEM_IDENTITY, MOST_ROUNDS, deriving_concepts, parts_of_wholes
from transforms.identity import item_id
from transforms.observations.agreement import bounds, sum_slack
from transforms.observations.confidentiality import CONFIDENTIAL

_BY: Final = ("item_id", "rule")


@dataclass(frozen=True)
class Derived:
    """What follows from the items of a release: the tables `derivable` and `derivable_from`."""

    items: pl.DataFrame
    edges: pl.DataFrame


def derive(items: pl.DataFrame, vocabulary: Vocabulary, wholes: pl.DataFrame) -> Derived:
    """Return the derivable items and their edges.

    items: of a release: item_id, the columns of `ITEM_IDENTITY`, value (null where withheld), decimals, conf_status.
    wholes: `transforms.derivations.wholes.WHOLES`.
    """
    items = items.filter(pl.col("concept").is_in(sorted(deriving_concepts(vocabulary))))
    parts = items.filter(pl.col("value").is_not_null()).select("item_id", *ITEM_IDENTITY)
    leaves = pl.DataFrame(schema={"part": pl.String, "leaf": pl.String})
    for _ in range(MOST_ROUNDS):
        whole = _complete(parts_of_wholes(parts, vocabulary, wholes))
        edges = whole.explode("part").join(leaves, on="part", how="left")
        edges = edges.select(*_BY, part_id=pl.coalesce("leaf", "part"))
        sums = _sums(edges, items)
        agreed = sums.group_by("item_id").agg(pl.col("rule").min(), several=pl.col("value").n_unique())
        fresh = agreed.filter(pl.col("several") == 1).join(items, on="item_id", how="anti")
        fresh = fresh.join(parts, on="item_id", how="anti").select(_BY)
        if fresh.is_empty():
            break
        added = whole.join(fresh, on=list(_BY)).select("item_id", *ITEM_IDENTITY)
        parts = pl.concat([parts, added])
        known = edges.join(fresh, on=list(_BY)).select(part="item_id", leaf="part_id")
        leaves = pl.concat([leaves, known])
    rows = _compared(sums.join(whole.drop("part"), on=list(_BY)), items)
    listed = edges.join(rows, on=list(_BY), how="semi")
    return Derived(
        rows.select(c.name for c in DERIVABLE).sort(_BY), listed.select(c.name for c in DERIVABLE_FROM).sort(pl.all())
    )


def _complete(parts: pl.DataFrame) -> pl.DataFrame:
    """Return the wholes of which every part is there: the columns of `ITEM_IDENTITY`, rule, item_id, part (a list)."""
    by = ["rule", *ITEM_IDENTITY]
    whole = parts.group_by(by).agg(pl.col("part").unique(), pl.col("needed").first())
    return whole.filter(pl.col("part").list.len() == pl.col("needed")).drop("needed").with_columns(item_id())


def _sums(edges: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return the exact sum of each item and rule: value, decimals, slack, parts; none that has too many digits."""
    stated = edges.join(items.select(part_id="item_id", value="value", decimals="decimals"), on="part_id")
    size = pl.col("value").cast(pl.Float64).sum().abs()
    sums = stated.group_by(_BY).agg(
        pl.col("value").to_physical().sum(), pl.col("decimals").min(), sum_slack(), parts=pl.len(), size=size
    )
    return (
        sums.filter(pl.col("size") < 10.0**VALUE_DIGITS)
        .with_columns(pl.col("value").cast(pl.Int128).reinterpret(dtype=VALUE))
        .drop("size")
    )


def _compared(rows: pl.DataFrame, items: pl.DataFrame) -> pl.DataFrame:
    """Return the rows with the item as it is reported, if it is, and how that relates to the sum.

    An item whose value is confidential is left out: the sum of its parts could be that value.
    """
    reported = items.select(
        "item_id", "conf_status", reported="value", reported_decimals="decimals", is_reported=pl.lit(value=True)
    )
    lower, upper = bounds(slack="slack")
    least, most = bounds("reported", "reported_decimals")
    meets = pl.max_horizontal("lower", "least") <= pl.min_horizontal("upper", "most")
    relation = (
        pl.when(pl.col("is_reported").is_null())
        .then(pl.lit("unreported"))
        .when(pl.col("reported").is_null())
        .then(pl.lit("withheld"))
        .when(pl.col("reported") == pl.col("value"))
        .then(pl.lit("equal"))
        .when(meets)
        .then(pl.lit("consistent"))
        .otherwise(pl.lit("conflict"))
    )
    joined = rows.join(reported, on="item_id", how="left")
    free = joined.filter(pl.col("conf_status").ne_missing(CONFIDENTIAL))
    return free.with_columns(lower, upper, least.alias("least"), most.alias("most")).with_columns(relation=relation)
