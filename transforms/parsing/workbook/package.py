"""The package around a workbook: what kind of file it is, its members, and its sheets; unpacked within a limit."""

import html
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from schemas.errors import SubmissionError
from transforms.parsing.file_kind import COMPOUND, WEB_PAGE, is_web_page

UNPACKED_BYTES: Final = 1 << 30
"""The limit of what a workbook unpacks to."""
DESCRIPTION_BYTES: Final = 16 << 20
"""The limit of a part that describes the workbook."""
_CHUNK: Final = 1 << 20
HINT: Final = "Save it again as .xlsx and deliver that."
WORKBOOK: Final = "an Excel workbook (.xlsx)"
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_OTHER_MEMBERS: Final = {
    "xl/workbook.xml": "an Excel workbook (.xlsx)", "xl/workbook.bin": "a binary workbook (.xlsb)",
    "word/document.xml": "a Word document",
}  # fmt: skip
ODS_TYPE: Final = b"opendocument.spreadsheet"
"""Part of the media type that an OpenDocument spreadsheet states of itself."""
_SHEET: Final = re.compile(rb"<(?:\w+:)?sheet\s([^>]*)>")
_RELATION: Final = re.compile(rb"<(?:\w+:)?Relationship\s([^>]*)>")
_ATTRIBUTE: Final = re.compile(rb"([\w:]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
_DATE_1904: Final = re.compile(rb"<(?:\w+:)?workbookPr\s[^>]*date1904\s*=\s*[\"'](?:1|true|on)[\"']")


@dataclass(frozen=True)
class Sheet:
    """One sheet: its name, the member that holds it (None if it is not found), whether Excel hides it."""

    name: str
    member: str | None
    hidden: bool


class Package:
    """A workbook's members by name; names with backslashes are read as if they had slashes."""

    def __init__(self, data: bytes, needed: str = "xl/workbook.xml", expected: str = WORKBOOK) -> None:
        """Open a workbook; raise `SubmissionError` for any other file, and for one that unpacks to too much.

        needed: the member that shows that it is of the expected kind.
        """
        self.data = data
        self._members = {m.filename.replace("\\", "/").lower(): m for m in _members(data, expected)}
        self._check_kind(needed, expected)
        room = UNPACKED_BYTES
        for member in self._members.values():
            room -= sum(map(len, self._within(member, room)))

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield the content of a member piece by piece; nothing for a member that is not there."""
        member = self._members.get(name.lower())
        if member is not None:
            yield from _unpack(self.data, member)

    def part(self, name: str) -> bytes:
        """Return the content of a small member, b"" if it is not there. Raises `SubmissionError` too-large."""
        member = self._members.get(name.lower())
        return b"" if member is None else b"".join(self._within(member, DESCRIPTION_BYTES))

    def size(self, name: str) -> int:
        """Return how many bytes a member unpacks to."""
        return sum(map(len, self.pieces(name)))

    def sheets(self) -> list[Sheet]:
        """Return the workbook's sheets in order."""
        relations = [_attributes(found) for found in _RELATION.findall(self.part("xl/_rels/workbook.xml.rels"))]
        targets = {r.get("Id"): _member_name(r.get("Target", "")) for r in relations}
        sheets = [_attributes(found) for found in _SHEET.findall(self.part("xl/workbook.xml"))]
        return [
            Sheet(s.get("name", ""), targets.get(_relation_id(s)), s.get("state", "visible") != "visible")
            for s in sheets
        ]

    def starts_in_1904(self) -> bool:
        """Return whether the workbook counts its days from 1904."""
        return _DATE_1904.search(self.part("xl/workbook.xml")) is not None

    def _within(self, member: zipfile.ZipInfo, room: int) -> Iterator[bytes]:
        """Yield a member's content, ignoring the size that the archive states."""
        for piece in _unpack(self.data, member):
            room -= len(piece)
            if room < 0:
                found = f"more than {UNPACKED_BYTES} bytes when unpacked"
                raise SubmissionError("too-large", found, "a workbook of less", "Deliver it in parts, or as CSV.")
            yield piece

    def _check_kind(self, needed: str, expected: str) -> None:
        spreadsheet = ODS_TYPE in self.part("mimetype")
        if needed in self._members and (spreadsheet or needed != "content.xml"):
            return
        found = "an archive without a workbook"
        for name, kind in _OTHER_MEMBERS.items():
            found = kind if name in self._members else found
        if spreadsheet:
            found = "an OpenDocument spreadsheet (.ods)"
        raise SubmissionError("unreadable", found, expected, _hint(expected))


def _hint(expected: str) -> str:
    return HINT if expected == WORKBOOK else "Deliver the declared format, or change format.type in the contract."


def _members(data: bytes, expected: str) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise SubmissionError("unreadable", _kind(data) or str(error), expected, _hint(expected)) from error


def _kind(data: bytes) -> str:
    """Return what kind of file it is that is no archive, "" if it is none of those that people deliver as .xlsx."""
    if data.startswith(COMPOUND):
        protected = _ENCRYPTED in data
        return "a workbook that is encrypted with a password" if protected else (
            "an old workbook (.xls) or one that is protected with a password"
        )  # fmt: skip
    if is_web_page(data):
        return WEB_PAGE
    if b"urn:schemas-microsoft-com:office:spreadsheet" in data[:4096]:
        return "an XML spreadsheet of 2003"
    return ""


def _unpack(data: bytes, member: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        lengths = struct.unpack_from("<HH", data, member.header_offset + 26)
        start = member.header_offset + 30 + sum(lengths)
        if member.compress_type == zipfile.ZIP_STORED:
            yield data[start : start + member.compress_size]
            return
        if member.compress_type != zipfile.ZIP_DEFLATED or member.flag_bits & 1:
            raise SubmissionError("unreadable", "an encrypted or oddly packed workbook", "a plain one", HINT)
        inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        for at in range(start, len(data), _CHUNK):
            rest = data[at : at + _CHUNK]
            while rest and not inflate.eof:
                yield inflate.decompress(rest, _CHUNK)
                rest = inflate.unconsumed_tail
            if inflate.eof:
                return
    except (struct.error, zlib.error) as error:
        raise SubmissionError("unreadable", f"a damaged archive: {error}", WORKBOOK, HINT) from error


def _attributes(tag: bytes) -> dict[str, str]:
    return {
        name.decode("utf-8", "replace"): html.unescape((double or single).decode("utf-8", "replace"))
        for name, double, single in _ATTRIBUTE.findall(tag)
    }


def _relation_id(sheet: dict[str, str]) -> str | None:
    return next((value for name, value in sheet.items() if name.endswith(":id")), None)


def _member_name(target: str) -> str:
    target = target.replace("\\", "/")
    return target[1:] if target.startswith("/") else f"xl/{target}"
