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
from infra.ledger.releases import Release
from schemas.errors import UsageError
from transforms.observations.confidentiality import CONFIDENTIAL, without_confidential
from transforms.observations.corrections import STATED
from transforms.observations.reasons import DecidedItem, DecidingBranch, deciding_branch
from transforms.submissions import mark_counting

NOT_IN_RELEASE: Final = "not in this release"


@dataclass(frozen=True)
class ObservationStory:
    """Everything known about one item."""

    observation: dict[str, Any] | None
    claims: list[dict[str, Any]]
    """Every claim: its value, its address, how it was used (`relation` or `bucket`), newest sources first."""
    why: str


@lake_access.scan_errors()
def explain_observation(
    installation: Installation, item_id: str, number: int | None = None, *, confidential: bool = False
) -> ObservationStory:
    """Return the story of an item: every claim, the cell it came from, what joins it, why this value is published.

    confidential: with the values of claims that their senders marked as confidential, and with small counts. Raises
    `UsageError` if no release knows the item.
    """
    release = find_release(installation, number)
    mine = pl.col("item_id") == item_id
    found = read_table(installation, "observations", release).filter(mine).collect()
    months = found["partition"].to_list() or None  # all months, for an item that is no longer published
    root = installation.settings.lake
    tables = observation_tables(root)
    sources, conflicts = (
        tables.live(name, release["tables"], months).filter(mine).collect() for name in ("sources", "conflicts")
    )
    claims = lake.scan(root, "claims", partitions=months).filter(mine).collect()
    if not claims.height:
        raise UsageError(f"no item {item_id!r}: ask `engang query` for the item_id of observations")
    files = ledger_submissions.read_submissions(installation.engine, ids=claims["submission_id"].unique().to_list())
    was_released = pl.col("in_release") & (pl.col("first_release") <= release["release"]).fill_null(True)
    later = (pl.col("first_release") > release["release"]).fill_null(value=False).alias("later")
    names = ["submission_id", "batch", "filename", "status", "arrival"]
    files = mark_counting(files).select(*names, was_released, later)
    readings = ledger_backfills.batches_at(installation.engine, release["release"], files)
    rows = claims.join(readings, on=["submission_id", "batch"]).join(files.drop("batch"), on="submission_id")
    if rows.is_empty():  # the claims are of a reading that the release does not have: an older or an unpublished one
        rows = claims.join(files.with_columns(in_release=pl.lit(False)), on=["submission_id", "batch"])
    if confidential:
        return _story(found, sources, conflicts, rows)
    rows = rows.with_columns(without_confidential("value", "decimals", "original"))
    story = _story(found, sources, conflicts, rows)
    return _without_counts(story) if _is_small_count(installation, release, rows) else story


def _is_small_count(installation: Installation, release: Release, claims: pl.DataFrame) -> bool:
    """Return whether an item is a count below the least of its concept, was once, or would give such away."""
    if all(concept.suppress_below is None for concept in installation.vocabulary.concepts.values()):
        return False
    from flows.disclosure.small_counts import SmallCounts  # most vocabularies state no least count

    return claims["item_id"][0] in SmallCounts(installation, release).ever


def _without_counts(story: ObservationStory) -> ObservationStory:
    unknown = dict.fromkeys(("value", "decimals", "original"))
    observation = None if story.observation is None else {**story.observation, "value": None, "decimals": None}
    return ObservationStory(observation, [claim | unknown for claim in story.claims], f"{story.why} {WHY_SMALL}")


