"""Estimates from judged pairs: exact where all is judged, near the truth and honest about the rest."""

import numpy as np
import polars as pl
import pytest

from transforms.evaluation.estimate import BoundedEstimate, estimate_scores
from transforms.evaluation.strata import allocate

SIZES = (400, 60, 60, 30, 60, 120, 300, 2000)
EXPECTED = (0.9995, 0.97, 0.85, 0.5, 0.6, 0.3, 0.05, 0.004)
WITHIN = (True, True, True, True, False, False, False, False)
WRONG = (0.97, 0.8, 0.7, 0.4, 0.3, 0.1, 0.02, 0.001)
"""Shares of matches, where the model is too sure of itself."""


def judged(shares: tuple[float, ...], seed: int, wanted: int) -> tuple[pl.DataFrame, dict[str, float]]:
    """Return strata judged by one who knows, and what is true of the items."""
    chance = np.random.default_rng(seed)
    true = [round(size * share) for size, share in zip(SIZES, shares, strict=True)]
    frame = pl.DataFrame({"pairs": SIZES, "p": EXPECTED, "within": WITHIN, "joins": WITHIN})
    frame = allocate(frame, wanted).rename({"drawn": "judged"})
    same = [
        int(chance.hypergeometric(matches, size - matches, n))
        for matches, size, n in zip(true, SIZES, frame["judged"], strict=True)
    ]
    right, found = sum(true[:4]), sum(SIZES[:4])
    scores = {"precision": right / found, "recall": right / sum(true), "f1": 2 * right / (found + sum(true))}
    return frame.with_columns(same=pl.Series(same)), scores


@pytest.mark.parametrize("shares", [EXPECTED, WRONG], ids=["the model is right", "the model is too sure"])
def test_the_bounds_hold_the_truth_in_nearly_all_samples(shares: tuple[float, ...]) -> None:
    held = {"precision": 0, "recall": 0, "f1": 0}
    for seed in range(20):
        strata, true = judged(shares, seed, 100)
        found = estimate_scores(strata, 0.0)["items"]
        for name, value in true.items():
            held[name] += found[name].low <= value <= found[name].high
            assert found[name].high - found[name].low < 0.35
    assert min(held.values()) >= 17


def test_what_is_judged_whole_is_exact() -> None:
    strata, true = judged(WRONG, 0, sum(SIZES))
    for found in estimate_scores(strata, 0.0).values():
        for name, value in true.items():
            assert found[name] == BoundedEstimate(*[pytest.approx(value, abs=1e-4)] * 3)


def test_matches_that_no_stratum_has_lower_recall_alone() -> None:
    strata, _ = judged(EXPECTED, 0, 100)
    without, with_unseen = (estimate_scores(strata, unseen)["items"] for unseen in (0.0, 100.0))
    assert with_unseen["precision"] == without["precision"]
    assert with_unseen["recall"].value < without["recall"].value - 0.05
    assert with_unseen["recall"].high > with_unseen["recall"].value + 0.03  # there may be none


def test_nothing_found_is_no_error() -> None:
    strata, _ = judged(EXPECTED, 0, 0)
    assert 0 < estimate_scores(strata, 0.0)["items"]["f1"].value < 1
    between = estimate_scores(strata.filter(~pl.col("within")), 0.0)["items"]
    assert (between["precision"].value, between["recall"].value) == (1.0, 0.0)
    one, none = BoundedEstimate(1.0, 1.0, 1.0), estimate_scores(strata.clear(), 0.0)["items"]
    assert none == {"precision": one, "recall": one, "f1": one}
    assert one.as_dict() == {"value": 1.0, "low": 1.0, "high": 1.0}
