"""What kind of file it is that is not of the contract's format: its first bytes show it."""

from typing import Final

from schemas.contract import Format
from schemas.errors import SubmissionError

COMPOUND: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of old Office files, and of encrypted new ones."""
WEB_PAGE: Final = "a web page (HTML)"
_WEB_PAGE: Final = (b"<html", b"<!doctype html", b"<table", b"<head", b"<meta")
_BINARY: Final = {
    b"PK\x03\x04": "an archive or a workbook (.zip, .xlsx)",
    COMPOUND: "an old workbook (.xls) or one that is protected with a password",
    b"%PDF": "a PDF document",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a file compressed twice",
    b"SQLite format 3": "a database",
}
_EXPECTED: Final = {
    "fixed_width": "lines of fixed width", "xml": "an XML document", "sdmx_csv": "an SDMX-CSV file"
}  # fmt: skip
_BLANKS: Final = b"\xef\xbb\xbf \t\r\n"
_START: Final = 1024


def check_text_file(data: bytes, form: Format) -> None:
    """Raise `SubmissionError` unreadable for a file that is no text of the contract's format."""
    found = next((kind for start, kind in _BINARY.items() if data.startswith(start)), "")
    start = data[:_START].lstrip(_BLANKS).lower()
    if is_web_page(data):
        found = WEB_PAGE
    elif form.type != "xml" and start.startswith(b"<?xml"):
        found = "an XML document"
    elif form.type != "json" and start.startswith((b'{"', b'[{"', b"[\n", b"{\n", b"[\r\n", b"{\r\n")):
        found = "a JSON document"
    if found:
        hint = "Deliver the declared format, or change format.type in the contract."
        raise SubmissionError("unreadable", found, _EXPECTED.get(form.type, f"a {form.type.upper()} file"), hint)


def is_web_page(data: bytes) -> bool:
    """Return whether a file is a web page, which some systems deliver as a table."""
    return data[:_START].lstrip(_BLANKS).lower().startswith(_WEB_PAGE)
