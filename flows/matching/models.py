"""The match models of an installation: which there are, which is in force, one chosen, brought out or in."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from flows.installation import Installation
from flows.matching.model_impact import Effect, effect
from flows.matching.training import Pin, add
from flows.model_in_force import SHIPPED, fitting
from infra import files as model_files
from infra.ledger import records as ledger_records
from infra.settings import user_name
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage import scoring as match
from transforms.linkage.model import Model, read_model

LONGEST: Final = 100 * 2**20
"""Bytes of a model's file, at most."""


@dataclass(frozen=True)
class Pinned:
    """What choosing a model does: its effect on the release, whether it was done, whether another was in force."""

    model: Model
    effect: Effect | None
    pinned: bool
    changed: bool


def list_models(installation: Installation) -> list[dict[str, Any]]:
    """Return every model, oldest first: kind, digest, trained_at, in_force, shipped, what it saw (reports, ...)."""
    pins = {kind: pin["digest"] for kind, pin in ledger_records.pinned(installation.engine).items()}
    kept = [
        {**row, "seen": json.loads(row["about"]), "shipped": False}
        for row in ledger_records.models(installation.engine).iter_rows(named=True)
    ]
    known = {row["digest"] for row in kept}
    shipped = [
        {"kind": m.kind, "digest": m.digest, "trained_at": None, "seen": m.seen, "shipped": True}
        for m in shipped_models(installation).values()
        if m.digest not in known
    ]
    names = ("kind", "digest", "trained_at", "shipped", "seen")
    default = {m.kind: m.digest for m in shipped_models(installation).values()}
    return [
        {**{name: row[name] for name in names}, "in_force": (default | pins).get(row["kind"]) == row["digest"]}
        for row in (*shipped, *kept)
    ]


def shipped_models(installation: Installation) -> dict[str, Model]:
    """Return the models that ship with the kinds of this installation, by kind."""
    files = {kind: SHIPPED / f"{kind}.json" for kind in installation.kinds}
    return {kind: read_model(f.read_text(encoding="utf-8")) for kind, f in files.items() if f.exists()}


def find_model(installation: Installation, digest: str) -> Model:
    """Return the model of a digest, or of the one digest that begins so; `UsageError` if there is none or several."""
    told = digest.strip().lower()
    found = [row for row in list_models(installation) if told and row["digest"].startswith(told)]
    if len(found) != 1:
        which = ", ".join(row["digest"] for row in found)
        raise UsageError(f"{f'several models begin so: {which}' if found else f'no model {digest!r}'}: `engang models`")
    kept = ledger_records.model(installation.engine, found[0]["digest"])
    return read_model(kept["text"]) if kept else shipped_models(installation)[found[0]["kind"]]


def pin_model(installation: Installation, kind: Kind, digest: str, pin: Pin) -> Pinned:
    """Tell what choosing a model would change, and if wanted put it in force: the next nightly matches with it.

    Raises `UsageError` for a model that is not there, or is of another kind or another version of it.
    """
    model = find_model(installation, digest)
    if model.kind != kind.kind:
        raise UsageError(f"model {model.digest} is of kind {model.kind}, not {kind.kind}")
    changed = effect(installation, kind, fitting(model, kind))
    if not pin.wanted:
        return Pinned(model, changed, pinned=False, changed=False)
    add(installation, model)  # a shipped one is not in the ledger yet
    who, why = pin.who or user_name(), pin.why or f"trained on {model.seen.get('reports', 'other')} reports"
    moved = ledger_records.pin_model(installation.engine, kind.kind, model.digest, who=who, why=why)
    return Pinned(model, changed, pinned=True, changed=moved)


def export_model(installation: Installation, digest: str, file: Path) -> Model:
    """Write a model to a file, whole or not at all; `import_model` takes it, here or elsewhere."""
    model = find_model(installation, digest)
    try:
        model_files.write_whole(file, model.as_json())
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error
    return model


def import_model(installation: Installation, file: Path) -> tuple[Model, bool]:
    """Keep a model from a file, and return it and whether it is new; it is not in force yet.

    Raises `UsageError` for what is no model, one of another version of its kind, or one that compares otherwise than
    its kind says: a model holds SQL that is run.
    """
    model = _read(file)
    if model.kind not in installation.kinds:
        raise UsageError(f"{file}: a model of kind {model.kind!r}, which is not here: {', '.join(installation.kinds)}")
    kind = installation.kinds[model.kind]
    try:
        sound = match.as_declared(fitting(model, kind), kind) and _in_bounds(model)
    except (KeyError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise UsageError(
            f"{file}: this model was changed, or another version of the engine made it: found comparisons or numbers "
            f"that kind {kind.kind} does not have. Train one here: `engang train {kind.kind}`"
        )
    new = add(installation, model)
    model_files.keep(installation.settings.home, model.kind, model.digest, model.as_json())
    return model, new


def _read(file: Path) -> Model:
    try:
        if file.stat().st_size > LONGEST:
            raise UsageError(f"{file} is larger than {LONGEST} bytes: no match model is")
        return read_model(file.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{file} is no match model: expected JSON in UTF-8 that `engang train` wrote") from error


def _in_bounds(model: Model) -> bool:
    """Tell whether all that training learnt are numbers as it can be: probabilities, shares and weights."""
    weights = [b for w in model.words.values() for b in (w.rarest, *w.bits.values())]
    sound = all(_is_finite(p) and 0 < p <= 1 for p in _probabilities(model))
    sound = sound and model.settings["probability_two_random_records_match"] < 1
    return sound and all(_is_finite(w) for w in (model.best, *weights)) and isinstance(model.seen, dict)


def _probabilities(model: Model) -> Iterator[Any]:
    """Yield every probability and share of a model."""
    yield model.settings["probability_two_random_records_match"]
    for comparison in model.settings["comparisons"]:
        for level in comparison["comparison_levels"]:
            yield from (p for p in map(level.get, ("m_probability", "u_probability")) if p is not None)
    for counted in model.frequencies.values():
        yield from (counted.rarest, *counted.shares.values())


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
