"""Which pairs of reports a person should look at: of two items, settled by no decision, the least sure first."""

import polars as pl

from transforms.linkage.clustering import Rule, components


def uncertain(edges: pl.DataFrame, reports: pl.DataFrame, decisions: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Return the pairs of reports of two items that no decision settles, one for each two items, least sure first.

    edges: a, b, weight (bits). reports: report_id, reported_by, item_id of those that stand. decisions: a, b, verdict;
    those that stand. How sure a pair is, is how far its weight is from `rule.automatic`; of equals, larger items come
    first. Columns: a, b, weight, item_a, item_b, reports (of both items together), pairs (open edges between the two).
    """
    items = reports.select("report_id", "item_id", pl.len().over("item_id").alias("size"))
    told = edges.select("a", "b", "weight")
    for side in ("a", "b"):
        told = told.join(items.rename({"report_id": side, "item_id": f"item_{side}", "size": f"_{side}"}), on=side)
    away = told.filter(pl.col("item_a") != pl.col("item_b")).with_columns(
        (pl.col("_a") + pl.col("_b")).alias("reports"),
        (pl.col("weight") - rule.automatic).abs().alias("_sure"),
        pl.min_horizontal("item_a", "item_b").alias("_from"),
        pl.max_horizontal("item_a", "item_b").alias("_to"),
    )
    left = unsettled(away, reports, decisions, rule).with_columns(pl.len().over("_from", "_to").alias("pairs"))
    ordered = left.sort("_sure", "reports", "a", "b", descending=[False, True, False, False])
    first = ordered.unique(["_from", "_to"], keep="first", maintain_order=True)
    return first.select("a", "b", "weight", "item_a", "item_b", "reports", "pairs")


def unsettled(pairs: pl.DataFrame, reports: pl.DataFrame, decisions: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Return the pairs (a, b) that decisions leave open. Arguments as of `uncertain`.

    Settled is a pair that a decision names, whatever it says (who is unsure has looked); one that decisions of `same`
    tie, also through others; and one of which what is tied so cannot come together: it was called different, or one
    reporter reported both and reports an item once.
    """
    same = decisions.filter(pl.col("verdict") == "same")
    ids = pl.concat([pairs["a"], pairs["b"], decisions["a"], decisions["b"]]).unique().to_frame("report_id")
    groups = components(same, ids).rename({"component": "group"})
    different = _between(decisions.filter(pl.col("verdict") == "different").select("a", "b"), groups)
    told = _between(pairs, groups).filter(pl.col("_low") != pl.col("_high"))
    told = told.join(different.select("_low", "_high"), on=["_low", "_high"], how="anti", maintain_order="left")
    told = told.join(decisions, on=["a", "b"], how="anti", maintain_order="left")
    if rule.one_report_per_item:
        told = _without_rivals(told, reports.join(groups, on="report_id"))
    return told.select(pairs.columns)


def _between(pairs: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs with `_low`, `_high`: the groups that decisions tie their ends to, in order."""
    ends = []
    for side in ("a", "b"):
        pairs = pairs.join(groups.rename({"report_id": side, "group": f"_of_{side}"}), on=side, maintain_order="left")
        ends.append(f"_of_{side}")
    return pairs.with_columns(
        pl.min_horizontal(ends).alias("_low"), pl.max_horizontal(ends).alias("_high")
    ).drop(ends)  # fmt: skip


def _without_rivals(pairs: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs of which no reporter reported both groups."""
    reporters = grouped.group_by("group").agg(pl.col("reported_by").unique())
    told = pairs
    for side in ("_low", "_high"):
        told = told.join(reporters.rename({"group": side, "reported_by": f"{side}_by"}), on=side, maintain_order="left")
    both = pl.col("_low_by").list.set_intersection("_high_by").list.len()
    return told.filter(both.fill_null(0) == 0).drop("_low_by", "_high_by")
