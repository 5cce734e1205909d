"""Training where chance agreement is measured among candidate pairs (`chance: blocked`): all rules together.

The pairs of all blocking rules are one population, whose matches and other pairs are both estimated. So the share of
matches among them is no statement about other pairs, and every weight holds among candidate pairs alone.
"""

from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.blocking import scored_key_columns
from transforms.linkage.candidates import reports_by_key, shares_key
from transforms.linkage.model import round_floats
from transforms.linkage.scoring import REPORT_NUMBER, reporter_condition
from transforms.training.data import TrainingData
from transforms.training.probabilities import (
    SHARE_SETTING,
    ModelSettings,
    bounded,
    largest_change,
    neutral_where_unseen,
)
from transforms.training.sessions import trained_on

MAX_JOINT_PAIRS: Final = 2_000_000
"""Candidate pairs that are looked at, at most."""
MAX_ITERATIONS: Final = 25
JOINT_TOLERANCE: Final = 0.005
"""Expectation maximisation ends when no probability changes by more."""


def estimate_jointly(data: TrainingData, settings: ModelSettings) -> ModelSettings:
    """Return the settings as estimated on all candidate pairs, starting from the given ones.

    It runs one iteration at a time to keep every probability above what so many reports can show: where a level
    separates matches cleanly, a probability would otherwise converge to zero.
    """
    candidates = _row_per_rule(data.compared, data.kind)
    settings = bounded(settings, data.smallest, data.smallest)
    for _ in range(MAX_ITERATIONS):
        before = settings
        with trained_on(candidates, settings | {"max_iterations": 1}, data.kind) as (linker, _, _):
            linker.training.estimate_parameters_using_expectation_maximisation(
                _training_rule(data.kind), fix_u_probabilities=False, max_pairs=MAX_JOINT_PAIRS,
                populate_probability_two_random_records_match_from_trained_values=True,
            )  # fmt: skip
            found = linker.misc.save_model_to_json()
        settings = round_floats(bounded(found, data.smallest, data.smallest))
        if largest_change(before, settings) < JOINT_TOLERANCE:
            break
    settings[SHARE_SETTING] = min(max(settings[SHARE_SETTING], data.smallest), 1 - data.smallest)
    return neutral_where_unseen(settings, data.smallest)


def _row_per_rule(compared: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return each report once for every rule it has a key of (`_rule`, `_key`): one rule finds all candidate pairs."""
    rows = [
        reports_by_key(compared, name).with_columns(pl.lit(n).alias("_rule"))
        for n, name in enumerate(scored_key_columns(kind))
    ]
    return pl.concat(rows).sort("report_id", "_rule").with_row_index(REPORT_NUMBER)


def _training_rule(kind: Kind) -> str:
    """Return the rule that finds every candidate pair once, at the first blocking rule that its reports share."""
    first = " AND ".join(
        f"(l._rule <= {n} OR NOT coalesce({shares_key(name)}, false))"
        for n, name in enumerate(scored_key_columns(kind))
    )
    return f"l._key = r._key AND l._rule = r._rule AND {first}{reporter_condition(kind)}"
