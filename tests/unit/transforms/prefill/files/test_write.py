"""The bytes of a draft in each format: header, cells, numbers and texts, what is empty, and what has no way."""

import io
import json
import zipfile
from typing import Any

import openpyxl
import polars as pl
import pytest

from schemas.contract import Contract, Format, read_contract
from schemas.contract_parts import FixedField
from schemas.errors import UsageError
from tests.support.shaped_deliveries import END
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.prefill.files.documents import document_columns
from transforms.prefill.files.layout import Layout, is_writable, plain_decimal
from transforms.prefill.files.tables import csv_bytes, encoded, sdmx_csv_bytes, workbook_bytes
from transforms.prefill.files.write import draft_bytes, field_text

BODY = """
format: {form}
unit: {{column: "{unit}", kind: municipality}}
period: {{column: "{period}", type: year}}
claims:
  - {{concept: costs, column: "{figure}", reported_by: {{option: sender}}, unit_measure: {{value: NOK}}, missing: skip}}
"""


def contract(form: str, unit: str = "u", period: str = "p", figure: str = "n") -> Contract:
    """Return a contract of one figure in a format."""
    body = BODY.format(form=form, unit=unit, period=period, figure=figure)
    return read_contract(CONTRACT_HEAD + "sender: {default: me}\n" + body + END)


def layout(form: str, *rows: tuple[str, str, str], **columns: str) -> Layout:
    """Return a layout of rows of unit, period and figure."""
    made = contract(form, **columns)
    names = [columns.get(role, short) for role, short in (("unit", "u"), ("period", "p"), ("figure", "n"))]
    return Layout(names, [dict(zip(names, row, strict=True)) for row in rows], frozenset(names[2:]), made)


ROWS = (("0301", "2024", "1,5"), ("4601", "2024", ""))


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ('{type: csv, decimal: ","}', "u;p;n\r\n0301;2024;1,5\r\n4601;2024;\r\n"),
        ('{type: csv, delimiter: "|"}', "u|p|n\r\n0301|2024|1,5\r\n4601|2024|\r\n"),
        ('{type: csv, delimiter: ","}', 'u,p,n\r\n0301,2024,"1,5"\r\n4601,2024,\r\n'),
        ("{type: csv, header_row: 3}", "Lite;;\r\n;;\r\nu;p;n\r\n0301;2024;1,5\r\n4601;2024;\r\n"),
        ("{type: csv, header_rows: [1, 2]}", ";;\r\nu;p;n\r\n0301;2024;1,5\r\n4601;2024;\r\n"),
        ("{type: csv, skip_footer: 2}", "u;p;n\r\n0301;2024;1,5\r\n4601;2024;\r\n-;;\r\n-;;\r\n"),
        ("{type: csv, quote: null}", "u;p;n\r\n0301;2024;1,5\r\n4601;2024;\r\n"),
    ],
)
def test_csv_is_written_in_the_dialect_of_the_contract(form: str, text: str) -> None:
    assert draft_bytes(layout(form, *ROWS)).decode() == text


def test_a_text_with_the_delimiter_has_no_way_where_there_are_no_quotes() -> None:
    with pytest.raises(UsageError, match="delimiter in it"):
        csv_bytes(layout("{type: csv, quote: null}", ("a;b", "2024", "1")))


@pytest.mark.parametrize(
    ("encoding", "text", "data"),
    [("cp1252", "Å\u2013", b"\xc5\x96"), ("latin-1", "Å", b"\xc5"), ("utf-8", "Å", b"\xc3\x85")],
)
def test_a_text_is_written_in_the_encoding_or_not_at_all(encoding: str, text: str, data: bytes) -> None:
    form = layout(f"{{type: csv, encoding: {encoding}}}")
    assert encoded(text, form) == data
    if encoding != "utf-8":
        with pytest.raises(UsageError, match=f"cannot be written in {encoding}"):
            encoded("\u0153\u4e2d", form)


def test_sdmx_csv_begins_with_the_structure_and_has_commas() -> None:
    made = layout("{type: sdmx_csv}", ("0301", "2024", "1.5"))
    assert sdmx_csv_bytes(made).decode() == ("STRUCTURE,STRUCTURE_ID,u,p,n\r\ndataflow,small,0301,2024,1.5\r\n")
    stated = Layout([*made.columns, "STRUCTURE"], [{**made.rows[0], "STRUCTURE": "x"}], made.figures, made.contract)
    assert sdmx_csv_bytes(stated) == sdmx_csv_bytes(made)


def test_parquet_has_all_cells_as_text() -> None:
    found = pl.read_parquet(io.BytesIO(draft_bytes(layout("{type: parquet}", *ROWS))))
    assert found.schema == dict.fromkeys("upn", pl.String)
    assert found.rows() == [("0301", "2024", "1,5"), ("4601", "2024", "")]


def sheets(data: bytes) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(io.BytesIO(data))
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book.worksheets}


