"""Exceptions: the places at which series that agree do not."""

import json
from typing import Any

import polars as pl

from transforms.discovery.series import PLACE_KEY, SERIES, later_period


def differing_places(figures: pl.DataFrame, row: dict[str, Any]) -> pl.DataFrame:
    """Return the places at which the series of a row of `suspected` differ: `PLACE_KEY`, value_a, value_b.

    value_b is scaled as the row states, and where it states a shift the earlier of the two is moved to the later; for a
    sum value_b is that of the parts, for `constant` that of the period before.
    figures: as `transforms.discovery.series.series_of` returns them, so none that is withheld.
    """
    first = {name: row[f"{name}_a"] for name in SERIES}
    one = _figures(figures, {**first, "over": ""}, "value_a")
    if row["kind"] == "constant":
        other = later_period(one.rename({"value_a": "value_b"}))
    elif row["parts"] is None:
        second = {name: row[f"{name}_b"] for name in SERIES}
        other = _figures(figures, {**second, "over": ""}, "value_b")
        one = later_period(one) if row["shift"] < 0 else one
        other = later_period(other) if row["shift"] > 0 else other
    else:
        series = json.loads(row["parts"])
        parts = [_figures(figures, part, "value_b") for part in series]
        if not any(part["over"] for part in series):  # of a sum of reported series, a part that is missing is zero
            parts.append(one.select(*PLACE_KEY, "step", pl.lit(0.0).alias("value_b")))
        other = pl.concat(parts).group_by(PLACE_KEY).agg(pl.col("value_b").sum())
    scaled = other.with_columns((pl.col("value_b") * row["scale"]).round(9))
    both = one.drop("step").join(scaled.select(*PLACE_KEY, "value_b"), on=PLACE_KEY)
    limit = 1e-6 * pl.max_horizontal(pl.lit(1.0), pl.col("value_a").abs())
    return both.filter((pl.col("value_a") - pl.col("value_b")).abs() > limit).sort(PLACE_KEY)


def _figures(figures: pl.DataFrame, series: dict[str, str], name: str) -> pl.DataFrame:
    found = figures.filter(*(pl.col(key) == value for key, value in series.items()))
    return found.select(*PLACE_KEY, "step", pl.col("value").alias(name))
