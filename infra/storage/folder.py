"""A store in a folder: one file an object, which appears under its name when it is whole and on disk, and once."""

import hashlib
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from infra.storage.store import PIECE, PROBES, Content, Found
from schemas.errors import StoreError

_AS_TEXT: Final = {0xDC00 + byte: 0xF700 + byte for byte in range(128, 256)}
_AS_BYTES: Final = {text: byte for byte, text in _AS_TEXT.items()}
"""A file name may be bytes that are no UTF-8, and a key is text that a database takes: such a byte is a private-use
character in it, U+F780 to U+F7FF.
"""


class FolderStore:
    """The store in a folder; a version is `<mtime_ns>-<size>`. Hidden files and links are no objects."""

    def __init__(self, root: Path) -> None:
        """Take the folder; it is made when something is first written to it."""
        self.root = root

    def put_once(self, key: str, source: Content, sha256: str | None = None) -> bool:
        """Keep the bytes unless the key is taken: written aside, on disk, then linked to their name."""
        path = self._path(key)
        if path.exists():
            return False
        partial = path.with_name(f".{path.name[:100]}.{uuid.uuid4().hex}.partial")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(partial, source, sha256, key)
            return _link(partial, path)
        except OSError as error:
            raise StoreError(f"{self.root}: {key!r} was not kept ({error}); see to the disk, do it again") from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return a file's bytes; `StoreError` if it is gone, or no longer the version asked for."""
        with self._opened(key, version) as file:
            return file.read()

    def fetch(self, key: str, to: Path, version: str | None = None) -> str:
        """Copy a file piece by piece; return its SHA-256."""
        hashed = hashlib.sha256()
        with self._opened(key, version) as file, to.open("wb") as copy:
            while piece := file.read(PIECE):
                hashed.update(piece)
                copy.write(piece)
        return hashed.hexdigest()

    def listing(self, prefix: str = "", *, overwritten: bool = False) -> Iterator[Found]:  # noqa: ARG002  it keeps none
        """Yield every file whose key begins so, folder by folder; one that goes meanwhile is left out."""
        folder, _, begins = prefix.rpartition("/")
        start = self._path(folder) if folder else self.root
        for path, stat in _files(start, begins):
            yield self.found(path, stat)

    def found(self, path: Path, stat: os.stat_result) -> Found:
        """Return a file of this folder as a listing shows it."""
        key = path.relative_to(self.root).as_posix().translate(_AS_TEXT)
        return Found(key, _version(stat), stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC))

    def probe(self, *, writes: bool = True) -> None:
        """Raise `StoreError` if the folder cannot be read, or does not keep a file that is there already."""
        if not writes:
            if self.root.exists() and not os.access(self.root, os.R_OK | os.X_OK):
                raise StoreError(f"{self.root}: cannot be read; give this user the right to")
            return
        key = f"{PROBES}{uuid.uuid4().hex}"
        try:
            kept = self.put_once(key, b"first")
            again = _link(self._path(key), self._path(key))
            if not kept or again or self.get(key) != b"first":
                told = "found a file system that does not refuse a name that is taken"
                raise StoreError(f"{self.root}: {told}; keep it on a local disk or NFS, or on S3")
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be written to ({error}); see to the disk and its rights") from error
        finally:
            with suppress(OSError):
                self._path(key).unlink()

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not key or key.startswith("/") or ".." in parts or "\0" in key:
            raise StoreError(f"{self.root}: {key!r} is no key; expected a relative path")
        return self.root / key.translate(_AS_BYTES)

    @contextmanager
    def _opened(self, key: str, version: str | None) -> Iterator[BinaryIO]:
        """Give a file to read; a change to it while it is read is told, not read over."""
        try:
            with self._path(key).open("rb") as file:
                before = _version(os.fstat(file.fileno()))
                yield file
                after = _version(os.fstat(file.fileno()))
        except FileNotFoundError as error:
            raise StoreError(f"{self.root}: {key!r} is gone; restore it from a copy, or deliver it again") from error
        except OSError as error:
            raise StoreError(f"{self.root}: {key!r} cannot be read ({error})") from error
        if before != (version or before) or after != before:
            raise StoreError(f"{self.root}: {key!r} has changed since it was found; it is read as its new version")


def _version(stat: os.stat_result) -> str:
    return f"{stat.st_mtime_ns}-{stat.st_size}"


def _write(path: Path, source: Content, sha256: str | None, key: str) -> None:
    hashed = hashlib.sha256()
    with path.open("wb") as file:
        for piece in _pieces(source):
            hashed.update(piece)
            file.write(piece)
        if sha256 not in {None, hashed.hexdigest()}:
            raise StoreError(f"{key!r}: its bytes changed while they were read; deliver it again when it is whole")
        file.flush()
        os.fsync(file.fileno())


def _pieces(source: Content) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece


def _link(there: Path, path: Path) -> bool:
    """Give a file its name, durably, unless the name is taken; return whether it was free."""
    try:
        os.link(there, path)
    except FileExistsError:
        return False
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name is on disk too
    finally:
        os.close(folder)
    return True


def _files(folder: Path, begins: str) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files beneath a folder whose first part begins so, and what is known of them."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.startswith(begins):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path), "")
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        yield Path(entry.path), entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{folder}: cannot be listed ({error}); give this user the right to") from error
