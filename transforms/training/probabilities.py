"""The probabilities in Splink's settings: kept within what the reports can show, and put together from sessions."""

from collections.abc import Iterator
from statistics import median
from typing import Any, Final

from transforms.linkage.comparisons import PROBABILITIES
from transforms.linkage.model import round_floats

M, U = PROBABILITIES
SHARE_SETTING: Final = "probability_two_random_records_match"
"""The setting that holds the share of matches among the pairs."""
TOP_LEVEL_SHARE: Final = 0.95
"""Splink's default m of the nearest level, where no pair shows another one; the other levels share the rest."""

ModelSettings = dict[str, Any]


def levels_of(comparison: ModelSettings) -> list[ModelSettings]:
    """Return the levels of a comparison, nearest first, without that of a missing value."""
    return [level for level in comparison["comparison_levels"] if not level.get("is_null_level")]


def bounded(settings: ModelSettings, least_m: float, least_u: float) -> ModelSettings:
    """Return the settings with no probability below what the reports can show, so that no field decides alone."""
    for level in _all_levels(settings):
        for name, least in zip(PROBABILITIES, (least_m, least_u), strict=True):
            if isinstance(level.get(name), float):
                level[name] = max(level[name], least)
    return settings


def neutral_where_unseen(settings: ModelSettings, least: float) -> ModelSettings:
    """Return the settings with zero bits for levels that no pair was on, instead of Splink's default weight."""
    for level in _all_levels(settings):
        if not all(isinstance(level.get(name), float) for name in PROBABILITIES):
            level.update(dict.fromkeys(PROBABILITIES, round_floats(least)))
    return settings


def completed(settings: ModelSettings, least_m: float, least_u: float) -> ModelSettings:
    """Return the settings with a value for every level: the least where only matches, or only others, are on it."""
    for level in _all_levels(settings):
        seen = [name for name in PROBABILITIES if isinstance(level.get(name), float)]
        if seen == [M]:
            level[U] = least_u
        elif seen == [U]:
            level[M] = least_m
    return neutral_where_unseen(bounded(settings, least_m, least_u), least_m)


def with_declared(settings: ModelSettings, against: dict[str, float]) -> ModelSettings:
    """Return the settings in which a pair that differs weighs at least as much against a match as declared.

    against: comparison -> bits.
    """
    for comparison in settings["comparisons"]:
        bits, level = against.get(comparison["output_column_name"]), levels_of(comparison)[-1]
        if bits is not None and isinstance(level.get(U), float):
            level[M] = min(level.get(M, 1.0), round_floats(level[U] * 2**-bits))
    return settings


def combined(settings: ModelSettings, sessions: list[ModelSettings]) -> ModelSettings:
    """Return the settings with the m of each level as the sessions have it: their median, so that m adds up to one."""
    for comparison in settings["comparisons"]:
        name = comparison["output_column_name"]
        same = [c for s in sessions for c in s["comparisons"] if c["output_column_name"] == name]
        levels = levels_of(comparison)
        estimates = [_numbers(place, same) for place in range(len(levels))]
        if any(estimates):
            _by_medians(levels, estimates)
        else:
            _by_default(levels)
    return settings


def estimated(sessions: list[ModelSettings]) -> set[str]:
    """Return the comparisons that at least one session estimates."""
    return {c["output_column_name"] for s in sessions for c in s["comparisons"]}


def largest_change(before: ModelSettings, after: ModelSettings) -> float:
    """Return the largest change of any probability."""
    sides = [[level.get(p) for level in _all_levels(s) for p in PROBABILITIES] for s in (before, after)]
    both = zip(*sides, strict=True)
    return max(abs(new - old) if None not in {old, new} else float(old is not new) for old, new in both)


def _numbers(place: int, same: list[ModelSettings]) -> list[float]:
    found = [levels_of(comparison)[place].get(M) for comparison in same]
    return [value for value in found if isinstance(value, float)]


def _by_medians(levels: list[ModelSettings], estimates: list[list[float]]) -> None:
    """Give each level the median of its estimates as m, scaled to add up to one; none to a level without any."""
    medians = [median(values) if values else None for values in estimates]
    total = sum(value for value in medians if value is not None)
    for level, value in zip(levels, medians, strict=True):
        level.pop(M, None)
        if value is not None:
            level[M] = value / total


def _by_default(levels: list[ModelSettings]) -> None:
    """Give a comparison that no session estimates Splink's default m, on the levels that some pair is on."""
    if not any(isinstance(level.get(U), float) for level in levels):
        return
    others = (1 - TOP_LEVEL_SHARE) / max(len(levels) - 1, 1)
    for place, level in enumerate(levels):
        level[M] = others if place else TOP_LEVEL_SHARE


def _all_levels(settings: ModelSettings) -> Iterator[ModelSettings]:
    for comparison in settings["comparisons"]:
        yield from levels_of(comparison)
