"""Published observations as SDMX-CSV 2.0: one row an item, its dimensions, its figure and what is known of it."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from transforms.numbers import decimal_text

DATAFLOW: Final = "ENGANG:OBSERVATIONS(1.0)"
"""The structure that the rows name: agency, dataflow and version."""
NOT_APPLICABLE: Final = "_Z"
"""SDMX's code for a dimension that an item does not have."""
_INFORMATION: Final = "I"
_HALF, _YEAR, _QUARTER = 6, 12, 3


def dimensions_of(breakdowns: pl.Series) -> list[str]:
    """Return the names of the dimensions of breakdowns (JSON texts), sorted."""
    names = breakdowns.unique().str.extract_all(r'"([^"\\]+)":').explode().drop_nulls().unique()
    return sorted(name[1:-2] for name in names)


def sdmx_rows(observations: pl.DataFrame, dimensions: Sequence[str]) -> pl.DataFrame:
    """Return the rows of published observations as text: the columns of SDMX-CSV, the dimensions in capitals."""
    return observations.select(sdmx_columns(dimensions))


def sdmx_columns(dimensions: Sequence[str]) -> list[pl.Expr]:
    """Return the columns of SDMX-CSV of published observations with these dimensions."""
    breakdown = pl.col("breakdown")
    return [
        pl.lit("dataflow").alias("STRUCTURE"),
        pl.lit(DATAFLOW).alias("STRUCTURE_ID"),
        pl.lit(_INFORMATION).alias("ACTION"),
        pl.col("concept").alias("INDICATOR"),
        pl.col("unit_id").alias("REF_AREA"),
        time_period().alias("TIME_PERIOD"),
        *(
            breakdown.str.json_path_match(f"$['{name}']").fill_null(NOT_APPLICABLE).alias(column_of(name))
            for name in dimensions
        ),
        pl.col("unit_measure").alias("UNIT_MEASURE"),
        decimal_text(pl.col("value")).alias("OBS_VALUE"),
        pl.col("decimals").cast(pl.String).alias("DECIMALS"),
        pl.col("obs_status").alias("OBS_STATUS"),
        pl.col("conf_status").fill_null("F").alias("CONF_STATUS"),
        pl.col("unit_kind").alias("UNIT_KIND"),
        pl.col("unit_code").alias("UNIT_CODE"),
        pl.col("unit_name").alias("UNIT_NAME"),
    ]


def column_of(dimension: str) -> str:
    """Return the column of a dimension; one that is named like another column gets `DIM_`."""
    name = dimension.upper()
    return f"DIM_{name}" if name in _TAKEN else name


def time_period() -> pl.Expr:
    """Return the period in SDMX's notation: 2024, 2024-S1, 2024-Q1, 2024-01, 2024-01-31, else first day and length."""
    start, end = pl.col("period_start"), pl.col("period_end")
    months = (end.dt.year() - start.dt.year()) * _YEAR + (end.dt.month() - start.dt.month())
    whole = (start.dt.day() == 1) & (end.dt.day() == 1) & (months > 0)
    at = start.dt.month() - 1
    year, days = start.dt.to_string("%Y"), (end - start).dt.total_days()

    def _part(length: int) -> pl.Expr:
        return whole & (months == length) & (at % length == 0)

    return (
        pl.when(_part(_YEAR)).then(year)
        .when(_part(_HALF)).then(pl.format("{}-S{}", year, at // _HALF + 1))
        .when(_part(_QUARTER)).then(pl.format("{}-Q{}", year, at // _QUARTER + 1))
        .when(_part(1)).then(start.dt.to_string("%Y-%m"))
        .when(days == 1).then(start.dt.to_string("%Y-%m-%d"))
        .when(whole).then(pl.format("{}/P{}M", start.dt.to_string("%Y-%m-%d"), months))
        .otherwise(pl.format("{}/P{}D", start.dt.to_string("%Y-%m-%d"), days))
    )  # fmt: skip


_TAKEN: Final = frozenset(
    {
        "STRUCTURE", "STRUCTURE_ID", "STRUCTURE_NAME", "ACTION", "INDICATOR", "REF_AREA", "TIME_PERIOD", "UNIT_MEASURE",
        "OBS_VALUE", "DECIMALS", "OBS_STATUS", "CONF_STATUS", "UNIT_KIND", "UNIT_CODE", "UNIT_NAME",
    }
)  # fmt: skip