def test_a_workbook_has_numbers_where_figures_are_and_texts_else() -> None:
    long = "123456789012345"
    rows = (
        ("0301", "2024", "1,5"),
        ("=1+1", "2024", long + "6"),
        ("https://a.example", "", long),
        ("4601", "2024", ""),
    )
    ((name, found),) = sheets(workbook_bytes(layout('{type: xlsx, decimal: ",", sheet: Skjema}', *rows))).items()
    assert name == "Skjema"
    assert found == [
        ("u", "p", "n"), ("0301", "2024", 1.5), ("=1+1", "2024", long + "6"),
        ("https://a.example", None, int(long)), ("4601", "2024", None),
    ]  # fmt: skip


def test_a_workbook_has_title_header_and_notes_where_the_form_has_them() -> None:
    (found,) = sheets(workbook_bytes(layout("{type: xlsx, header_row: 2, skip_footer: 1}", ROWS[0]))).values()
    assert [row[0] for row in found] == ["Lite", "u", "0301", "-"]
    assert found[1] == ("u", "p", "n")


def test_the_sources_of_a_workbook_are_on_a_sheet_of_their_own_as_text() -> None:
    made = layout("{type: xlsx}", ("0301", "2024", "7"))
    listed = Layout(made.columns, made.rows, made.figures, made.contract, [("figure", "from"), (7, None), ("=x", 1.5)])
    found = sheets(workbook_bytes(listed))
    assert found["Sources"] == [("figure", "from"), ("7", None), ("=x", "1.5")]
    assert len(sheets(workbook_bytes(made))) == 1


def test_a_workbook_does_not_depend_on_the_clock() -> None:
    data = workbook_bytes(layout("{type: xlsx}", ROWS[0]))
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert b"2025-01-01T00:00:00Z" in book.read("docProps/core.xml")


@pytest.mark.parametrize(
    ("form", "rows", "names"),
    [
        ("{type: xlsx, sheets: [A, B], sheet_column: s}", ["B", "A", "B"], ["A", "B"]),
        ('{type: xlsx, sheets: "T (?<s>[0-9]+)"}', ["2", "1"], ["T 1", "T 2"]),
        ("{type: xlsx, sheets: [A]}", [None, None], ["A"]),
        ("{type: xlsx, sheets: [A, B], sheet_column: s}", ["A"], None),
        ("{type: xlsx, sheets: [A], sheet_column: s}", ["A", "C"], None),
        ("{type: xlsx, sheets: [A, B]}", [None], None),
        ('{type: xlsx, sheets: "T (?<s>[0-9]+)"}', [None], None),
    ],
)
def test_each_sheet_that_the_contract_reads_has_its_own_rows(
    form: str, rows: list[str | None], names: list[str] | None
) -> None:
    keys = [{"u": f"{place}", **({} if name is None else {"s": name})} for place, name in enumerate(rows)]
    made = Layout(["u", "s"] if rows[0] else ["u"], keys, frozenset(), contract(form))
    if names is None:
        with pytest.raises(UsageError, match="cannot fill in each of them"):
            workbook_bytes(made)
        return
    found = sheets(workbook_bytes(made))
    assert list(found) == names
    assert all(rows[0] == ("u",) for rows in found.values())  # a column that the name of the sheet gives is in none
    assert sorted(row[0] for rows in found.values() for row in rows[1:]) == sorted(key["u"] for key in keys)


def test_json_has_the_document_once_and_numbers_where_figures_are() -> None:
    columns = {"unit": "skjema.rader[].kommune", "period": "hode.year", "figure": "skjema.rader[].tall.n"}
    made = layout('{type: json, rows: skjema.rader, decimal: ","}', *ROWS, **columns)
    data = draft_bytes(made)
    assert json.loads(data) == {
        "hode": {"year": "2024"},
        "skjema": {"rader": [{"kommune": "0301", "tall": {"n": 1.5}}, {"kommune": "4601", "tall": {"n": None}}]},
    }
    assert data.endswith(b"}\n")
    assert document_columns(made.contract) == ["hode.year"]


def test_json_of_lists_in_lists_has_each_element_once() -> None:
    columns = {"unit": "a[].u", "period": "p", "figure": "a[].b[].n"}
    rows = (("0301", "2024", "1"), ("4601", "2024", "2"), ("0301", "2024", "3"))
    made = layout("{type: json, rows: 'a[].b'}", *rows, **columns)
    assert json.loads(draft_bytes(made)) == {
        "p": "2024",
        "a": [{"u": "0301", "b": [{"n": 1}, {"n": 3}]}, {"u": "4601", "b": [{"n": 2}]}],
    }
    assert document_columns(made.contract) == ["p"]


def test_json_lines_are_documents_of_one_row() -> None:
    made = layout("{type: json, lines: true}", ("æ", "2024", "100000000000000000000.10"), ("4601", "", ""), unit="id.u")
    lines = draft_bytes(made).decode().split("\n")
    assert lines[2:] == [""]
    assert lines[0] == '{"id": {"u": "æ"}, "p": "2024", "n": 100000000000000000000.10}'
    assert json.loads(lines[1]) == {"id": {"u": "4601"}, "p": None, "n": None}
    assert document_columns(made.contract) == []


