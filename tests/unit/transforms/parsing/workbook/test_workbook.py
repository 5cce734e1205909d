"""XLSX: what a workbook means beyond its values, and workbooks made to break the reader."""

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time

import polars as pl
import pytest
import xlsxwriter

from schemas.errors import SubmissionError, UnreadError
from tests.unit.transforms.parsing.test_parse_bad_input import SHEET, XLSX, altered, contract_of, refusal, workbook
from transforms.parsing.parse import parse
from transforms.parsing.raw_frame import ParseResult
from transforms.parsing.workbook.formats import format_kind

HEADER = ["unit", "year", "sum"]


def book(fill: Callable[[xlsxwriter.Workbook, xlsxwriter.worksheet.Worksheet], None], **options: object) -> bytes:
    """Return a workbook whose first sheet has the header; `fill` writes the rest."""
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, options) as made:
        sheet = made.add_worksheet("Tall")
        sheet.write_row(0, 0, HEADER)
        fill(made, sheet)
    return target.getvalue()


def column(parsed: ParseResult, name: str = "sum") -> list[str]:
    return parsed.raw[name].to_list()


def warned(parsed: ParseResult) -> list[tuple[object, ...]]:
    return parsed.rejects.filter(severity="warning").select("column", "reason", "found").rows()


@pytest.mark.parametrize("since_1904", [False, True])
def test_dates_and_times_are_what_their_format_shows(since_1904: bool) -> None:
    given: list[tuple[object, str, str]] = [
        (date(2024, 1, 31), "yyyy-mm-dd", "2024-01-31"),
        (date(2024, 1, 31), "dd.mm.yyyy;@", "2024-01-31"),
        (datetime.fromisoformat("2024-01-31T00:00"), "yyyy-mm-dd hh:mm", "2024-01-31 00:00:00"),
        (datetime.fromisoformat("2024-01-31T08:20"), 'dd"-"mm"-"yyyy h:mm AM/PM', "2024-01-31 08:20:00"),
        (datetime.fromisoformat("2024-01-31T08:20"), "yyyy-mm-dd", "2024-01-31 08:20:00"),
        (time(12, 0), "hh:mm", "12:00:00"),
        (1.5, "[h]:mm", "36:00:00"),
        (1.5, '0.0 "dager"', "1.5"),
        (1.5, "[Red]0.00;[Blue]-0.00", "1.5"),
    ]

    def _fill(made: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        for row, (value, shown, _) in enumerate(given, start=1):
            style = made.add_format({"num_format": shown})
            write = sheet.write_number if isinstance(value, float) else sheet.write_datetime
            write(row, 2, value, style)

    parsed = parse(book(_fill, date_1904=since_1904), XLSX)
    assert column(parsed) == [text for *_, text in given]


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("General", None), ("0.00E+00", None), ("#,##0.00 kr", None), ("0 %", "percent"), ("mm:ss", "time"),
        ("d. mmmm yyyy", "date"), ("mmm", "date"), ("[$-414]d. mmmm yyyy;@", "date"), ("[mm]:ss", "elapsed"),
        ('"dd"0', None), (r"\d0", None), ("_d0", None),
    ],
)  # fmt: skip
def test_format_codes(code: str, kind: str | None) -> None:
    assert format_kind(code) == kind


