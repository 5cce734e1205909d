"""The match model: what a training learnt of a kind, whole, as one versioned file.

It holds Splink's settings with their m and u probabilities, the term frequencies, the weights of words, the threshold
that was chosen, and what the training saw. Its digest is over all of that: the same digest scores every pair the same.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Final

from schemas.errors import UsageError
from schemas.kind import Kind

PLACES: Final = 6
"""Decimals of a match weight: beyond them machines may differ."""
DIGITS: Final = 9
"""Significant digits of the model's probabilities: what is written is what is used."""


@dataclass(frozen=True)
class Frequencies:
    """Share of reports that hold each value of a field; a value that is not named is as rare as `rarest`."""

    shares: dict[str, float]
    rarest: float


@dataclass(frozen=True)
class WordWeights:
    """Weight in bits of each word of a free text; a word that is not named weighs `rarest`."""

    bits: dict[str, float]
    rarest: float


@dataclass(frozen=True)
class Model:
    """A trained match model of one kind.

    settings: Splink's, as it saves them. best: match weight (bits) from which choosing all pairs gives the best
    F1 to be expected. seen: what it was trained on (reports, pairs, digest of the data, engine).
    """

    kind: str
    match_digest: str
    settings: dict[str, Any]
    frequencies: dict[str, Frequencies]
    words: dict[str, WordWeights]
    best: float
    seen: dict[str, Any]

    def as_json(self) -> str:
        """Return the model as JSON text: `read_model` gives it back."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, indent=1)

    @cached_property
    def digest(self) -> str:
        """Return 16 hex characters over all that decides a score or what is made of it."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seen"}
        return hashlib.sha256(json.dumps(told, sort_keys=True, default=vars).encode()).hexdigest()[:16]


def bits(probability: float) -> float:
    """Return the match weight of a probability: log2 of its odds."""
    return round(math.log2(probability / (1 - probability)), PLACES)


def automatic(kind: Kind, model: Model) -> float:
    """Return the match weight (bits) from which two reports are one item by themselves: the kind's or the model's."""
    told = kind.thresholds.automatic
    return model.best if told == "best_f1" else bits(told)


def review(kind: Kind, model: Model) -> float:
    """Return the match weight (bits) from which a pair is shown to a person, and kept."""
    return min(automatic(kind, model), bits(kind.thresholds.review))


def read_model(text: str) -> Model:
    """Read a model from its JSON text; `UsageError` if it is none."""
    try:
        told = json.loads(text)
        frequencies = {name: Frequencies(**f) for name, f in told.pop("frequencies").items()}
        words = {name: WordWeights(**w) for name, w in told.pop("words").items()}
        return Model(frequencies=frequencies, words=words, **told)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"this is no match model ({error}): expected a file that `engang train` wrote") from error


def rounded(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Return the value with its floats cut to `DIGITS` significant digits, so that text and number are one."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    return [rounded(v) for v in value] if isinstance(value, list) else value
