"""A report key that repeats in one file: parts of one report, or one number that was given to two things."""

from typing import Any, Final

import polars as pl
import pytest

from schemas.contract import read_contract
from schemas.kind import read_kind
from transforms.normalisation.repeated_reports import handle_repeated_reports

KIND: Final = read_kind(
    """
    kind: mishap
    version: 1
    title: {nb: Uhell, nn: Uhell, en: Mishap}
    one_report_per_item: true
    fields:
      case: {type: code, role: identity, doc: The case}
      plate: {type: code, role: identity, doc: The other number}
      place: {type: text, role: attribute, doc: Where}
    """
)
CONTRACT: Final = """
contract: mishaps
version: 1
obligation: mishaps
title: {nb: Uhell, nn: Uhell, en: Mishaps}
agency: a
legal_basis: none
rhythm: monthly
hours_per_report: null
sender: {default: s, allowed: [s]}
format: {type: csv}
record:
  kind: mishap
  reported_by: {option: sender}
  report_key: [id]
  fields: {case: {column: case}, plate: {column: plate}, place: {column: place}}
examples: [{name: none, given: ""}]
"""
KEY: Final = ("submission_id", "reported_by", "report_key")


def handled(repeat: str | None, *rows: dict[str, Any]) -> tuple[list[int], pl.DataFrame]:
    """Return the rows that are accepted, and the rejects; a row is of report `a` and says nothing by default."""
    usual = {"submission_id": "s", "reported_by": "r", "report_key": "a", "case": None, "plate": None, "place": None}
    full = [{**usual, "row": n, **row} for n, row in enumerate(rows, start=2)]
    frame = pl.DataFrame(full, {**dict.fromkeys(usual, pl.String), "row": pl.Int32})
    contract = read_contract(CONTRACT + (f"repeat: {repeat}\n" if repeat else ""))
    accepted, rejects = handle_repeated_reports(frame, KEY, contract, KIND)
    return accepted["row"].sort().to_list(), rejects


TWO: Final = ({}, {"report_key": "b"}, {})


@pytest.mark.parametrize(
    ("repeat", "rows", "accepted", "rejected"),
    [
        ("sum", TWO, [2, 3, 4], []),
        ("sum", ({"case": "x"}, {"case": "y"}), [2, 3], []),
        ("error", TWO, [3], [2, 4]),
        ("error", ({}, {"report_key": "b"}), [2, 3], []),
        ("warn", TWO, [2, 3, 4], [2, 4]),
        (None, TWO, [2, 3, 4], []),
        (None, ({"case": "x"}, {"report_key": "b", "case": "y"}, {"case": "y"}), [3], [2, 4]),
        (None, ({"case": "x", "plate": "p"}, {"case": "x", "plate": "q"}), [], [2, 3]),  # one of two differs
        (None, ({"case": "x"}, {"place": "Vik"}, {"case": "x", "place": "Ås"}), [2, 3, 4], []),  # none told is no other
        (None, ({"case": "x"}, {"case": "y", "reported_by": "q"}), [2, 3], []),
    ],
)
def test_a_key_that_repeats_is_what_the_contract_says(
    repeat: str | None, rows: tuple[dict[str, Any], ...], accepted: list[int], rejected: list[int]
) -> None:
    kept, rejects = handled(repeat, *rows)
    assert (kept, rejects["row"].to_list()) == (accepted, rejected)
    assert set(rejects["severity"]) <= {"warning" if repeat == "warn" else "critical"}


@pytest.mark.parametrize(
    ("repeat", "expected", "rule"),
    [
        (None, "one thing under one report key", "repeat: parts"),
        ("error", "each report key once in a file", "repeat: error"),
        ("warn", "each report key once in a file", "repeat: warn"),
    ],
)
def test_a_reject_names_the_key(repeat: str | None, expected: str, rule: str) -> None:
    _, rejects = handled(repeat, {"case": "x"}, {"case": "y"})
    assert rejects.select("column", "reason", "found", "expected", "rule").unique().rows() == [
        ("id", "duplicate-key", "r a", expected, rule)
    ]


def test_a_kind_without_identities_has_no_number_to_give_twice() -> None:
    bare = KIND.model_copy(update={"fields": {"place": KIND.fields["place"]}})
    rows = {"submission_id": ["s"] * 2, "reported_by": ["r"] * 2, "report_key": ["a"] * 2, "row": [2, 3]}
    frame = pl.DataFrame({**rows, "place": ["Vik", "Ås"]}, schema_overrides={"row": pl.Int32})
    accepted, rejects = handle_repeated_reports(frame, KEY, read_contract(CONTRACT), bare)
    assert (accepted.height, rejects.height) == (2, 0)
