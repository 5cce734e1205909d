"""Pairs for clerical review: of two items, settled by no decision, the least certain first."""

import polars as pl

from transforms.linkage.clustering import LinkageRule, connected_components


def uncertain_pairs(
    edges: pl.DataFrame, reports: pl.DataFrame, decisions: pl.DataFrame, rule: LinkageRule
) -> pl.DataFrame:
    """Return the undecided pairs between items, one for each two items, the least certain first.

    edges: a, b, weight (bits). reports: report_id, reported_by, item_id of standing reports. decisions: a, b, verdict,
    without withdrawn ones. The certainty of a pair is the distance of its weight from `rule.automatic`; of equals,
    larger items come first. Columns: a, b, weight, item_a, item_b, reports (of both items together), pairs (undecided
    edges between the two).
    """
    items = reports.select("report_id", "item_id", pl.len().over("item_id").alias("size"))
    pairs = edges.select("a", "b", "weight")
    for side in ("a", "b"):
        pairs = pairs.join(items.rename({"report_id": side, "item_id": f"item_{side}", "size": f"_{side}"}), on=side)
    between = pairs.filter(pl.col("item_a") != pl.col("item_b")).with_columns(
        (pl.col("_a") + pl.col("_b")).alias("reports"),
        (pl.col("weight") - rule.automatic).abs().alias("_certainty"),
        pl.min_horizontal("item_a", "item_b").alias("_from"),
        pl.max_horizontal("item_a", "item_b").alias("_to"),
    )
    undecided = undecided_pairs(between, reports, decisions, rule).with_columns(
        pl.len().over("_from", "_to").alias("pairs")
    )
    ordered = undecided.sort("_certainty", "reports", "a", "b", descending=[False, True, False, False])
    first = ordered.unique(["_from", "_to"], keep="first", maintain_order=True)
    return first.select("a", "b", "weight", "item_a", "item_b", "reports", "pairs")


def undecided_pairs(
    pairs: pl.DataFrame, reports: pl.DataFrame, decisions: pl.DataFrame, rule: LinkageRule
) -> pl.DataFrame:
    """Return the pairs (a, b) that no decision settles. Arguments as in `uncertain_pairs`.

    A pair is settled if it has a decision of any verdict (also `unsure`: someone has looked); if decisions of `same`
    tie its reports, also through others; or if the two groups that such ties form cannot join: a decision calls them
    different, or one reporter reported both and reports an item once.
    """
    same = decisions.filter(pl.col("verdict") == "same")
    ids = pl.concat([pairs["a"], pairs["b"], decisions["a"], decisions["b"]]).unique().to_frame("report_id")
    groups = connected_components(same, ids).rename({"component": "group"})
    different = _between(decisions.filter(pl.col("verdict") == "different").select("a", "b"), groups)
    undecided = _between(pairs, groups).filter(pl.col("_low") != pl.col("_high"))
    undecided = undecided.join(
        different.select("_low", "_high"), on=["_low", "_high"], how="anti", maintain_order="left"
    )
    undecided = undecided.join(decisions, on=["a", "b"], how="anti", maintain_order="left")
    if rule.one_report_per_item:
        undecided = _without_rivals(undecided, reports.join(groups, on="report_id"))
    return undecided.select(pairs.columns)


def _between(pairs: pl.DataFrame, groups: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs with `_low`, `_high`: the groups of their ends under decisions of `same`, in order."""
    ends = []
    for side in ("a", "b"):
        pairs = pairs.join(groups.rename({"report_id": side, "group": f"_of_{side}"}), on=side, maintain_order="left")
        ends.append(f"_of_{side}")
    return pairs.with_columns(
        pl.min_horizontal(ends).alias("_low"), pl.max_horizontal(ends).alias("_high")
    ).drop(ends)  # fmt: skip


def _without_rivals(pairs: pl.DataFrame, grouped: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs whose groups have no reporter in common."""
    reporters = grouped.group_by("group").agg(pl.col("reported_by").unique())
    joined = pairs
    for side in ("_low", "_high"):
        joined = joined.join(
            reporters.rename({"group": side, "reported_by": f"{side}_by"}), on=side, maintain_order="left"
        )
    both = pl.col("_low_by").list.set_intersection("_high_by").list.len()
    return joined.filter(both.fill_null(0) == 0).drop("_low_by", "_high_by")
