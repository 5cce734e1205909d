"""What a receipt says in words, when it says that something does not count, and the same faults together."""

from typing import Any

import pytest

from flows.intake.receipt import EarlierStatements, Receipt, group_rejects

EARLIER = EarlierStatements(
    submissions=1, new=2, corrected=3, unchanged=4, withdrawn=5, absent=0, items=(), whole=False
)
COUNTS = "2 new, 3 corrected, 4 unchanged, 5 withdrawn"


@pytest.mark.parametrize(("submissions", "times"), [(1, "once"), (2, "2 times"), (11, "11 times")])
def test_how_often_a_sender_has_delivered_before(submissions: int, times: str) -> None:
    earlier = EarlierStatements(**{**vars(EARLIER), "submissions": submissions})
    assert earlier.sentences("klepp") == [f"klepp has delivered this contract and period {times} before: {COUNTS}"]


@pytest.mark.parametrize(
    ("absent", "whole", "sentence"),
    [
        (2, False, "not mentioned any more: 2, they still stand: beds; places"),
        (2, True, "not mentioned any more: 2, they are no longer published: beds; places"),
        (3, True, "not mentioned any more: 3, they are no longer published: beds; places; ..."),
    ],
)
def test_what_is_not_mentioned_any_more_is_listed(absent: int, whole: bool, sentence: str) -> None:
    changed = {"absent": absent, "whole": whole, "items": ("beds", "places")}
    assert EarlierStatements(**{**vars(EARLIER), **changed}).sentences("klepp")[1:] == [sentence]


def test_what_was_not_read_counts_nothing() -> None:
    receipt = Receipt("id", "f.csv", "c", "s", None, "refused")
    counts = (receipt.delivered, receipt.claims, receipt.rejected, receipt.ignored, receipt.warnings)
    assert (counts, receipt.problem, receipt.earlier) == ((0, 0, 0, 0, 0), None, None)


@pytest.mark.parametrize(
    ("status", "rejected", "has"),
    [
        ("registered", 0, False), ("registered", 1, True), ("redelivered", 0, False), ("restored", 0, False),
        ("rejected", 0, True), ("parked", 0, True),
    ],
)  # fmt: skip
def test_a_receipt_has_problems_if_something_does_not_count(status: str, rejected: int, has: bool) -> None:
    assert Receipt("id", "f.csv", "c", "s", None, status, rejected=rejected, warnings=3).has_problems is has


def reject(row: int | None, found: str | None = "x", **others: Any) -> dict[str, Any]:
    fields = {"column": "n", "reason": "not-a-number", "rule": None, "severity": "critical", "expected": "a number"}
    return {"submission_id": "s", "row": row, "found": found, "hint": "", **fields, **others}


def test_the_same_fault_is_one_group_with_its_first_rows() -> None:
    several = [reject(row) for row in (9, 3, 5, 4)]
    other = reject(2, "y", severity="warning")
    (first, second) = group_rejects([other, *several])
    assert (first.count, first.rows, first.unlisted) == (4, (3, 4, 5), False)
    assert (second.count, second.rows, second.reject["found"]) == (1, (2,), "y")


def test_rejects_that_are_only_counted_are_a_group_of_their_own() -> None:
    groups = group_rejects([reject(2), reject(None, "1234 more")])
    assert [(g.count, g.rows, g.unlisted) for g in groups] == [(1234, (), True), (1, (2,), False)]


def test_errors_come_before_warnings() -> None:
    warnings = [reject(row, severity="warning") for row in range(2, 9)]
    assert [g.reject["severity"] for g in group_rejects([*warnings, reject(1)])] == ["critical", "warning"]
