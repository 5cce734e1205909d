"""XLS, XLSB and ODS: the sheet, the cells and the warnings of XLSX; packages that unpack to much are refused."""

import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import pytest

from schemas.errors import SubmissionError, UnreadError
from schemas.reading_limits import DEFAULT_LIMITS
from tests.support.spreadsheets import as_ods, as_xls, as_xlsb
from tests.unit.transforms.parsing.test_parse import contract_of, workbook
from transforms.parsing.parse import parse
from transforms.parsing.workbook import package

NAMES = ("unit", "year", "sum")
ROWS: list[list[object]] = [[*NAMES], ["Os", 2024, 0.1 + 0.2], [None, None, None], ["1120", "2024", "12,5"]]
WRITERS: dict[str, Callable[..., bytes]] = {"ods": as_ods, "xls": as_xls}


@pytest.mark.parametrize("form", WRITERS)
def test_the_first_sheet_that_is_not_hidden_is_read(form: str) -> None:
    parsed = parse(WRITERS[form](ROWS, hidden="Lists"), contract_of(type=form))
    assert parsed.raw.rows() == [(2, "Os", "2024", "0.3"), (4, "1120", "2024", "12,5")]
    assert parsed.rejects["found"].to_list() == ["1 more sheets: 'Lists' (hidden)"]
    named = parse(WRITERS[form](ROWS, hidden="Lists"), contract_of(type=form, sheet="ark 1".title()))
    assert named.rejects.is_empty()


def test_a_binary_workbook_is_read() -> None:
    parsed = parse(as_xlsb(ROWS), contract_of(type="xlsb"))
    assert parsed.raw.rows() == [(2, "Os", "2024", "0.3"), (4, "1120", "2024", "12,5")]
    assert parsed.rejects.is_empty()


@pytest.mark.parametrize("form", WRITERS)
def test_cells_have_the_texts_of_other_formats(form: str) -> None:
    cells = [date(2024, 1, 31), datetime.fromisoformat("2024-01-31T08:20"), True, 1e21, 1.2e-10, None, "a;b"]
    names = ["unit", "year", "sum", "d", "e", "f", "g"]
    raw = parse(WRITERS[form]([names, cells]), contract_of(tuple(names), type=form)).raw
    texts = ("2024-01-31", "2024-01-31 08:20:00", "true", "1" + "0" * 21, "0.00000000012", "", "a;b")
    assert raw.row(0)[1:] == texts


@pytest.mark.parametrize("form", WRITERS)
def test_the_header_is_where_the_contract_says(form: str) -> None:
    rows = [["A title"], [], *ROWS]
    parsed = parse(WRITERS[form](rows), contract_of(type=form, header_row=3))
    assert parsed.raw["row"].to_list() == [4, 6]
    with pytest.raises(SubmissionError, match="a column 'unit'"):
        parse(WRITERS[form](rows), contract_of(type=form))


@pytest.mark.parametrize(
    ("form", "data", "found"),
    [
        ("ods", as_xls(ROWS), "an old workbook (.xls)"),
        ("ods", workbook(ROWS), "an Excel workbook (.xlsx)"),
        ("xlsx", as_ods(ROWS), "an OpenDocument spreadsheet (.ods)"),
        ("xlsb", workbook(ROWS), "an Excel workbook (.xlsx)"),
        ("xls", as_ods(ROWS), "an archive or a workbook"),
        ("xls", b"a;b", "no workbook"),
        ("ods", b"a;b", "not a zip file"),
        ("xls", as_xls(ROWS)[:2000], ""),
        ("ods", as_ods(ROWS)[:400], "not a zip file"),
    ],
)
def test_another_file_is_named(form: str, data: bytes, found: str) -> None:
    with pytest.raises(SubmissionError) as error:
        parse(data, contract_of(type=form))
    assert error.value.code == "unreadable"
    assert found in error.value.found


def test_rows_and_cells_that_stand_for_many_are_counted_before_they_are_read() -> None:
    cells = '<table:table-cell table:number-columns-repeated="9"/>'
    empty = f'<table:table-row table:number-rows-repeated="1048000">{cells}</table:table-row>'
    assert parse(as_ods(ROWS, tail=empty), contract_of(type="ods")).delivered == 2
    cell = '<table:table-cell table:number-columns-repeated="16384" office:value-type="float" office:value="1"/>'
    bomb = f'<table:table-row table:number-rows-repeated="1000000">{cell}</table:table-row>'
    with pytest.raises(UnreadError, match="ENGANG_READ_SHEET_CELLS"):
        parse(as_ods(ROWS, tail=bomb), contract_of(type="ods"))


def test_a_package_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "UNPACKED_BYTES", 1000)
    with pytest.raises(SubmissionError, match="when unpacked"):
        parse(as_ods(ROWS), contract_of(type="ods"))


def test_a_damaged_member_is_unreadable() -> None:
    source = zipfile.ZipFile(io.BytesIO(as_ods(ROWS)))
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name)[:300])
    with pytest.raises(SubmissionError) as error:
        parse(target.getvalue(), contract_of(type="ods"))
    assert error.value.code in {"unreadable", "empty-file"}


@pytest.mark.parametrize("form", WRITERS)
def test_a_large_sheet_names_the_setting(form: str) -> None:
    with pytest.raises(UnreadError, match="ENGANG_READ_SHEET_CELLS"):
        parse(WRITERS[form](ROWS), contract_of(type=form), replace(DEFAULT_LIMITS, sheet_cells=11))
