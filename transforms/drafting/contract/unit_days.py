"""On which day the units of a file have their codes: of each period, or of one day for all of them.

Tables of several years as they are published have the units of one division, often the newest: a county that was made
in 2015 has figures of 2010 too.
"""

from dataclasses import replace
from typing import Any, Final

import polars as pl

from transforms.drafting.contract.unit_guess import UnitGuess
from transforms.register.lookup import Register, known_keys, resolve_units

YEAR_IN_TEXT: Final = "((?:1[89]|20)[0-9]{2})"


def with_valid_day(
    unit: UnitGuess, texts: pl.DataFrame, periods: tuple[str | None, list[str]], register: Register
) -> UnitGuess:
    """Return the guess with `valid_on`, where its units all exist on one day, but not in all of their periods.

    periods: the column of the rows' periods, or the texts of those that each row has figures of.
    """
    column, stated = periods
    if not unit.columns or unit.take.get("by") not in {"code", "name"} or unit.take.get("provisional"):
        return unit
    keys = texts.select(_key(unit), year=pl.lit(None, pl.String) if column is None else pl.col(column))
    if column is None:
        keys = keys.select("key").unique().join(pl.DataFrame({"year": stated}, {"year": pl.String}), how="cross")
    keys = keys.with_columns(pl.col("year").str.extract(YEAR_IN_TEXT).cast(pl.Int32)).drop_nulls().unique()
    keys = keys.filter(known_keys(register, unit.take["kind"], unit.take["by"], keys["key"])).sort("key", "year")
    missing = _count_missing(keys, unit.take, register)
    years = keys["year"].unique().sort().to_list() if missing else []
    for year in dict.fromkeys([*years[-1:], *years[:1]]):
        day = keys.select("key").unique().sort("key").with_columns(pl.lit(year, pl.Int32).alias("year"))
        if not _count_missing(day, unit.take, register, whole_year=False):
            why = f"{unit.evidence}; all exist on the first day of {year}, but {missing} not in each of their periods"
            return replace(unit, take={**unit.take, "valid_on": f"{year}-01-01"}, evidence=why)
    return unit


def _key(unit: UnitGuess) -> pl.Expr:
    """Return the code or name of each row, as the contract would read it."""
    pads = unit.take.get("pad", 0)
    widths = pads if isinstance(pads, list) else [pads] * len(unit.columns)
    parts = [_code(pl.col(name), unit.take).str.zfill(width) for name, width in zip(unit.columns, widths, strict=True)]
    return pl.concat_str(parts).alias("key")


def _code(text: pl.Expr, take: dict[str, Any]) -> pl.Expr:
    return pl.coalesce(text.str.extract(take["extract"], 1), text) if "extract" in take else text


def _count_missing(keys: pl.DataFrame, take: dict[str, Any], register: Register, *, whole_year: bool = True) -> int:
    """Return how many units are not in the register for a year, or on its first day. keys: key, year."""
    first = pl.date(pl.col("year"), 1, 1)
    asked = keys.select(
        "key",
        kind=pl.lit(take["kind"]),
        by=pl.lit(take["by"]),
        date=first,
        until=pl.date(pl.col("year") + 1, 1, 1) if whole_year else first.dt.offset_by("1d"),
    )
    absent = resolve_units(register, asked)["reason"] == "unit-not-valid"
    return keys.filter(absent.fill_null(value=False))["key"].n_unique()
