"""Series: the figures of one obligation, concept and breakdown, by unit and period, as discovery compares them.

What a unit states about itself and what others state about it are two series: what companies paid, and what the
authorities received.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from transforms.discovery.series_figures import PERIOD_DATES, SERIES, SeriesFigures
from transforms.register.build import COUNTY_DIGITS

OWN_UNITS: Final = 2
"""A reporter with so many units at most speaks about itself."""
COUNTY_KINDS: Final = ("county", "electoral_district")
_STATED_BY: Final = ("obligation", "concept", "breakdown", "reported_by")
_OVER: Final = ("", "months", "quarters", "units")
"""What a series sums others over; the empty text is a series as reported."""
_MONTHS, _QUARTERS, _UNITS = range(1, len(_OVER))
_MONTH, _QUARTER = 31, 92
"""The most days of these periods."""
_EXACT_BELOW: Final = 1e28
"""Figures whose absolute values add up to less have a sum that is exact as a decimal."""


@dataclass(frozen=True)
class _Places:
    """The units and periods of places, in order; a key is the number of a series times `count`, plus a place.

    years: of each period, year_number (UInt32, the number of its year) and over (UInt64: `_MONTHS` or `_QUARTERS`, of
    which the year is the sum); null of periods longer than a quarter.
    """

    units: pl.DataFrame
    periods: pl.DataFrame
    years: pl.DataFrame

    @property
    def count(self) -> int:
        """The number of places, those without a figure too."""
        return self.units.height * self.periods.height

    def place(self) -> pl.Expr:
        """Return the place of a key."""
        return pl.col("key") % self.count

    def summed(self, over: int | pl.Expr, place: pl.Expr) -> pl.Expr:
        """Return the key of the series that sums the one of a reported key, at a place."""
        return (pl.col("key") // self.count + over) * self.count + place


def series_of(statements: pl.DataFrame) -> SeriesFigures:
    """Return the figures of each series, and of those that sum them over units and periods.

    statements: at least the columns of `transforms.overlap.statements.read_figures`. The `reporter` of a series is
    `unit` for what units state about themselves, else `other`. A figure that a series states with several values, or
    whose value is withheld, is left out.
    """
    texts = pl.col(*_STATED_BY, "unit_id", "unit_kind", "unit_code")
    rows = statements.with_columns(texts.cast(pl.Categorical))  # few texts, repeated: their numbers are compared
    names, places = _series_names(rows), _places(rows)
    unit = rows["unit_id"].cast(pl.Enum(places.units["unit_id"])).to_physical().cast(pl.UInt64)
    numbered = rows.with_columns(unit=unit)
    for table, on in ((names.drop("reporter"), _STATED_BY), (places.periods.with_row_index("period"), PERIOD_DATES)):
        numbered = numbered.join(table, on=on, maintain_order="left")
    placed = numbered.with_columns(place=pl.col("unit") * places.periods.height + pl.col("period"))
    key = pl.col("number") * (len(_OVER) * places.count) + pl.col("place")
    reported = _stated_once(placed.select(key.alias("key"), "value"))
    sums = pl.concat([_over_units(placed, reported, places), _over_periods(reported, places)]).sort("key")
    figures = reported.with_columns(pl.col("value").cast(pl.Float64)).merge_sorted(sums, key="key")
    return _with_names(figures, names, places)


def _series_names(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the number of the series of each reporter: `_STATED_BY`, reporter, number (UInt64)."""
    stated_by = rows.select(_STATED_BY).unique()
    units = rows.group_by("obligation", "reported_by").agg(units=pl.col("unit_id").n_unique())
    reporter = pl.when(pl.col("units") > OWN_UNITS).then(pl.lit("other")).otherwise(pl.lit("unit"))
    found = stated_by.join(units, on=["obligation", "reported_by"]).with_columns(reporter=reporter)
    series = found.select(pl.col(SERIES).cast(pl.String)).unique().sort(SERIES)
    numbered = series.with_columns(number=pl.int_range(pl.len(), dtype=pl.UInt64))
    coded = numbered.with_columns(pl.col(SERIES[:-1]).cast(pl.Categorical))
    return found.join(coded, on=SERIES).select(*_STATED_BY, "reporter", "number")


def _places(rows: pl.DataFrame) -> _Places:
    """Return the units and periods of statements, and the years that their months and quarters make up."""
    units = rows.select(pl.col("unit_id").unique().cast(pl.String)).sort("unit_id")
    stated = rows.select(PERIOD_DATES).unique()
    days = (pl.col("period_end") - pl.col("period_start")).dt.total_days()
    over = pl.when(days <= _MONTH).then(_MONTHS).when(days <= _QUARTER).then(_QUARTERS).cast(pl.UInt64)
    year = pl.date(pl.col("period_start").dt.year(), 1, 1)
    years = stated.select(*PERIOD_DATES, over=over, year=year).filter(pl.col("over").is_not_null())
    whole = years.select(period_start="year", period_end=pl.col("year").dt.offset_by("1y"))
    periods = pl.concat([stated, whole]).unique().sort(PERIOD_DATES)
    ends = whole.unique().join(periods.with_row_index("year_number"), on=PERIOD_DATES)
    numbers = years.join(ends.select("year_number", year="period_start"), on="year")
    return _Places(units, periods, periods.join(numbers, on=PERIOD_DATES, how="left", maintain_order="left"))


