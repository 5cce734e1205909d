"""The inputs of record resolution: which kinds have work this night, and with which model and decisions."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import polars as pl

from flows.installation import Installation
from flows.model_in_force import model_in_force
from infra.lake import delta as lake
from infra.ledger import decisions as ledger_decisions
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from schemas.kind import Kind
from schemas.record_tables import RECORDS_PREFIX
from transforms import rules_version
from transforms.linkage.incremental import LinkageInputs
from transforms.linkage.model import MatchModel
from transforms.submissions import counted_batches


@dataclass(frozen=True)
class KindInputs(LinkageInputs):
    """The inputs of one kind's night.

    release: the number of the release to be staged. released: the versions of the last release's tables. batches:
    `transforms.submissions.counted_batches`.
    """

    release: int
    released: dict[str, int]
    batches: pl.DataFrame


def kinds_with_records(installation: Installation) -> list[Kind]:
    """Return the kinds that have ever had a record."""
    root = installation.settings.lake
    return [kind for kind in installation.kinds.values() if lake.exists(root, f"{kind.kind}_records")]


def kinds_to_resolve(installation: Installation, submissions: pl.DataFrame, last: Release | None) -> list[KindInputs]:
    """Return the inputs of each kind that has work: changed submissions or decisions, another model or other rules.

    Raises `UsageError` for a model of another version of its kind.
    """
    changed = submissions.filter(pl.col("counts") != pl.col("in_release"))
    reached = ledger_submissions.read_submission_partitions(
        installation.engine, ids=changed["submission_id"].to_list()
    )["partition"].unique()
    every = [
        inputs_of(installation, kind, submissions, last, model_in_force(installation, kind))
        for kind in kinds_with_records(installation)
    ]
    if last is not None and last["rules_digest"] != rules_version.RULES_DIGEST:
        return [replace(inputs, new_rules=rules_version.RULES_DIGEST) for inputs in every]
    return [
        inputs
        for inputs in every
        if inputs.rematch
        or f"{RECORDS_PREFIX}{inputs.kind.kind}" in reached
        or (not inputs.first and inputs.changed_decisions.height)
    ]


def inputs_of(
    installation: Installation,
    kind: Kind,
    submissions: pl.DataFrame,
    last: Release | None,
    model: MatchModel | None,
) -> KindInputs:
    """Return the inputs of one kind's night, with this model."""
    decisions = ledger_decisions.read_decisions(installation.engine, kind.kind).select(
        "id", "a", "b", "verdict",
        pl.col("in_release").alias("before"), pl.col("withdrawn_at").is_null().alias("after"),
    )  # fmt: skip
    known = last["models"].get(kind.kind) if last else None
    tables = last["tables"] if last else {}
    return KindInputs(
        kind=kind,
        model=model,
        decisions=decisions,
        rematch=known is not None and known != match_digests(kind, model),
        first=kind.kind not in tables,
        release=last["release"] + 1 if last else installation.presets.first_release,
        released=tables,
        batches=counted_batches(submissions),
    )


def match_digests(kind: Kind, model: MatchModel | None) -> dict[str, str]:
    """Return what a release records of how a kind was matched: kind_digest, model_digest (empty: no model)."""
    return {"kind_digest": kind.digest(), "model_digest": model.digest if model else ""}


def release_models(resolved: Iterable[KindInputs], last: Release | None) -> dict[str, dict[str, str]]:
    """Return the `match_digests` of each kind of the release: as in the last one, unless it was resolved again."""
    before = last["models"] if last else {}
    return before | {inputs.kind.kind: match_digests(inputs.kind, inputs.model) for inputs in resolved}
