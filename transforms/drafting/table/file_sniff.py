"""What kind of file it is, by its bytes, and the records of its beginning: nothing of its name is believed."""

import codecs
import csv
import io
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from schemas.errors import UsageError
from transforms.parsing.file_kind import COMPOUND, is_web_page
from transforms.parsing.text import old_encoding

SniffedType = Literal["csv", "json", "xlsx", "xls", "ods", "xlsb", "parquet", "xml"]
DELIMITERS: Final = (";", ",", "\t", "|")
SAMPLED_RECORDS: Final = 2_000
"""Records by which the delimiter and the header are found."""
WIDTHS_RECORDS: Final = 300
CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x19\x1b-\x1f\x7f-\x9f]")
"""Characters that no text has: controls but tab, line ends and the old mark of a file's end."""
_MEMBERS: Final[dict[str, SniffedType]] = {
    "xl/workbook.xml": "xlsx", "xl/workbook.bin": "xlsb", "content.xml": "ods",
}  # fmt: skip
"""Member of a zip -> what kind of workbook has it."""
_ENCODINGS: Final = ("utf-8", "cp1252", "latin-1")
_MARKS: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class TextTable:
    """Text cut into fields: the contract's `format` keys, the records as lists of fields, the evidence for each key."""

    form: dict[str, Any]
    records: list[list[str]]
    evidence: dict[str, str] = field(default_factory=dict)


def file_type(data: bytes, members: tuple[str, ...] = ()) -> SniffedType:
    """Return what kind of file it is. members: the names in it, if it is a zip.

    Raises `UsageError` for what is no table.
    """
    for name, kind in _MEMBERS.items():
        if any(member.replace("\\", "/") == name for member in members):
            return kind
    if data.startswith(COMPOUND):
        return "xls"
    if data.startswith(b"PAR1"):
        return "parquet"
    if is_web_page(data):
        raise UsageError("it is a web page (HTML), and no table can be read from it")
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"{", b"[")):
        return "json"
    if start.startswith(b"<"):
        return "xml"
    return "csv"


def _with_evidence(encoding: str, text: str) -> tuple[str, str]:
    """Return the encoding that text could be read in, with a letter that shows it."""
    odd = next((c for c in text if not c.isascii() and c != "\ufeff"), None)
    if odd is None:
        return "utf-8", "every byte is ASCII"
    others = "" if encoding == "utf-8" else "it is not UTF-8; "
    return encoding, f"{others}read as {encoding} it has letters such as {odd!r}"


def text_encoding(data: bytes) -> tuple[str, str]:
    """Return the encoding of text and the evidence; `UsageError` for bytes that are no text."""
    if data.startswith(_MARKS):
        return "utf-16", "it begins with a byte order mark of UTF-16"
    if b"\0" in data:
        raise UsageError("it is no text: it has NUL characters, and is no workbook, Parquet or archive either")
    old = old_encoding(data)
    for encoding in (old,) if old else _ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not CONTROLS.search(text):
            return _with_evidence(encoding, text)
    raise UsageError("it is no text in UTF-8, UTF-16, cp1252 or latin-1, and no workbook, Parquet or archive either")


def split_text(data: bytes) -> TextTable:
    """Return the records of a CSV file by the delimiter that cuts the most of them into the same number of fields.

    Raises `UsageError` for text that no delimiter cuts.
    """
    encoding, why = text_encoding(data)
    text = data.decode(encoding).lstrip("\ufeff")
    if not text.strip():
        raise UsageError("it is empty")
    lines = text.splitlines()[: SAMPLED_RECORDS + 1]
    skipped = 1 if lines[0].strip('"').lower().startswith("sep=") else 0
    sample = "\n".join(lines[skipped:])
    scores = {delimiter: _evenness(sample, delimiter) for delimiter in DELIMITERS}
    best = max(DELIMITERS, key=lambda delimiter: scores[delimiter])
    share, width = scores[best]
    if width <= 1:
        hint = "of a fixed width they need its description (--from-klass)"
        raise UsageError(f"it is text, and none of ; , tab | cuts its lines into columns; {hint}")
    form = {"type": "csv", "delimiter": best, "encoding": encoding}
    evidence = {
        "delimiter": f"{share:.0%} of the first records have {width} fields with it",
        "encoding": why,
    }
    return TextTable(form, _records(sample, best), evidence)


def _records(text: str, delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except csv.Error:
        return [line.split(delimiter) for line in text.splitlines()]


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    """Return the share of records that have the most frequent number of fields, and that number; (0, 1) for one."""
    widths = [len(record) for record in _records(sample, delimiter)[:WIDTHS_RECORDS] if record]
    counts = Counter(width for width in widths if width > 1)
    if not counts:
        return 0.0, 1
    width, _ = counts.most_common(1)[0]
    near = sum(count for w, count in counts.items() if abs(w - width) <= 1)  # a last delimiter may be left out
    return round(near / len(widths), 2), width
