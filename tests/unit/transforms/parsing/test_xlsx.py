"""XLSX: which sheet is read, which rows it has, and what is warned of or rejected."""

import io
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from schemas.errors import SubmissionError, UnreadError
from schemas.reading_limits import DEFAULT_LIMITS, ReadingLimits
from tests.unit.transforms.parsing.test_parse_bad_input import contract_of
from transforms.parsing import xlsx
from transforms.parsing.raw_frame import ParseResult
from transforms.parsing.xlsx import read_xlsx

HEADER = ["unit", "year", "sum"]
Rows = list[list[Any]]


def book(**sheets: Rows) -> bytes:
    """Return a workbook of these sheets; one whose name begins with `hidden` is hidden."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for number, row in enumerate(rows):
                for place, value in enumerate(row):
                    if value is not None:
                        sheet.write(number, place, value)
            if name.startswith("hidden"):
                sheet.hide()
            else:
                sheet.activate()
    return target.getvalue()


def read(data: bytes, *, limits: ReadingLimits = DEFAULT_LIMITS, **form: Any) -> ParseResult:
    return read_xlsx(data, contract_of(type="xlsx", **form), limits)


def refused(data: bytes, **form: Any) -> SubmissionError:
    with pytest.raises(SubmissionError) as caught:
        read(data, **form)
    return caught.value


def listed(found: ParseResult) -> list[tuple[Any, ...]]:
    return found.rejects.select("row", "column", "reason", "severity", "found").rows()


def test_the_rows_of_the_only_sheet() -> None:
    found = read(book(Tall=[HEADER, ["a", 2024, 1.5], ["b", 2024, 2]]))
    assert found.raw.rows() == [(2, "a", "2024", "1.5"), (3, "b", "2024", "2")]
    assert (found.delivered, found.rejects.height) == (2, 0)
    assert found.raw.schema["row"] == pl.Int32


def test_blank_rows_are_no_rows_and_count_in_the_numbering() -> None:
    found = read(book(Tall=[HEADER, [" ", "", "  "], ["a", 2024, 1], [None], ["b", 2024, 2]]))
    assert (found.raw["row"].to_list(), found.delivered) == ([3, 5], 2)


def test_a_sheet_may_begin_anywhere_and_columns_may_be_in_any_order() -> None:
    found = read(book(Tall=[[None, "A title"], [None, "sum", "unit", "year"], [None, 0.5, "a", 2024]]), header_row=2)
    assert found.raw.rows() == [(3, "a", "2024", "0.5")]


def test_the_first_visible_sheet_is_read_and_the_others_are_named() -> None:
    data = book(hidden1=[["x"]], Tall=[HEADER, ["a", 2024, 1]], Mer=[["y"]])
    found = read(data)
    assert found.raw["unit"].to_list() == ["a"]
    assert listed(found) == [(None, None, "not-read", "warning", "2 more sheets: 'hidden1' (hidden), 'Mer'")]
    assert found.rejects["expected"].to_list() == ["one sheet; only 'Tall' is read"]


@pytest.mark.parametrize("name", ["Mer", " Mer", "Mer\u200b"])
def test_the_declared_sheet_is_read_without_a_warning(name: str) -> None:
    found = read(book(Tall=[["x"]], Mer=[HEADER, ["a", 2024, 1]]), sheet=name)
    assert (found.raw["unit"].to_list(), found.rejects.height) == (["a"], 0)


def test_a_hidden_sheet_is_read_if_it_is_declared() -> None:
    found = read(book(Tall=[["x"]], hidden1=[HEADER, ["a", 2024, 1]]), sheet="hidden1")
    assert found.raw["unit"].to_list() == ["a"]


@pytest.mark.parametrize(
    ("sheet", "hint"), [("Tal", "Did you mean 'Tall'?"), ("zzzz", "Name the sheet in format.sheet of the contract.")]
)
def test_a_sheet_that_is_not_there(sheet: str, hint: str) -> None:
    error = refused(book(Tall=[HEADER], Mer=[]), sheet=sheet)
    assert (error.code, error.found, error.expected) == ("unreadable", "sheets 'Tall', 'Mer'", f"sheet {sheet!r}")
    assert error.hint == hint


def test_a_header_that_is_not_there() -> None:
    data = book(Tall=[HEADER, ["a", 2024, 1]])
    error = refused(data, header_row=3)
    assert (error.code, error.found, error.expected) == ("empty-file", "2 rows", "a header in row 3")
    error = refused(book(Tall=[HEADER, [None, None, None], ["a", 2024, 1]]), header_row=2)
    assert (error.code, error.found) == ("unreadable", "a row without names")
    assert error.hint == "Name the row with the columns in format.header_row of the contract."
    assert refused(data, header_row=2).code == "missing-column"
    assert refused(book(Tall=[HEADER])).code == "empty-file"


def test_an_error_names_the_sheets_that_were_not_read() -> None:
    error = refused(book(Tall=[["unit", "year"], ["a", 1]], Mer=[HEADER], Andre=[]))
    assert error.code == "missing-column"
    assert error.hint.endswith(
        " Only sheet 'Tall' is read: format.sheet of the contract names another of 'Mer', 'Andre'."
    )
    assert "Only sheet" not in refused(book(Tall=[["unit", "year"], ["a", 1]])).hint
    assert "Only sheet" not in refused(book(Tall=[["unit", "year"], ["a", 1]], Mer=[HEADER]), sheet="Tall").hint


@pytest.mark.parametrize(("most", "is_read"), [(3, True), (2, False)])
def test_columns_over_the_limit_leave_the_file_unread(most: int, is_read: bool) -> None:
    data = book(Tall=[[None, *HEADER], [None, "a", 2024, 1]])  # the empty column before them does not count
    if is_read:
        assert read(data, limits=ReadingLimits(columns=most)).delivered == 1
    else:
        with pytest.raises(UnreadError, match="it has 3 columns, and at most 2 are read"):
            read(data, limits=ReadingLimits(columns=most))


def made(fill: Any) -> bytes:
    """Return a workbook whose sheet has the header; `fill` writes the rest."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as book_:
        sheet = book_.add_worksheet("Tall")
        sheet.write_row(0, 0, HEADER)
        fill(book_, sheet)
    return target.getvalue()


