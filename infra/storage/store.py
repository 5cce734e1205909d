"""What a landing zone is kept in: objects that are written once, found by listing, and read as they were written."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple, Protocol, TypeAlias

PROBES: Final = ".engang-probe/"
"""Where a store is probed; what a killed probe left there is no object, and no listing shows it."""
Content: TypeAlias = bytes | Path
"""What is delivered: bytes, or a file that is too large to be held."""
PIECE: Final = 1 << 20
"""Bytes that are read at a time where a whole object need not be in memory."""


class Found(NamedTuple):
    """One object as a listing shows it. `version` names these very bytes, `modified` is UTC."""

    key: str
    version: str
    bytes: int
    modified: datetime


class Store(Protocol):
    """A folder or a bucket. Every method raises `StoreError`, naming the object and never a credential."""

    def put_once(self, key: str, source: Content, sha256: str | None = None) -> bool:
        """Keep the bytes, durably, whole or not at all, unless the key is taken; return whether it was free.

        With `sha256`, bytes of another content hash are refused. A file is streamed.
        """

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return an object's bytes, checked against the store's checksum; the newest version by default."""

    def fetch(self, key: str, to: Path, version: str | None = None) -> str:
        """Stream an object to a file, checked against the store's checksum; return its SHA-256."""

    def listing(self, prefix: str = "", *, overwritten: bool = False) -> Iterator[Found]:
        """Yield the newest version of every object whose key begins so, in no certain order, never all in memory.

        With `overwritten` the older versions too, as far as the store keeps them.
        """

    def probe(self, *, writes: bool = True) -> None:
        """Raise `StoreError` that says what the store ignores of what is relied on; `writes`: of writing too."""


def content_hash(source: Content) -> str:
    """Return the SHA-256 of bytes or of a file, 64 hex digits; a file is streamed."""
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_of(source: Content) -> bytes:
    """Return the bytes, of a file all of them."""
    return source if isinstance(source, bytes) else source.read_bytes()


def size_of(source: Content) -> int:
    """Return how many bytes there are."""
    return len(source) if isinstance(source, bytes) else source.stat().st_size
