"""Sessions: which rules teach something, what a session leaves out, and when it ends. Most replace the engine."""

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from schemas.errors import TrainingError
from schemas.kind import Kind, read_kind
from transforms.training import sessions
from transforms.training.data import TrainingData, training_data
from transforms.training.probabilities import SHARE_SETTING, M, U

KIND = """
kind: thing
version: 1
title: {nb: T, nn: T, en: T}
one_report_per_item: ONCE
fields:
  name: {type: code, role: comparison, doc: N, compare: {by: exact}}
  town: {type: code, role: comparison, doc: T, compare: {by: exact}}
blocking: BLOCKING
thresholds: {review: 0.5}
"""


def kind(blocking: str = "[[name], [town], [name, town]]", *, once: bool = False) -> Kind:
    return read_kind(KIND.replace("ONCE", str(once).lower()).replace("BLOCKING", blocking))


def data(of: Kind, count: int = 5, *, alone: int = 0) -> TrainingData:
    """Return data of `count` reports that agree in all, and some that agree with none."""
    rows = [(f"r{n}", "ab"[n % 2], *(("x", "y") if n < count else (f"x{n}", f"y{n}"))) for n in range(count + alone)]
    names = ("report_id", "reported_by", "name", "town")
    return training_data(pl.DataFrame(rows[::-1], schema=dict.fromkeys(names, pl.String), orient="row"), of)


def settings(
    m: float, u: float = 0.5, *, names: tuple[str, ...] = ("name", "town"), share: float = 0.1
) -> dict[str, Any]:
    levels = [{"is_null_level": True}, {M: m, U: u}]
    comparisons = [{"output_column_name": name, "comparison_levels": copy.deepcopy(levels)} for name in names]
    return {"comparisons": comparisons, SHARE_SETTING: share}


@dataclass
class Engine:
    """Stands for Splink: it returns these settings and shares, one a run, and records what it was given."""

    answers: list[tuple[dict[str, Any], float]]
    runs: list[dict[str, Any]] = field(default_factory=list)
    frames: list[pl.DataFrame] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def training(self) -> "Engine":
        return self

    @property
    def misc(self) -> "Engine":
        return self

    @contextlib.contextmanager
    def opened(self, reports: pl.DataFrame, given: dict[str, Any], *_: Any) -> Iterator[tuple[Any, Any, Any]]:
        self.frames.append(reports)
        self.runs.append(copy.deepcopy(given))
        yield self, None, None

    def _answer(self) -> tuple[dict[str, Any], float]:
        return self.answers[min(len(self.runs), len(self.answers)) - 1]

    def estimate_parameters_using_expectation_maximisation(self, rule: str, **options: Any) -> Any:
        self.asked.append((rule, options))
        return SimpleNamespace(core_model_settings=SimpleNamespace(**{SHARE_SETTING: self._answer()[1]}))

    def estimate_u_using_random_sampling(self, **options: Any) -> None:
        self.asked.append(("random", options))

    def save_model_to_json(self) -> dict[str, Any]:
        """Return the answer for the comparisons that it was asked about."""
        asked = {c["output_column_name"] for c in self.runs[-1]["comparisons"]}
        found = copy.deepcopy(self._answer()[0])
        return found | {"comparisons": [c for c in found["comparisons"] if c["output_column_name"] in asked]}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine([(settings(0.9), 0.5)])
    monkeypatch.setattr(sessions, "trained_on", made.opened)
    return made


def first_m(found: dict[str, Any]) -> float:
    m: float = found["comparisons"][0]["comparison_levels"][1][M]
    return m


@pytest.mark.parametrize(("share", "informative"), [(0.1, True), (0.0999, False)])
def test_a_session_is_informative_with_ten_matches(share: float, informative: bool) -> None:
    session = sessions.Session(0, 100, share, {})
    assert session.matches == 100 * share
    assert session.is_informative is informative