@pytest.mark.parametrize(("count", "shown"), [(1, "A3"), (5, "A3, A5, A7, A9, A11"), (6, "A3, A5, A7, A9, A11 …")])
def test_merged_cells_below_the_header_are_named(count: int, shown: str) -> None:
    def _fill(_: Any, sheet: Any) -> None:
        for number in range(count):
            sheet.merge_range(2 + 2 * number, 0, 3 + 2 * number, 0, "a")

    assert listed(read(made(_fill))) == [(None, None, "not-read", "warning", f"merged cells from {shown} on")]


def test_merged_cells_of_the_header_are_no_matter() -> None:
    def _fill(_: Any, sheet: Any) -> None:
        sheet.merge_range("D1:E1", "")
        sheet.write_row(1, 0, ["a", 2024, 1])

    assert listed(read(made(_fill))) == []


def test_percentages_are_counted_by_column_and_only_where_they_are_mapped() -> None:
    def _fill(workbook: Any, sheet: Any) -> None:
        percent = workbook.add_format({"num_format": "0%"})
        sheet.write(0, 3, "ignored")
        for row in (1, 2):
            sheet.write_row(row, 0, ["a", 2024])
            sheet.write_number(row, 2, 0.5, percent)
            sheet.write_number(row, 3, 0.5, percent)

    contract = contract_of(type="xlsx").model_copy(update={"ignore": ("ignored",)})
    found = read_xlsx(made(_fill), contract, DEFAULT_LIMITS)
    assert listed(found) == [(None, "sum", "percent", "warning", "2 cells shown in percent")]
    assert found.raw["sum"].to_list() == ["0.5", "0.5"]


def test_columns_of_percentages_are_named_in_the_order_of_the_sheet() -> None:
    names = [f"share {n}" for n in range(40)]

    def _fill(workbook: Any, sheet: Any) -> None:
        percent = workbook.add_format({"num_format": "0%"})
        sheet.write_row(0, 3, names)
        sheet.write_row(1, 0, ["a", 2024, 1])
        for column in range(3, 43):
            sheet.write_number(1, column, 0.5, percent)

    contract = contract_of(type="xlsx")
    claims = [contract.claims[0].model_copy(update={"column": name}) for name in names]
    contract = contract.model_copy(update={"claims": (*contract.claims, *claims)})
    assert [column for _, column, *_ in listed(read_xlsx(made(_fill), contract, DEFAULT_LIMITS))] == names


def test_the_header_itself_is_not_warned_of() -> None:
    def _fill(workbook: Any, sheet: Any) -> None:
        sheet.write_number(0, 2, 2024, workbook.add_format({"num_format": "0%"}))
        sheet.merge_range(0, 3, 0, 4, "ignored")
        sheet.write_row(1, 0, ["a", 2024, 1])

    contract = contract_of(("unit", "year", "2024"), type="xlsx").model_copy(update={"ignore": ("ignored",)})
    found = read_xlsx(made(_fill), contract, DEFAULT_LIMITS)
    assert (found.raw["2024"].to_list(), listed(found)) == (["1"], [])


def test_a_row_with_formulas_without_a_result_is_rejected_once() -> None:
    def _fill(_: Any, sheet: Any) -> None:
        for row, value in ((1, ""), (2, 3), *((row, "") for row in range(3, 40))):
            sheet.write_row(row, 0, ["a", 2024])
            sheet.write_formula(row, 2, "=A1", None, value)
        sheet.write_formula(3, 1, "=A1", None, "")
        sheet.write_formula(5, 5, "=A1", None, "")

    data = made(_fill)
    found = read(data)
    rejected = [each for each in listed(found) if each[3] == "critical"]
    assert [each[0] for each in rejected] == [2, *range(4, 41)]
    assert {each[2:] for each in rejected} == {("not-read", "critical", "a formula without a result")}
    assert (found.raw["row"].to_list(), found.delivered) == ([3], 39)


def test_text_that_many_cells_show_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = book(Tall=[HEADER, *(["a" * 100, 2024, 1] for _ in range(20))])
    shown = 20 * (len("<si><t></t></si>") + 100) + sum(len("<si><t></t></si>") + len(name) for name in HEADER)
    monkeypatch.setattr(xlsx, "SHOWN_BYTES", shown)
    assert read(data).delivered == 20
    monkeypatch.setattr(xlsx, "SHOWN_BYTES", shown - 1)
    error = refused(data)
    assert str(error) == (
        f"too-large: found cells that show {shown} bytes of text, expected at most {shown - 1}. "
        "Deliver it in parts, or as CSV."
    )


def test_its_limits_are_those_that_senders_know() -> None:
    assert xlsx.SHOWN_BYTES == 256 * 2**20
