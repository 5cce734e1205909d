"""Training of a match model without known answers: what Splink estimates, in which order, and what the result shows.

1. Chance agreement (u) is counted from random pairs of reports that may be one item.
2. Agreement of matches (m) comes from expectation maximisation in the blocks of each rule (`sessions`).
3. The share of matches (lambda) starts from deterministic rules and is then what the model itself expects (`prior`).
4. Steps 1 to 3 run once more on one report of each likely item: in a small register many random pairs are of one item,
   and would make chance agreement too common.
5. The threshold is that of the best expected F1 of items (`threshold`).

Where a kind measures chance among candidate pairs (`chance: blocked`), all rules are estimated together (`joint`).
Nothing depends on the order of the reports.
"""

from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.clustering import connected_components
from transforms.linkage.model import WEIGHT_DECIMALS, MatchModel
from transforms.linkage.pairs import no_pairs
from transforms.linkage.scoring import engine_version, score_groups, score_pairs
from transforms.linkage.unblocked import groups_over
from transforms.training.credibility import Outcome, doubts, expects_too_many
from transforms.training.data import TrainingData, training_data, training_data_digest
from transforms.training.joint import estimate_jointly
from transforms.training.preferences import estimate_by_preference
from transforms.training.prior import deterministic_share, expected_matches, expected_share, odds_bits
from transforms.training.probabilities import SHARE_SETTING, ModelSettings, combined, completed, estimated
from transforms.training.sessions import Session, chance_agreement, match_sessions
from transforms.training.threshold import THRESHOLDS, ItemThreshold, best_item_threshold

NEGLIGIBLE_BITS: Final = 10.0
"""Bits below even odds from which a pair counts for nothing: about a thousandth of a match."""
LEAST_LIKELY: Final = -25.0
"""Bits below which no pair has a part in the share of matches."""
MIN_ITEMS: Final = 50
"""Likely items from which chance agreement is counted again."""
MAX_COUNTED_AGAIN: Final = 100_000
"""Reports up to which it is: in a larger register too few random pairs are of one item to matter."""