def _stated_once(keyed: pl.DataFrame) -> pl.DataFrame:
    """Return the keys that have one value, however often it is stated, sorted; none whose value is withheld once."""
    key, value = pl.col("key"), pl.col("value")
    changes = key.ne_missing(key.shift()) | value.ne_missing(value.shift())
    different = keyed.sort("key").filter(changes)
    return different.filter(key.ne_missing(key.shift()), key.ne_missing(key.shift(-1)), value.is_not_null())


def _exact_sum() -> pl.Expr:
    """Return the sum of decimals as Float64: the number that the same sum has where it is reported."""
    value = pl.col("value")
    rough = value.cast(pl.Float64)
    return pl.when(rough.abs().sum() < _EXACT_BELOW).then(value.sum().cast(pl.Float64)).otherwise(rough.sum())


def _with_names(figures: pl.DataFrame, names: pl.DataFrame, places: _Places) -> SeriesFigures:
    """Return the figures by key with the names of their series, which are numbered in order."""
    code = pl.col("key") // places.count
    series = (code.ne_missing(code.shift()).cum_sum() - 1).cast(pl.UInt32)
    numbered = figures.select(series=series, place=places.place(), value="value", code=code)
    found = numbered.group_by("series", maintain_order=True).agg(pl.col("code").first())
    known = names.drop("reported_by").unique("number").with_columns(pl.col(SERIES).cast(pl.String))
    coded = found.with_columns(
        number=pl.col("code") // len(_OVER), over=pl.lit(pl.Series(_OVER)).gather(pl.col("code") % len(_OVER))
    )
    series_names = coded.join(known, on="number", maintain_order="left").select("series", *SERIES, "over")
    steps = _steps(numbered, places.periods)
    return SeriesFigures(
        numbered.drop("code"),
        series_names.join(steps, on="series", maintain_order="left"),
        places.units,
        places.periods,
    )


def _steps(figures: pl.DataFrame, periods: pl.DataFrame) -> pl.DataFrame:
    """Return the months from one period of each series to the next, as step.

    Null where the series has one period, or several in one month.
    """
    number = pl.col("series").cast(pl.UInt64) * periods.height + pl.col("place") % periods.height
    found = figures.select(number=number).unique().sort("number")
    start = periods["period_start"].gather(found.select(pl.col("number") % periods.height).to_series())
    rows = found.select((pl.col("number") // periods.height).cast(pl.UInt32).alias("series")).with_columns(start)
    starts = rows.unique().sort("series", "period_start")
    month = pl.col("period_start").dt.year().cast(pl.Int32) * 12 + pl.col("period_start").dt.month()
    gaps = starts.select("series", gap=month.diff().over("series"))
    step = pl.col("gap").min()
    return gaps.group_by("series").agg(step=pl.when(step > 0).then(step))


def series_id(series: Mapping[str, str] | Sequence[Mapping[str, str]]) -> str:
    """Return the id of a series (`SERIES`, over), or of the parts of a sum: verdicts name series by it."""
    parts = [series] if isinstance(series, Mapping) else series
    names = [[part[name] for name in (*SERIES, "over")] for part in parts]
    return hashlib.sha256(json.dumps(names, ensure_ascii=False).encode()).hexdigest()[:12]


def _over_units(rows: pl.DataFrame, reported: pl.DataFrame, places: _Places) -> pl.DataFrame:
    """Return the figures of municipalities summed by county, at the counties that any series has figures of.

    rows: statements with their place. Returns key and value (Float64), as of `reported`.
    """
    kind, code = pl.col("unit_kind").cast(pl.String), pl.col("unit_code").cast(pl.String).alias("county")
    period = (pl.col("place") % places.periods.height).alias("period")
    known = reported.select(place=places.place())
    wholes = rows.filter(kind.is_in(COUNTY_KINDS)).select(code, period, whole="place").unique()
    wholes = wholes.join(known, left_on="whole", right_on="place", how="semi")
    parts = rows.filter(kind == "municipality") if wholes.height else rows.clear()
    counties = parts.group_by("place").agg(code.str.head(COUNTY_DIGITS).min()).with_columns(period)
    placed = counties.join(wholes, on=["county", "period"]).select("place", "whole")
    key = places.summed(_UNITS, pl.col("whole")).alias("key")
    summed = reported.with_columns(place=places.place()).join(placed, on="place")
    return summed.group_by(key).agg(value=_exact_sum())


def _over_periods(reported: pl.DataFrame, places: _Places) -> pl.DataFrame:
    """Return figures of months or quarters summed by year, where a year has them all: key and value (Float64)."""
    count = places.periods.height
    period = reported.select(places.place() % count).to_series()
    over, year = (places.years[name].gather(period) for name in ("over", "year_number"))
    of_years = reported.with_columns(over, year).filter(pl.col("over").is_not_null())
    place = places.place() // count * count + pl.col("year_number")
    sums = of_years.group_by(places.summed(pl.col("over"), place).alias("key"), "over").agg(
        value=_exact_sum(), present=pl.len()
    )
    needed = pl.when(pl.col("over") == _MONTHS).then(12).otherwise(4)
    return sums.filter(pl.col("present") == needed).select("key", "value")
