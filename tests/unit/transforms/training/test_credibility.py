"""What makes the outcome of a training incredible, and what is then advised."""

from dataclasses import replace

from transforms.training.credibility import Outcome, doubts

SOUND = Outcome(matches=90.0, possible=100, pairs=10_000, f1=0.9, informed=True)


def test_a_sound_outcome_has_no_doubt() -> None:
    assert doubts(SOUND) == []
    assert doubts(replace(SOUND, f1=None)) == []


def test_more_matches_than_one_report_an_item_allows() -> None:
    assert doubts(replace(SOUND, matches=109.0)) == []  # an estimate, not a count
    (doubt,) = doubts(replace(SOUND, matches=111.0))
    assert "it expects 111 matches, but one report an item allows at most 100" in doubt


def test_more_than_half_of_all_pairs() -> None:
    (doubt,) = doubts(Outcome(matches=60.0, possible=100, pairs=100, f1=0.9, informed=True))
    assert "more than half of all 100 pairs" in doubt


def test_each_further_reason_is_named() -> None:
    found = doubts(replace(SOUND, f1=0.31, informed=False))
    assert ["no blocking rule finds enough matches" in found[0], "F1 of its items is 0.31" in found[1]] == [True, True]