def test_a_session_leaves_out_what_its_rule_fixes(engine: Engine) -> None:
    found = sessions.match_sessions(data(kind()), settings(0.9))
    assert [(each.rule, each.pairs) for each in found] == [(0, 10), (1, 10)], "the last rule fixes every comparison"
    compared = [[c["output_column_name"] for c in run["comparisons"]] for run in engine.runs]
    assert compared == [["town"], ["name"]]


@pytest.mark.parametrize(("count", "rules"), [(5, [0]), (4, [])])
def test_a_rule_needs_ten_pairs(engine: Engine, count: int, rules: list[int]) -> None:
    found = sessions.match_sessions(data(kind("[[name]]"), count, alone=3), settings(0.9))
    assert [each.rule for each in found] == rules
    assert bool(engine.runs) is bool(rules)


def test_a_session_sees_reports_that_share_a_key_alone(engine: Engine) -> None:
    sessions.match_sessions(data(kind("[[name]]", once=True), 8, alone=3), settings(0.9))
    frame = engine.frames[0]
    assert frame["report_id"].to_list() == [f"r{n}" for n in range(8)]
    assert frame["_number"].to_list() == list(range(8))
    assert "block_0" not in frame.columns
    rule, options = engine.asked[0]
    assert rule.startswith("l._key = r._key")
    assert "reported_by" in rule
    assert (options["max_pairs"], options["estimate_without_term_frequencies"]) == (None, True)


def test_a_session_ends_when_nothing_changes_much(engine: Engine) -> None:
    engine.answers = [(settings(0.6), 0.2), (settings(0.7), 0.3), (settings(0.7015), 0.4), (settings(0.9), 0.5)]
    (found,) = sessions.match_sessions(data(kind("[[name]]")), settings(0.5, names=("name", "town")))
    assert (first_m(found.settings), found.share, len(engine.runs)) == (0.7015, 0.4, 3)
    assert [run[SHARE_SETTING] for run in engine.runs] == [0.1, 0.2, 0.3], "each round begins where the last one ended"


def test_a_session_has_six_rounds_at_most(engine: Engine) -> None:
    engine.answers = [(settings(0.4 + n / 20, names=("town",)), 0.5) for n in range(9)]
    (found,) = sessions.match_sessions(data(kind("[[name]]")), settings(0.3))
    assert len(engine.runs) == sessions.MAX_SESSION_ROUNDS == 6
    assert first_m(found.settings) == 0.65