def _story(found: pl.DataFrame, sources: pl.DataFrame, conflicts: pl.DataFrame, rows: pl.DataFrame) -> ObservationStory:
    cell = ["submission_id", "row", "column", "reported_by"]
    rows = rows.join(sources.select(*cell, "relation", "chosen"), on=cell, how="left", nulls_equal=True)
    unused = (
        pl.when("later").then(pl.lit(NOT_IN_RELEASE))
        .when((pl.col("status") == "withdrawn") | ((pl.col("action") == "withdraw") & pl.col("in_release")))
        .then(pl.lit("withdrawn"))
        .when(pl.col("in_release") & _repeats(rows)).then(pl.lit("duplicate"))
        .when("in_release").then(pl.lit("superseded"))
        .otherwise(pl.lit(NOT_IN_RELEASE))  # new since the release, or the same content as a submission that counts
    )  # fmt: skip
    rows = rows.with_columns(pl.coalesce("relation", unused).alias("relation"), pl.col("chosen").fill_null(False))
    rows = rows.sort("chosen", "version", "submission_id", "row", descending=[True, True, False, False])
    names = [
        "relation", "chosen", "value", "decimals", "original", "filename", "row", "column", "sender", "reported_by",
        "contract", "submission_id", "version", "precedence", "confidential",
    ]  # fmt: skip
    if not found.height:
        return ObservationStory(None, rows.select(names).to_dicts(), _why_none(rows))
    observation = found.row(0, named=True)
    why = decision_text(deciding_branch(observation, sources, conflicts))
    if sources["tolerance"].count():
        why = why.replace("within their accuracy", "within their accuracy or tolerance")
    if copies := sources.filter(relation="copy").height:
        why += f" {counted(copies, 'claim')} of a copy: a source, and no second opinion."
    if observation.get("conf_status") == CONFIDENTIAL:
        why = f"{why.replace(', so its value stands', '')} {WHY_WITHHELD}"
    return ObservationStory(observation, rows.select(names).to_dicts(), why)


def _repeats(rows: pl.DataFrame) -> pl.Series:
    """Return of each claim whether its sender stated the same before, and that stands."""
    key = ["contract", "sender", "reported_by", *STATED]
    standing = rows.filter(pl.col("relation").is_not_null(), pl.col("slot_id").is_null(), ~pl.col("additive"))
    first = standing.group_by(key).agg(pl.col("arrival").min().alias("_first"))
    found = rows.select(*key, "arrival").join(first, on=key, how="left", nulls_equal=True, maintain_order="left")
    return (found["arrival"] > found["_first"]).fill_null(value=False)


def _why_none(rows: pl.DataFrame) -> str:
    """Return why a release does not have an item: it has no claim of it yet, or none that counts any more."""
    if rows.is_empty():
        return (
            "No delivery that counts has this reading: it is from before a backfill, or of one that is not published."
        )
    if (rows["relation"] == NOT_IN_RELEASE).any():
        return "Delivered, but not in this release: it is in a later one, or waits for `engang nightly`."
    return "No claim counts any more: all were withdrawn or superseded, so this release does not hold the item."


DECISION_TEXTS: Final[dict[DecidingBranch, str]] = {
    "single": "One claim, so its value stands.",
    "sum": "One claim, the sum of {lines} lines of one delivery, so its value stands.",
    "complete": "{counts} have the same value and accuracy: complete duplicates.",
    "consistent": "{counts} agree within their accuracy: the most accurate is published.",
    "unranked": "{counts} conflict and no contract declares precedence: withheld.",
    "ranks conflict": "{counts} conflict, also the {ranked} that are ranked first (precedence {rank}): withheld.",
    "ranked first": "{counts} conflict: the one that its contract ranks first (precedence {rank}) is published.",
    "ranked complete": "{counts} conflict: the {ranked} that are ranked first (precedence {rank}) have the same value "
    "and accuracy, which is published.",
    "ranked consistent": "{counts} conflict: the {ranked} that are ranked first (precedence {rank}) agree within their "
    "accuracy, and the most accurate of them is published.",
}
"""The sentence of each branch of the law."""


WHY_WITHHELD: Final = "The value is withheld: only claims that their senders marked as confidential state it."

WHY_SMALL: Final = "No value is shown: it is below the least count of its concept, was once, or would give such away."


def decision_text(decided: DecidedItem) -> str:
    """Return why an item has the value that it has, or none, as a sentence."""
    counts = f"{counted(decided.claims, 'claim')} by {counted(decided.reporters, 'reporter')}"
    return DECISION_TEXTS[decided.branch].format(counts=counts, **vars(decided))


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: 1 report, 2 reports."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
