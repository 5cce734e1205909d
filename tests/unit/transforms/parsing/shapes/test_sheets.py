"""Several sheets of one workbook as one delivery."""

import io

import pytest
import xlsxwriter
import xlwt

from schemas.contract import read_contract
from schemas.contract_keys import Table
from schemas.errors import ContractError, SubmissionError
from tests.support.shaped_deliveries import received
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.parsing.parse import parse
from transforms.parsing.raw_frame import ParseResult
from transforms.parsing.shapes.sheets import SHEET_ROWS, declared_sheets

TEXT = (
    CONTRACT_HEAD
    + """sender: {default: me}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
repeat: error
claims:
  - {concept: persons, column: n, reported_by: {option: sender}, unit_measure: {value: persons}}
examples: [{name: none, given: ''}]
"""
)
HIDDEN = "Table 2022"


def workbook(*names: str, header: tuple[str, ...] = ("unit", "n")) -> bytes:
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    for number, name in enumerate(names):
        sheet = book.add_worksheet(name)
        sheet.write_row(0, 0, header if name != "Notes" else ("anything",))
        sheet.write_row(1, 0, ("0301", number))
        if name == HIDDEN:
            sheet.hide()
    book.close()
    return file.getvalue()


def read(data: bytes, form: str) -> ParseResult:
    return parse(data, read_contract(TEXT + f"format: {{type: xlsx, {form}}}"))


BOOK = workbook("Notes", "Table 2020", "Table 2021", HIDDEN)


def test_the_groups_of_a_pattern_are_columns_and_hidden_sheets_are_not_read() -> None:
    parsed = read(BOOK, 'sheets: "Table (?<year>[0-9]+)"')
    assert parsed.raw.rows() == [(2, "0301", "2020", "1"), (SHEET_ROWS + 2, "0301", "2021", "2")]
    assert parsed.rejects.is_empty()
    assert parsed.delivered == 2


def test_rejected_rows_are_numbered_by_their_sheet_too() -> None:
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        for name in ("2020", "2021"):
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, ("unit", "n"))
            sheet.write_row(1, 0, ("0301", 1))
            sheet.write_row(2, 0, ("0301",))
            sheet.write_formula(2, 1, "=A1", None, "")
    parsed = read(file.getvalue(), "sheets: [2020, 2021], sheet_column: year")
    assert (parsed.raw["row"].to_list(), parsed.rejects["row"].to_list()) == ([2, SHEET_ROWS + 2], [3, SHEET_ROWS + 3])


def test_listed_sheets_are_read_in_that_order_and_their_name_may_be_a_column() -> None:
    book = workbook("2020", "2021", "Notes")
    parsed = read(book, "sheets: [2021, 2020], sheet_column: year")
    assert parsed.raw.select("row", "year").rows() == [(2, "2021"), (SHEET_ROWS + 2, "2020")]


def test_a_sheet_that_is_not_there_is_an_error_with_the_nearest() -> None:
    with pytest.raises(SubmissionError, match="Did you mean 'Table 2021'"):
        read(BOOK, "sheets: [Table 2020, Tabel 2021], sheet_column: year")
    with pytest.raises(SubmissionError, match="a sheet named 'X"):
        read(BOOK, 'sheets: "X(?<year>.*)"')


def test_what_is_wrong_names_the_sheet() -> None:
    with pytest.raises(SubmissionError, match=r"missing-column.*This is sheet 'Notes'"):
        read(BOOK, "sheets: [Table 2020, Notes], sheet_column: year")


def test_sheets_with_columns_that_become_rows_may_have_other_columns() -> None:
    text = TEXT.replace("column: n", "column: value") + 'format: {type: xlsx, sheets: "[AB]"}\n'
    found = read_contract(text + 'unpivot: {pattern: "(?<year>[0-9]{4})"}')
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file)
    for name, years in (("A", ("2020", "2021")), ("B", ("2022",))):
        book.add_worksheet(name).write_row(0, 0, ("unit", *years))
        book.get_worksheet_by_name(name).write_row(1, 0, ("0301", *(1 for _ in years)))
    book.close()
    raw = parse(file.getvalue(), found).raw
    assert raw.select("row", "year", "cell").rows() == [
        (2, "2020", 0), (2, "2021", 1), (SHEET_ROWS + 2, "2022", 0),
    ]  # fmt: skip


