"""The lines of a CSV file, and the header that names its columns."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from schemas.contract import Format
from schemas.errors import SubmissionError
from transforms.parsing.shapes.table_edges import joined_names
from transforms.parsing.text import decode

HEADER_BYTES: Final = 1 << 20
"""The limit of a header; an unpaired quote in it would otherwise read the whole file as one name."""
_MARK: Final = b"\xef\xbb\xbf"
_END_OF_FILE: Final = b"\x1a"
"""Ctrl-Z: old programs end a text file with it."""
_EXPECTED: Final = "a record that names the columns"


@dataclass(frozen=True)
class Header:
    """The columns' names, the lines and bytes up to the end of the header, and the number of the record after it.

    pads: whether a record that ends before its last field is read, with empty cells for the others.
    """

    names: list[str]
    lines: int
    bytes: int
    next_row: int
    pads: bool = False

    @cached_property
    def width(self) -> int:
        """How many fields a record has."""
        return len(self.names)

    @cached_property
    def least(self) -> int:
        """How many fields a record has at least: trailing columns without a name may be missing."""
        return 1 if self.pads else max(i for i, name in enumerate(self.names, start=1) if name)


def plain_lines(text: bytes, form: Format) -> bytes:
    """Return the text with one kind of line end, without a last Ctrl-Z and without byte order marks at lines' starts.

    A carriage return alone ends a line unless it is inside quotes; the same object is returned if nothing is to do.
    """
    if text.endswith((_END_OF_FILE, _END_OF_FILE + b"\n", _END_OF_FILE + b"\r\n")):
        text = text.rstrip(_END_OF_FILE + b"\r\n")
    if not text.isascii() and text.find(b"\n" + _MARK) >= 0:  # files put together, each with its own mark
        text = text.replace(b"\n" + _MARK, b"\n")
    if b"\r" not in text or text.count(b"\r") == text.count(b"\r\n"):
        return text
    quote = form.quote.encode() if form.quote else None
    if quote is None or quote not in text:
        return _without_returns(text)
    pieces = text.split(quote)
    pieces[::2] = [_without_returns(piece) for piece in pieces[::2]]  # each second piece is inside quotes
    return quote.join(pieces)


def _without_returns(text: bytes) -> bytes:
    while b"\r\r\n" in text:
        text = text.replace(b"\r\r\n", b"\r\n")
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def read_header(text: bytes, form: Format) -> Header:
    """Return the header. A first line `sep=;`, which names the delimiter for Excel alone, is passed over.

    Raises `SubmissionError`.
    """
    last = form.last_header_row()
    row = last + (last == 1 and _is_separator_line(text, form))
    sizes: list[int] = []
    names = _read_record(text, form, row, sizes)
    if form.header_rows:
        above = [_read_record(text, form, each, []) for each in form.header_rows[:-1]]
        names = joined_names([*above, names])
    if not any(name.strip() for name in names):
        hint = "Name the record with the columns in format.header_row of the contract."
        raise SubmissionError("unreadable", "a line without names", _EXPECTED, hint, row=row)
    names = [name if name.strip() else "" for name in names]
    return Header(names, len(sizes), sum(sizes), row + 1, pads=form.short_lines == "pad")


def _read_record(text: bytes, form: Format, row: int, sizes: list[int]) -> list[str]:
    """Return the fields of the record with this number; add to `sizes` the bytes of each line up to its end."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quote else csv.QUOTE_NONE
    reader = csv.reader(
        _lines(text, sizes), delimiter=form.delimiter, quotechar=form.quote, quoting=quoting, strict=True
    )
    names: list[str] = []
    before = 0
    try:
        for _ in range(row):
            before = len(sizes)
            names = next(reader)
    except StopIteration:
        hint = "Was the right file delivered?"
        raise SubmissionError("empty-file", f"{len(sizes)} lines", "a header and rows", hint) from None
    except csv.Error as error:
        del sizes[before + 1 :]
        start = sum(sizes[:before])
        names = _loose_names(decode(text[start : start + sizes[before]], "utf-8", start), form)
        if not names:
            raise SubmissionError("unreadable", str(error), _EXPECTED, "Is a quote missing?", row=row) from error
    return names


def _is_separator_line(text: bytes, form: Format) -> bool:
    line = text[: text.find(b"\n") + 1].removeprefix(_MARK).strip(b'"\r\n').lower()
    if not line.startswith(b"sep=") or len(line) != len(b"sep=;"):
        return False
    if line[-1:] != form.delimiter.encode():
        hint = "Deliver with that delimiter, or change format.delimiter in the contract."
        raise SubmissionError("unreadable", line.decode("utf-8", "replace"), f"sep={form.delimiter}", hint, row=1)
    return True


def _loose_names(line: str, form: Format) -> list[str]:
    """Return the names of a header line with blanks around its quotes; none if a quote has no pair."""
    quote = form.quote or ""
    names = []
    for name in line.strip("\r\n").split(form.delimiter):
        bare = name.strip()
        if len(bare) > 1 and bare.startswith(quote) and bare.endswith(quote):
            bare = bare[1:-1]
        if quote and quote in bare:
            return []
        names.append(bare)
    return names


def _lines(text: bytes, sizes: list[int]) -> Iterator[str]:
    start = 0
    while start < len(text):
        end = text.find(b"\n", start, start + HEADER_BYTES) + 1 or min(len(text), start + HEADER_BYTES)
        if start >= HEADER_BYTES or (end < len(text) and text[end - 1 : end] != b"\n"):
            hint = "Is a quote or a line end missing?"
            raise SubmissionError("too-large", f"a header of over {HEADER_BYTES} bytes", _EXPECTED, hint)
        sizes.append(end - start)
        yield decode(text[start:end], "utf-8", start)
        start = end
