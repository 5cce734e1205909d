"""What the readers of all formats share: names of columns, cells that cannot be stored, numbers as text."""

from typing import Final

import polars as pl
import pytest

from schemas.contract import Contract, Format, read_contract
from schemas.errors import SubmissionError
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.parsing.raw_frame import (
    CELL_BYTES,
    NO_REJECTS,
    PARSER_REJECT,
    check_columns,
    finish_parsing,
    known_names,
    name_columns,
    name_hint,
    parser_rejects,
    quoted_list,
)
from transforms.parsing.real_numbers import float_texts, plain_number

CONTRACT: Final = (
    CONTRACT_HEAD
    + """sender: {default: a, allowed: [a]}
format: {type: csv}
unit: {column: kommune, kind: county}
period: {column: år, type: year}
ignore: [note]
repeat: error
claims:
  - {concept: places, column: sum, reported_by: {option: sender}, unit_measure: {value: places}}
examples: [{name: none, given: ""}]
"""
)
NAMES: Final = ["kommune", "år", "sum"]


def contract(*, warn: bool = False) -> Contract:
    return read_contract(CONTRACT + ("unknown_columns: warn\n" if warn else ""))


def refused(found: list[str]) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        check_columns(found, contract())
    return caught.value


@pytest.mark.parametrize(
    ("found", "known"),
    [
        (" kommune\u00a0", "kommune"), ("a\u030ar", "år"), ("\ufeffsum", "sum"), ("note ", "note"), ("Sum", "Sum"),
        (" other ", "other"), ("", ""),
    ],
)  # fmt: skip
def test_a_name_that_only_looks_like_a_column_is_that_column(found: str, known: str) -> None:
    assert known_names([found], contract()) == [known]


def test_the_columns_of_the_contract_in_any_order_are_what_is_expected() -> None:
    for found in (NAMES, NAMES[::-1], [*NAMES, "note", ""], [*NAMES, "note", "note"]):
        assert check_columns(found, contract()).equals(NO_REJECTS)


@pytest.mark.parametrize(
    ("found", "code", "column", "shown", "hint"),
    [
        (["kommune", "sum"], "missing-column", "år", "'kommune', 'sum'", "Deliver the column, or change the contract"),
        (["kommun", "år", "sum"], "missing-column", "kommune", "'kommun', 'år', 'sum'", "Did you mean 'kommun'"),
        (["a", "b"], "missing-column", "kommune", "2 columns, none of which the contract names", "Is the header in"),
        (["a"], "missing-column", "kommune", "1 columns, none of which the contract names", "Is the delimiter another"),
        ([], "missing-column", "kommune", "nothing", "Deliver the column"),
        ([*NAMES, "sum"], "unreadable", "sum", "column 'sum' twice", "Deliver each column once"),
        ([*NAMES, "summ"], "unknown-column", "summ", "'summ'", "Did you mean 'sum'"),
        ([*NAMES, "other"], "unknown-column", "other", "'other'", "Name it under `ignore` in the contract"),
        ([*NAMES, "x", "y", "x"], "unknown-column", "x", "'x', 'y'", "Map them in the contract, or add them to "),
    ],
)  # fmt: skip
def test_a_header_that_is_another_than_the_contracts_says_what_to_do(
    found: list[str], code: str, column: str, shown: str, hint: str
) -> None:
    error = refused(found)
    assert (error.code, error.column, error.found) == (code, column, shown)
    assert error.hint.startswith(hint)


def test_unknown_columns_may_be_a_warning_each() -> None:
    warnings = check_columns([*NAMES, "x", "y"], contract(warn=True))
    assert warnings.schema == PARSER_REJECT
    assert warnings.select("row", "column", "reason", "severity", "found").rows() == [
        (None, name, "unknown-column", "warning", name) for name in "xy"
    ]


def test_columns_get_their_names_and_those_without_one_must_be_empty() -> None:
    frame = pl.DataFrame({"row": [2, 3], "0": ["a", "b"], "1": ["", ""], "2": ["1", "2"], "3": ["x", "y"]})
    header = ["sum", "", "kommune", "år"]
    named, warnings = name_columns(frame, header, contract())
    assert named.to_dict(as_series=False) == {"row": [2, 3], "kommune": ["1", "2"], "år": ["x", "y"], "sum": ["a", "b"]}
    assert warnings.equals(NO_REJECTS)
    filled = frame.with_columns(pl.Series("1", ["", "z"]))
    with pytest.raises(SubmissionError) as caught:
        name_columns(filled, header, contract())
    assert (caught.value.code, caught.value.found) == ("unknown-column", "column number 2, which has no name")
    _, warnings = name_columns(filled, header, contract(warn=True))
    assert warnings["found"].to_list() == ["column number 2, which has no name"]


