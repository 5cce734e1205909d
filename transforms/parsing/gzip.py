"""Gzipped deliveries: the whole content, within a limit, or the error that says what is wrong."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Final

from schemas.errors import SubmissionError

GZIP: Final = b"\x1f\x8b\x08"
"""The first bytes of a gzip file; no text, workbook or Parquet file begins so."""
TRAILER: Final = 18
"""The least size of a gzip file in bytes; its last four hold the size of its content, modulo 2^32."""
_PIECE: Final = 1 << 20


def unpack_gzip(data: bytes, most: int) -> bytes:
    """Return the content of a gzip file, all its members; other bytes unchanged.

    Raises `SubmissionError` too-large beyond `most` bytes, unreadable for a truncated or altered file.
    """
    if not data.startswith(GZIP):
        return data
    whole = io.BytesIO()
    for piece in _pieces(data):
        if whole.tell() + len(piece) > most:
            found = f"{len(data)} bytes of gzip that hold more than {most}"
            raise SubmissionError("too-large", found, f"at most {most} bytes", "Deliver it in parts.")
        whole.write(piece)
    content = whole.getvalue()
    if content.startswith(GZIP):
        hint = "Pack it once and deliver that."
        raise SubmissionError("unreadable", "a gzip file in a gzip file", "one gzip file", hint)
    return content


def size_within(data: bytes, most: int) -> int:
    """Return how many bytes a delivery has when unpacked; counting stops just beyond `most`."""
    size = len(data)
    if data.startswith(GZIP):
        try:
            size = 0
            for piece in _pieces(data):
                size += len(piece)
                if size > most:
                    break
        except SubmissionError:
            return size  # reading it reports the error
    return size


def likely_size(data: bytes) -> int:
    """Return about how many bytes a delivery has when unpacked: the size that a gzip file states, unchecked."""
    stated = int.from_bytes(data[-4:], "little") if data.startswith(GZIP) and len(data) >= TRAILER else 0
    return max(len(data), stated)


def _pieces(data: bytes) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        try:
            while piece := file.read(_PIECE):
                yield piece
        except (OSError, EOFError, zlib.error) as error:
            hint = "Pack it again and deliver it."
            raise SubmissionError("unreadable", str(error)[:200], "a whole gzip file", hint) from error
