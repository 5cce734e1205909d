"""Training: estimate a match model from the standing reports, store it, and pin it if wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.matching.model_impact import ModelImpact, model_impact
from flows.queries.known_ids import scan_records
from infra.files import write_model
from infra.ledger import models as ledger_models
from infra.ledger import submissions as ledger_submissions
from infra.ledger.sql import utc_now
from infra.settings import user_name
from infra.shipped_models import shipped_model
from schemas.errors import TrainingError
from schemas.kind import Kind
from transforms.linkage.model import MatchModel, automatic_threshold, parse_model, review_threshold
from transforms.linkage.waterfall import model_levels
from transforms.records.consolidate import mark_standing
from transforms.submissions import mark_counting
from transforms.training import estimate
from transforms.training.preconditions import missing_for_training

MAX_SAMPLES: Final = 5
"""Rows shown of each kind of change that a model would make."""


@dataclass(frozen=True)
class TrainingResult:
    """A trained model, as stored.

    new: false if the ledger had the same model. pinned: whether the training pinned it. before: digest of the model in
    force until then, None if none was. effect: what it changes in the current release, None if there is no release.
    notes: remarks on the training. doubts: why the estimate is not credible (none: it is).
    """

    kind: Kind
    model: MatchModel
    file: Path
    new: bool
    pinned: bool
    before: str | None
    effect: ModelImpact | None
    notes: list[str]
    doubts: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "kind": self.kind.kind,
            "digest": self.model.digest,
            "file": str(self.file),
            "new": self.new,
            "pinned": self.pinned,
            "before": self.before,
            "seen": self.model.seen,
            "notes": self.notes,
            "doubts": self.doubts,
            "threshold": automatic_threshold(self.kind, self.model),
            "review": review_threshold(self.kind, self.model),
            "levels": model_levels(self.model).to_dicts(),
            "effect": self.effect and self.effect.as_dict(MAX_SAMPLES),
        }


@dataclass(frozen=True)
class PinRequest:
    """Whether to pin a model, who wants it (default: the user who runs this), and why."""

    wanted: bool = False
    who: str | None = None
    why: str | None = None


def train(
    installation: Installation,
    kind: Kind,
    pin: PinRequest | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> TrainingResult:
    """Estimate a model from the standing reports and store it.

    It is pinned if wanted, or if no model is in force and its estimate is credible. Raises `TrainingError`, and stores
    nothing, if no model can be estimated.
    """
    request, before = pin or PinRequest(), digest_in_force(installation, kind.kind)
    who = request.who or (user_name() if request.wanted or before is None else "")
    reports = read_standing_reports(installation, kind)
    trained = _estimate(reports, kind, progress)
    model = trained.model
    file = write_model(installation.settings.home, kind.kind, model.digest, model.as_json())
    new = store_model(installation, model)
    progress("computing what it would change")
    impact = model_impact(installation, kind, model)
    pinned = request.wanted or (before is None and not trained.doubts)
    if pinned:
        why = request.why or f"trained on {reports.height} reports"
        ledger_models.write_pin(installation.engine, kind.kind, model.digest, who=who, why=why)
    return TrainingResult(kind, model, file, new, pinned, before, impact, trained.notes, trained.doubts)


def _estimate(reports: pl.DataFrame, kind: Kind, progress: Callable[[str], None]) -> estimate.TrainedModel:
    """Return the model that the reports show; `TrainingError` if they show none."""
    missing = missing_for_training(reports, kind)
    if missing:
        raise TrainingError(f"{kind.kind} cannot be trained: {missing}")
    progress(f"training {kind.kind} on {reports.height} reports")
    trained = estimate.estimate_model(reports, kind)
    if not trained.model.seen["likely_pairs"]:
        raise TrainingError(
            f"{kind.kind} cannot be trained: no pair that shares a blocking key looks like a match, or all do. "
            "Deliver reports of which some are of one item, or compare other fields"
        )
    return trained


def read_standing_reports(installation: Installation, kind: Kind) -> pl.DataFrame:
    """Return the standing reports of a kind, over all counting submissions, released or not."""
    submissions = ledger_submissions.read_submissions(installation.engine)
    counting = mark_counting(submissions).filter("counts").select("submission_id", "batch", "arrival")
    batch = ["submission_id", "batch"]
    deliveries = scan_records(installation, kind).join(counting.lazy(), on=batch, maintain_order="left").collect()
    return mark_standing(deliveries).filter("standing").drop("arrival")


def store_model(installation: Installation, model: MatchModel) -> bool:
    """Store a model in the ledger; return whether it is new."""
    row: ledger_models.StoredModel = {
        "digest": model.digest,
        "kind": model.kind,
        "text": model.as_json(),
        "trained_at": utc_now(),
        "about": model.seen,
    }
    return ledger_models.add_model(installation.engine, row)


def digest_in_force(installation: Installation, kind: str) -> str | None:
    """Return the digest of the pinned model of a kind, else of the shipped one, whatever kind version it is for."""
    pin = ledger_models.pins_in_force(installation.engine).get(kind)
    if pin is not None:
        return str(pin["digest"])
    shipped = shipped_model(kind)
    return None if shipped is None else parse_model(shipped).digest