def raw(*cells: str) -> pl.DataFrame:
    rows = {"row": range(2, 2 + len(cells)), "a": cells, "b": ["x"] * len(cells)}
    return pl.DataFrame(rows, {"row": pl.Int32, "a": pl.String, "b": pl.String})


@pytest.mark.parametrize(
    ("cell", "nul", "reason"),
    [
        ("x" * CELL_BYTES, False, None), ("x" * (CELL_BYTES + 1), False, "too-large"),
        ("å" * (CELL_BYTES // 2 + 1), False, "too-large"), ("a\0b", True, "unreadable"), ("ab", True, None),
        ("\0" * (CELL_BYTES + 1), True, "too-large"),
    ],
)  # fmt: skip
def test_a_row_with_a_cell_that_cannot_be_stored_is_rejected(cell: str, nul: bool, reason: str | None) -> None:
    done = finish_parsing(raw("ok", cell, "ok"), [], nul=nul)
    assert done.delivered == 3
    assert done.raw["row"].to_list() == ([2, 3, 4] if reason is None else [2, 4])
    assert done.rejects.select("row", "column", "reason").rows() == ([] if reason is None else [(3, "a", reason)])


def test_a_file_without_rows_is_no_delivery() -> None:
    with pytest.raises(SubmissionError) as caught:
        finish_parsing(raw(), [], nul=False)
    assert (caught.value.code, caught.value.found) == ("empty-file", "no rows")
    one = pl.DataFrame({"row": [2], "found": ["x"]}, {"row": pl.Int32, "found": pl.String})
    bad = parser_rejects(one, "unreadable", expected="e", hint="h")
    assert finish_parsing(raw(), [bad], nul=False, rejected=1).delivered == 1


def test_rejects_of_several_steps_stand_in_the_order_of_rows() -> None:
    rows = [pl.DataFrame({"row": pl.Series([n], dtype=pl.Int32), "found": ["x"]}) for n in (7, 3)]
    rejects = [parser_rejects(one, "unreadable", expected="e", hint="h") for one in rows]
    done = finish_parsing(raw("a" * (CELL_BYTES + 1), "b"), [NO_REJECTS, *rejects], nul=False, rejected=2)
    assert (done.rejects["row"].to_list(), done.delivered, done.raw.height) == ([2, 3, 7], 4, 1)


def test_names_are_shown_quoted_and_cut() -> None:
    assert quoted_list([]) == "nothing"
    assert quoted_list(["a", "b'c"]) == "'a', \"b'c\""
    assert len(quoted_list(["x" * 50] * 9)) == 200
    assert name_hint("kommun", ["kommune"]).startswith("D")
    assert name_hint("kommune", ["zzz"]) == ""


POINT, COMMA = Format(type="csv"), Format(type="csv", decimal=",")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("12", "12"), ("1.5", "1.5"), ("1e3", "1000"), ("1.5E-3", "0.0015"), ("-2e2", "-200"),
        ("1e100", "1" + "0" * 100), ("1e101", "1e101"), ("1e-101", "1e-101"), ("1.50", "1.50"),
        ("1e-100", "0." + "0" * 99 + "1"),
    ],
)  # fmt: skip
def test_a_number_is_written_without_exponent(text: str, plain: str) -> None:
    assert plain_number(text, POINT) == plain
    assert plain_number(text, COMMA) == plain_number(text, POINT).replace(".", ",")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.1 + 0.2, "0.3"), (3.0, "3"), (-0.5, "-0.5"), (1e21, "1" + "0" * 21), (1e-7, "0.0000001"), (None, None),
        (123456789.123456789, "123456789.123457"), (0.0, "0"),
    ],
)  # fmt: skip
def test_a_float_is_written_with_fifteen_digits(number: float | None, text: str | None) -> None:
    numbers = pl.Series([number, 2.0], dtype=pl.Float64)
    assert float_texts(numbers, POINT).to_list() == [text, "2"]
    assert float_texts(numbers, COMMA).to_list() == [text and text.replace(".", ","), "2"]


def test_its_limits_are_those_that_senders_know() -> None:
    assert CELL_BYTES == 64 * 1024
