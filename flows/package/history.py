"""Every change of every item up to a release, each with what the item is."""

from typing import Final

import polars as pl

from flows.published_tables import PublishedTables
from infra.lake import delta as lake
from schemas.claims import frame_schema
from schemas.package_tables import HISTORY_ITEM

_STATE: Final = ("item_id", "value", "agreement")
_OF_ITEM: Final = (
    "concept", "unit_id", "unit_kind", "unit_code", "unit_name", "period_start", "period_end", "breakdown",
    "unit_measure",
)  # fmt: skip


def history_rows(published: PublishedTables, months: list[str], since: int) -> pl.DataFrame:
    """Return every state of the items of these months (`HISTORY_ITEM`), the first of them as that of release `since`.

    published: the tables of observations of the release. since: the oldest release that can be read; its items are all
    `added`. Of an item of which nothing is known any more there is no row.
    """
    changes = published.live("changes", months).filter(pl.col("release") > since).collect()
    now = published.live("observations", months).select(*_STATE, "partition", *_OF_ITEM).collect()
    first = changes.sort("release").unique("item_id", keep="first", maintain_order=True)
    as_first = {"change": pl.lit("added"), "release": pl.lit(since, dtype=pl.Int32)}
    unchanged = now.join(first, on="item_id", how="anti").with_columns(**as_first)
    before = first.filter(pl.col("change") != "added").select(*_renamed("before"), "partition").with_columns(**as_first)
    states = pl.concat([before, changes.select(*_renamed("after"), "partition", "change", "release")])
    items = now.select("item_id", *_OF_ITEM).join(first, on="item_id", how="semi")
    removed = first["item_id"].filter(~first["item_id"].is_in(items["item_id"].implode()))
    known = pl.concat([items, _former_items(published, months, removed)]) if removed.len() else items
    columns = frame_schema(HISTORY_ITEM)
    described = (unchanged, states.join(known, on="item_id", how="inner"))
    return pl.concat(rows.select(columns.names()).cast(columns) for rows in described)


def describe_items(published: PublishedTables, months: list[str], ids: pl.Series) -> pl.DataFrame:
    """Return what these items of some months are (item_id, concept, unit, period, …), those too that were removed."""
    now = published.live("observations", months).select("item_id", *_OF_ITEM)
    items = now.filter(pl.col("item_id").is_in(ids.implode())).collect()
    removed = ids.filter(~ids.is_in(items["item_id"].implode()))
    return pl.concat([items, _former_items(published, months, removed)]) if removed.len() else items


def _renamed(when: str) -> tuple[str | pl.Expr, ...]:
    return "item_id", pl.col(f"value_{when}").alias("value"), pl.col(f"agreement_{when}").alias("agreement")


def _former_items(published: PublishedTables, months: list[str], ids: pl.Series) -> pl.DataFrame:
    """Return what items are that no release has any more: their claims are stored, though none of them counts."""
    root = published.tables.root
    newest = lake.newest_versions(root, ["claims"])["claims"]  # by its version it is opened once for all months
    claims = lake.scan(root, "claims", newest, months)
    found = claims.filter(pl.col("item_id").is_in(ids.implode())).select("item_id", *_OF_ITEM).collect()
    return found.sort(pl.all()).unique("item_id", keep="first", maintain_order=True)
