"""Series: the figures of one obligation, concept and breakdown, by unit and period, as discovery compares them.

What a unit states about itself and what others state about it are two series: what companies paid, and what the
authorities received.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from transforms.register.build import COUNTY_DIGITS

SERIES: Final = ("obligation", "concept", "breakdown", "reporter")
"""What identifies a series."""
OWN_UNITS: Final = 2
"""A reporter with so many units at most speaks about itself."""
PLACE_KEY: Final = ("unit_id", "period_start", "period_end")
"""What identifies a place: a unit in a period."""
COUNTY_KINDS: Final = ("county", "electoral_district")
_REPEATED: Final = ("obligation", "concept", "breakdown", "reported_by", "unit_id")
_STATED: Final = (*_REPEATED, "unit_kind", "unit_code", "period_start", "period_end", "value")
PART_ROWS: Final = 500_000
"""Statements are grouped in parts of about so many rows: what fits the processor's caches takes half the time."""
_MONTH, _QUARTER = 31, 92
"""The most days of these periods."""


def series_of(statements: pl.DataFrame) -> pl.DataFrame:
    """Return the figures of each series, and of those that sum them over units and periods.

    statements: at least the columns of `transforms.overlap.statements.read_figures`.
    Columns: `SERIES`, over (`units`, `months`, `quarters`, or empty for a series as reported), series (UInt32),
    `PLACE_KEY`, value (Float64), step (the months from one period of the series to the next). `reporter` is `unit` for
    what units state about themselves, else `other`. A figure that a series states with several values, or whose value
    is withheld, is left out.
    """
    units = pl.col("unit_id").n_unique().over("obligation", "reported_by")
    reporter = pl.when(units > OWN_UNITS).then(pl.lit("other")).otherwise(pl.lit("unit")).alias("reporter")
    coded = statements.select(*_STATED).with_columns(pl.col(_REPEATED).cast(pl.Categorical))
    rows = coded.with_columns(reporter.cast(pl.Categorical))  # few texts, repeated: their numbers are compared
    figures = pl.concat([_figures(part) for part in _parts(rows)])
    columns = [*SERIES, "over", *PLACE_KEY, "value"]
    reported = figures.with_columns(over=pl.lit(""))
    found = pl.concat(
        [reported.select(columns), *(f.select(columns) for f in (_over_units(figures), _over_periods(figures)))]
    )
    names = found.select(*SERIES, "over").unique().sort(*SERIES, "over").with_row_index("series")
    numbered = found.join(names, on=[*SERIES, "over"]).with_columns(pl.col(pl.Categorical).cast(pl.String))
    return _sorted(_with_steps(numbered))


def _sorted(figures: pl.DataFrame) -> pl.DataFrame:
    """Return figures sorted by series, period_start and unit_id, as one number: texts are compared once each."""
    key = ["period_start", "unit_id"]
    places = figures.select(key).unique().sort(key).with_row_index("at")
    order = pl.col("series").cast(pl.UInt64) * places.height + pl.col("at")
    return figures.join(places, on=key).sort(order).drop("at")


