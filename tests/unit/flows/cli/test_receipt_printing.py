"""Receipts and rejects as the commands print them: few in full, many in sums, each fault once."""

from dataclasses import replace
from typing import Any

import pytest

from flows.cli.printing.open_answers import MOST_PRINTED, print_open_answers
from flows.cli.printing.receipts import (
    MAX_GROUPS_PRINTED,
    MAX_REASONS_PRINTED,
    MAX_RECEIPTS_PRINTED,
    print_check,
    print_receipts,
    print_rejects,
)
from flows.intake.receipt import EarlierStatements, Receipt, group_rejects
from schemas.open_answers import MAY_STAY_OPEN

RECEIPT = Receipt("s1", "a.csv", "c", "oslo", None, "registered", delivered=5, claims=4, rejected=1)
EARLIER = EarlierStatements(2, new=1, corrected=2, unchanged=3, withdrawn=0, absent=0, items=(), whole=False)


def reject(row: int | None, **stated: Any) -> dict[str, Any]:
    fields = {"severity": "critical", "column": "n", "reason": "not-a-number", "found": "x", "expected": "e"}
    return {"row": row, "rule": None, "hint": "h", **fields, **stated}


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_few_receipts_are_listed_and_summed(capsys: pytest.CaptureFixture[str]) -> None:
    print_receipts([RECEIPT, replace(RECEIPT, submission_id="s2", status="parked", problem="too large")])
    head, first, second, total, problem, rejects_hint, inbox_hint = lines(capsys)
    assert head.split()[:3] == ["submission_id", "filename", "status"]
    assert first.split() == ["s1", "a.csv", "registered", "5", "4", "1", "0", "0"]
    assert second.split()[2] == "parked"
    sums = "10 delivered, 8 claims, 2 rejected, 0 ignored, 0 warnings"
    assert total == f"2 files: 1 parked, 1 registered; {sums}"
    assert problem == "a.csv: too large"
    assert rejects_hint == "`engang rejects SUBMISSION` lists what was rejected and why"
    assert inbox_hint.startswith("`engang inbox` lists what is parked and why")


@pytest.mark.parametrize(("count", "table"), [(MAX_RECEIPTS_PRINTED, True), (MAX_RECEIPTS_PRINTED + 1, False)])
def test_many_receipts_are_only_summed(count: int, capsys: pytest.CaptureFixture[str], *, table: bool) -> None:
    print_receipts([replace(RECEIPT, rejected=0, problem="p")] * count)
    found = lines(capsys)
    assert found[0].startswith("submission_id" if table else f"{count} files: {count} registered; ")
    assert found.count("a.csv: p") == MAX_RECEIPTS_PRINTED
    assert not [line for line in found if line.startswith("`engang")], "nothing was rejected or parked"


def test_a_check_has_no_id_and_no_hint_on_what_is_stored(capsys: pytest.CaptureFixture[str]) -> None:
    print_check(replace(RECEIPT, status="rejected", problem="bad\nfile"))
    head, row, note, problem = lines(capsys)
    assert "submission_id" not in head
    assert row.split()[:2] == ["a.csv", "rejected"]
    assert note == (
        "this is a check: nothing is stored; 5 delivered, 4 claims, 1 rejected, 0 ignored, 0 warnings"
    )  # fmt: skip
    assert problem == "a.csv: bad file", "on one line"


def test_why_rows_are_ignored_is_counted_over_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    print_receipts([replace(RECEIPT, ignored_by={"sums": 2, "notes": 1}), replace(RECEIPT, ignored_by={"sums": 3})])
    assert [line for line in lines(capsys) if "ignored: " in line] == [
        "5 rows are ignored: sums",
        "1 row is ignored: notes",
    ]


