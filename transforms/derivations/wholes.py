"""Which units are parts of which wholes: municipalities of counties, electoral districts and the nation."""

from collections.abc import Iterable
from typing import Final

import polars as pl

from transforms.discovery.series import COUNTY_KINDS
from transforms.register.build import COUNTY, COUNTY_DIGITS, MUNICIPALITY
from transforms.register.hierarchy import HOME_NATION, NATION

WHOLES: Final = pl.Schema(
    {
        "unit_id": pl.String,
        "kind": pl.String,
        "whole": pl.String,
        "whole_kind": pl.String,
        "period_start": pl.Date,
        "parts": pl.UInt32,
    }
)
_PARTS_OF_NATION: Final = (MUNICIPALITY, COUNTY)


def wholes_of(units: pl.DataFrame, starts: Iterable[object]) -> pl.DataFrame:
    """Return which units are parts of which on these days (`WHOLES`).

    units: of the register (unit_id, kind, code, valid_from, valid_to). kind: of the part. parts: how many parts of that
    kind the whole has. A municipality is a part of the county and the electoral district whose code its own begins
    with, as Norwegian codes are made, and of the nation; a county is a part of the nation.
    """
    days = pl.DataFrame({"period_start": list(starts)}, schema={"period_start": pl.Date})
    valid = (pl.col("valid_from") <= pl.col("period_start")) & (
        pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("period_start"))
    )
    dated = units.join(days, how="cross").filter(valid)
    whole = [pl.col("period_start"), pl.col("unit_id").alias("whole"), pl.col("kind").alias("whole_kind")]
    higher = dated.filter(pl.col("kind").is_in(COUNTY_KINDS)).select(*whole, prefix="code").unique()
    nation = dated.filter(pl.col("kind") == NATION, pl.col("code") == HOME_NATION).select(*whole).unique()
    parts = dated.with_columns(prefix=pl.col("code").str.head(COUNTY_DIGITS))
    placed = [
        parts.filter(pl.col("kind") == MUNICIPALITY).join(higher, on=["period_start", "prefix"]),
        parts.filter(pl.col("kind").is_in(_PARTS_OF_NATION)).join(nation, on="period_start"),
    ]
    names = [name for name in WHOLES if name != "parts"]
    counted = pl.concat(frame.select(names) for frame in placed).unique()
    count = pl.len().over("whole", "kind", "period_start").cast(pl.UInt32)
    return counted.with_columns(parts=count).select(WHOLES.names())