def test_where_the_engine_refuses_what_has_all_but_vanished_each_step_is_bounded(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(reports: pl.DataFrame, given: dict[str, Any], *rest: Any) -> Any:
        if given["max_iterations"] > 1:
            engine.answers.pop(0)
            raise TrainingError("m value 4.9e-302 is below the minimum allowed value of 1e-300")
        return engine.opened(reports, given, *rest)

    monkeypatch.setattr(sessions, "trained_on", refused)
    engine.answers = [(settings(0.4 + n / 100, names=("town",)), 0.5) for n in range(40)]
    (found,) = sessions.match_sessions(data(kind("[[name]]")), settings(0.3))
    assert {run["max_iterations"] for run in engine.runs} == {1}
    assert len(engine.runs) == 25, "as many steps as are left of all rounds"
    assert first_m(found.settings) == 0.65


def test_reports_that_are_alike_in_all_or_in_nothing_are_learnt_from() -> None:
    names = [f"field_{n}" for n in range(6)]
    fields = "".join(f"  {n}: {{type: code, role: comparison, doc: N, compare: {{by: exact}}}}\n" for n in names)
    text = KIND.replace("ONCE", "false").replace("BLOCKING", "[[town]]")
    clean = read_kind(text.replace("  name: {type", f"{fields}  name: {{type"))
    # Each thing is reported twice, word for word, and four share a town.
    rows = [
        (f"r{n}", "ab"[n % 2], f"town {n // 8}", *[f"{name} {n // 2}" for name in [*names, "name"]]) for n in range(400)
    ]
    columns = dict.fromkeys(("report_id", "reported_by", "town", *names, "name"), pl.String)
    reports = training_data(pl.DataFrame(rows, columns, orient="row"), clean)
    chance, _ = sessions.chance_agreement(reports)
    start = sessions.match_sessions(reports, chance | {SHARE_SETTING: 0.1})
    (found,) = start
    assert found.share == pytest.approx(1 / 7, abs=0.01), "each has one equal among seven others"
    for comparison in found.settings["comparisons"]:
        equal, other = comparison["comparison_levels"][1:]
        assert equal[M] > 0.99
        assert 0 < other[M] < 0.01


@pytest.mark.parametrize(("share", "expected"), [(0.0, 1e-4), (0.5, 0.5), (1.0, 0.999)])
def test_the_share_of_matches_is_bounded(engine: Engine, share: float, expected: float) -> None:
    engine.answers = [(settings(0.9, names=("town",)), share)]
    (found,) = sessions.match_sessions(data(kind("[[name]]")), settings(0.9))
    assert (found.share, found.matches) == (expected, 10 * expected)


def test_m_is_bounded_by_the_reports_and_u_is_not(engine: Engine) -> None:
    engine.answers = [(settings(1e-9, 1e-9, names=("town",)), 0.5)]
    (found,) = sessions.match_sessions(data(kind("[[name]]")), settings(0.9))
    found_level = found.settings["comparisons"][0]["comparison_levels"][1]
    assert (found_level[M], found_level[U]) == (0.2, 1e-9)


@pytest.mark.parametrize(("limit", "expected"), [(9, 9), (10, None)])
def test_more_pairs_than_the_limit_are_sampled(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, limit: int, expected: int | None
) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSION_PAIRS", limit)
    sessions.match_sessions(data(kind("[[name]]")), settings(0.9))
    assert engine.asked[0][1]["max_pairs"] == expected


@pytest.mark.parametrize("once", [False, True])
def test_chance_agreement_is_that_of_reports_that_may_be_one_item(engine: Engine, once: bool) -> None:
    engine.answers = [
        ({**settings(0.9, 1e-9), "linker_uid": "random", "source_dataset_column_name": "reported_by"}, 0.5)
    ]
    found, least = sessions.chance_agreement(data(kind(once=once)))
    assert least == 0.1  # one of ten pairs
    assert found["comparisons"][0]["comparison_levels"][1][U] == 0.1
    assert found["link_type"] == "dedupe_only"
    assert not {"linker_uid", "source_dataset_column_name"} & found.keys()
    assert engine.runs[0]["link_type"] == ("link_only" if once else "dedupe_only")
    assert (engine.runs[0].get("source_dataset_column_name") == "reported_by") is once


def test_chance_agreement_of_some_reports(engine: Engine) -> None:
    _, least = sessions.chance_agreement(data(kind()), pl.Series(["r0", "r3", "r9"]))
    assert engine.frames[0]["report_id"].to_list() == ["r0", "r3"]
    assert least == 0.5
    _, least = sessions.chance_agreement(data(kind()), pl.Series(["r0", "r1", "r2"]))
    assert least == 1 / 3


def test_reports_without_keys_are_numbered_by_their_ids() -> None:
    frame = pl.DataFrame({"report_id": ["b", "a"], "block_0": [1, 2], "blocks_1": [[1], [2]], "name": ["x", "y"]})
    assert sessions.without_keys(frame).rows(named=True) == [
        {"_number": 0, "report_id": "a", "name": "y"},
        {"_number": 1, "report_id": "b", "name": "x"},
    ]


def test_an_error_of_the_engine_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def _fails(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(sessions, "open_linker", _fails)
    monkeypatch.setattr(sessions, "engine_errors", lambda: (ArithmeticError,))
    reports = pl.DataFrame({"report_id": ["a", "b", "a"]})
    with pytest.raises(TrainingError) as caught, sessions.trained_on(reports, {}, kind()):
        pass
    assert str(caught.value) == (
        "thing: no model can be estimated from 2 reports: expected reports that share blocking keys and are not all "
        "alike; deliver more, or make the blocking rules coarser"
    )
