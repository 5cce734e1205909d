"""The interface of an object store: objects are written once, found by listing, and read as they were written."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

PROBE_PREFIX: Final = ".engang-probe/"
"""Keys of test objects that `probe` writes; no listing shows them, not even those of a killed probe."""
Content: TypeAlias = bytes | Path
"""The content of a delivery: bytes, or the path of a file that is too large for memory."""
ETAG_VERSION: Final = "etag:"
"""Begins the version of an object where the bucket keeps no versions: `etag:<etag>`."""
STREAM_ABOVE_BYTES: Final = 64 * 2**20
"""A delivery larger than this is not read into memory before it is parsed."""
PIECE_BYTES: Final = 1 << 20
"""How much is read at a time where an object is streamed."""


class StoredObject(NamedTuple):
    """One object in a listing. `version` identifies exactly these bytes; `modified` is UTC."""

    key: str
    version: str
    bytes: int
    modified: datetime


class DamagedFile(NamedTuple):
    """A stored file that is missing (`found` is None) or holds more or less, in `unit`, than was written."""

    file: str
    found: int | None
    expected: int
    unit: str = "bytes"

    def __str__(self) -> str:
        """Return what was found and what was expected, as a clause."""
        found = "nothing" if self.found is None else f"{self.found} {self.unit}"
        return f"{self.file}: found {found}, expected {self.expected} {self.unit}"


class Store(Protocol):
    """A folder or a bucket. Every method raises `StoreError`, naming the object and never a credential."""

    def put_once(self, key: str, source: Content, sha256: str | None = None) -> bool:
        """Store the bytes, durably and atomically, unless the key exists; return whether it was free.

        With `sha256`, bytes of another content hash are refused. A file is streamed.
        """

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return an object's bytes, checked against the store's checksum; the newest version by default."""

    def fetch(self, key: str, to: Path, version: str | None = None) -> str:
        """Stream an object to a file, checked against the store's checksum; return its SHA-256."""

    def delete(self, key: str) -> None:
        """Delete an object, its older versions too; a missing one is no error. Only for what has to be erased."""

    def listing(self, prefix: str = "", *, overwritten: bool = False) -> Iterator[StoredObject]:
        """Yield the newest version of every object whose key has the prefix, in any order, never all in memory.

        With `overwritten` the older versions too, if the store keeps them.
        """

    def probe(self, *, writes: bool = True) -> None:
        """Raise `StoreError` if the store cannot be read or, with `writes`, lacks a guarantee that Engang relies on."""


def content_hash(source: Content) -> str:
    """Return the SHA-256 of bytes or of a file, 64 hex digits; a file is streamed."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_of(source: Content) -> bytes:
    """Return the content as bytes; a file is read whole."""
    return source if isinstance(source, bytes) else source.read_bytes()


def size_of(source: Content) -> int:
    """Return the size of the content in bytes."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size
