"""Which model scores a kind's reports: the one pinned in this installation, else the one that ships with the kind."""

from pathlib import Path
from typing import Final

from flows.installation import Installation
from infra.ledger import records as ledger_records
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.model import Model, read_model

SHIPPED: Final = Path(__file__).parent.parent / "schemas" / "models"
"""Models of shipped kinds, `<kind>.json`: in force until another is pinned."""


def model_in_force(installation: Installation, kind: Kind) -> Model | None:
    """Return the model by which a kind's reports are scored; None if there is none, or nothing is compared.

    Raises `UsageError` for a model that was trained for another version of the kind.
    """
    if not kind.compared():
        return None
    pinned = ledger_records.pinned_model(installation.engine, kind.kind)
    text = pinned["text"] if pinned else _shipped(kind)
    return None if text is None else fitting(read_model(text), kind)


def _shipped(kind: Kind) -> str | None:
    path = SHIPPED / f"{kind.kind}.json"
    return path.read_text(encoding="utf-8") if path.exists() else None


def fitting(model: Model, kind: Kind) -> Model:
    """Return the model; `UsageError` if it was trained for another kind or another version of it."""
    if model.match_digest != kind.match_digest():
        raise UsageError(
            f"model {model.digest} of {model.kind} was trained for another version of the kind: found "
            f"{model.match_digest}, expected {kind.match_digest()}. Train it again (`engang train {kind.kind} --pin`), "
            f"or put schemas/kinds/{kind.kind}.yml back as it was"
        )
    return model