def test_numbers_are_written_in_the_contracts_notation() -> None:
    numbers = [1.234, 0.125, 12.5, 1234567.0, 1.2e-10, 0.1 + 0.2, 1e21]

    def _fill(_: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        sheet.write_column(1, 2, numbers)
        sheet.write_string(len(numbers) + 1, 2, "1.234,5")

    parsed = parse(book(_fill), contract_of(type="xlsx", decimal=",", thousands="."))
    zeros = "1" + "0" * 21
    assert column(parsed) == ["1,234", "0,125", "12,5", "1234567", "0,00000000012", "0,3", zeros, "1.234,5"]


def test_sheets_that_are_not_read_are_named_and_hidden_ones_are_not_read() -> None:
    target = io.BytesIO()
    with xlsxwriter.Workbook(target) as made:
        for name, rows in (("Skjult", [["x"]]), ("Tall", [HEADER, ["a", "1", 2]]), ("Mer", [["y"]])):
            sheet = made.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
            sheet.hide() if name == "Skjult" else sheet.activate()
    parsed = parse(target.getvalue(), XLSX)
    assert column(parsed, "unit") == ["a"]
    assert warned(parsed) == [(None, "not-read", "2 more sheets: 'Skjult' (hidden), 'Mer'")]
    assert warned(parse(target.getvalue(), contract_of(type="xlsx", sheet="Tall"))) == []
    assert refusal(target.getvalue(), contract_of(type="xlsx", sheet="Skjult")).code == "missing-column"


def test_a_formula_without_a_result_costs_its_row() -> None:
    data = altered({SHEET: ('<c r="C2"><v>2</v>', '<c r="C2"><f>SUM(1,1)</f>')})
    assert refusal(workbook(), contract_of(("unit", "year", "other"), type="xlsx")).code == "missing-column"
    parsed = parse(data, XLSX)
    assert parsed.raw.is_empty()
    assert parsed.delivered == 1
    assert parsed.rejects.select("row", "column", "reason", "severity").rows() == [(2, "sum", "not-read", "critical")]
    shown = altered({SHEET: ('<c r="C2"><v>2</v>', '<c r="C2" t="str"><f>IF(1,"","")</f><v></v>')})
    assert column(parse(shown, XLSX)) == [""]


def test_merged_cells_and_percentages_are_warned_of() -> None:
    def _fill(made: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        sheet.merge_range("A2:A3", "a")
        sheet.write_number(1, 2, 0.125, made.add_format({"num_format": "0.0%"}))
        sheet.write_number(2, 2, 12.5)

    parsed = parse(book(_fill), XLSX)
    assert (column(parsed), column(parsed, "unit")) == (["0.125", "12.5"], ["a", ""])
    assert warned(parsed) == [
        (None, "not-read", "merged cells from A2 on"),
        ("sum", "percent", "1 cells shown in percent"),
    ]


def without_addresses(data: bytes) -> bytes:
    """Return the workbook with the addresses of its rows and cells left out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, re.sub(rb' r="[A-Z]*\d+"', b"", content) if name == SHEET else content)
    return target.getvalue()


def test_cells_without_addresses_follow_each_other() -> None:
    def _fill(_: xlsxwriter.Workbook, sheet: xlsxwriter.worksheet.Worksheet) -> None:
        for row in range(1, 400):
            sheet.write_row(row, 0, ["a", "1", row / 8])

    data = book(_fill)
    texts = column(parse(data, contract_of(type="xlsx", decimal=",")))
    assert texts[:3] == ["0,125", "0,25", "0,375"]
    assert column(parse(without_addresses(data), contract_of(type="xlsx", decimal=","))) == texts


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ('<row r="{r}"><c r="A{r}" t="s"><v>0</v></c></row>', "too-large: found cells that show"),
        ('<row><c t="s"><v>0</v></c></row>', "too-large: found cells that show"),
        ('<row r="{r}"><c r="XFD{r}"><v>0</v></c></row>', "at most 12000000 cells are read"),
    ],
)
def test_small_workbooks_of_much_text_or_many_cells_are_refused(cells: str, reason: str) -> None:
    rows = "".join(cells.replace("{r}", str(r)) for r in range(3, 20_003))
    shared = ("<t>unit</t>", f"<t>{'A' * 30_000}</t>")
    data = altered({SHEET: ("</sheetData>", f"{rows}</sheetData>"), "xl/sharedStrings.xml": shared})
    with pytest.raises((SubmissionError, UnreadError), match=reason):
        parse(data, XLSX)


def test_many_error_cells_cost_their_rows_alone() -> None:
    rows = "".join(f'<row r="{r}"><c r="C{r}" t="e"><v>#N/A</v></c></row>' for r in range(3, 30_003))
    parsed = parse(altered({SHEET: ("</sheetData>", f"{rows}</sheetData>")}), XLSX)
    assert parsed.raw.filter(pl.col("sum") == "#N/A").height == 30_000


def test_each_file_that_is_no_xlsx_is_named() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.bin", b"x")
    open_document = io.BytesIO()
    with zipfile.ZipFile(open_document, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    compound = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 512
    kinds = {
        packed.getvalue(): ".xlsb",
        open_document.getvalue(): ".ods",
        compound: ".xls",
        compound + "EncryptedPackage".encode("utf-16-le"): "password",
        b"\n<!DOCTYPE html><html></html>": "HTML",
    }
    for data, kind in kinds.items():
        assert kind in refusal(data, XLSX).found


def test_member_names_with_backslashes_are_read() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook())) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            info = zipfile.ZipInfo("x")
            info.filename = name.replace("/", "\\")
            new.writestr(info, old.read(name))
    assert column(parse(target.getvalue(), XLSX)) == ["2"]
