"""The model that scores the reports of a kind: the one pinned in this installation, else the shipped one."""

from flows.installation import Installation
from infra.ledger import models as ledger_models
from infra.shipped_models import shipped_model
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.model import MatchModel, parse_model


def model_in_force(installation: Installation, kind: Kind) -> MatchModel | None:
    """Return the model in force for a kind; None if there is none, or if the kind compares no field.

    Raises `UsageError` for a model that was trained for another version of the kind.
    """
    if not kind.compared():
        return None
    pinned = ledger_models.find_pinned_model(installation.engine, kind.kind)
    text = pinned["text"] if pinned else shipped_model(kind.kind)
    return None if text is None else check_model_version(parse_model(text), kind)


def check_model_version(model: MatchModel, kind: Kind) -> MatchModel:
    """Return the model; `UsageError` if it was trained for another version of the kind."""
    if model.match_digest != kind.match_digest():
        raise UsageError(
            f"model {model.digest} of {model.kind} was trained for another version of the kind: found "
            f"{model.match_digest}, expected {kind.match_digest()}. Train it again (`engang train {kind.kind} --pin`), "
            f"or restore schemas/kinds/{kind.kind}.yml"
        )
    return model