OWN = """
format:
  type: xlsx
  sheet_column: sheet
  sheets: {Persons: {}, Votes: {unit: Municipality no., n: Total}}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
claims:
  - {concept: persons, column: n, when: {sheet: Persons}, reported_by: {option: sender},
     unit_measure: {value: persons}}
  - {concept: votes, column: n, when: {sheet: Votes}, reported_by: {option: sender}, unit_measure: {value: votes}}
  - {concept: seats, column: seats, when: {sheet: Votes}, reported_by: {option: sender}, unit_measure: {value: seats}}
"""
PERSONS = (("unit", "year", "n"), ("0301", 2020, 5))
VOTES = (("Municipality no.", "year", "Total", "seats"), ("0301", 2020, 3, 1))


def sheets_of(tables: dict[str, Table], form: str = "xlsx") -> bytes:
    """Return a workbook of these tables, by the names of their sheets."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file) if form == "xlsx" else xlwt.Workbook()
    for name, rows in tables.items():
        sheet = book.add_worksheet(name) if form == "xlsx" else book.add_sheet(name)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                sheet.write(row, column, cell)
    if form == "xlsx":
        book.close()
    else:
        book.save(file)
    return file.getvalue()


@pytest.mark.parametrize("form", ["xlsx", "xls"])
def test_each_sheet_may_have_its_own_columns_and_claims(form: str) -> None:
    data = sheets_of({"Persons": PERSONS, "Votes": VOTES, "Notes": (("anything",),)}, form)
    result = received(OWN.replace("xlsx", form), data)
    assert result.claims("row", "concept", "value") == [
        (2, "persons", 5), (SHEET_ROWS + 2, "votes", 3), (SHEET_ROWS + 2, "seats", 1),
    ]  # fmt: skip
    assert result.buckets() == (2, 0, 0)


@pytest.mark.parametrize(
    ("persons", "votes", "problem"),
    [
        (PERSONS, (VOTES[0][:3], VOTES[1][:3]), "missing-column.*'seats'.*This is sheet 'Votes'"),
        ((("unit", "year", "Total"), PERSONS[1]), VOTES, "missing-column.*'n'.*This is sheet 'Persons'"),
        (((*PERSONS[0], "more"), (*PERSONS[1], 1)), VOTES, "unknown-column.*'more'.*This is sheet 'Persons'"),
    ],
)
def test_what_a_sheet_lacks_of_its_own_is_named(persons: Table, votes: Table, problem: str) -> None:
    with pytest.raises(SubmissionError, match=problem):
        received(OWN, sheets_of({"Persons": persons, "Votes": votes}))


def test_a_mapping_is_of_columns_that_the_contract_has() -> None:
    with pytest.raises(ContractError, match=r"format.sheets: the contract has no column 'units'"):
        received(OWN.replace("Votes: {unit:", "Votes: {units:"), b"")


@pytest.mark.parametrize(
    "form", ["sheets: []", 'sheets: ""', "sheets: [a], sheet: b", "sheet_column: year", 'sheets: "("']
)
def test_keys_that_do_not_fit_are_errors(form: str) -> None:
    with pytest.raises(Exception, match=r"sheet|expression"):
        read(BOOK, form)


def test_two_hundred_sheets_are_read_and_no_more() -> None:
    contract = read_contract(TEXT + 'format: {type: xlsx, sheets: "(?<year>[0-9]+)"}')
    names = [str(number) for number in range(1000, 1202)]
    hidden = [name == "1201" for name in names]
    assert declared_sheets(names[1:], hidden[1:], contract) == names[1:201]
    with pytest.raises(SubmissionError, match=r"too-large: found 201 sheets, expected at most 200"):
        declared_sheets(names, hidden, contract)
