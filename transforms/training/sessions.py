"""What Splink estimates: chance agreement from random pairs, and agreement of matches in the blocks of one rule.

Expectation maximisation runs on the pairs of one blocking rule at a time, as Splink documents it. The comparisons of
the fields that the rule fixes are left out of that run: their agreement shows nothing there. Their estimates come from
the other rules.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from schemas.errors import TrainingError
from schemas.kind import Kind
from transforms.linkage.blocking import BLOCK_PREFIX, LIST_PREFIX, scored_key_columns
from transforms.linkage.candidates import reports_by_key
from transforms.linkage.comparisons import splink_settings
from transforms.linkage.model import round_floats
from transforms.linkage.scoring import REPORT_NUMBER, engine_errors, open_linker, reporter_condition
from transforms.training.data import TrainingData
from transforms.training.probabilities import SHARE_SETTING, ModelSettings, bounded, largest_change

MAX_RANDOM_PAIRS: Final = 1_000_000
"""Random pairs from which chance agreement is counted."""
MAX_SESSION_PAIRS: Final = 300_000
"""Pairs of one blocking rule that a session looks at, at most."""
MIN_SESSION_PAIRS: Final = 10
MIN_SESSION_MATCHES: Final = 10.0
"""A rule with fewer pairs, or with fewer expected matches among them, teaches nothing."""
MAX_SESSION_ROUNDS: Final = 6
ITERATIONS_A_ROUND: Final = 5
SESSION_TOLERANCE: Final = 0.002
"""A session ends when no probability changes by more."""
SHARE_BOUNDS: Final = (1e-4, 0.999)
"""The least and the greatest share of matches in the blocks of a rule."""


@dataclass(frozen=True)
class Session:
    """What one blocking rule showed: its pairs, the share of matches among them, and settings with the m found."""

    rule: int
    pairs: int
    share: float
    settings: ModelSettings

    @property
    def matches(self) -> float:
        """How many matches are expected among its pairs."""
        return self.pairs * self.share

    @property
    def is_informative(self) -> bool:
        """Whether there are enough matches to learn from."""
        return self.matches >= MIN_SESSION_MATCHES


def chance_agreement(data: TrainingData, only: pl.Series | None = None) -> tuple[ModelSettings, float]:
    """Return settings with u counted from random pairs that may be one item, and the least u that they can show.

    only: ids of the reports to draw from, one an item as far as is known: pairs of one item are no chance agreement.
    """
    kind = data.kind
    reports = data.compared if only is None else data.compared.filter(pl.col("report_id").is_in(only.implode()))
    settings = splink_settings(kind)
    if kind.one_report_per_item:  # Splink then draws pairs of different reporters alone
        settings |= {"link_type": "link_only", "source_dataset_column_name": "reported_by"}
    with trained_on(without_keys(reports), settings, kind) as (linker, _, _):
        linker.training.estimate_u_using_random_sampling(max_pairs=MAX_RANDOM_PAIRS, num_chunks=1)
        found = linker.misc.save_model_to_json()
    found["link_type"] = "dedupe_only"
    found.pop("source_dataset_column_name", None)
    found.pop("linker_uid", None)  # random in each run of Splink, so no part of the model
    drawn = min(MAX_RANDOM_PAIRS, reports.height * (reports.height - 1) // 2)
    least = 1 / max(drawn, 2)
    return round_floats(bounded(found, data.smallest, least)), least


def match_sessions(data: TrainingData, settings: ModelSettings) -> list[Session]:
    """Return a session for each blocking rule that has enough pairs and leaves a comparison to estimate."""
    sessions = []
    for number, column in enumerate(scored_key_columns(data.kind)):
        pairs = data.pairs_by_rule(column)
        fixed = _fixed_comparisons(data.kind, number)
        free = [c for c in settings["comparisons"] if c["output_column_name"] not in fixed]
        if pairs >= MIN_SESSION_PAIRS and free:
            sessions.append(_session(data, number, pairs, settings | {"comparisons": free}))
    return sessions


def _session(data: TrainingData, number: int, pairs: int, settings: ModelSettings) -> Session:
    """Run expectation maximisation in the blocks of a rule, in rounds: between two, probabilities are bounded.

    Where a level separates matches cleanly, a probability would otherwise converge to zero and decide alone.
    """
    keyed = reports_by_key(data.compared, scored_key_columns(data.kind)[number])
    keyed = without_keys(keyed.filter(pl.col("_key").is_duplicated()))
    limit = MAX_SESSION_PAIRS if pairs > MAX_SESSION_PAIRS else None
    share, remaining, iterations = settings[SHARE_SETTING], MAX_SESSION_ROUNDS * ITERATIONS_A_ROUND, ITERATIONS_A_ROUND
    while remaining > 0:
        before, remaining = settings, remaining - iterations
        steps = {"max_iterations": iterations, "em_convergence": SESSION_TOLERANCE, SHARE_SETTING: share}
        try:
            found, share = _maximised(keyed, settings | steps, data.kind, limit)
        except TrainingError:
            if iterations == 1:
                raise
            iterations = 1  # the engine refuses a probability that has all but vanished: it is bounded after each step
            continue
        settings = round_floats(bounded(found, data.smallest, 0.0))
        if largest_change(before, settings) < SESSION_TOLERANCE:
            break
    return Session(number, pairs, share, settings)


def _maximised(
    keyed: pl.DataFrame, settings: ModelSettings, kind: Kind, limit: int | None
) -> tuple[ModelSettings, float]:
    """Return what the engine's iterations find in the blocks of a rule, and the share of matches, within its bounds."""
    with trained_on(keyed, settings, kind) as (linker, _, _):
        run = linker.training.estimate_parameters_using_expectation_maximisation(
            f"l._key = r._key{reporter_condition(kind)}", max_pairs=limit, estimate_without_term_frequencies=True
        )
        found = linker.misc.save_model_to_json()
    share = getattr(run.core_model_settings, SHARE_SETTING)
    return found, min(max(share, SHARE_BOUNDS[0]), SHARE_BOUNDS[1])


def _fixed_comparisons(kind: Kind, rule: int) -> set[str]:
    """Return the comparisons that read a field of a blocking rule."""
    fields = {name for key in kind.blocking[rule] for name in key.fields()}
    return {name for name in kind.compared() if fields & {*kind.sources_of(name)}}


def without_keys(reports: pl.DataFrame) -> pl.DataFrame:
    """Return the reports without their blocking keys, numbered for Splink; its samples depend on the numbers."""
    keys = [name for name in reports.columns if name.startswith((BLOCK_PREFIX, LIST_PREFIX))]
    return reports.drop(keys).sort("report_id").with_row_index(REPORT_NUMBER)


@contextlib.contextmanager
def trained_on(reports: pl.DataFrame, settings: ModelSettings, kind: Kind) -> Iterator[tuple[Any, Any, Any]]:
    """Yield what `open_linker` yields; an error of the engine becomes a `TrainingError` that says what to do."""
    try:
        with open_linker(reports, settings) as opened:
            yield opened
    except engine_errors() as error:  # its own words say nothing of kinds, reports and contracts
        raise TrainingError(
            f"{kind.kind}: no model can be estimated from {reports['report_id'].n_unique()} reports: expected reports "
            "that share blocking keys and are not all alike; deliver more, or make the blocking rules coarser"
        ) from error
