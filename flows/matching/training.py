"""Training: a match model estimated from the reports that stand, kept whole, put in force if wanted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.matching.model_impact import Effect, effect
from flows.model_in_force import SHIPPED
from infra import files as model_files
from infra.lake import kind_tables as lake_records
from infra.ledger import records as ledger_records
from infra.ledger import submissions as ledger
from infra.ledger.sql import now
from infra.settings import user_name
from schemas.errors import TrainingError
from schemas.kind import Kind
from transforms.linkage import scoring as match
from transforms.linkage.model import Model, automatic, read_model, review
from transforms.linkage.training_checks import lacking
from transforms.linkage.waterfall import model_levels
from transforms.records.consolidate import standing
from transforms.submissions import counting

SAMPLES: Final = 5
"""Of each kind of change that a model would make, so many rows are shown."""


@dataclass(frozen=True)
class Trained:
    """A model as it was trained and kept.

    new: false if the same model was kept before. pinned: whether this put it in force; before: the digest of the model
    that was, None if none was. effect: what being in force changes of the current release; None if nothing is released.
    """

    kind: Kind
    model: Model
    file: Path
    new: bool
    pinned: bool
    before: str | None
    effect: Effect | None

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "kind": self.kind.kind,
            "digest": self.model.digest,
            "file": str(self.file),
            "new": self.new,
            "pinned": self.pinned,
            "before": self.before,
            "seen": self.model.seen,
            "threshold": automatic(self.kind, self.model),
            "review": review(self.kind, self.model),
            "levels": model_levels(self.model).to_dicts(),
            "effect": self.effect and self.effect.as_dict(SAMPLES),
        }


@dataclass(frozen=True)
class Pin:
    """Whether a model is put in force, by whom (default: who runs this), and why."""

    wanted: bool = False
    who: str | None = None
    why: str | None = None


def train(
    installation: Installation, kind: Kind, pin: Pin | None = None, progress: Callable[[str], None] = lambda _: None
) -> Trained:
    """Estimate a model from the reports that stand, keep it, and put it in force if wanted or if there is none.

    Raises `TrainingError`, nothing kept, if none can be estimated.
    """
    asked, before = pin or Pin(), in_force(installation, kind.kind)
    pinned = asked.wanted or before is None
    who = (asked.who or user_name()) if pinned else ""
    reports = standing_reports(installation, kind)
    missing = lacking(reports, kind)
    if missing:
        raise TrainingError(f"{kind.kind} cannot be trained: {missing}")
    progress(f"training {kind.kind} on {reports.height} reports")
    model = match.train(reports, kind)
    if not model.seen["likely_pairs"]:
        raise TrainingError(
            f"{kind.kind} cannot be trained: of the pairs that share a blocking value none looks like a match, or all "
            "are alike. Deliver reports of which some are of one item, or compare other fields"
        )
    file = model_files.keep(installation.settings.home, kind.kind, model.digest, model.as_json())
    new = add(installation, model)
    progress("trying what it would change")
    changed = effect(installation, kind, model)
    if pinned:
        why = asked.why or f"trained on {reports.height} reports"
        ledger_records.pin_model(installation.engine, kind.kind, model.digest, who=who, why=why)
    return Trained(kind, model, file, new, pinned, before, changed)


def standing_reports(installation: Installation, kind: Kind) -> pl.DataFrame:
    """Return the reports of a kind that stand, by all submissions that count, released or not."""
    counted = counting(ledger.submissions(installation.engine)).filter("counts").select("submission_id", "batch")
    rows = lake_records.scan(installation.settings.lake, kind, f"{kind.kind}_records")
    told = rows.join(counted.lazy(), on=["submission_id", "batch"], how="semi").collect()
    return standing(told).filter("standing")


def add(installation: Installation, model: Model) -> bool:
    """Keep a model in the ledger; return whether it is new."""
    row: ledger_records.Model = {
        "digest": model.digest,
        "kind": model.kind,
        "text": model.as_json(),
        "trained_at": now(),
        "about": model.seen,
    }
    return ledger_records.add_model(installation.engine, row)


def in_force(installation: Installation, kind: str) -> str | None:
    """Return the digest of the model in force for a kind, fitting or not: pinned, or shipped with it; None if none."""
    pin = ledger_records.pinned(installation.engine).get(kind)
    shipped = SHIPPED / f"{kind}.json"
    if pin is None and shipped.exists():
        return read_model(shipped.read_text(encoding="utf-8")).digest
    return None if pin is None else pin["digest"]
