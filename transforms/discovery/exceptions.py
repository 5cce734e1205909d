"""Exceptions: the places at which series that agree do not."""

import json
from typing import Any

import polars as pl

from transforms.discovery.series_figures import SERIES, SeriesFigures


def differing_places(known: SeriesFigures, row: dict[str, Any]) -> pl.DataFrame:
    """Return the places at which the series of a row of `suspected` differ: `PLACE_KEY`, value_a, value_b; by these.

    value_b is scaled as the row states, and where it states a shift the earlier of the two is moved to the later; for a
    sum value_b is that of the parts, for `constant` that of the period before. known: nothing that is withheld.
    """
    one = _figures(known, {**{name: row[f"{name}_a"] for name in SERIES}, "over": ""})
    if row["kind"] == "constant":
        other = known.later(one)
    elif row["parts"] is None:
        other = _figures(known, {**{name: row[f"{name}_b"] for name in SERIES}, "over": ""})
        one = known.later(one) if row["shift"] < 0 else one
        other = known.later(other) if row["shift"] > 0 else other
    else:
        other = _summed(known, json.loads(row["parts"]), one)
    value_b = (pl.col("value") * row["scale"]).round(9).alias("value_b")
    both = one.select("place", value_a="value").join(other.select("place", value_b), on="place")
    limit = 1e-6 * pl.max_horizontal(pl.lit(1.0), pl.col("value_a").abs())
    return known.place_keys(both.filter((pl.col("value_a") - pl.col("value_b")).abs() > limit))


def _summed(known: SeriesFigures, parts: list[dict[str, str]], whole: pl.DataFrame) -> pl.DataFrame:
    """Return the sums of parts: place, value. Of reported series, a part that is missing is zero."""
    figures = [_figures(known, part) for part in parts]
    if not any(part["over"] for part in parts):
        figures.append(whole.with_columns(value=pl.lit(0.0)))
    return pl.concat(figures).group_by("place").agg(pl.col("value").sum())


def _figures(known: SeriesFigures, series: dict[str, str]) -> pl.DataFrame:
    numbers = known.names.filter(*(pl.col(key) == value for key, value in series.items()))["series"]
    return known.figures.filter(pl.col("series").is_in(numbers.implode()))
