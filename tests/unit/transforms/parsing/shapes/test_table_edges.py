"""Names of columns in several rows, notes below a table, and columns that are not used."""

import io
from typing import Any

import pytest
import xlsxwriter

from schemas.contract import Format, read_contract
from schemas.errors import SubmissionError
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.parsing.parse import parse
from transforms.parsing.raw_frame import ParseResult
from transforms.parsing.shapes.table_edges import cut_notes, joined_names

TEXT = (
    CONTRACT_HEAD
    + """sender: {default: me}
unit: {column: unit, kind: municipality}
period: {value: 2024, type: year}
repeat: error
claims:
  - {concept: persons, column: COLUMN, reported_by: {option: sender}, unit_measure: {value: persons}}
examples: [{name: none, given: ''}]
"""
)


def read(text: str, form: str, column: str = "n", more: str = "") -> ParseResult:
    declared = TEXT.replace("COLUMN", f'"{column}"') + f"format: {{type: csv, {form}}}\n{more}"
    return parse(text.encode(), read_contract(declared))


def workbook(rows: list[list[Any]]) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        sheet.write_row(number, 0, row)
    book.close()
    return file.getvalue()


def test_names_of_several_rows_are_joined_and_spread_to_the_right() -> None:
    rows = [["Area", "", "Estimate", "", ""], ["", "Name", "2010", " 2011", ""]]
    assert joined_names(rows) == ["Area", "Area Name", "Estimate 2010", "Estimate 2011", ""]
    assert joined_names([["a", "b"], ["c"]]) == ["a c", "b"]
    assert joined_names([["A", "", ""], ["x", "", "y"], ["1", "2", "3"]]) == ["A x 1", "A x 2", "A y 3"]


def test_header_rows_of_a_csv_file() -> None:
    text = "Population of a year\n\nunit;Population;\n;2023;2024\n0301;1;2\n"
    parsed = read(text, "header_rows: [3, 4]", "Population 2024", 'ignore: ["Population 2023"]')
    assert parsed.raw.rows() == [(5, "0301", "2")]


def test_header_rows_of_a_workbook() -> None:
    rows = [["a title"], ["unit", "Population", None], [None, 2023, 2024], ["0301", 1, 2]]
    text = TEXT.replace("COLUMN", "Population 2024") + "format: {type: xlsx, header_rows: [2, 3]}\nignore: rest"
    assert parse(workbook(rows), read_contract(text)).raw.rows() == [(4, "0301", "2")]


def test_notes_at_the_end_count_as_ignored() -> None:
    text = "unit;n\n0301;1\n1103;2\nSource: SSB\n\nLast changed in May\n"
    parsed = read(text, "skip_footer: 2")
    assert (parsed.raw["row"].to_list(), parsed.delivered, parsed.unread, parsed.ignored) == ([2, 3], 4, 0, 2)


def test_rows_may_end_at_the_first_empty_one() -> None:
    text = 'unit;n\n0301;1\n"11\n\n03";2\n;\nSource: SSB; of 2024; three fields\n'
    parsed = read(text, "until_empty_row: true")
    assert parsed.raw["unit"].to_list() == ["0301", "11\n\n03"]
    assert (parsed.delivered, parsed.unread, parsed.ignored) == (3, 0, 1)


def test_an_empty_line_above_the_first_row_ends_nothing() -> None:
    assert read("unit;n\n\n0301;1\n\nnote\n", "until_empty_row: true").raw["unit"].to_list() == ["0301"]


def test_notes_of_a_workbook() -> None:
    rows = [["unit", "n"], ["0301", 1], ["1103", 2], [], ["a note"], ["another"]]
    for form, kept in (
        ("until_empty_row: true", 2),
        ("skip_footer: 1", 3),
        ("until_empty_row: true, skip_footer: 1", 1),
    ):
        text = TEXT.replace("COLUMN", "n") + f"format: {{type: xlsx, {form}}}"
        parsed = parse(workbook(rows), read_contract(text))
        assert (parsed.raw.height, parsed.delivered, parsed.ignored) == (kept, 4, 4 - kept), form


def test_a_file_of_notes_alone_has_no_rows() -> None:
    with pytest.raises(SubmissionError, match="empty-file"):
        read("unit;n\nSource\n", "skip_footer: 5")


def test_without_notes_the_text_is_the_same_object() -> None:
    text = b"a;b\n1;2\n"
    assert cut_notes(text, 4, Format(type="csv"))[0] is text


def test_the_rest_of_the_columns_may_be_ignored_those_without_a_name_too() -> None:
    assert read("x;unit;;n;y\n1;0301;2;3;4\n", "", more="ignore: rest").raw.rows() == [(2, "0301", "3")]
    with pytest.raises(SubmissionError, match="missing-column"):
        read("x;unit\n1;0301\n", "", more="ignore: rest")


def test_a_column_without_a_name_is_named_by_its_place() -> None:
    with pytest.raises(SubmissionError, match="'#3' to `ignore`"):
        read("unit;n;\n0301;1;x\n", "")
    assert read("unit;n;\n0301;1;x\n", "", more='ignore: ["#3"]').raw.width == 3
    assert read("unit;;\n0301;1;x\n", "", "#2", 'ignore: ["#3"]').raw.rows() == [(2, "0301", "1")]


@pytest.mark.parametrize("rows", ["[]", "[2, 1]", "[1, 1]", "[0, 1]", "[1, 2], header_row: 2"])
def test_header_rows_are_in_order(rows: str) -> None:
    with pytest.raises(Exception, match="header_rows"):
        read("unit;n\n", f"header_rows: {rows}")