@pytest.mark.parametrize(("more", "cut"), [(0, []), (2, ["and for 2 other reasons: --json lists all"])])
def test_many_reasons_are_cut(more: int, cut: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    print_check(replace(RECEIPT, ignored_by={f"reason {n}": n for n in range(1, MAX_REASONS_PRINTED + more + 1)}))
    found = lines(capsys)
    assert len([line for line in found if "ignored: " in line]) == MAX_REASONS_PRINTED
    assert [line for line in found if line.startswith("and for")] == cut


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (
            {},
            ["oslo has delivered this contract and period 2 times before: 1 new, 2 corrected, 3 unchanged, 0 "],
        ),
        ({"submissions": 1, "absent": 0}, ["oslo has delivered this contract and period once before: 1 new, "]),
        (
            {"absent": 2, "items": ("a", "b")},
            ["oslo has delivered", "not mentioned any more: 2, they still stand: a; b"],
        ),
        (
            {"absent": 3, "items": ("a", "b"), "whole": True},
            ["oslo has delivered", "not mentioned any more: 3, they are no longer published: a; b; ..."],
        ),
    ],
)
def test_what_a_delivery_changes_of_earlier_ones(
    stated: dict[str, Any], expected: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    print_check(replace(RECEIPT, earlier=replace(EARLIER, **stated)))
    found = [line.removeprefix("a.csv: ") for line in lines(capsys)[3:]]
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))
    assert found[1:] == expected[1:]


def test_one_fault_is_printed_once_with_its_first_rows(capsys: pytest.CaptureFixture[str]) -> None:
    rejects = [reject(row) for row in (9, 7, 5, 3)] + [reject(4, severity="warning"), reject(None, found="y")]
    print_rejects(rejects, every=False)
    head, first, second, third = lines(capsys)
    assert head.split() == ["severity", "count", "column", "reason", "found", "rows", "expected", "hint"]
    assert first.split() == ["critical", "4", "n", "not-a-number", "x", "3,", "5,", "7", "...", "e", "h"]
    assert second.split() == ["critical", "1", "n", "not-a-number", "y", "e", "h"]
    assert third.split() == ["warning", "1", "n", "not-a-number", "x", "4", "e", "h"]
    print_rejects(rejects, every=True)
    assert [line.split()[1] for line in lines(capsys)[1:6]] == ["9", "7", "5", "3", "4"]


def test_what_is_only_counted_has_its_count_and_no_rows() -> None:
    (group,) = group_rejects([reject(None, found="1234 more")])
    assert (group.count, group.rows, group.unlisted) == (1234, (), True)
    (listed,) = group_rejects([reject(2, found="1234 more")])
    assert (listed.count, listed.rows, listed.unlisted) == (1, (2,), False)


def test_many_faults_are_cut_with_how_many_rows_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    rejects = [reject(row, found=f"f{n}") for n in range(MAX_GROUPS_PRINTED + 2) for row in range(1 + (n == 0))]
    print_rejects(rejects, every=False)
    *_, last = lines(capsys)
    assert last == "and 2 more, of 2 other faults: --all lists every row"
    print_rejects(rejects, every=False, most=1)
    assert (
        lines(capsys)[-1]
        == f"and {MAX_GROUPS_PRINTED + 1} more, of {MAX_GROUPS_PRINTED + 1} other faults: --all lists every row"
    )
    print_rejects([], every=False)
    assert lines(capsys) == []


def answer(line: int | None, key: str, write: str = "who") -> Any:
    return {"line": line, "key": key, "write": write}


def test_open_answers_that_ask_for_the_same_are_printed_together(capsys: pytest.CaptureFixture[str]) -> None:
    print_open_answers("form", [answer(3, "title.nb"), answer(4, "title.nn"), answer(None, "agency", "what")])
    assert lines(capsys) == [
        "", "contract form is a draft; before anybody uses its figures, fill in:",
        "  line 3: title.nb", "  line 4: title.nn", "    who", "  agency", "    what", f"({MAY_STAY_OPEN})",
    ]  # fmt: skip


def test_no_open_answer_prints_nothing_and_many_are_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_open_answers("form", [])
    assert lines(capsys) == []
    print_open_answers("form", [answer(n, "a") for n in range(MOST_PRINTED + 3)])
    assert "  and 3 more: --json lists all" in lines(capsys)
    print_open_answers("form", [answer(n, "a") for n in range(MOST_PRINTED)])
    assert not [line for line in lines(capsys) if "more:" in line]


@pytest.mark.parametrize(
    ("stated", "has"),
    [({}, True), ({"rejected": 0}, False), ({"rejected": 0, "warnings": 9}, False)]
    + [({"rejected": 0, "status": status}, True) for status in ("rejected", "parked", "refused")]
    + [({"rejected": 0, "status": status}, False) for status in ("redelivered", "restored")],
)
def test_what_the_exit_code_calls_a_problem(stated: dict[str, Any], *, has: bool) -> None:
    assert replace(RECEIPT, **stated).has_problems is has
