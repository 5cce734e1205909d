"""Bytes to text: the contract's encoding, and the repairs it declares."""

import codecs
import re
from typing import Final

import polars as pl

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError

_CODECS: Final = {"utf-8": "utf-8-sig"}
"""Python's codec where the name differs: this one drops a byte order mark."""
_ONE_BYTE: Final = ("latin-1", "cp1252", "cp865", "mac-roman")
_CONTROLS: Final = re.compile(rb"[\x80-\x9f]")
"""Control characters in Latin-1, where cp1252 has quotes, dashes and the euro sign."""
_LETTERS: Final = "æøåÆØÅäöÄÖéü"
_WRONG: Final = {
    "cp865": re.compile(rb"[A-Za-z][\x86\x9b][a-z]"),  # å and ø; in cp1252 a dagger and a quote
    "mac-roman": re.compile(rb"[A-Za-z][\x8c\xbe\xbf][a-z]"),  # å, æ and ø; in cp1252 a capital, a fraction, a mark
}
"""Encoding of DOS and of old Macs -> bytes that are letters in it, within a word; in cp1252 they never are there."""
_ASCII: Final = bytes(range(0x80))
_LETTERS_SAMPLE: Final = 1 << 20
_OTHERS: Final = 10
"""Of so many bytes beyond ASCII at most one is no letter of the encoding."""
REPAIR_GROWTH: Final = 2
REPAIR_BYTES: Final = 1 << 20
"""How much longer repairs may make a text: twice its size, or by this many bytes."""
_SAMPLE: Final = 4096


def to_utf8(data: bytes, contract: Contract) -> bytes:
    """Return the bytes as UTF-8 with the contract's repairs made; the same object if there is nothing to do.

    UTF-8 without repairs is returned unchecked: the reader validates it. Raises `SubmissionError` wrong-encoding.
    """
    form = contract.format
    if form.encoding == "utf-8" and not form.repairs:
        if b"\0" in data[:_SAMPLE] and (codec := _utf_16(data)):
            hint = _advice(data, form.encoding)
            raise SubmissionError("wrong-encoding", f"text in {codec}", f"text in {form.encoding}", hint)
        return data
    return repair(decode(data, form.encoding), form).encode()


def decode(data: bytes, encoding: str, offset: int = 0) -> str:
    """Return the bytes, which begin at an offset of the file, as text without a byte order mark.

    Raises `SubmissionError` wrong-encoding.
    """
    codec = _CODECS.get(encoding, encoding)
    if encoding == "utf-16" and not offset:
        codec = _utf_16(data) or codec
    try:
        text = data.decode(codec)
    except UnicodeDecodeError as error:
        at = f"byte {data[error.start : error.start + 4].hex(' ')} (hexadecimal) at offset {offset + error.start}"
        raise SubmissionError("wrong-encoding", at, f"text in {encoding}", _advice(data, encoding)) from error
    if encoding in _ONE_BYTE and not data.isascii():
        _check_one_byte_text(data, encoding, offset)
    return text


def _check_one_byte_text(data: bytes, encoding: str, offset: int) -> None:
    """Raise `SubmissionError` wrong-encoding for bytes that are valid in this encoding, as most are, but not meant so.

    Non-ASCII text that is also valid UTF-8 is no accident; nor are control characters of Latin-1.
    """
    control = _CONTROLS.search(data) if encoding == "latin-1" else None
    if _is_utf8(data):
        found = "UTF-8"
    elif control:
        found = f"byte {control[0].hex()} (hexadecimal), a control character, at offset {offset + control.start()}"
    else:
        return
    raise SubmissionError("wrong-encoding", found, f"text in {encoding}", _advice(data, encoding))


def repair(text: str, form: Format) -> str:
    """Return the text with the contract's repairs made, in their order.

    Raises `SubmissionError` too-large if they make it much longer.
    """
    most = max(REPAIR_GROWTH * len(text), len(text) + REPAIR_BYTES)
    for step in form.repairs:
        text = pl.Series([text]).str.replace_all(step.pattern, step.replacement)[0]
        if len(text) > most:
            hint = "Correct the repair in format.repairs of the contract."
            raise SubmissionError(
                "too-large", f"{len(text)} characters after {step.pattern!r}", f"at most {most}", hint
            )
    return text


def _utf_16(data: bytes) -> str | None:
    """Return the byte order of UTF-16 without a byte order mark; None if it has one, or is no such text.

    In text of Latin letters, digits and delimiters nearly every second byte is zero.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    sample = data[:_SAMPLE]
    first, second = sample[::2].count(0), sample[1::2].count(0)
    if max(first, second) * 4 < len(sample) or min(first, second) * 8 > len(sample):
        return None
    return "utf-16-be" if first > second else "utf-16-le"


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def old_encoding(data: bytes) -> str | None:
    """Return the encoding of DOS or an old Mac that text is in, by its letters; None for any other text."""
    sample = data[:_LETTERS_SAMPLE]
    high = sample.translate(None, _ASCII)
    for encoding, wrong in _WRONG.items():
        others = len(high.translate(None, _LETTERS.encode(encoding)))
        if high and others * _OTHERS <= len(high) and wrong.search(sample):
            return encoding
    return None


def _advice(data: bytes, encoding: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or _utf_16(data):
        likely = "utf-16"
    elif old := old_encoding(data):
        likely = old
    elif encoding == "latin-1" and not _is_utf8(data):
        likely = "cp1252"
    else:
        likely = "utf-8" if _is_utf8(data) else "cp1252 or latin-1"
    return f"It looks like {likely}: deliver {encoding}, or change format.encoding in the contract."
