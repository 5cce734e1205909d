"""What the nights of the record kinds start from: which kinds have anything to do, and with which model."""

from collections.abc import Iterable

import polars as pl

from flows.installation import Installation
from flows.model_in_force import model_in_force
from flows.release.records.resolution import Basis
from infra.lake import delta as lake
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from schemas.kind import Kind
from schemas.record_tables import RECORDS
from transforms.linkage.model import Model
from transforms.submissions import members


def kinds_with_records(installation: Installation) -> list[Kind]:
    """Return the kinds of which any record was ever kept."""
    root = installation.settings.lake
    return [kind for kind in installation.kinds.values() if lake.exists(root, f"{kind.kind}_records")]


def bases(installation: Installation, submissions: pl.DataFrame, last: ledger.Release | None) -> list[Basis]:
    """Return what the night of each kind starts from, of the kinds that have anything to do.

    Raises `UsageError` for a model of another version of its kind.
    """
    moved = submissions.filter(pl.col("counts") != pl.col("in_release"))
    spoken = ledger.partitions(installation.engine, ids=moved["submission_id"].to_list())["partition"].unique()
    found = [
        basis_of(installation, kind, submissions, last, model_in_force(installation, kind))
        for kind in kinds_with_records(installation)
    ]
    return [b for b in found if b.anew or f"{RECORDS}{b.kind.kind}" in spoken or (not b.first and b.decided.height)]


def basis_of(
    installation: Installation, kind: Kind, submissions: pl.DataFrame, last: ledger.Release | None, model: Model | None
) -> Basis:
    """Return what the night of one kind starts from, with this model."""
    decisions = ledger_records.decisions(installation.engine, kind.kind).select(
        "id", "a", "b", "verdict",
        pl.col("in_release").alias("before"), pl.col("withdrawn_at").is_null().alias("after"),
    )  # fmt: skip
    known = last["models"].get(kind.kind) if last else None
    return Basis(
        kind=kind,
        model=model,
        release=last["release"] + 1 if last else 1,
        released=last["tables"] if last else {},
        members=members(submissions),
        decisions=decisions,
        anew=known is not None and known != in_words(kind, model),
    )


def in_words(kind: Kind, model: Model | None) -> dict[str, str]:
    """Return what a release says of how a kind was matched: kind_digest, model_digest."""
    return {"kind_digest": kind.digest(), "model_digest": model.digest if model else ""}


def matched_with(bases_: Iterable[Basis], last: ledger.Release | None) -> dict[str, dict[str, str]]:
    """Return how each kind of the release is matched: as in the last one, unless it had anything to do."""
    before = last["models"] if last else {}
    return before | {basis.kind.kind: in_words(basis.kind, basis.model) for basis in bases_}
