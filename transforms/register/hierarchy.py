"""The register as the published table `units`: each validity of a code, with the unit above it and what follows it."""

from typing import Final

import polars as pl

from schemas.claims import frame_schema
from schemas.description_tables import UNIT
from schemas.record_tables import SINGLE_PARTITION
from transforms.register.build import COUNTY, COUNTY_DIGITS, MUNICIPALITY
from transforms.register.lookup import LAST_DAY, Register

NATION: Final = "nation"
HOME_NATION: Final = "0"
"""The code of the nation whose counties the register holds."""


def unit_rows(register: Register) -> pl.DataFrame:
    """Return the table `units`."""
    links = register.units.with_row_index("_link")
    parents = _parents(links, COUNTY, MUNICIPALITY)
    nations = links.filter(kind=NATION, code=HOME_NATION).select(parent_id="unit_id").unique().head(1)
    counties = links.filter(kind=COUNTY).select("_link").join(nations, how="cross")
    found = links.join(pl.concat([parents, counties]), on="_link", how="left", maintain_order="left")
    followed = found.join(_successors(register), on=["unit_id", "code", "valid_to"], how="left", maintain_order="left")
    rows = followed.with_columns(
        pl.col("successors").fill_null(pl.lit([], dtype=pl.List(pl.String))), partition=pl.lit(SINGLE_PARTITION)
    )
    return rows.select(frame_schema(UNIT).names()).sort("kind", "code", "valid_from")


def _parents(links: pl.DataFrame, above: str, below: str) -> pl.DataFrame:
    """Return the unit above each link of a kind: whose code its own begins with, the last one valid in its time."""
    higher = links.filter(kind=above).select(
        _code="code", _from="valid_from", _to=pl.col("valid_to").fill_null(LAST_DAY), parent_id="unit_id"
    )
    lower = links.filter(kind=below).with_columns(_code=pl.col("code").str.head(COUNTY_DIGITS))
    pairs = lower.join(higher, on="_code").filter(
        pl.col("_from") < pl.col("valid_to").fill_null(LAST_DAY), pl.col("valid_from") < pl.col("_to")
    )
    return pairs.sort("_from").group_by("_link").agg(pl.col("parent_id").last()).select("_link", "parent_id")


def _successors(register: Register) -> pl.DataFrame:
    """Return unit_id, code, valid_to, successors and succession of each link that ends in other units."""
    ends = register.edges.filter(pl.col("relation") != "same")
    ends = ends.rename({"old_unit": "unit_id", "old_code": "code", "date": "valid_to"})
    return ends.group_by("unit_id", "code", "valid_to").agg(
        pl.col("new_unit").unique().sort().alias("successors"), pl.col("relation").first().alias("succession")
    )
