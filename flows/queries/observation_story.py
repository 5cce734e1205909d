"""The story of one item: every claim, the cell it came from, what joins it, why this value is published."""

from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.releases import find_release, read_table
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.lake.item_tables import observation_tables
from infra.ledger import backfills as ledger_backfills
from infra.ledger import submissions as ledger_submissions
from schemas.errors import UsageError

NOT_IN_RELEASE: Final = "not in this release"


@dataclass(frozen=True)
class ObservationStory:
    """Everything known about one item."""

    observation: dict[str, Any] | None
    claims: list[dict[str, Any]]
    """Every claim: its value, its address, how it was used (`relation` or `bucket`), newest sources first."""
    why: str


@lake_access.scan_errors()
def explain_observation(installation: Installation, item_id: str, number: int | None = None) -> ObservationStory:
    """Return the story of an item: every claim, the cell it came from, what joins it, why this value is published.

    Raises `UsageError` if no release knows the item.
    """
    release = find_release(installation, number)
    mine = pl.col("item_id") == item_id
    found = read_table(installation, "observations", release).filter(mine).collect()
    months = found["partition"].to_list() or None  # all months, for an item that is no longer published
    root = installation.settings.lake
    sources = observation_tables(root).live("sources", release["tables"], months).filter(mine).collect()
    claims = lake.scan(root, "claims", partitions=months).filter(mine).collect()
    if not claims.height:
        raise UsageError(f"no item {item_id!r}: ask `engang query` for the item_id of observations")
    files = ledger_submissions.read_submissions(installation.engine, ids=claims["submission_id"].unique().to_list())
    was_released = pl.col("in_release") & (pl.col("first_release") <= release["release"]).fill_null(True)
    files = files.select("submission_id", "batch", "filename", "status", was_released)
    readings = ledger_backfills.batches_at(installation.engine, release["release"], files)
    rows = claims.join(readings, on=["submission_id", "batch"]).join(files.drop("batch"), on="submission_id")
    if rows.is_empty():  # the claims are of a reading that the release does not have: an older or an unpublished one
        rows = claims.join(files.with_columns(in_release=pl.lit(False)), on=["submission_id", "batch"])
    return _story(found, sources, rows)


def _story(found: pl.DataFrame, sources: pl.DataFrame, rows: pl.DataFrame) -> ObservationStory:
    cell = ["submission_id", "row", "column", "reported_by"]
    rows = rows.join(sources.select(*cell, "relation", "chosen"), on=cell, how="left", nulls_equal=True)
    unused = (
        pl.when((pl.col("status") == "withdrawn") | ((pl.col("action") == "withdraw") & pl.col("in_release")))
        .then(pl.lit("withdrawn"))
        .when("in_release").then(pl.lit("superseded"))
        .otherwise(pl.lit(NOT_IN_RELEASE))  # new since the release, or the same content as a submission that counts
    )  # fmt: skip
    rows = rows.with_columns(pl.coalesce("relation", unused).alias("relation"), pl.col("chosen").fill_null(False))
    rows = rows.sort("chosen", "version", "submission_id", "row", descending=[True, True, False, False])
    names = [
        "relation", "chosen", "value", "decimals", "original", "filename", "row", "column", "sender", "reported_by",
        "contract", "submission_id", "version", "precedence",
    ]  # fmt: skip
    if not found.height:
        return ObservationStory(None, rows.select(names).to_dicts(), _why_none(rows))
    observation = found.row(0, named=True)
    return ObservationStory(observation, rows.select(names).to_dicts(), _why(observation))


def _why_none(rows: pl.DataFrame) -> str:
    """Return why a release does not have an item: it has no claim of it yet, or none that counts any more."""
    if rows.is_empty():
        return (
            "No delivery that counts has this reading: it is from before a backfill, or of one that is not published."
        )
    if (rows["relation"] == NOT_IN_RELEASE).any():
        return "Delivered, but not in this release: it is in a later one, or waits for `engang nightly`."
    return "No claim counts any more: all were withdrawn or superseded, so no release holds the item."


def _why(observation: dict[str, Any]) -> str:
    reports, reporters = observation["reports"], observation["reporters"]
    if observation["agreement"] == "single":
        return "One claim, so its value stands."
    if observation["agreement"] == "complete":
        return f"{reports} claims by {reporters} reporters have the same value and accuracy: complete duplicates."
    if observation["agreement"] == "consistent":
        return f"{reports} claims by {reporters} reporters agree within their accuracy: the most accurate is published."
    if observation["value"] is None:
        return f"{reports} claims by {reporters} reporters conflict and no contract declares precedence: withheld."
    return f"{reports} claims by {reporters} reporters conflict: the one that its contract ranks first is published."
