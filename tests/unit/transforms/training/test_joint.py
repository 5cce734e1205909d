"""Joint training: which pairs the engine sees, and when the iterations end. The engine itself is replaced."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl
import pytest

from schemas.kind import read_kind
from transforms.training import joint
from transforms.training.data import TrainingData, training_data
from transforms.training.probabilities import SHARE_SETTING, M, U

KIND = read_kind("""
kind: thing
version: 1
title: {nb: T, nn: T, en: T}
one_report_per_item: true
fields:
  name: {type: code, role: comparison, doc: N, compare: {by: exact}}
  story: {type: text, role: comparison, doc: S, compare: {by: exact}}
blocking: [[name], [{field: story, rare: word}]]
thresholds: {review: 0.5}
""")


def data() -> TrainingData:
    rows = [("r3", "a", None, "elm oak"), ("r1", "b", "x", None), ("r2", "c", "x", "elm oak"), ("r0", "d", None, None)]
    names = ("report_id", "reported_by", "name", "story")
    return training_data(pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row"), KIND)


def settings(m: float | None, u: float = 0.5, share: float = 0.5) -> dict[str, Any]:
    level = {M: m, U: u} if m is not None else {U: u}
    levels = [{"is_null_level": True}, level, {M: 0.5, U: 0.5}]
    return {"comparisons": [{"output_column_name": "name", "comparison_levels": levels}], SHARE_SETTING: share}


@dataclass
class Engine:
    """Stands for Splink: it returns these settings, one a run, and records what it was given."""

    answers: list[dict[str, Any]]
    runs: list[dict[str, Any]] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    options: list[dict[str, Any]] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)

    @property
    def training(self) -> "Engine":
        return self

    @property
    def misc(self) -> "Engine":
        return self

    @contextlib.contextmanager
    def opened(self, reports: pl.DataFrame, given: dict[str, Any], _: Any) -> Iterator[tuple[Any, Any, Any]]:
        self.frames.append(reports)
        self.runs.append(copy.deepcopy(given))
        yield self, None, None

    def estimate_parameters_using_expectation_maximisation(self, rule: str, **options: Any) -> None:
        self.rules.append(rule)
        self.options.append(options)

    def save_model_to_json(self) -> dict[str, Any]:
        return copy.deepcopy(self.answers[min(len(self.runs), len(self.answers)) - 1])


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine([])
    monkeypatch.setattr(joint, "trained_on", made.opened)
    return made


def level(found: dict[str, Any]) -> tuple[float, float]:
    _, first, _ = found["comparisons"][0]["comparison_levels"]
    return first[M], first[U]


def test_the_engine_sees_each_report_once_for_each_key(engine: Engine) -> None:
    engine.answers = [settings(0.9)]
    joint.estimate_jointly(data(), settings(0.9))
    (frame,) = engine.frames
    assert frame.select("_number", "report_id", "_rule").rows() == [
        (0, "r1", 0), (1, "r2", 0), (2, "r2", 1), (3, "r2", 1), (4, "r3", 1), (5, "r3", 1),
    ]  # fmt: skip
    assert frame["_key"].null_count() == 0


def test_each_pair_is_found_at_the_first_rule_that_it_shares(engine: Engine) -> None:
    engine.answers = [settings(0.9)]
    joint.estimate_jointly(data(), settings(0.9))
    (rule,) = engine.rules
    assert rule.startswith(
        "l._key = r._key AND l._rule = r._rule AND (l._rule <= 0 OR NOT coalesce(l.block_0 = r.block_0, false)) AND "
        "(l._rule <= 1 OR NOT coalesce(list_has_any(l.blocks_1, r.blocks_1), false))"
    )
    assert "reported_by" in rule
    assert engine.options == [
        {
            "fix_u_probabilities": False,
            "max_pairs": joint.MAX_JOINT_PAIRS,
            "populate_probability_two_random_records_match_from_trained_values": True,
        }
    ]


def test_one_iteration_runs_at_a_time_until_nothing_changes_much(engine: Engine) -> None:
    engine.answers = [settings(0.6), settings(0.7), settings(0.704)]
    assert level(joint.estimate_jointly(data(), settings(0.5)))[0] == 0.704
    assert [run["max_iterations"] for run in engine.runs] == [1, 1, 1]
    assert [level(run)[0] for run in engine.runs] == [0.5, 0.6, 0.7]


def test_it_ends_after_so_many_iterations(engine: Engine) -> None:
    engine.answers = [settings(0.4 + n / 100) for n in range(60)]
    found = joint.estimate_jointly(data(), settings(0.2))
    assert len(engine.runs) == joint.MAX_ITERATIONS == 25
    assert level(found)[0] == 0.64


def test_no_probability_is_below_what_the_reports_can_show(engine: Engine) -> None:
    engine.answers = [settings(1e-9, 1e-7)]
    assert level(joint.estimate_jointly(data(), settings(0.25, 0.25))) == (0.25, 0.25)


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.25), (0.3, 0.3), (1.0, 0.75)])
def test_the_share_of_matches_is_bounded(engine: Engine, share: float, expected: float) -> None:
    engine.answers = [settings(0.9, share=share)]
    assert joint.estimate_jointly(data(), settings(0.9))[SHARE_SETTING] == expected


def test_a_level_that_no_pair_was_on_weighs_nothing(engine: Engine) -> None:
    engine.answers = [settings(None)]
    assert level(joint.estimate_jointly(data(), settings(None))) == (0.25, 0.25)
