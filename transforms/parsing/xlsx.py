"""XLSX: one sheet to the raw frame, after a check that the workbook unpacks to a bounded size.

A number becomes text without exponent, to nine decimals; a date ISO 8601; an error cell the text that Excel shows.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import reduce
from typing import Final

import fastexcel
import polars as pl

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError
from transforms.parsing.raw_frame import (
    ParseResult,
    check_columns,
    finish_parsing,
    name_columns,
    name_hint,
    quoted_list,
)

UNPACKED_BYTES: Final = 1 << 30
"""The limit of what a workbook unpacks to."""
SHEET_CELLS: Final = 30_000_000
"""The limit of cells between A1 and the last cell of a sheet: the reader allocates all of them."""
_CHUNK: Final = 1 << 20
_ADDRESS: Final = re.compile(rb"\sr\s*=\s*[\"']([A-Z]{0,4})(\d{1,10})")
_OVERLAP: Final = 1024
"""How far a cell address may reach across the edge of a piece, in bytes."""
_ERRORS: Final = {
    "Div0": "#DIV/0!", "NA": "#N/A", "Name": "#NAME?", "Null": "#NULL!", "Num": "#NUM!", "Ref": "#REF!",
    "Value": "#VALUE!",
}  # fmt: skip
_HINT: Final = "Save it again as .xlsx and deliver that."


def read_xlsx(data: bytes, contract: Contract) -> ParseResult:
    """Return the rows of one sheet as delivered. Raises `SubmissionError`."""
    form = contract.format
    _guard(data)
    sheet = _sheet(data, form)
    if sheet.height < form.header_row:
        hint = "Was the right file delivered?"
        raise SubmissionError("empty-file", f"{sheet.height} rows", f"a header in row {form.header_row}", hint)
    names = [name or "" for name in sheet.row(form.header_row - 1)]
    names = [name if name.strip() else "" for name in names]
    warnings = check_columns(names, contract)
    rows = sheet.with_row_index("row", offset=1).with_columns(pl.col("row").cast(pl.Int32)).slice(form.header_row)
    rows = rows.filter(pl.any_horizontal(pl.exclude("row") != ""))
    raw, unnamed = name_columns(rows, names, contract)
    return finish_parsing(raw, [warnings, unnamed], nul=False)


def _sheet(data: bytes, form: Format) -> pl.DataFrame:
    """Return all cells of the sheet as text, columns "0", "1", ..., from the sheet's first row on."""
    try:
        book = fastexcel.read_excel(data)
        if form.sheet is not None and form.sheet not in book.sheet_names:
            hint = name_hint(form.sheet, book.sheet_names) or "Name the sheet in format.sheet of the contract."
            raise SubmissionError(
                "unreadable", f"sheets {quoted_list(book.sheet_names)}", f"sheet {form.sheet!r}", hint
            )
        sheet = book.load_sheet(form.sheet or 0, header_row=None, skip_rows=0, dtypes="string")
        cells, problems = sheet.to_arrow_with_errors()
    except fastexcel.FastExcelError as error:
        found = str(error).splitlines()[0]
        raise SubmissionError("unreadable", found, "an Excel workbook (.xlsx)", _HINT) from error
    frame = pl.DataFrame(cells)
    frame.columns = [str(i) for i in range(frame.width)]
    wrong = [(*e.position, e.detail.partition("Error(")[2].rstrip(")'")) for e in problems.errors] if problems else []
    return _with_errors(frame.cast(pl.String), wrong).with_columns(_day(pl.all()).fill_null(""))


def _with_errors(frame: pl.DataFrame, wrong: list[tuple[int, int, str]]) -> pl.DataFrame:
    """Write error cells (row, column, kind) into the frame; the reader leaves them empty."""
    columns = []
    for index in sorted({column for _, column, _ in wrong}):
        errors = {row: _ERRORS.get(kind, f"#{kind.upper()}!") for row, column, kind in wrong if column == index}
        columns.append(frame[str(index)].scatter(list(errors), list(errors.values())))
    return frame.with_columns(columns)


def _day(text: pl.Expr) -> pl.Expr:
    midnight = (text.str.len_bytes() == len("2024-01-31 00:00:00")) & text.str.ends_with(" 00:00:00")
    return pl.when(midnight).then(text.str.head(len("2024-01-31"))).otherwise(text)


def _guard(data: bytes) -> None:
    """Unpack every member piece by piece, ignoring the sizes that the archive states, and measure each sheet."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise SubmissionError("unreadable", str(error), "an Excel workbook (.xlsx)", _HINT) from error
    if not any(m.filename == "xl/workbook.xml" for m in members):
        raise SubmissionError("unreadable", "an archive without a workbook", "an Excel workbook (.xlsx)", _HINT)
    room = UNPACKED_BYTES
    for member in members:
        room -= _measure(data, member, room)


def _measure(data: bytes, member: zipfile.ZipInfo, room: int) -> int:
    """Return how many bytes a member unpacks to. Raises `SubmissionError` too-large beyond `room` or for its cells."""
    unpacked, rows, columns, seam = 0, 0, 0, b""
    for piece in _unpack(data, member):
        unpacked += len(piece)
        if unpacked > room:
            found = f"more than {UNPACKED_BYTES} bytes when unpacked"
            raise SubmissionError("too-large", found, "a workbook of less", "Deliver it in parts, or as CSV.")
        addresses = set(_ADDRESS.findall(seam + piece))
        rows = max([rows, *(int(row) for _, row in addresses)])
        columns = max([columns, *(_column(name) for name in {name for name, _ in addresses})])
        seam = piece[-_OVERLAP:]
    if rows * columns > SHEET_CELLS:
        found = f"a sheet of {rows} rows and {columns} columns"
        raise SubmissionError("too-large", found, f"at most {SHEET_CELLS} cells", "Is there a stray cell far out?")
    return unpacked


def _unpack(data: bytes, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        lengths = struct.unpack_from("<HH", data, member.header_offset + 26)
        start = member.header_offset + 30 + sum(lengths)
        if member.compress_type == zipfile.ZIP_STORED:
            yield data[start : start + member.compress_size]
            return
        if member.compress_type != zipfile.ZIP_DEFLATED or member.flag_bits & 1:
            raise SubmissionError("unreadable", "an encrypted or oddly packed workbook", "a plain one", _HINT)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        for at in range(start, len(data), _CHUNK):
            rest = data[at : at + _CHUNK]
            while rest and not inflate.eof:
                yield inflate.decompress(rest, _CHUNK)
                rest = inflate.unconsumed_tail
            if inflate.eof:
                return
    except (struct.error, zlib.error) as error:
        raise SubmissionError(
            "unreadable", f"a damaged archive: {error}", "an Excel workbook (.xlsx)", _HINT
        ) from error


def _column(letters: bytes) -> int:
    return reduce(lambda number, letter: number * 26 + letter - ord("A") + 1, letters, 0)
