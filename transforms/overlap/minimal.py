"""The least that must be reported: obligations of fewest hours by which every item, or a share of them, is reported."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, milp

from transforms.overlap.measures import HOURS_DIGITS
from transforms.overlap.replacements import REPORT
from transforms.overlap.statements import interval_width

EACH: Final = 1e-6
"""What an obligation costs besides its hours: of sets that cost the same, the smallest is chosen."""
_ROUNDING: Final = 1e-9
SHARES: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""The shares of the items that the frontier retains."""


@dataclass(frozen=True)
class MinimalSet:
    """The obligations of a set, how many items they report, and how many membership patterns all items have."""

    obligations: tuple[str, ...]
    items: int
    patterns: int


def patterns_of(coverage: pl.DataFrame) -> pl.DataFrame:
    """Return which obligations report the same items, and how many: obligation (List(String)), items.

    coverage: item (any type), obligation (String).
    """
    members = coverage.select("item", "obligation").unique().group_by("item").agg(pl.col("obligation").sort())
    return members.group_by("obligation").agg(items=pl.len().cast(pl.Int64)).sort("obligation")


def minimal_set(patterns: pl.DataFrame, hours: dict[str, float], share: float = 1.0) -> MinimalSet:
    """Return a set of obligations of fewest hours that reports at least this share of all items, exactly (MILP).

    patterns: as `patterns_of` returns them. hours: of each obligation; one that has none costs nothing. A pattern
    counts as reported only if one of its obligations is in the set.
    """
    names = patterns["obligation"].explode(empty_as_null=True).unique().sort().to_list()
    if not names:
        return MinimalSet((), 0, 0)
    members = np.array([[name in pattern for name in names] for pattern in patterns["obligation"]], dtype=float)
    sizes = patterns["items"].to_numpy().astype(float)
    costs = np.array([hours.get(name, 0.0) + EACH for name in names])
    # Unknowns: whether each obligation is in the set, then whether each pattern is reported.
    reported = LinearConstraint(np.hstack([members, -np.eye(patterns.height)]), lb=0)
    enough = LinearConstraint(np.concatenate([np.zeros(len(names)), sizes]), lb=np.ceil(share * sizes.sum() - 1e-9))
    costs = np.concatenate([costs, np.zeros(patterns.height)])
    solved = milp(costs, integrality=np.ones(costs.size), bounds=Bounds(0, 1), constraints=[reported, enough])
    chosen = np.rint(solved.x[: len(names)])
    obligations = tuple(name for name, part in zip(names, chosen, strict=True) if part)
    return MinimalSet(obligations, int(sizes[members @ chosen > 0].sum()), patterns.height)


def frontier(patterns: pl.DataFrame, hours: dict[str, float]) -> list[MinimalSet]:
    """Return the minimal set of each of `SHARES` of the items, each set once, the smallest first."""
    sets = [minimal_set(patterns, hours, share) for share in SHARES]
    return [each for each, following in zip(sets, [*sets[1:], None], strict=True) if each != following]


def column_name() -> pl.Expr:
    """Return the name of a statement's column: its obligation and concept."""
    return pl.concat_str("obligation", "concept", separator=" ")


def accurate_patterns(coverage: pl.DataFrame, *, columns: bool = False) -> pl.DataFrame:
    """Return the patterns of the items of the table `coverage`, each of those that have them most accurately.

    columns: of columns (`column_name`) instead of obligations.
    """
    sets = coverage.select("most_accurate", "concept", "items").with_row_index("set")
    each = sets.explode("most_accurate").rename({"most_accurate": "obligation"})
    cells = each.with_columns(obligation=column_name()) if columns else each
    members = cells.group_by("set").agg(pl.col("obligation").sort(), pl.col("items").first())
    return _added([members.select("obligation", "items")])


def column_costs(reports: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Return the hours of each column: the reports that it is, if a report's figures share its hours equally.

    reports: counts of reports (`transforms.overlap.counts.OverlapCounts`). hours: obligation, high (the most hours of
    one report, null if not known). Columns: column, reports (Float64), high.
    """
    weighed = reports.with_columns(weight=pl.col("figures") / pl.col("figures").sum().over("obligation", *REPORT))
    parts = weighed.group_by("obligation", "concept").agg(reports=pl.col("weight").sum())
    joined = parts.join(hours.select("obligation", "high"), on="obligation", how="left")
    cost = (pl.col("reports") * pl.col("high")).round(HOURS_DIGITS)
    return joined.select(column=column_name(), reports="reports", high=cost).sort("column")


def item_widths(statements: pl.DataFrame, name: pl.Expr) -> pl.DataFrame:
    """Return how accurately each obligation or column (`name`) has each item: item, obligation, width (Float64)."""
    width = interval_width().fill_null(float("inf")).min()
    return statements.group_by(item="item_id", obligation=name).agg(width=width)


def with_derived(
    patterns: pl.DataFrame, widths: pl.DataFrame, derivable: pl.DataFrame, edges: pl.DataFrame
) -> pl.DataFrame:
    """Return the patterns with the reported items whose very value follows from what one obligation reports alone.

    Only where the sum is as accurate as any report of the item. widths: `item_widths` of these items and their parts.
    derivable, edges: the tables `derivable` and `derivable_from`.
    """
    equal = derivable.filter(pl.col("relation") == "equal").select("item_id", "rule", "parts")
    wholes = widths.join(equal, left_on="item", right_on="item_id", how="semi")
    best = wholes.filter(pl.col("width") == pl.col("width").min().over("item"))
    parts = edges.join(equal, on=["item_id", "rule"]).join(widths, left_on="part_id", right_on="item")
    sums = parts.group_by("item_id", "rule", "obligation").agg(
        pl.len().alias("there"), pl.col("parts").first(), pl.col("width").sum()
    )
    whole = sums.filter(pl.col("there") == pl.col("parts"))
    least = best.group_by("item").agg(pl.col("width").first().alias("least"))
    accurate = whole.join(least, left_on="item_id", right_on="item").filter(
        pl.col("width") <= pl.col("least") + _ROUNDING
    )
    followed = accurate.select(item="item_id", obligation="obligation")
    now = best.select("item", "obligation")
    taken = patterns_of(now).with_columns(-pl.col("items"))
    return _added([patterns, taken, patterns_of(pl.concat([now, followed]))])


def _added(several: list[pl.DataFrame]) -> pl.DataFrame:
    """Return patterns with their items added up."""
    summed = pl.concat(several).group_by("obligation").agg(pl.col("items").sum())
    return summed.filter(pl.col("items") > 0).sort("obligation")
