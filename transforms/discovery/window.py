"""The window of nightly discovery: the figures that a night compares, as many as its budget has room for.

The window follows from what a release has and from the budget alone. It depends on no clock and on no earlier night, so
a rebuild compares the same figures and finds the same.
"""

from dataclasses import dataclass

import polars as pl

from transforms.identity import in_sample


@dataclass(frozen=True)
class DiscoveryWindow:
    """The months whose figures are compared, and the share of units where one month of each series is too many.

    budget: how many figures may be compared. all_figures: those of the release. figures: those of the months.
    """

    budget: int
    all_figures: int
    figures: int
    months: tuple[str, ...]

    @property
    def share(self) -> float:
        """The share of the units of which figures are compared."""
        return min(1.0, self.budget / self.figures) if self.figures else 1.0

    @property
    def compared(self) -> int:
        """How many figures are compared, about: units have not all as many."""
        return min(self.figures, self.budget)

    def is_of(self, other: "DiscoveryWindow | None") -> bool:
        """Return whether another window has the same months and share of the units."""
        return other is not None and (self.months, self.share) == (other.months, other.share)

    def units(self) -> pl.Expr | None:
        """Return which units are compared, by the hash of their ids; None for all."""
        return None if self.share == 1 else in_sample("unit_id", self.share)

    def counts(self) -> dict[str, int]:
        """Return what a release states about its discovery."""
        return {
            "figures": self.all_figures,
            "figures_compared": self.compared,
            "figures_compared_at_most": self.budget,
        }


def discovery_window(coverage: pl.DataFrame, budget: int) -> DiscoveryWindow:
    """Return the newest months of each obligation and concept, equally many of each, whose figures fit the budget.

    coverage: the table. One month of each is compared whatever its size; then of a share of the units only.
    """
    figures = pl.col("items") * pl.col("obligations").list.len().cast(pl.Int64)
    months = coverage.group_by("partition").agg(figures.sum().alias("figures"))
    series = ["obligations", "concept"]
    each = coverage.explode("obligations").select(*series, "partition").unique()
    age = each.with_columns(age=pl.col("partition").rank("dense", descending=True).over(series))
    newest = age.group_by("partition").agg(pl.col("age").min())
    dated = months.join(newest, on="partition").sort("age", "partition")
    summed = dated.group_by("age").agg(pl.col("figures").sum()).sort("age").with_columns(pl.col("figures").cum_sum())
    fitting = summed.filter(pl.lit(budget > 0) & ((pl.col("figures") <= budget) | (pl.col("age") == 1)))
    chosen = dated.join(fitting.select("age"), on="age", how="semi")
    return DiscoveryWindow(
        budget, int(months["figures"].sum()), int(chosen["figures"].sum()), tuple(chosen["partition"].sort())
    )
