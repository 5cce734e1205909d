"""Small ODS, XLS and XLSB files, written cell by cell."""

import io
import math
import struct
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape, quoteattr

import xlwt

_TYPE: Final = "application/vnd.oasis.opendocument.spreadsheet"
_NAMES: Final = "".join(
    f' xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text", "style")
)
_HIDDEN: Final = (
    '<office:automatic-styles><style:style style:name="hidden" style:family="table">'
    '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
)
_MANIFEST: Final = (
    '<?xml version="1.0"?><manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0">'
    f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{_TYPE}"/></manifest:manifest>'
)

Cells = Sequence[Sequence[object]]


def as_ods(rows: Cells, sheet: str = "Ark 1", *, hidden: str | None = None, tail: str = "") -> bytes:
    """Return an ODS with these rows, after a hidden sheet if one is named; `tail` is XML after the last row."""
    first = "" if hidden is None else f'<table:table table:name={quoteattr(hidden)} table:style-name="hidden"/>'
    body = "".join(f"<table:table-row>{''.join(map(ods_cell, row))}</table:table-row>" for row in rows)
    table = f"<table:table table:name={quoteattr(sheet)}>{body}{tail}</table:table>"
    content = (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document-content{_NAMES} office:version="1.2">{_HIDDEN}'
        f"<office:body><office:spreadsheet>{first}{table}</office:spreadsheet></office:body></office:document-content>"
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", _TYPE, zipfile.ZIP_STORED)
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", _MANIFEST)
    return target.getvalue()


def ods_cell(value: object) -> str:
    """Return a cell of an ODS."""
    if value is None:
        return "<table:table-cell/>"
    if isinstance(value, bool):
        kind, attribute, shown = "boolean", "boolean-value", str(value).lower()
    elif isinstance(value, int | float) and not math.isnan(value):
        kind, attribute, shown = "float", "value", repr(value)
    elif isinstance(value, date):
        kind, attribute, shown = "date", "date-value", value.isoformat()
    else:
        text = escape("#NUM!" if isinstance(value, float) else str(value))
        return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
    typed = f'office:value-type="{kind}" office:{attribute}="{shown}"'
    return f"<table:table-cell {typed}><text:p>{shown}</text:p></table:table-cell>"


def as_xls(rows: Cells, sheet: str = "Ark 1", *, hidden: str | None = None) -> bytes:
    """Return an XLS with these rows, after a hidden sheet if one is named."""
    book = xlwt.Workbook()
    if hidden is not None:
        book.add_sheet(hidden).visibility = 1
    page = book.add_sheet(sheet)
    styles = {date: xlwt.easyxf(num_format_str="yyyy-mm-dd"), datetime: xlwt.easyxf(num_format_str="yyyy-mm-dd hh:mm")}
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            value = "#NUM!" if isinstance(cell, float) and math.isnan(cell) else cell
            page.write(number, column, value, styles.get(type(cell), xlwt.Style.default_style))
    book.set_active_sheet(0 if hidden is None else 1)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def as_xlsb(rows: Cells, sheet: str = "Ark 1") -> bytes:
    """Return an XLSB with these rows; dates are shown by the built-in formats of a day, and of a day and time."""
    book = b"".join((
        _record(0x83), _record(0x99, bytes(12)), _record(0x8F), _record(0x9C, bytes(8) + _wide("rId1") + _wide(sheet)),
        _record(0x90), _record(0x9D, bytes(26)), _record(0x84),
    ))  # fmt: skip
    edges = struct.pack("<4I", 0, len(rows) - 1, 0, max(map(len, rows)) - 1)
    body = b"".join(
        _record(0x00, struct.pack("<I", number) + bytes(21)) + b"".join(map(_binary_cell, range(len(row)), row))
        for number, row in enumerate(rows)
    )
    page = _record(0x81) + _record(0x94, edges) + _record(0x91) + body + _record(0x92) + _record(0x82)
    link = (
        '<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" '
        'Target="worksheets/sheet1.bin"/></Relationships>'
    )
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.bin", book)
        archive.writestr("xl/_rels/workbook.bin.rels", link)
        archive.writestr("xl/worksheets/sheet1.bin", page)
        archive.writestr("xl/styles.bin", _styles())
    return target.getvalue()


def _binary_cell(column: int, value: object) -> bytes:
    shown = {date: 1, datetime: 2}.get(type(value), 0)
    place = struct.pack("<II", column, shown)
    if isinstance(value, bool):
        return _record(0x04, place + bytes([value]))
    if isinstance(value, float) and math.isnan(value):
        value = "#NUM!"
    if isinstance(value, date):
        moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
        value = (moment - datetime(1899, 12, 30)) / timedelta(days=1)
    if isinstance(value, int | float):
        return _record(0x05, place + struct.pack("<d", value))
    return _record(0x06, place + _wide("" if value is None else str(value)))


def _styles() -> bytes:
    """Return the styles of cells: general, a day, a day and time (14 and 22 are built-in formats)."""
    forms = b"".join(_record(0x2F, struct.pack("<HH", 0, number) + bytes(12)) for number in (0, 14, 22))
    return _record(0x116) + _record(0x269, struct.pack("<I", 3)) + forms + _record(0x26A) + _record(0x117)


def _record(kind: int, data: bytes = b"") -> bytes:
    """Return a record of a binary workbook: its kind and its length in groups of seven bits, and its data."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    length, size = b"", len(data)
    while size >= 0x80:
        length, size = length + bytes([size & 0x7F | 0x80]), size >> 7
    return head + length + bytes([size]) + data


def _wide(text: str) -> bytes:
    encoded = text.encode("utf-16-le")
    return struct.pack("<I", len(encoded) // 2) + encoded
