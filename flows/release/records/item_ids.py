"""The ids of a kind's items, by what the ledger knows of first publication, and what caused their ids to change."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import polars as pl
import sqlalchemy as sa

from infra.ledger import records as ledger_records
from schemas.kind import Kind
from schemas.record_tables import HISTORY
from transforms.records.item_ids import EVENT, FIRST, Named, name

SHOWN: Final = 20
"""How many submissions or decisions an event names as its cause at most."""


def named(  # noqa: PLR0913  what an id depends on
    engine: sa.Engine,
    kind: Kind,
    clusters: pl.DataFrame,
    told: pl.DataFrame,
    items: pl.DataFrame,
    *,
    others: Callable[[pl.Series], pl.DataFrame],
    everything: bool,
) -> Named:
    """Return the id of each cluster (`transforms.records.item_ids.name`).

    told: the deliveries of all reports of the clusters, and of those that the night reaches and that do not stand, with
    first_release and after; items: report_id, item_id of the last release. others gives the deliveries of reports that
    are not told of: of founders that have left their items.
    """
    reports = clusters["report_id"]
    homes = ledger_records.homes_written(engine, kind.kind, None if everything else reports.to_list())
    told = told.select("report_id", "first_release", "after")
    founders = homes.filter(pl.col("item_id") != "").select(report_id="item_id").unique()
    founders = founders.join(told, on="report_id", how="anti")
    if founders.height:
        told = pl.concat([told, others(founders["report_id"]).select(told.columns)])
    first = _first(told, clusters)
    alone = homes.is_empty() and items.is_empty() and first["first"].null_count() == first.height
    found = _founded(clusters) if alone else name(clusters, homes, first.select(*FIRST), items)
    return replace(found, homes=pl.concat([found.homes, _nowhere(first, clusters)]))


def _first(told: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, first (the release that first counted it), after (whether it is counted), a row a report."""
    first = pl.col("first_release").cast(pl.Int32).alias("first")
    if told.height == clusters.height:  # one delivery of each report, and of no other
        return told.select("report_id", first, "after")
    return told.group_by("report_id").agg(first.min(), pl.col("after").any())


def _nowhere(first: pl.DataFrame, clusters: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, item_id (empty) of the reports that are counted for the first time and do not stand."""
    new = first.filter(pl.col("first").is_null(), "after")
    if first.height == clusters.height:  # all of them stand
        new = new.clear()
    new = new.join(clusters, on="report_id", how="anti")
    return new.select("report_id", item_id=pl.lit(""))


def _founded(clusters: pl.DataFrame) -> Named:
    """Return what `transforms.records.item_ids.name` does where nothing was ever published, at a tenth of the cost."""
    items = clusters.select("report_id", pl.col("cluster").alias("item_id"))
    return Named(items, items.filter(pl.col("report_id") != pl.col("item_id")), pl.DataFrame(schema=EVENT))


def neighbours(engine: sa.Engine, kind: Kind, told: pl.DataFrame) -> pl.Series:
    """Return the reports that are at home where those that come back are: who bears an id may depend on them.

    Who comes back was counted before and did not stand: none of its deliveries counted, or one of them withdrew it.
    """
    stood = pl.col("before").any() & ~(pl.col("before") & (pl.col("action") == "withdraw")).any()
    known = told.group_by("report_id").agg(
        pl.col("first_release").is_not_null().any().alias("known"), stood.alias("stood"), pl.col("after").any()
    )
    back = known.filter("known", ~pl.col("stood"), "after")["report_id"]
    if not back.len():
        return back
    homes = ledger_records.homes(engine, kind.kind, back.to_list()).filter(pl.col("item_id") != "")["item_id"]
    items = pl.concat([back, homes.rename("report_id")]).unique()
    others = ledger_records.at_home(engine, kind.kind, items.to_list())["report_id"]
    return pl.concat([items, others]).unique()


def with_causes(
    events: pl.DataFrame, items: tuple[pl.DataFrame, pl.DataFrame], causes: pl.DataFrame, model: str | None
) -> pl.DataFrame:
    """Return the events as rows of `<kind>_history`, `release` left out.

    items: report_id, item_id before and after. causes: report_id, cause, cause_id: what moved among all it is tied to.
    model: its digest, where every report was scored again with it.
    """
    if model is not None:
        told = events.with_columns(pl.lit("model").alias("cause"), pl.lit(model).alias("cause_id"))
    else:
        told = pl.concat(items).join(events, on="item_id", how="semi").unique()
        by_item = told.join(causes, on="report_id").group_by("item_id", "cause").agg(
            pl.col("cause_id").unique().sort().head(SHOWN).str.join(",")
        )  # fmt: skip
        first = by_item.sort("item_id", "cause").unique("item_id", keep="first")  # a decision before a submission
        told = events.join(first, on="item_id", how="left").with_columns(pl.col("cause").fill_null("submission"))
    names = [c.name for c in HISTORY if c.name not in {"release", "partition"}]
    return told.select(names)
