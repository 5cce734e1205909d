"""Evaluation without known answers: a sample of pairs is judged on the terminal, and remembered as decisions."""

from pathlib import Path

import pytest

from flows.installation import Installation, open_installation
from flows.matching.judged_sample import open_pairs, open_sample, sample_result
from flows.release.build import night
from infra.ledger import decisions as ledger_decisions
from tests.support import wreck_installation
from tests.support.cli_runner import engang

pytestmark = pytest.mark.usefixtures("unchecked")
ROWS = (
    {"number": 1, "railroad": "UP", "place": "Vik", "day": "2024-03-01", "speed": 40, "story": "a red engine"},
    {"number": 2, "railroad": "BNSF", "place": "Vik", "day": "2024-03-01", "speed": 40, "story": "nothing"},
    {"number": 3, "railroad": "NS", "place": "Vik", "day": "2024-03-02", "speed": 70},
    {"number": 4, "railroad": "CSX", "place": "Ål", "day": "2024-03-02", "speed": 70},
)
COMMAND = ("evaluate", "wreck", "--sample", 4)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Release four reports: the first two are one wreck."""
    for name, value in wreck_installation.folders(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("ENGANG_LEDGER", raising=False)
    monkeypatch.setenv("COLUMNS", "110")
    wreck_installation.released(wreck_installation.open_wrecks(), *ROWS)
    return open_installation()


def test_answers_are_decisions_and_the_rest_is_asked_next_time(home: Installation) -> None:
    asked = engang(*COMMAND, "--json").json
    assert (asked["judged"], asked["open"], asked["reports"]) == (0, len(asked["questions"]), 4)
    assert {*asked["questions"][0]} == {"a", "b", "reported_by_a", "reported_by_b", "fields"}  # no weight
    ran = engang(*COMMAND, "--who", "me", answers="s they agree\nu\nq\n")
    assert (ran.code, "are these one item?" in ran.out, "bits" in ran.out.split("wreck, release")[0]) == (
        0,
        True,
        False,
    )
    assert f"1 pairs judged, 1 unsure, {asked['open'] - 2} open" in ran.out
    made = ledger_decisions.read_decisions(home.engine, "wreck").select("verdict", "who", "why").rows()
    assert made == [("same", "me", "they agree"), ("unsure", "me", "judged in a sample of release 1")]
    ended = engang(*COMMAND)
    assert (ended.code, f"pair 1 of {asked['open'] - 2} to judge" in ended.out) == (0, True)
    assert engang(*COMMAND, "--json").json["questions"] == asked["questions"][2:]

    night(home)
    sample = open_sample(home, home.kinds["wreck"], 4)
    known = [row for row in sample_result(sample, sample.sample()).strata if row["stratum"] < 0]
    assert [(row["pairs"], row["judged"], row["same"]) for row in known] == [(1, 1, 1)]
    decided = ledger_decisions.read_decisions(home.engine, "wreck").select("a", "b").rows()
    assert not {pair.ends for pair in open_pairs(sample, sample.sample())} & {*decided}


def test_a_truth_or_a_sample_is_given(home: Installation) -> None:
    for wrong in ((), ("--truth", home.settings.home / "truth.csv", "--sample", 3), ("--sample", 0)):
        ran = engang("evaluate", "wreck", *wrong)
        assert (ran.code, ran.out) == (2, "")
