"""The table of a file of any format: its form as a contract writes it, and every row as the reader gives it."""

import gzip
import io
import json

import polars as pl
import pytest
import xlsxwriter

from schemas.errors import UsageError
from tests.support.spreadsheets import as_xls, as_xlsb
from transforms.drafting.table.file_table import read_file_table

ROWS = [("Oslo", 1), ("Bergen", 2), ("Klepp", 3)]


def workbook(**sheets: list[list[object]]) -> bytes:
    content = io.BytesIO()
    book = xlsxwriter.Workbook(content)
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    book.close()
    return content.getvalue()


def test_csv_with_titles_notes_and_a_column_without_a_name() -> None:
    text = "Table 1;;\nplace;;count\n" + "".join(f"{a};x;{b}\n" for a, b in ROWS) + "Source: us;;\n"
    table = read_file_table(text.encode())
    assert table.form == {
        "type": "csv", "delimiter": ";", "encoding": "utf-8", "header_row": 2, "skip_footer": 1,
    }  # fmt: skip
    assert table.texts.to_dict(as_series=False) == {"place": ["Oslo", "Bergen", "Klepp"], "count": ["1", "2", "3"]}
    assert table.unmapped == ["#2"]
    assert table.start == [["Table 1", "", ""], ["place", "", "count"]]


@pytest.mark.parametrize(("longer", "pads"), [(2, True), (8, False)])
def test_rows_without_their_last_fields_are_read_where_most_are_so(longer: int, pads: bool) -> None:
    short = "".join(f"place {n};{n}\n" for n in range(5))
    text = f"place;count;note\n{short}" + "".join(f"town {n};{n};x\n" for n in range(longer))
    table = read_file_table(text.encode())
    assert ("short_lines" in table.form) == pads
    if pads:
        assert table.texts.height == 7
        assert table.evidence["short_lines"].startswith("5 of 7 rows have fewer fields than the header: 2, not 3;")


def test_gzipped_csv_in_an_old_encoding() -> None:
    table = read_file_table(gzip.compress("sted,antall\nBodø,1\nMoss,2\n".encode("cp1252")))
    assert table.form["encoding"] == "cp1252"
    assert table.texts["sted"].to_list() == ["Bodø", "Moss"]


def test_a_name_that_occurs_twice_cannot_be_mapped() -> None:
    table = read_file_table(b"a;b;a\n1;2;3\n4;5;6\n")
    assert table.texts.columns == ["b"]
    assert table.unmapped == ["a"]


def test_the_sheet_with_figures_is_read() -> None:
    notes: list[list[object]] = [["About", "this"], ["file", "text"]]
    figures: list[list[object]] = [["Title"], [], ["place", "count"], *([a, b] for a, b in ROWS)]
    table = read_file_table(workbook(Notes=notes, Data=figures))
    assert table.form == {"type": "xlsx", "sheet": "Data", "header_row": 3}
    assert "Notes" in table.evidence["sheet"]
    assert table.texts["count"].to_list() == ["1", "2", "3"]


def test_parquet() -> None:
    content = io.BytesIO()
    pl.DataFrame(ROWS, schema=["place", "count"], orient="row").with_columns(tags=pl.lit([1])).write_parquet(content)
    table = read_file_table(content.getvalue())
    assert table.form == {"type": "parquet"}
    assert (table.texts.columns, table.unmapped) == (["place", "count"], ["tags"])


def test_elements_of_xml_that_repeat_are_no_columns_wherever_they_are() -> None:
    once = "<Row><Place>Oslo</Place><N>1</N></Row>"
    lists = "<Row><Place>Bergen</Place><N>2</N><N>3</N><In><X>1</X></In><In><X>2</X></In></Row>"
    text = f"<Form><Area><Name>a</Name>{once}{lists}</Area><Area><Name>b</Name>{once}</Area><O><P/><P/></O></Form>"
    table = read_file_table(text.encode())
    assert table.form["rows"] == "Form.Area.Row"
    assert table.texts.columns == ["Form.Area.Row[].Place"]
    assert table.unmapped == ["Form.Area.Name", "Form.Area.Row[].N", "Form.Area.Row[].In", "Form.O.P"]


