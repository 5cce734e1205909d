"""What holds items together: their size, their weakest link, and links that no third report confirms.

A person looks first where an item hangs on one link. Only edges (scored pairs that are kept) are looked at: a report
that a decision or a declared key alone ties to its item has no link.
"""

from typing import Final

import polars as pl

MAX_BRIDGED: Final = 50
"""Reports of an item up to which its bridges are counted: the work grows with the third power."""
FEWEST_BRIDGED: Final = 3
"""Reports of an item from which it can have a bridge: in a pair nobody could confirm the link."""
ITEM_PROFILE: Final = {
    "item_id": pl.String, "reports": pl.Int64, "edges": pl.Int64, "weakest": pl.Float64, "report_id": pl.String,
    "unlinked": pl.Int64, "bridges": pl.Int64,
}  # fmt: skip
"""weakest: the least, over the item's reports, of the weight (bits) of its strongest edge to another one; report_id:
the report that has it. unlinked: reports without any edge. bridges: edges between two reports that no third report of
the item has an edge to both of (local bridges; Granovetter 1973); null above `MAX_BRIDGED` reports."""
PROFILE_COUNT: Final = {"of": pl.String, "value": pl.Int64, "items": pl.Int64}
"""How many items have a value. of: `reports`, `weakest` (whole bits, rounded down) or `bridges`."""


def profile_items(items: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Return `ITEM_PROFILE` of each item of two or more reports, the weakest first.

    items: report_id, item_id; each report once. edges: a, b, weight (bits).
    """
    members = items.select("report_id", "item_id").filter(pl.len().over("item_id") > 1)
    inside = edges.join(members, left_on="a", right_on="report_id").join(
        members, left_on=["b", "item_id"], right_on=["report_id", "item_id"]
    )
    strongest = _both_ways(inside).group_by("item_id", "report_id").agg(pl.col("weight").max())
    held = members.join(strongest, on=["item_id", "report_id"], how="left").sort("weight", "report_id", nulls_last=True)
    profiles = held.group_by("item_id").agg(
        pl.len().cast(pl.Int64).alias("reports"),
        pl.col("weight").min().alias("weakest"),
        pl.col("report_id").first(),
        pl.col("weight").null_count().cast(pl.Int64).alias("unlinked"),
    )
    counts = inside.group_by("item_id").agg(pl.len().cast(pl.Int64).alias("edges"))
    found = profiles.join(counts, on="item_id", how="left").join(_bridges(members, inside), on="item_id", how="left")
    bridged = pl.when(pl.col("reports") <= MAX_BRIDGED).then(pl.col("bridges").fill_null(0))
    filled = found.with_columns(pl.col("edges").fill_null(0), bridges=bridged)
    return filled.select(*ITEM_PROFILE).sort("weakest", "item_id", nulls_last=True)


def _both_ways(edges: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, report_id, other, weight: each edge from either end."""
    ends = (("a", "b"), ("b", "a"))
    return pl.concat([edges.select("item_id", "weight", report_id=one, other=other) for one, other in ends])


def _bridges(members: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """Return item_id, bridges of the items that have any."""
    sizes = members.group_by("item_id").agg(pl.len().alias("reports"))
    counted = sizes.filter(pl.col("reports").is_between(FEWEST_BRIDGED, MAX_BRIDGED))
    links = inside.join(counted, on="item_id", how="semi")
    ways = _both_ways(links).drop("weight")
    paths = ways.join(ways, left_on=["item_id", "other"], right_on=["item_id", "report_id"], suffix="_end")
    confirmed = paths.select(a="report_id", b="other_end").unique()
    return links.join(confirmed, on=["a", "b"], how="anti").group_by("item_id").agg(
        pl.len().cast(pl.Int64).alias("bridges")
    )  # fmt: skip


def profile_counts(profiles: pl.DataFrame) -> pl.DataFrame:
    """Return how many items have each size, weakest link and number of bridges (`PROFILE_COUNT`), sorted."""
    values = {"reports": pl.col("reports"), "weakest": pl.col("weakest").floor(), "bridges": pl.col("bridges")}
    counts = [
        profiles.select(value.cast(pl.Int64).alias("value")).drop_nulls().group_by("value")
        .agg(pl.len().cast(pl.Int64).alias("items")).select(pl.lit(of).alias("of"), "value", "items").sort("value")
        for of, value in values.items()
    ]  # fmt: skip
    return pl.concat(counts)
