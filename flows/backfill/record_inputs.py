"""What a backfill needs for records: resolution inputs with all else pinned, and initial item assignments."""

from dataclasses import replace
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.matching.models import model_by_digest
from flows.model_in_force import check_model_version, model_in_force
from flows.queries.kind_release import scoring_model
from flows.release.records.inputs import KindInputs, inputs_of, kinds_with_records, match_digests
from flows.release.records.reading import read_deliveries, reports_in
from infra.ledger import records as ledger_records
from infra.ledger.releases import Release
from schemas.errors import UsageError
from schemas.kind import Kind
from schemas.record_tables import RECORDS_PREFIX
from transforms.linkage.model import MatchModel

INITIAL_ASSIGNMENT: Final = {**ledger_records.NEW_ASSIGNMENT, "release": pl.Int32()}


def pinned_inputs(
    installation: Installation,
    submissions: pl.DataFrame,
    partitions: set[str],
    last: Release,
    model: str | None,
) -> list[KindInputs]:
    """Return the resolution inputs of each kind that a backfill reaches, with models and decisions as in the release.

    submissions: as `transforms.submissions.pin_submissions` returns them; partitions: those that the backfill reaches;
    model: the digest of a model to put in force. Raises `UsageError` if a kind was changed since the release.
    """
    chosen = model_by_digest(installation, model) if model else None
    all_inputs = []
    for kind in kinds_with_records(installation):
        new_model = chosen if chosen is not None and chosen.kind == kind.kind else None
        if new_model is None and f"{RECORDS_PREFIX}{kind.kind}" not in partitions:
            continue
        scored = check_model_version(new_model, kind) if new_model else _model_of_release(installation, kind, last)
        inputs = inputs_of(installation, kind, submissions, last, scored)
        decisions = inputs.decisions.with_columns(pl.col("before").alias("after"))
        all_inputs.append(replace(inputs, decisions=decisions))
    return all_inputs


def _model_of_release(installation: Installation, kind: Kind, last: Release) -> MatchModel | None:
    known = last["models"].get(kind.kind)
    if known is None:  # no release has the kind yet
        return model_in_force(installation, kind)
    model, why = scoring_model(installation, kind, last) if known["model_digest"] else (None, "")
    if why or known != match_digests(kind, model):
        raise UsageError(f"{why or f'kind {kind.kind} was changed since the release'}: `engang nightly` first")
    return model


def initial_assignments(installation: Installation, inputs: KindInputs, ids: pl.Series) -> pl.DataFrame:
    """Return the default item assignments of the reports of these submissions (`INITIAL_ASSIGNMENT`), to be stored.

    By default a report is assigned to the item of its own id since its submission was first published. A reread
    submission counts as first published now, so the defaults of its old reading are stored before they would be lost.
    """
    kind, root = inputs.kind, installation.settings.lake
    old = inputs.batches.filter(pl.col("submission_id").is_in(ids.implode()), pl.col("first_release").is_not_null())
    deliveries = read_deliveries(root, inputs, reports_in(root, inputs, old))
    first = deliveries.group_by("report_id").agg(pl.col("first_release").min().alias("first")).drop_nulls()
    written = ledger_records.read_assignment_history(installation.engine, kind.kind, first["report_id"].to_list())
    stored = written.group_by("report_id").agg(pl.col("release").min().alias("stored"))
    default = first.join(stored, on="report_id", how="left").filter(
        pl.col("stored").is_null() | (pl.col("stored") > pl.col("first"))
    )
    return default.select(
        pl.lit(kind.kind).alias("kind"),
        "report_id",
        pl.col("report_id").alias("item_id"),
        pl.col("first").cast(pl.Int32).alias("release"),
    )