@pytest.mark.parametrize(("wrap", "path"), [(lambda rows: rows, ""), (lambda rows: {"a": {"b": rows}, "at": 1}, "a.b")])
def test_json(wrap: object, path: str) -> None:
    rows = [{"place": a, "n": {"count": b}, "tags": [1]} for a, b in ROWS]
    table = read_file_table(json.dumps(wrap(rows)).encode())  # type: ignore[operator]
    assert table.form == {"type": "json", "rows": path, "encoding": "utf-8"}
    assert table.texts[f"{path}[].n.count"].to_list() == ["1", "2", "3"]
    assert table.unmapped == [f"{path}[].tags"]


def test_json_that_holds_lists_somewhere_is_read_without_them() -> None:
    rows: list[dict[str, object]] = [{"place": a, "count": b, "at": 1} for a, b in ROWS]
    rows[-1] |= {"at": [10.7, 59.9], "late": True}
    table = read_file_table(json.dumps({"notes": ["x"], "a": {"b": rows, "c": [], "d": 2}}).encode())
    assert table.form["rows"] == "a.b"
    assert table.texts.columns == ["a.d", "a.b[].place", "a.b[].count", "a.b[].late"]
    assert table.unmapped == ["notes", "a.c", "a.b[].at"]


def test_xml() -> None:
    rows = "".join(
        f"<n:Row id='{b}'><Place>{a}</Place><Count unit='k'>{b}</Count><T>1</T><T>2</T></n:Row>" for a, b in ROWS
    )
    text = f"<?xml version='1.0'?><n:Form xmlns:n='urn:n'><Head><At>2024</At></Head>{rows}</n:Form>"
    table = read_file_table(text.encode())
    assert table.form == {"type": "xml", "rows": "Form.Row"}
    assert table.texts["Form.Row[].Count"].to_list() == ["1", "2", "3"]
    assert table.texts["Form.Row[].@id"].to_list() == ["1", "2", "3"]
    assert table.texts["Form.Head.At"].to_list() == ["2024"] * 3
    assert table.unmapped == ["Form.Row[].T"]
    assert "3 times" in table.evidence["rows"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 damaged", "damaged archive"),
        (b"\x00\x01\x02", "no text"),
        (b"%PDF-1.7\n\x00\x01", "no text"),
        (b"<a/>", "no elements with texts in it"),
        (b"<a><b>", "begins as XML and is none"),
        (b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>', "declares entities"),
        (b"<a>" * 100 + b"</a>" * 100, "nested more than 64 deep"),
        (b"[1, 2]", "no list of objects"),
        (b"{broken", "begins as JSON and is none"),
        (b"1;2\n3;4\n", "no row of it names columns"),
        (gzip.compress(b"a;b\n1;2\n", mtime=0)[:-4], "cannot be read"),
    ],
)
def test_what_is_no_table_is_refused_with_the_reason(data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read_file_table(data)


@pytest.mark.parametrize(
    "data",
    [
        as_xls([["a", "n"], ["x", 1]])[:4246], b"PAR1", b"\xff\xfea",
        as_xlsb([["a", "n"], ["x", 1]]).replace(b"worksheets/sheet1.bin", b"worksheets/sheet2.bin"),
    ],
    ids=["xls", "parquet", "utf-16", "xlsb"],
)  # fmt: skip
def test_damaged_files_are_refused(data: bytes) -> None:
    with pytest.raises(UsageError):
        read_file_table(data)


def test_a_workbook_without_a_table_is_refused() -> None:
    with pytest.raises(UsageError, match="none of its sheets"):
        read_file_table(workbook(Empty=[["only a title"]]))
