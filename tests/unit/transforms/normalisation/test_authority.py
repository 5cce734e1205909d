"""For whom a sender may speak, and what is from the future."""

from datetime import datetime, timedelta
from typing import Any, Final

import polars as pl
import pytest

from schemas.contract import Contract, read_contract
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.normalisation.authority import RECEIVED_AT, authority_problems, needs_receipt_time
from transforms.normalisation.cells import report_columns
from transforms.normalisation.problems import find_rejects

CONTRACT: Final = (
    CONTRACT_HEAD
    + """sender: {default: a, allowed: [a, b, c], speaks_for: {b: [x, y], c: any}}
format: {type: csv}
unit: {column: unit, kind: county}
period: {column: when, type: year}
repeat: error
claims:
  - {concept: p, column: n, reported_by: {column: by}, unit_measure: {value: places}}
  - {concept: q, column: m, reported_by: {column: by}, unit_measure: {value: places}}
examples: [{name: none, given: ""}]
"""
)
AT: Final = datetime(2025, 4, 20, 12)


def rejects(contract: Contract, **columns: list[Any]) -> list[tuple[Any, ...]]:
    """Return row, reason, found and expected of what may not be stated in rows with these columns."""
    height = len(next(iter(columns.values())))
    frame = pl.DataFrame({"submission_id": ["s"] * height, "row": pl.Series(range(height), dtype=pl.Int32), **columns})
    named = [name for name in ("changed", "said") if name in frame.columns]
    frame = frame.with_columns(report_columns(contract)) if named else frame
    found = find_rejects(frame, authority_problems(contract, frame.columns)).rejects
    return found.select("row", "reason", "found", "expected").rows()


@pytest.mark.parametrize(
    ("sender", "reporter", "expected"),
    [
        ("a", "a", None), ("a", "x", "the sender itself"), ("b", "b", None), ("b", "x", None), ("b", "y", None),
        ("b", "z", "the sender itself, x, y"), ("b", "a", "the sender itself, x, y"), ("c", "z", None),
        ("c", "a", None), ("d", "x", "the sender itself"), ("a", "", None),
    ],
)  # fmt: skip
def test_a_sender_speaks_for_itself_and_for_whom_the_contract_says(
    sender: str, reporter: str, expected: str | None
) -> None:
    found = rejects(read_contract(CONTRACT), by=[reporter], sender=[sender])
    assert found == ([] if expected is None else [(0, "not-authorised", reporter, expected)])


def test_a_contract_that_says_nothing_lets_a_sender_name_any_reporter() -> None:
    contract = read_contract(CONTRACT.replace(", speaks_for: {b: [x, y], c: any}", ""))
    assert authority_problems(contract, ["by", "sender"]) == []
    own = read_contract(CONTRACT.replace("{column: by}", "{option: sender}"))
    assert authority_problems(own, ["sender"]) == []


TIMED: Final = "report_version: {column: changed, type: datetime}\nreported_at: {column: said, type: datetime}\n"


@pytest.mark.parametrize(("ahead", "refused"), [(timedelta(0), False), (timedelta(days=1), False),
                                                (timedelta(days=1, seconds=1), True)])  # fmt: skip
@pytest.mark.parametrize("column", ["changed", "said"])
def test_a_time_of_more_than_a_day_after_the_receipt_is_from_the_future(
    column: str, ahead: timedelta, refused: bool
) -> None:
    contract = read_contract(CONTRACT + TIMED)
    assert needs_receipt_time(contract)
    text = (AT + ahead).isoformat()
    cells = {"changed": [AT.isoformat()], "said": [AT.isoformat()], column: [text]}
    found = rejects(contract, by=["a"], sender=["a"], **cells, **{RECEIVED_AT: [AT]})
    assert found == ([(0, "from-the-future", text, "a time of at most 2025-04-21T12:00:00")] if refused else [])


def test_one_column_is_one_problem_and_a_number_is_no_time() -> None:
    same = CONTRACT + TIMED.replace("changed", "said")
    columns = ["by", "sender", "said", RECEIVED_AT]
    assert len(authority_problems(read_contract(same), columns)) == 2
    assert len(authority_problems(read_contract(same), columns[:3])) == 1
    numbered = read_contract(CONTRACT + "report_version: {column: changed, type: integer}\n")
    assert not needs_receipt_time(numbered)
    assert len(authority_problems(numbered, [*columns, "changed"])) == 1
