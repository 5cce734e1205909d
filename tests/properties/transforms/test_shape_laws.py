"""Any text under a contract of a shaped table ends in an error of the whole file, or each of its rows in one bucket."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SubmissionError
from tests.support.shaped_deliveries import received

CLAIM: Final = """
period: {column: year, type: year}
claims:
  - {concept: persons, column: value, reported_by: {option: sender}, unit_measure: {value: persons},
     missing_values: [".."], flags: {"*": E}}
unpivot: {pattern: "P (?<year>[0-9]{4})"}
ignore: rest
unit: {columns: [state, county], pad: [2, 2], kind: municipality}
"""
CSV: Final = CLAIM + "format: {type: csv, header_rows: [1, 2], skip_footer: 1, until_empty_row: true}"
LINES: Final = """
period: {column: year, type: year}
unit: {column: unit, kind: municipality}
claims:
  - {concept: persons, column: n, reported_by: {option: sender}, unit_measure: {value: persons}}
format: {type: json, lines: true}
"""
PIECES: Final = (
    "state;county;P;\n", ";;2020;2021\n", "3;1;5;..\n", "3;1;x;7*\n", "11;3;;1\n", ";;;\n", "\n", "note\n", '"', ";",
    "\r",
    "99;99;1;1\n", '"a\n\nb";1;2;3\n', "3;1;5\n",
)  # fmt: skip
DOCUMENTS: Final = (
    '{"unit":"0301","year":2020,"n":1}\n', '{"unit":"9999","year":2020,"n":1}\n', "[1]\n", "{\n", "\n", "null\n",
    '{"unit":"0301","year":2021,"n":{}}\n', '{"unit":"1103","year":2021,"n":null}\n', '{"n":1,"n":2}\n', "\r",
)  # fmt: skip


def in_one_bucket(text: str, data: str) -> None:
    try:
        result = received(text, data.encode())
    except SubmissionError:
        return
    claimed, rejected, ignored = result.buckets()
    assert claimed + rejected + ignored == result.parsed.delivered
    assert result.done.claims["lead"].sum() == claimed


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_any_table(rest: str) -> None:
    in_one_bucket(CSV, "state;county;P;\n;;2020;2021\n" + rest)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_any_text(text: str) -> None:
    in_one_bucket(CSV, text)


@given(st.lists(st.sampled_from(DOCUMENTS), max_size=8).map("".join))
def test_any_lines_of_json(text: str) -> None:
    in_one_bucket(LINES, text)


@pytest.mark.parametrize("text", ["state;county;P;\n;;2020;2021\n3;1;5;6\n\nnote\n"])
def test_a_sound_table_makes_claims(text: str) -> None:
    contract = CSV.replace("skip_footer: 1, ", "")
    assert received(contract, text.encode()).buckets() == (1, 0, 1)