@dataclass(frozen=True)
class Estimate:
    """A model as estimated, with the likely pairs that it scores (a, b, weight) and what it follows from.

    matches: how many it expects among all pairs. learnt: comparisons whose m some rule showed. threshold: where its
    training gives one.
    """

    model: MatchModel
    pairs: pl.DataFrame
    matches: float
    learnt: set[str]
    notes: list[str]
    threshold: float | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A trained model, remarks on its training, and the reasons why its estimate is not credible (none: it is)."""

    model: MatchModel
    notes: list[str]
    doubts: list[str]


def estimate_model(reports: pl.DataFrame, kind: Kind) -> TrainedModel:
    """Estimate a model of a kind from its reports (`report_id`, `reported_by`, the kind's fields), without a truth."""
    data = training_data(reports, kind)
    estimate = _jointly(data) if kind.chance == "blocked" else _by_rule(data)
    chosen = _item_threshold(data, estimate)
    best = chosen.best if estimate.threshold is None else round(estimate.threshold, WEIGHT_DECIMALS)
    seen = {
        "reports": data.compared.height,
        "likely_pairs": int((estimate.pairs["weight"] >= -NEGLIGIBLE_BITS).sum()),
        "expected_matches": round(estimate.matches),
        **(_expected(chosen) if estimate.threshold is None else {}),
        "data": training_data_digest(data.compared),
        "engine": engine_version(),
    }
    model = replace(estimate.model, best=best, seen=seen)
    f1 = chosen.f1 if estimate.threshold is None else None
    outcome = Outcome(estimate.matches, data.possible_matches, data.pairs, f1, bool(estimate.learnt))
    return TrainedModel(model, [*_missing_fields(data), *estimate.notes], doubts(outcome))


def _expected(chosen: ItemThreshold) -> dict[str, float]:
    return {
        "expected_f1": chosen.f1, "expected_f1_low": chosen.low, "expected_f1_high": chosen.high,
        "as_good_from": chosen.lowest, "as_good_to": chosen.highest,
    }  # fmt: skip


def _by_rule(data: TrainingData) -> Estimate:
    """Estimate rule by rule; by preference, where that expects more matches than one report an item allows."""
    start = deterministic_share(data)
    chance, least_u = chance_agreement(data)
    estimate = _from_chance(data, chance, least_u, start)
    likely = _likely_items(data, estimate.pairs)
    if _counts_again(data, likely):
        chance, least_u = chance_agreement(data, likely)
        estimate = _from_chance(data, chance, least_u, start)
    if data.kind.one_report_per_item and expects_too_many(estimate.matches, data.possible_matches):
        preferred = _by_preference(data, chance, least_u)
        estimate = preferred or estimate
    if start is None:
        note = "no two fields agree on enough pairs for a deterministic rule: the share of matches is the model's own"
        estimate = replace(estimate, notes=[*estimate.notes, note])
    return estimate


def _from_chance(data: TrainingData, chance: ModelSettings, least_u: float, start: float | None) -> Estimate:
    """Estimate m and the share of matches. chance: settings with u. start: the first share, if known."""
    sessions = [session for session in match_sessions(data, chance) if session.is_informative]
    settings = completed(combined(chance, [s.settings for s in sessions]), data.smallest, least_u)
    first = start or _first_share(data, sessions)
    scored = score_pairs(data.compared, data.kind, data.model(settings | {SHARE_SETTING: first}), floor=LEAST_LIKELY)
    bits = scored["weight"] - odds_bits(first)
    share = expected_share(bits, data.pairs, first)
    pairs = scored.with_columns(weight=bits + odds_bits(share))
    learnt = estimated([s.settings for s in sessions])
    silent = [name for name in data.kind.compared() if name not in learnt and not _is_empty(data, name)]
    notes = [f"no blocking rule leaves {', '.join(silent)} free and finds matches: Splink's default m holds there"]
    return Estimate(
        data.model(settings | {SHARE_SETTING: share}), pairs, share * data.pairs, learnt, notes if silent else []
    )  # fmt: skip


def _first_share(data: TrainingData, sessions: list[Session]) -> float:
    matches = max((session.matches for session in sessions), default=data.compared.height / 2)
    return min(max(matches, 1.0) / max(data.pairs, 2), 0.5)


def _by_preference(data: TrainingData, chance: ModelSettings, least_u: float) -> Estimate | None:
    found = estimate_by_preference(data, chance, least_u)
    if found is None:
        return None
    settings, threshold = found
    model = data.model(settings)
    pairs = score_pairs(data.compared, data.kind, model, floor=LEAST_LIKELY)
    note = (
        "the compared fields repeat each other, and more pairs look like matches than there can be: m is counted among"
        " reports that prefer each other to all others"
    )
    return Estimate(model, pairs, settings[SHARE_SETTING] * data.pairs, {*data.kind.compared()}, [note], threshold)


def _jointly(data: TrainingData) -> Estimate:
    chance, _ = chance_agreement(data)
    model = data.model(estimate_jointly(data, chance))
    pairs = score_pairs(data.compared, data.kind, model, floor=LEAST_LIKELY)
    return Estimate(model, pairs, expected_matches(pairs["weight"]), {*data.kind.compared()}, [])


def _likely_items(data: TrainingData, pairs: pl.DataFrame) -> pl.Series:
    """Return one report of each set of reports that pairs of at least even odds connect."""
    strong = pairs.filter(pl.col("weight") >= 0)
    return connected_components(strong, data.compared.select("report_id"))["component"].unique().sort()


def _counts_again(data: TrainingData, likely: pl.Series) -> bool:
    """Return whether chance agreement is worth counting again, among one report of each likely item."""
    reporters = data.compared.filter(pl.col("report_id").is_in(likely.implode()))["reported_by"].n_unique()
    is_smaller = MIN_ITEMS <= likely.len() < data.compared.height <= MAX_COUNTED_AGAIN
    return is_smaller and (reporters > 1 or not data.kind.one_report_per_item)


def _item_threshold(data: TrainingData, estimate: Estimate) -> ItemThreshold:
    once = bool(data.kind.one_report_per_item)
    unblocked = no_pairs()
    if data.kind.chance == "random":
        groups = groups_over(estimate.pairs, THRESHOLDS, one_report_per_item=once)
        scored = score_groups(data.compared, groups, data.kind, estimate.model)
        unblocked = scored.join(estimate.pairs, on=["a", "b"], how="anti")
    reports = data.compared.select("report_id", "reported_by")
    return best_item_threshold(reports, estimate.pairs, unblocked, one_report_per_item=once)


def _is_empty(data: TrainingData, name: str) -> bool:
    return name in data.folded.columns and data.folded[name].null_count() == data.folded.height


def _missing_fields(data: TrainingData) -> list[str]:
    empty = [name for name in data.kind.compared() if _is_empty(data, name)]
    return [f"no standing report has {', '.join(empty)}: left out of every weight"] if empty else []