def test_xml_has_attributes_and_elements_where_the_contract_reads_them() -> None:
    columns = {"unit": "Form.Row[].@id", "period": "Form.Head.@year", "figure": "Form.Row[].Sum.n"}
    made = layout("{type: xml, rows: Form.Row}", *ROWS, **columns)
    text = "".join(line.strip() for line in draft_bytes(made).decode().splitlines())
    assert text == (
        "<?xml version='1.0' encoding='utf-8'?>"
        '<Form><Head year="2024" /><Row id="0301"><Sum><n>1,5</n></Sum></Row>'
        '<Row id="4601"><Sum><n /></Sum></Row></Form>'
    )
    assert document_columns(made.contract) == ["Form.Head.@year"]


def test_xml_of_levels_has_each_level_once() -> None:
    columns = {"unit": "F.K.@u", "period": "F.p", "figure": "F.K.R[].n"}
    rows = (("0301", "2024", "1"), ("4601", "2024", "2"), ("0301", "2024", "3"))
    text = draft_bytes(layout("{type: xml, rows: F.K.R}", *rows, **columns)).decode()
    compact = "".join(line.strip() for line in text.splitlines()[1:])
    assert compact == (
        '<F><p>2024</p><K u="0301"><R><n>1</n></R><R><n>3</n></R></K><K u="4601"><R><n>2</n></R></K></F>'
    )


@pytest.mark.parametrize("form", ["{type: csv}", "{type: parquet}", "{type: xlsx}"])
def test_a_table_has_nothing_that_its_rows_share(form: str) -> None:
    assert document_columns(contract(form)) == []


FIELDS = "{type: fixed_width, fields: [{name: u, start: 1, length: 4}, {name: p, start: 6, length: 4}, \
{name: n, start: 11, length: 5, decimals: 2}]}"


def test_fixed_width_has_figures_at_the_right_and_texts_at_the_left() -> None:
    assert (
        draft_bytes(layout(FIELDS, ("1", "2024", "1.5"), ("0301", "20", "")))
        == b"1    2024   150\r\n0301 20        \r\n"
    )


def test_a_text_that_is_longer_than_its_field_has_no_room() -> None:
    with pytest.raises(UsageError, match="field 'n' has no room"):
        draft_bytes(layout(FIELDS, ("0301", "2024", "1234.5")))
    with pytest.raises(UsageError, match="field 'u' has no room"):
        draft_bytes(layout(FIELDS, ("03011", "2024", "1")))


@pytest.mark.parametrize(
    ("text", "field", "figure", "expected"),
    [
        ("1.5", {"decimals": 2}, True, "150"),
        ("1", {"decimals": 2}, True, "100"),
        ("1.25", {"decimals": 2}, True, "125"),
        ("1.255", {"decimals": 2}, True, "1.255"),
        ("1.5", {"decimals": 2}, False, "1.5"),
        ("1.5", {}, True, "1.5"),
        ("", {"decimals": 2}, True, ""),
        ("12345", {}, True, "12345"),
        ("123456", {}, True, None),
        ("1234", {"decimals": 2}, True, None),
        ("_Z", {"empty": "_Z"}, False, ""),
        ("_A", {"empty": "_Z"}, False, "_A"),
        ("", {}, False, ""),
    ],
)
def test_the_text_of_a_field_is_read_back_from_it(
    text: str, field: dict[str, Any], figure: bool, expected: str | None
) -> None:
    place = FixedField(name="n", start=1, length=5, **field)
    form = Format(type="fixed_width", fields=(place,))
    assert field_text(text, place, form, is_figure=figure) == expected


def test_a_figure_is_the_number_that_its_text_is_with_the_decimal_mark_of_the_form() -> None:
    assert str(plain_decimal("-1,50", Format(type="csv", decimal=","))) == "-1.50"
    assert str(plain_decimal("1.50", Format(type="csv"))) == "1.50"


@pytest.mark.parametrize("form", ["xls", "xlsb", "ods"])
def test_no_draft_is_written_in_a_format_of_the_past(form: str) -> None:
    with pytest.raises(UsageError, match=f"no draft is written as {form}: csv, sdmx_csv, xlsx"):
        draft_bytes(layout(f"{{type: {form}}}", ROWS[0]))


@pytest.mark.parametrize("text", ["=1+1", "+SUM(A1)", "-cmd|' /C calc'!A0", "@x", "\uff1d1", "a\nb", "a\tb", "\x00"])
def test_a_text_that_a_spreadsheet_runs_stands_in_no_table(text: str) -> None:
    assert not is_writable(text, Format(type="csv"))
    assert is_writable("-1,5", Format(type="csv"))
    assert is_writable("2025-01", Format(type="csv"))
    assert is_writable("=1+1", Format(type="xlsx"))


def test_sheets_with_columns_of_their_own_are_refused() -> None:
    form = Format(type="xlsx", sheets={"A": {"unit": "kommune"}})
    layout = Layout(["unit"], [{"unit": "0301"}], frozenset(), Contract.model_construct(format=form))
    with pytest.raises(UsageError, match="columns of their own"):
        workbook_bytes(layout)
