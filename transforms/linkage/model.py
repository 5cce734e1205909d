"""The match model of a kind: all that training learnt, as one versioned file.

It holds Splink's settings with their m and u probabilities, term frequencies, word weights, the chosen threshold, and a
description of the training data. Its digest covers all that decides a score: models with the same digest score every
pair the same.
"""

import hashlib
import json
import math
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Final

from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.clustering import LinkageRule

WEIGHT_DECIMALS: Final = 6
"""Decimals of a match weight: beyond them, machines may differ."""
PROBABILITY_DIGITS: Final = 9
"""Significant digits of a probability: the model uses the numbers exactly as its file has them."""
NO_MODEL_BITS: Final = 1.0
"""Threshold in bits where no model scores anything: no edge exists that it could join."""


@dataclass(frozen=True)
class Frequencies:
    """Share of reports that have each value of a field; any other value has the share `rarest`."""

    shares: dict[str, float]
    rarest: float


@dataclass(frozen=True)
class WordWeights:
    """Weight in bits of each word of a free text; any other word weighs `rarest`."""

    bits: dict[str, float]
    rarest: float


@dataclass(frozen=True)
class MatchModel:
    """A trained match model of one kind.

    settings: as Splink saves them. best: the match weight (bits) that is the threshold with the best expected F1.
    seen: what the model was trained on (reports, pairs, digest of the data, engine).
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
        """16 hex characters over all that decides a score, or a match by it."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "seen"}
        return hashlib.sha256(json.dumps(values, sort_keys=True, default=vars).encode()).hexdigest()[:16]


def match_weight(probability: float) -> float:
    """Return the match weight of a probability: log2 of its odds."""
    return round(math.log2(probability / (1 - probability)), WEIGHT_DECIMALS)


def automatic_threshold(kind: Kind, model: MatchModel) -> float:
    """Return the match weight (bits) from which weight alone joins two reports: the kind's, or the model's best."""
    declared = kind.thresholds.automatic
    return model.best if declared == "best_f1" else match_weight(declared)


def review_threshold(kind: Kind, model: MatchModel) -> float:
    """Return the match weight (bits) from which a pair becomes an edge, and a person may review it."""
    return min(automatic_threshold(kind, model), match_weight(kind.thresholds.review))


def linkage_rule(kind: Kind, model: MatchModel | None) -> LinkageRule:
    """Return the rule by which reports of a kind become items."""
    return LinkageRule(automatic_threshold(kind, model) if model else NO_MODEL_BITS, bool(kind.one_report_per_item))


def parse_model(text: str) -> MatchModel:
    """Read a model from its JSON text; `UsageError` if it is not one."""
    try:
        values = json.loads(text)
        frequencies = {name: Frequencies(**f) for name, f in values.pop("frequencies").items()}
        words = {name: WordWeights(**w) for name, w in values.pop("words").items()}
        return MatchModel(frequencies=frequencies, words=words, **values)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"this is no match model ({error}): expected a file that `engang train` wrote") from error


def round_floats(value: Any) -> Any:  # noqa: ANN401  any JSON value
    """Return the value with its floats rounded to `PROBABILITY_DIGITS` significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{PROBABILITY_DIGITS}g}")
    if isinstance(value, dict):
        return {k: round_floats(v) for k, v in value.items()}
    return [round_floats(v) for v in value] if isinstance(value, list) else value
