"""The least that must be reported: obligations of fewest hours by which every item, or a share of them, is reported."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, milp

from transforms.overlap.measures import HOURS_DIGITS
from transforms.overlap.replacements import REPORT

EACH: Final = 1e-6
"""What an obligation costs besides its hours: of sets that cost the same, the smallest is chosen."""
SHARES: Final = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
"""The shares of the items that the frontier retains."""


@dataclass(frozen=True)
class MinimalSet:
    """The obligations of a set, how many items they report, and how many membership patterns all items have."""

    obligations: tuple[str, ...]
    items: int
    patterns: int


def minimal_set(coverage: pl.DataFrame, hours: dict[str, float], share: float = 1.0) -> MinimalSet:
    """Return a set of obligations of fewest hours that reports at least this share of all items, exactly (MILP).

    coverage: item (any type), obligation (String). hours: of each obligation; one that has none costs nothing. Items
    are collapsed to membership patterns: which obligations report them. A pattern counts as reported only if one of its
    obligations is in the set.
    """
    patterns = _patterns(coverage)
    names = coverage["obligation"].unique().sort().to_list()
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


def frontier(coverage: pl.DataFrame, hours: dict[str, float]) -> list[MinimalSet]:
    """Return the minimal set of each of `SHARES` of the items, each set once, the smallest first."""
    sets = [minimal_set(coverage, hours, share) for share in SHARES]
    return [each for each, following in zip(sets, [*sets[1:], None], strict=True) if each != following]


def column_name() -> pl.Expr:
    """Return the name of a statement's column: its obligation and concept."""
    return pl.concat_str("obligation", "concept", separator=" ")


def column_costs(statements: pl.DataFrame, hours: pl.DataFrame) -> pl.DataFrame:
    """Return the hours of each column: the reports that it is, if a report's figures share its hours equally.

    hours: obligation, high (the most hours of one report, null if not known). Columns: column, reports (Float64), high.
    """
    items = statements.unique(["obligation", *REPORT, "item_id"])
    weighed = items.with_columns(weight=1 / pl.len().over("obligation", *REPORT))
    reports = weighed.group_by("obligation", "concept").agg(reports=pl.col("weight").sum())
    joined = reports.join(hours.select("obligation", "high"), on="obligation", how="left")
    cost = (pl.col("reports") * pl.col("high")).round(HOURS_DIGITS)
    return joined.select(column=column_name(), reports="reports", high=cost).sort("column")


def derived_coverage(coverage: pl.DataFrame, derivable: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Return the coverage with the reported items whose very value follows from what one obligation reports alone.

    derivable, edges: the tables `derivable` and `derivable_from`.
    """
    equal = derivable.filter(pl.col("relation") == "equal").select("item_id", "rule", "parts")
    parts = edges.join(equal, on=["item_id", "rule"]).join(coverage.unique(), left_on="part_id", right_on="item")
    whole = parts.group_by("item_id", "rule", "obligation").agg(pl.len().alias("there"), pl.col("parts").first())
    followed = whole.filter(pl.col("there") == pl.col("parts")).select(item="item_id", obligation="obligation")
    return pl.concat([coverage.select("item", "obligation"), followed]).unique()


def _patterns(coverage: pl.DataFrame) -> pl.DataFrame:
    """Return which obligations report the same items, and how many: obligation (List(String)), items."""
    members = coverage.select("item", "obligation").unique().group_by("item").agg(pl.col("obligation").sort())
    return members.group_by("obligation").agg(items=pl.len()).sort("obligation")
