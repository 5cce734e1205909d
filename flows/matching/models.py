"""The match models of an installation: list, find, pin, export and import them."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flows.installation import Installation
from flows.matching.model_impact import ModelImpact, model_impact
from flows.matching.training import PinRequest, store_model
from flows.model_in_force import check_model_version
from flows.output_file import write_output
from infra.files import check_input, write_model
from infra.ledger import models as ledger_models
from infra.settings import user_name
from infra.shipped_models import shipped_model
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.comparisons import compares_as_declared
from transforms.linkage.model import MatchModel, parse_model
from transforms.linkage.waterfall import model_levels

MAX_MODEL_BYTES: Final = 100 * 2**20
"""Largest size of a model file."""


@dataclass(frozen=True)
class PinResult:
    """A model, what it changes in the release, whether it was pinned, and whether another one was in force before."""

    model: MatchModel
    effect: ModelImpact | None
    pinned: bool
    changed: bool


def list_models(installation: Installation) -> list[dict[str, Any]]:
    """Return every model, oldest first: kind, digest, trained_at, in_force, shipped, seen (what it was trained on)."""
    pins = {kind: pin["digest"] for kind, pin in ledger_models.pins_in_force(installation.engine).items()}
    stored = [
        {**row, "seen": json.loads(row["about"]), "shipped": False}
        for row in ledger_models.read_models(installation.engine).iter_rows(named=True)
    ]
    known = {row["digest"] for row in stored}
    shipped = [
        {"kind": m.kind, "digest": m.digest, "trained_at": None, "seen": m.seen, "shipped": True}
        for m in shipped_models(installation).values()
        if m.digest not in known
    ]
    names = ("kind", "digest", "trained_at", "shipped", "seen")
    default = {m.kind: m.digest for m in shipped_models(installation).values()}
    return [
        {**{name: row[name] for name in names}, "in_force": (default | pins).get(row["kind"]) == row["digest"]}
        for row in (*shipped, *stored)
    ]


def shipped_models(installation: Installation) -> dict[str, MatchModel]:
    """Return the shipped models of the kinds of this installation, by kind."""
    texts = {kind: shipped_model(kind) for kind in installation.kinds}
    return {kind: parse_model(text) for kind, text in texts.items() if text is not None}


def model_by_digest(installation: Installation, digest: str) -> MatchModel:
    """Return the model with this digest or unique prefix of one; `UsageError` if there is none or several."""
    prefix = digest.strip().lower()
    found = [row for row in list_models(installation) if prefix and row["digest"].startswith(prefix)]
    if len(found) != 1:
        digests = ", ".join(row["digest"] for row in found)
        problem = f"several models begin with {digest!r}: {digests}" if found else f"no model {digest!r}"
        raise UsageError(f"{problem}: `engang models` lists them")
    stored = ledger_models.find_model(installation.engine, found[0]["digest"])
    return parse_model(stored["text"]) if stored else shipped_models(installation)[found[0]["kind"]]


def describe_model(model: MatchModel) -> dict[str, Any]:
    """Return what a model was trained on, and its match weight for each level of each field, in bits."""
    levels = model_levels(model).to_dicts()
    return {"kind": model.kind, "digest": model.digest, "best": model.best, "seen": model.seen, "levels": levels}


def pin_model(installation: Installation, kind: Kind, digest: str, pin: PinRequest) -> PinResult:
    """Return what a model would change, and pin it if wanted: the next nightly matches with it.

    Raises `UsageError` for an unknown model, or one of another kind or version of the kind.
    """
    model = model_by_digest(installation, digest)
    if model.kind != kind.kind:
        raise UsageError(f"model {model.digest} is of kind {model.kind}, not {kind.kind}")
    impact = model_impact(installation, kind, check_model_version(model, kind))
    if not pin.wanted:
        return PinResult(model, impact, pinned=False, changed=False)
    store_model(installation, model)  # a shipped model is not in the ledger yet
    who, why = pin.who or user_name(), pin.why or f"trained on {model.seen.get('reports', 'other')} reports"
    changed = ledger_models.write_pin(installation.engine, kind.kind, model.digest, who=who, why=why)
    return PinResult(model, impact, pinned=True, changed=changed)


def export_model(installation: Installation, digest: str, file: Path) -> MatchModel:
    """Write a model to a file, atomically; `import_model` reads it, here or in another installation."""
    model = model_by_digest(installation, digest)
    write_output(file, model.as_json())
    return model


def import_model(installation: Installation, file: Path) -> tuple[MatchModel, bool]:
    """Store the model of a file; return it and whether it is new. It is not in force until it is pinned.

    Raises `UsageError` for a file that is no model, a model of another version of its kind, and one whose comparisons
    differ from its kind's: a model holds SQL that will run.
    """
    model = _read(file)
    if model.kind not in installation.kinds:
        raise UsageError(f"{file}: a model of unknown kind {model.kind!r}: found {', '.join(installation.kinds)}")
    kind = installation.kinds[model.kind]
    try:
        sound = compares_as_declared(check_model_version(model, kind), kind) and _in_bounds(model)
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise UsageError(
            f"{file}: this model was edited, or comes from another version of the engine: its comparisons or numbers "
            f"do not fit kind {kind.kind}. Train one here: `engang train {kind.kind}`"
        )
    new = store_model(installation, model)
    write_model(installation.settings.home, model.kind, model.digest, model.as_json())
    return model, new


def _read(file: Path) -> MatchModel:
    try:
        check_input(file, MAX_MODEL_BYTES)
        text = file.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no match model: expected JSON in UTF-8 that `engang train` wrote") from error
    try:
        return parse_model(text)
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{file} is no match model: its lists are nested too deeply") from error


def _in_bounds(model: MatchModel) -> bool:
    """Return whether all learnt numbers are possible ones: probabilities, shares and weights."""
    weights = [b for w in model.words.values() for b in (w.rarest, *w.bits.values())]
    sound = all(_is_finite(p) and 0 < p <= 1 for p in _probabilities(model))
    sound = sound and model.settings["probability_two_random_records_match"] < 1
    return sound and all(_is_finite(w) for w in (model.best, *weights)) and isinstance(model.seen, dict)


def _probabilities(model: MatchModel) -> Iterator[Any]:
    """Yield every probability and share of a model."""
    yield model.settings["probability_two_random_records_match"]
    for comparison in model.settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            yield from (p for p in map(level.get, ("m_probability", "u_probability")) if p is not None)
    for frequencies in model.frequencies.values():
        yield from (frequencies.rarest, *frequencies.shares.values())


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
