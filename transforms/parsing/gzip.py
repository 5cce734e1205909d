"""A file delivered gzipped: its content, whole and bounded, or what is wrong with it."""

import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Final

from schemas.errors import SubmissionError

GZIP: Final = b"\x1f\x8b\x08"
"""How a gzip file begins, and no text, workbook or Parquet file does."""
TRAILER: Final = 18
"""The least bytes of a gzip file; its last four say the size of its content, modulo 2^32."""
_PIECE: Final = 1 << 20


def unpacked(data: bytes, most: int) -> bytes:
    """Return what a gzip file holds, all its members; other bytes as they are.

    Raises `SubmissionError` too-large beyond `most` bytes, unreadable for a file that is cut off or altered.
    """
    if not data.startswith(GZIP):
        return data
    whole = io.BytesIO()
    for piece in _pieces(data):
        if whole.tell() + len(piece) > most:
            found = f"{len(data)} bytes of gzip that hold more than {most}"
            raise SubmissionError("too-large", found, f"at most {most} bytes", "Deliver it in parts.")
        whole.write(piece)
    return whole.getvalue()


def size_within(data: bytes, most: int) -> int:
    """Return how many bytes a delivery is when it is read, counted no further than just beyond `most`."""
    size = len(data)
    if data.startswith(GZIP):
        try:
            size = 0
            for piece in _pieces(data):
                size += len(piece)
                if size > most:
                    break
        except SubmissionError:
            return size  # what is wrong with it is told when it is read
    return size


def likely_size(data: bytes) -> int:
    """Return about how many bytes a delivery is when it is read: what a gzip file says of itself, unchecked."""
    told = int.from_bytes(data[-4:], "little") if data.startswith(GZIP) and len(data) >= TRAILER else 0
    return max(len(data), told)


def _pieces(data: bytes) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        try:
            while piece := file.read(_PIECE):
                yield piece
        except (OSError, EOFError, zlib.error) as error:
            hint = "Pack it again and deliver it."
            raise SubmissionError("unreadable", str(error)[:200], "a whole gzip file", hint) from error
