"""Figures by number: what discovery compares, with series, units and periods numbered once.

Most of discovery is comparing and sorting, which takes a fraction of the time with numbers that it takes with texts.
"""

from typing import Final, NamedTuple

import polars as pl

SERIES: Final = ("obligation", "concept", "breakdown", "reporter")
"""What identifies a series."""
PERIOD_DATES: Final = ("period_start", "period_end")
PLACE_KEY: Final = ("unit_id", *PERIOD_DATES)
"""What identifies a place: a unit in a period."""


class SeriesFigures(NamedTuple):
    """The figures of each series, and of those that sum them over units or periods.

    figures: series (UInt32), place (UInt64), value (Float64), sorted by the first two, which no two rows share.
    names: series, `SERIES`, over (`units`, `months`, `quarters`, or empty for a series as reported), step (Int32, the
    months from one period of the series to the next; null where it has one period, or several in one month), sorted.
    units: unit_id. periods: `PERIOD_DATES`. Both are sorted. A place is the row of its unit times the number of
    periods, plus the row of its period: places are in the order of `PLACE_KEY`.
    """

    figures: pl.DataFrame
    names: pl.DataFrame
    units: pl.DataFrame
    periods: pl.DataFrame

    def reported(self) -> pl.DataFrame:
        """Return the figures of the series as reported."""
        return self.figures.filter(pl.col("series").is_in(self.names.filter(over="")["series"].implode()))

    def of_units(self, condition: pl.Expr) -> pl.DataFrame:
        """Return the figures of the units that fulfil a condition on unit_id."""
        chosen = self.units.with_row_index("unit").filter(condition)["unit"].cast(pl.UInt64)
        unit = pl.col("place") // self.periods.height
        return self.figures if chosen.len() == self.units.height else self.figures.filter(unit.is_in(chosen.implode()))

    def later(self, figures: pl.DataFrame) -> pl.DataFrame:
        """Return figures moved to the next period of their series: `step` months later.

        Left out are those of series without a step, and of a period whose next one is not among the periods.
        """
        period = (pl.col("place") % self.periods.height).cast(pl.UInt32).alias("period")
        steps = self.names.select("series", "step")
        stepped = figures.with_columns(period).join(steps, on="series", maintain_order="left")
        following = stepped.join(self._next_periods(), on=["period", "step"], maintain_order="left")
        place = pl.col("place") - pl.col("period") + pl.col("next")
        return following.with_columns(place).select(figures.columns)

    def place_keys(self, figures: pl.DataFrame) -> pl.DataFrame:
        """Return figures with the columns `PLACE_KEY` before them instead of their place, sorted by these."""
        rows = figures.sort("place")
        unit = rows.select(pl.col("place") // self.periods.height).to_series()
        period = rows.select(pl.col("place") % self.periods.height).to_series()
        return pl.concat([self.units[unit], self.periods[period], rows.drop("place")], how="horizontal")

    def _next_periods(self) -> pl.DataFrame:
        """Return the number of the next period for each period and step: period, step, next."""
        steps = self.names.select("step").drop_nulls().unique()
        following = [pl.col(name).dt.offset_by(pl.format("{}mo", "step")) for name in PERIOD_DATES]
        earlier = self.periods.with_row_index("period").join(steps, how="cross").with_columns(following)
        return earlier.join(self.periods.with_row_index("next"), on=PERIOD_DATES).select("period", "step", "next")


def unit_sizes(known: SeriesFigures) -> pl.DataFrame:
    """Return how large the unit of each place is in its period: its mean rank in the series that have it.

    Columns: place, size (Float64, from 0 to 1); sorted by place. Comparing within classes of size is what keeps small
    numbers and common size from making unlike series look alike. Periods that start on one day are one here.
    """
    periods = known.periods.height
    numbers = known.periods["period_start"].rank("dense").cast(pl.UInt64) - 1
    start = numbers.gather(known.figures.select(pl.col("place") % periods).to_series()).alias("start")
    in_series = pl.col("series").cast(pl.UInt64) * periods + pl.col("start")
    rank = (pl.col("value").abs().rank("average") / (pl.len() + 1)).over(in_series)
    in_unit = pl.col("place") // periods * periods + pl.col("start")
    ranks = known.figures.with_columns(start).select("place", rank.alias("rank"), in_unit.alias("in_unit"))
    sizes = ranks.group_by("in_unit").agg(size=pl.col("rank").mean())
    places = ranks.select("place", "in_unit").unique("place")
    return places.join(sizes, on="in_unit").select("place", "size").sort("place")
