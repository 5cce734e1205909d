"""The story of one item: every claim, the cell it came from, what joins it, why this value is published."""

from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.releases import released, table
from infra.lake import access as lake_places
from infra.lake import delta as lake
from infra.ledger import backfills as ledger_backfills
from infra.ledger import submissions as ledger
from schemas.errors import UsageError

LATER: Final = "not in this release"


@dataclass(frozen=True)
class Story:
    """All that is known of one item."""

    observation: dict[str, Any] | None
    claims: list[dict[str, Any]]
    """Every claim: what it says, where it stands, what became of it (`relation` or `bucket`), newest sources first."""
    why: str


@lake_places.reading()
def explain(installation: Installation, item_id: str, number: int | None = None) -> Story:
    """Return the story of an item: every claim, the cell it came from, what joins it, why this value is published.

    Raises `UsageError` if no release knows the item.
    """
    release = released(installation, number)
    mine = pl.col("item_id") == item_id
    found = table(installation, "observations", release).filter(mine).collect()
    months = found["partition"].to_list() or None  # all, for an item that no release holds any more
    root = installation.settings.lake
    sources = lake.live(root, "sources", release["tables"], months).filter(mine).collect()
    claims = lake.scan(root, "claims", partitions=months).filter(mine).collect()
    if not claims.height:
        raise UsageError(f"no item {item_id!r}: ask `engang query` for the item_id of observations")
    files = ledger.submissions(installation.engine, ids=claims["submission_id"].unique().to_list())
    then = pl.col("in_release") & (pl.col("first_release") <= release["release"]).fill_null(True)
    files = files.select("submission_id", "batch", "filename", "status", then)
    read = ledger_backfills.batches_at(installation.engine, release["release"], files)
    told = claims.join(read, on=["submission_id", "batch"]).join(files.drop("batch"), on="submission_id")
    if told.is_empty():  # what was read so is read anew since, or the other way round
        told = claims.join(files.with_columns(in_release=pl.lit(False)), on=["submission_id", "batch"])
    return _story(found, sources, told)


def _story(found: pl.DataFrame, sources: pl.DataFrame, told: pl.DataFrame) -> Story:
    cell = ["submission_id", "row", "column", "reported_by"]
    told = told.join(sources.select(*cell, "relation", "chosen"), on=cell, how="left", nulls_equal=True)
    became = (
        pl.when((pl.col("status") == "withdrawn") | ((pl.col("action") == "withdraw") & pl.col("in_release")))
        .then(pl.lit("withdrawn"))
        .when("in_release").then(pl.lit("superseded"))
        .otherwise(pl.lit(LATER))  # the next night's, or the same content as a submission that counts
    )  # fmt: skip
    told = told.with_columns(pl.coalesce("relation", became).alias("relation"), pl.col("chosen").fill_null(False))
    told = told.sort("chosen", "version", "submission_id", "row", descending=[True, True, False, False])
    names = [
        "relation", "chosen", "value", "decimals", "original", "filename", "row", "column", "sender", "reported_by",
        "contract", "submission_id", "version", "precedence",
    ]  # fmt: skip
    if not found.height:
        return Story(None, told.select(names).to_dicts(), _why_none(told))
    observation = found.row(0, named=True)
    return Story(observation, told.select(names).to_dicts(), _why(observation))


def _why_none(told: pl.DataFrame) -> str:
    """Return why a release does not hold an item: it holds no claim of it yet, or none that counts any more."""
    if told.is_empty():
        return "No delivery that counts is read so: it was before a backfill, or would be by one that is not published."
    if (told["relation"] == LATER).any():
        return "Delivered, but not in this release: it is in a later one, or waits for `engang nightly`."
    return "No claim counts any more: all were withdrawn or superseded, so no release holds the item."


def _why(observation: dict[str, Any]) -> str:
    reports, reporters = observation["reports"], observation["reporters"]
    if observation["agreement"] == "single":
        return "One claim, so its value stands."
    if observation["agreement"] == "complete":
        return f"{reports} claims by {reporters} reporters say the same to the same accuracy: complete duplicates."
    if observation["agreement"] == "consistent":
        return f"{reports} claims by {reporters} reporters agree within their accuracy: the most accurate one stands."
    if observation["value"] is None:
        return f"{reports} claims by {reporters} reporters conflict and no contract declares precedence: withheld."
    return f"{reports} claims by {reporters} reporters conflict: the one that its contract ranks first stands."
