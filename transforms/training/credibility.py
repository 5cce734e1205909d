"""Whether the outcome of a training can be true: checked against what the reports make possible."""

from dataclasses import dataclass
from typing import Final

LEAST_EXPECTED_F1: Final = 0.5
"""Below this expected F1 of items, a model that trusts itself says that it joins more wrongly than rightly."""


MOST_EXPECTED: Final = 1.1
"""Expected matches for each one that is possible, up to which an estimate is not too high: it is no count."""


def expects_too_many(matches: float, possible: int) -> bool:
    """Return whether more matches are expected than there can be, by more than an estimate may be wrong."""
    return matches > MOST_EXPECTED * possible


@dataclass(frozen=True)
class Outcome:
    """What a training found.

    matches: expected among all pairs. possible: the most that one report an item allows. pairs: all that may be one
    item. f1: expected of items at the best threshold, if known. informed: whether any blocking rule found enough
    matches.
    """

    matches: float
    possible: int
    pairs: int
    f1: float | None
    informed: bool


def doubts(outcome: Outcome) -> list[str]:
    """Return why the outcome is not credible, each with what to do; none if it is."""
    found = []
    if expects_too_many(outcome.matches, outcome.possible):
        found.append(
            f"it expects {outcome.matches:.0f} matches, but one report an item allows at most {outcome.possible}: the "
            "compared fields repeat each other; compare fewer of them, or set `chance: blocked`"
        )
    elif outcome.matches > outcome.pairs / 2:
        found.append(
            f"it expects that more than half of all {outcome.pairs} pairs are matches: the reports are too few or too "
            "alike; deliver more, or compare fields that differ between items"
        )
    if not outcome.informed:
        found.append(
            "no blocking rule finds enough matches to learn from: Splink's default weights hold everywhere; add a "
            "blocking rule on fields that reports of one item share"
        )
    if outcome.f1 is not None and outcome.f1 < LEAST_EXPECTED_F1:
        found.append(
            f"by its own probabilities the F1 of its items is {outcome.f1:.2f}: what is compared does not separate "
            "items; compare more fields, or other levels"
        )
    return found
