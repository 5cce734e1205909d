"""Files of another format are named, and files of the right one pass."""

import pytest

from schemas.contract_parts import Format
from schemas.errors import SubmissionError
from transforms.parsing.file_kind import check_text_file, is_web_page

CSV, JSON = Format(type="csv"), Format(type="json", rows="rows")


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"PK\x03\x04...", "an archive or a workbook (.zip, .xlsx)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old workbook (.xls) or one that is protected with a password"),
        (b"%PDF-1.7", "a PDF document"),
        (b"PAR1....PAR1", "a Parquet file"),
        (b"\x1f\x8b\x08", "a file compressed twice"),
        (b"\xef\xbb\xbf\r\n <!DOCTYPE html><html>", "a web page (HTML)"),
        (b"<TABLE border=1>", "a web page (HTML)"),
        (b'<?xml version="1.0"?>', "an XML document"),
        (b'<?XML VERSION="1.0"?>', "an XML document"),
    ],
)
@pytest.mark.parametrize("form", [CSV, JSON])
def test_a_file_of_another_kind_is_named(data: bytes, found: str, form: Format) -> None:
    with pytest.raises(SubmissionError) as error:
        check_text_file(data, form)
    assert (error.value.code, error.value.found) == ("unreadable", found)
    assert error.value.expected == f"a {form.type.upper()} file"


@pytest.mark.parametrize("data", [b'{"rows": []}', b'[{"a": 1}]', b"\xef\xbb\xbf{\n}"])
def test_json_is_no_table(data: bytes) -> None:
    check_text_file(data, JSON)
    with pytest.raises(SubmissionError, match="a JSON document"):
        check_text_file(data, CSV)


@pytest.mark.parametrize("data", [b"a;b\n1;2\n", b"<1000;n\n", b"{a};b\n", b"[n];b\n", b"PK;n\n", b"", b"%;n\n"])
def test_a_table_is_a_table(data: bytes) -> None:
    check_text_file(data, CSV)
    assert not is_web_page(data)
