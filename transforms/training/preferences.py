"""Training by preference, for kinds of which a reporter reports an item once and whose fields repeat each other.

Where fields repeat each other (a name within a description), expectation maximisation takes all that is alike for one
item and expects more matches than there can be. But each report has at most one match by another reporter: two reports
that prefer each other to all others are nearly always one item. Splink counts m from such pairs, and they are found
again by the better weights, until they stay the same.
"""

from typing import Final

import polars as pl

from transforms.linkage.scoring import score_pairs
from transforms.training.data import TrainingData
from transforms.training.probabilities import SHARE_SETTING, ModelSettings, combined, completed
from transforms.training.sessions import MIN_SESSION_MATCHES, trained_on, without_keys

MAX_PREFERENCE_ROUNDS: Final = 5
LEAST_PREFERRED: Final = -40.0
"""Bits below which no pair is preferred."""
JOINED_SHARE: Final = 0.9
"""The share of preferring pairs that the threshold joins: some prefer each other for want of the true match."""


def estimate_by_preference(
    data: TrainingData, chance: ModelSettings, least_u: float
) -> tuple[ModelSettings, float] | None:
    """Return settings with m from preferring pairs, and the threshold (bits) for them; None if there are too few.

    chance: settings with u. The first preferences follow from Splink's default m.
    """
    settings = _with_share(completed(combined(chance, []), data.smallest, least_u), data.possible_matches, data)
    preferring = pl.DataFrame()
    for _ in range(MAX_PREFERENCE_ROUNDS):
        before = preferring
        scored = score_pairs(data.compared, data.kind, data.model(settings), floor=LEAST_PREFERRED)
        preferring = preferring_pairs(scored)
        if preferring.height < MIN_SESSION_MATCHES:
            return None
        if before.height and preferring.select("a", "b").equals(before.select("a", "b")):
            break
        counted = completed(_counted(data, settings, preferring), data.smallest, least_u)
        settings = _with_share(counted, preferring.height, data)
    least = preferring["weight"].quantile(1 - JOINED_SHARE)
    return settings, float(least if least is not None else 0.0)


def preferring_pairs(scored: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs (a, b, weight) of which each report has no other pair that weighs as much."""
    ends = pl.concat([scored.select(pl.col(end).alias("report_id"), "weight") for end in ("a", "b")])
    best = ends.group_by("report_id").agg(
        pl.col("weight").max().alias("best"), (pl.col("weight") == pl.col("weight").max()).sum().alias("times")
    )
    only = best.filter(pl.col("times") == 1).select("report_id", weight="best")
    pairs = scored
    for end in ("a", "b"):
        pairs = pairs.join(only.rename({"report_id": end}), on=[end, "weight"], how="semi", maintain_order="left")
    return pairs


def _counted(data: TrainingData, settings: ModelSettings, preferring: pl.DataFrame) -> ModelSettings:
    """Return the settings with m as Splink counts it among the preferring pairs."""
    ends = [preferring.select(pl.col(end).alias("report_id"), _pair=pl.col("a")) for end in ("a", "b")]
    labelled = data.compared.join(pl.concat(ends), on="report_id", how="left")
    with trained_on(without_keys(labelled), settings, data.kind) as (linker, _, _):
        linker.training.estimate_m_from_label_column("_pair")
        found: ModelSettings = linker.misc.save_model_to_json()
    return found


def _with_share(settings: ModelSettings, matches: int, data: TrainingData) -> ModelSettings:
    share = min(max(matches, 1) / max(data.pairs, 2), 0.5)
    return {name: value for name, value in settings.items() if name != "linker_uid"} | {SHARE_SETTING: share}
