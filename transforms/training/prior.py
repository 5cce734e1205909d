"""The share of matches among all pairs of reports (lambda): by deterministic rules, then as the model expects it."""

import math
from itertools import combinations
from typing import Any, Final

import polars as pl

from transforms.linkage.comparisons import splink_settings
from transforms.linkage.scoring import REPORT_NUMBER
from transforms.training.data import TrainingData, count_pairs
from transforms.training.probabilities import SHARE_SETTING
from transforms.training.sessions import trained_on

MAX_CHANCE_SHARE: Final = 0.05
"""A deterministic rule is two fields of whose common values at most this share agrees by chance."""
MIN_RULE_PAIRS: Final = 10
DETERMINISTIC_RECALL: Final = 0.7
"""The share of matches that deterministic rules find, as Splink's documentation assumes; the model then corrects it."""
MAX_STEPS: Final = 500
STEP_TOLERANCE: Final = 1e-6
MAX_WEIGHT: Final = 60.0
"""Bits beyond which a probability does not change in a Float64."""


def deterministic_share(data: TrainingData) -> float | None:
    """Return the share of matches by Splink's estimate from deterministic rules; None if no rule is certain enough."""
    rules: list[Any] = [
        f'l."{one}" = r."{one}" AND l."{other}" = r."{other}"' for one, other in deterministic_rules(data)
    ]
    if not rules:
        return None
    settings = splink_settings(data.kind)
    if data.kind.one_report_per_item:
        settings |= {"link_type": "link_only", "source_dataset_column_name": "reported_by"}
    frame = data.folded.select("report_id", "reported_by", *_equal_fields(data)).with_row_index(REPORT_NUMBER)
    with trained_on(frame, settings, data.kind) as (linker, _, _):
        linker.training.estimate_probability_two_random_records_match(rules, recall=DETERMINISTIC_RECALL)
        share = float(linker.misc.save_model_to_json()[SHARE_SETTING])
    return min(max(share, 1 / max(data.pairs, 2)), 0.5)


def deterministic_rules(data: TrainingData) -> list[tuple[str, str]]:
    """Return the pairs of fields in which equal values are no chance: far more pairs share both than by chance.

    By chance, as many pairs share both values as the fields' own shares of equal pairs foretell, one times the other.
    """
    names = _equal_fields(data)
    counts = {name: count_pairs(data.folded, [name], data.kind) for name in names}
    rules = []
    for one, other in combinations(names, 2):
        shared = count_pairs(data.folded, [one, other], data.kind)
        chance = counts[one] * counts[other] / max(data.pairs, 1)
        if shared >= MIN_RULE_PAIRS and chance <= MAX_CHANCE_SHARE * shared:
            rules.append((one, other))
    return rules


def expected_share(bits: pl.Series, pairs: int, start: float) -> float:
    """Return the share of matches that a model expects if it presumes the same share.

    bits: match weight of each likely pair without the share's own part; every other of the `pairs` counts nothing. It
    is where the expected number of matches and the presumed one agree, within what `pairs` can show.
    """
    share, evidence = start, bits.clip(-MAX_WEIGHT, MAX_WEIGHT)
    for _ in range(MAX_STEPS):
        found = expected_matches(evidence + odds_bits(share)) / max(pairs, 1)
        found = min(max(found, 1 / max(pairs, 2)), 0.5)
        if abs(found - share) < STEP_TOLERANCE * share:
            return found
        share = found
    return share


def probability_of(weight: pl.Expr) -> pl.Expr:
    """Return the probability of a match weight (bits)."""
    return 1 / (1 + (-weight.clip(-MAX_WEIGHT, MAX_WEIGHT) * math.log(2)).exp())


def expected_matches(weights: pl.Series) -> float:
    """Return the sum of the probabilities of match weights (bits)."""
    return float(weights.to_frame("weight").select(probability_of(pl.col("weight")).sum()).item())


def odds_bits(share: float) -> float:
    """Return log2 of the odds of a probability."""
    return math.log2(share / (1 - share))


def _equal_fields(data: TrainingData) -> list[str]:
    return [name for name in data.kind.compared() if not data.folded.schema[name].is_nested()]
