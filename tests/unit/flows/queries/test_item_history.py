"""The history of an item in sentences: each event in its own words, with its cause."""

from typing import Any

import pytest

from flows.queries.item_history import _because, decision_sentence, event_sentence


def event(name: str, **stated: Any) -> dict[str, Any]:
    row = {"event": name, "release": 4, "reports": 2, "item_id": "i1", "other_id": "i2", "because": ""}
    return {**row, **stated}


@pytest.mark.parametrize(
    ("name", "reports", "sentence"),
    [
        ("merged", 2, "release 4: item i1 was merged into i2 (2 reports)"),
        ("merged", 1, "release 4: item i1 was merged into i2 (1 report)"),
        ("split", 1, "release 4: 1 report of item i1 became item i2"),
        ("moved", 3, "release 4: 3 reports of item i1 moved to item i2"),
        ("retired", 0, "release 4: item i1 was retired (0 reports left)"),
        ("renewed", 1, "release 4: item i1 is back (1 report)"),
    ],
)
def test_each_event_has_its_words(name: str, reports: int, sentence: str) -> None:
    assert event_sentence(event(name, reports=reports)) == sentence
    assert event_sentence(event(name, reports=reports, because="model m1")) == f"{sentence}, by model m1"


@pytest.mark.parametrize(
    ("cause", "ids", "because"),
    [
        ("decision", "3", "decision 3 by kari"),
        ("decision", "3,9", "decision 3 by kari, decision 9"),
        ("submission", "s1", "submission s1"),
        ("model", None, ""),
        ("model", "", ""),
    ],
)
def test_a_cause_that_is_not_known_any_more_is_named_by_its_id(cause: str, ids: str | None, because: str) -> None:
    causes = {("decision", "3"): "decision 3 by kari"}
    assert _because({"cause": cause, "cause_id": ids}, causes) == because


def test_a_decision_is_told_with_its_withdrawal() -> None:
    row = {"id": 3, "who": "kari", "verdict": "same", "why": "one event", "withdrawn_at": None}
    assert decision_sentence(row) == "decision 3 by kari (same: one event)"
    withdrawn = {**row, "withdrawn_at": "2026-01-01", "withdrawn_by": "ola", "withdrawn_why": "two"}
    assert decision_sentence(withdrawn) == "decision 3 by kari (same: one event, withdrawn by ola: two)"
    assert decision_sentence({k: v for k, v in row.items() if k != "withdrawn_at"}) == decision_sentence(row)
