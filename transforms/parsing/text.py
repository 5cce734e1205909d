"""Bytes to text: the contract's encoding, and the repairs it declares."""

import codecs
from typing import Final

import polars as pl

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError

_CODECS: Final = {"utf-8": "utf-8-sig"}
"""Python's codec where the name differs: this one drops a byte order mark."""


def to_utf8(data: bytes, contract: Contract) -> bytes:
    """Return the bytes as UTF-8 with the contract's repairs made; the same object if there is nothing to do.

    UTF-8 without repairs is returned unchecked: the reader validates it. Raises `SubmissionError` wrong-encoding.
    """
    form = contract.format
    if form.encoding == "utf-8" and not form.repairs:
        return data
    return repair(decode(data, form.encoding), form).encode()


def decode(data: bytes, encoding: str, offset: int = 0) -> str:
    """Return the bytes, which begin at an offset of the file, as text without a byte order mark.

    Raises `SubmissionError` wrong-encoding.
    """
    try:
        text = data.decode(_CODECS.get(encoding, encoding))
    except UnicodeDecodeError as error:
        at = f"byte {data[error.start : error.start + 4].hex(' ')} (hexadecimal) at offset {offset + error.start}"
        raise SubmissionError("wrong-encoding", at, f"text in {encoding}", _advice(data, encoding)) from error
    if encoding in {"latin-1", "cp1252"} and not data.isascii() and _is_utf8(data):
        # Any bytes are valid Latin-1, but non-ASCII text that is also valid UTF-8 is no accident.
        raise SubmissionError("wrong-encoding", "UTF-8", f"text in {encoding}", _advice(data, encoding))
    return text


def repair(text: str, form: Format) -> str:
    """Return the text with the contract's repairs made, in their order."""
    for step in form.repairs:
        text = pl.Series([text]).str.replace_all(step.pattern, step.replacement)[0]
    return text


def _is_utf8(data: bytes) -> bool:
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError:
        return False
    return True


def _advice(data: bytes, encoding: str) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        likely = "utf-16"
    else:
        likely = "utf-8" if _is_utf8(data) else "cp1252 or latin-1"
    return f"It looks like {likely}: deliver {encoding}, or change format.encoding in the contract."
