"""What a file is, by its bytes: its type, its encoding, its delimiter; what is no table is refused with its name."""

import pytest

from schemas.errors import UsageError
from transforms.drafting.table.file_sniff import file_type, split_text, text_encoding
from transforms.parsing.file_kind import COMPOUND


@pytest.mark.parametrize(
    ("data", "members", "kind"),
    [
        (b"PK\x03\x04", ("xl/workbook.xml", "xl/styles.xml"), "xlsx"),
        (b"PK\x03\x04", ("xl\\workbook.bin",), "xlsb"),
        (b"PK\x03\x04", ("mimetype", "content.xml"), "ods"),
        (COMPOUND + b"...", (), "xls"),
        (b"PAR1...", (), "parquet"),
        (b'\xef\xbb\xbf {"a": 1}', (), "json"),
        (b"\n[1]", (), "json"),
        (b"<?xml version='1.0'?><a/>", (), "xml"),
        (b"a;b\n1;2\n", (), "csv"),
    ],
)
def test_the_type_is_in_the_bytes(data: bytes, members: tuple[str, ...], kind: str) -> None:
    assert file_type(data, members) == kind


def test_a_web_page_is_no_table() -> None:
    with pytest.raises(UsageError, match="web page"):
        file_type(b"<!DOCTYPE html><table>")


@pytest.mark.parametrize(
    ("data", "encoding", "why"),
    [
        (b"a;b", "utf-8", "ASCII"),
        ("å".encode(), "utf-8", "'å'"),
        ("\ufeffa".encode(), "utf-8", "ASCII"),
        (b"\xe5\x96", "cp1252", "not UTF-8"),
        ("å".encode("utf-16"), "utf-16", "byte order mark"),
    ],
)
def test_the_encoding_is_the_first_that_gives_text(data: bytes, encoding: str, why: str) -> None:
    found, evidence = text_encoding(data)
    assert found == encoding
    assert why in evidence


@pytest.mark.parametrize("data", [b"a\0b", b"\x01\x02\x03", b"\xe5\x81", bytes(range(256))])
def test_bytes_are_no_text(data: bytes) -> None:
    with pytest.raises(UsageError, match="no text"):
        text_encoding(data)


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_cuts_records_evenly(delimiter: str) -> None:
    lines = [["name", "count", "note"], ["a", "1,5", "x, y; z"], ["b", "2,5", 'say "w"']]
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in line] for line in lines]
    text = "\n".join(delimiter.join(line) for line in quoted)
    table = split_text(text.encode())
    assert table.form == {"type": "csv", "delimiter": delimiter, "encoding": "utf-8"}
    assert table.records == lines
    assert "100% of the first records have 3 fields" in table.evidence["delimiter"]


def test_a_line_for_excel_alone_is_no_record() -> None:
    assert split_text(b"sep=;\na;b\n1;2\n").records == [["a", "b"], ["1", "2"]]


def test_decimal_commas_do_not_make_a_comma_the_delimiter() -> None:
    rows = "\n".join(f"{n};{n},5;{n},25" for n in range(20))
    assert split_text(f"a;b;c\n{rows}\n".encode()).form["delimiter"] == ";"


@pytest.mark.parametrize(("data", "why"), [(b"  \n", "empty"), (b"one line\nof text\n", "cuts its lines")])
def test_text_without_columns_is_no_table(data: bytes, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        split_text(data)