def _parts(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Return the rows in parts of some periods each: no series has one place in two of them."""
    parts = max(rows.height // PART_ROWS, 1)
    if parts == 1:
        return [rows]
    numbered = rows.with_columns(part=pl.col("period_start").hash() % parts)
    return numbered.partition_by("part", maintain_order=False, include_key=False)


def _figures(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the one value of each series at each place, as Float64."""
    value = pl.col("value")
    known = (value.min() == value.max()) & (value.null_count() == 0)
    figures = rows.group_by(*SERIES, *PLACE_KEY).agg(
        pl.col("unit_kind", "unit_code", "value").first(), known=known.fill_null(value=False)
    )
    return figures.filter("known").drop("known").with_columns(value.cast(pl.Float64))


def series_id(series: Mapping[str, str] | Sequence[Mapping[str, str]]) -> str:
    """Return the id of a series (`SERIES`, over), or of the parts of a sum: verdicts name series by it."""
    parts = [series] if isinstance(series, Mapping) else series
    names = [[part[name] for name in (*SERIES, "over")] for part in parts]
    return hashlib.sha256(json.dumps(names, ensure_ascii=False).encode()).hexdigest()[:12]


def later_period(figures: pl.DataFrame) -> pl.DataFrame:
    """Return figures moved to the next period of their series: `step` months later; none of a series without a step."""
    key = ["period_start", "period_end", "step"]
    periods = figures.select(key).unique().filter(pl.col("step").is_not_null())
    dates = [pl.col(name).dt.offset_by(pl.format("{}mo", "step")).alias(f"{name}_later") for name in key[:2]]
    shifted = figures.join(periods.with_columns(dates), on=key, maintain_order="left")
    return shifted.with_columns(pl.col(f"{name}_later").alias(name) for name in key[:2]).select(figures.columns)


def _with_steps(figures: pl.DataFrame) -> pl.DataFrame:
    """Return figures with the months from one period of their series to the next.

    Null where the series has one period, or several in one month.
    """
    start = pl.col("period_start")
    starts = figures.select("series", "period_start").unique().sort("series", "period_start")
    gap = starts.with_columns(month=start.dt.year().cast(pl.Int32) * 12 + start.dt.month())
    gap = gap.with_columns(pl.col("month").diff().over("series"))
    steps = gap.group_by("series").agg(step=pl.col("month").min())
    return figures.join(steps.with_columns(pl.when(pl.col("step") > 0).then("step").alias("step")), on="series")


def _over_units(figures: pl.DataFrame) -> pl.DataFrame:
    """Return the figures of municipalities summed by county, at the counties that any series has figures of."""
    period, kind = ["period_start", "period_end"], pl.col("unit_kind").cast(pl.String)
    wholes = (
        figures.filter(kind.is_in(COUNTY_KINDS))
        .select(pl.col("unit_code").cast(pl.String), *period, whole="unit_id")
        .unique()
    )
    parts = figures.filter(kind == "municipality")
    parts = parts.with_columns(pl.col("unit_code").cast(pl.String).str.head(COUNTY_DIGITS))
    placed = parts.join(wholes, on=["unit_code", *period])
    sums = placed.group_by(*SERIES, *period, "whole").agg(pl.col("value").sum())
    return sums.with_columns(over=pl.lit("units")).rename({"whole": "unit_id"})


def _over_periods(figures: pl.DataFrame) -> pl.DataFrame:
    """Return figures of months or quarters summed by year, where a year has them all."""
    days = (pl.col("period_end") - pl.col("period_start")).dt.total_days()
    parts = pl.when(days <= _MONTH).then(12).when(days <= _QUARTER).then(4)
    year = pl.date(pl.col("period_start").dt.year(), 1, 1)
    sums = (
        figures.with_columns(parts=parts, period_start=year)
        .group_by(*SERIES, "unit_id", "period_start", "parts")
        .agg(pl.col("value").sum(), present=pl.len())
        .filter(pl.col("present") == pl.col("parts"))
    )
    over = pl.when(pl.col("parts") == 12).then(pl.lit("months")).otherwise(pl.lit("quarters"))  # noqa: PLR2004
    return sums.with_columns(over=over, period_end=pl.col("period_start").dt.offset_by("1y"))


def unit_sizes(figures: pl.DataFrame) -> pl.DataFrame:
    """Return how large each unit is in each period: its mean rank in the series that have it.

    Columns: unit_id, period_start, size (Float64, from 0 to 1). Comparing within classes of size is what keeps small
    numbers and common size from making unlike series look alike.
    """
    series = ["series", "period_start"]
    rank = (pl.col("value").abs().rank("average") / (pl.len() + 1)).over(series)
    return figures.with_columns(rank.alias("rank")).group_by("unit_id", "period_start").agg(size=pl.col("rank").mean())
