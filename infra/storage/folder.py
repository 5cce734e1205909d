"""A store in a folder: one file per object, which gets its name once, when its bytes are complete and on disk."""

import errno
import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from infra.files import sync_to_disk, temporary_path
from infra.storage.store import PIECE_BYTES, PROBE_PREFIX, Content, StoredObject
from schemas.errors import StoreError

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
"""What is stored can be read by this user alone."""
_AS_TEXT: Final = {0xDC00 + byte: 0xF700 + byte for byte in range(128, 256)}
_AS_BYTES: Final = {text: byte for byte, text in _AS_TEXT.items()}
"""A file name may hold bytes that are not UTF-8, while a key is text that a database accepts: such a byte becomes a
private-use character, U+F780 to U+F7FF.
"""


class FolderStore:
    """The store in a folder; a version is `<mtime_ns>-<size>`. Hidden files and links are not objects."""

    def __init__(self, root: Path) -> None:
        """Take the folder; the first write creates it."""
        self.root = root

    def put_once(self, key: str, source: Content, sha256: str | None = None) -> bool:
        """Store the bytes unless the key exists: write a temporary file, sync it, then link it to its name."""
        # Two processes may store the same key at once. `os.link` fails if the name exists, unlike a rename, so exactly
        # one of them wins and the file under the name is never replaced. A process that dies leaves a hidden temporary
        # file, which no listing shows.
        path = self._path(key)
        if path.exists():
            return False
        temporary = temporary_path(path)
        try:
            _make_private(path.parent)
            _write(temporary, source, sha256, key)
            return _link(temporary, path)
        except OSError as error:
            raise StoreError(f"{self.root}: {key!r} was not stored ({error}); check the disk and try again") from error
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def get(self, key: str, version: str | None = None) -> bytes:
        """Return a file's bytes; `StoreError` if it is missing, or its version is not the one asked for."""
        with self._opened(key, version) as file:
            return file.read()

    def fetch(self, key: str, to: Path, version: str | None = None) -> str:
        """Copy a file in pieces; return its SHA-256."""
        hashed = hashlib.sha256()
        with self._opened(key, version) as file, to.open("wb") as copy:
            while piece := file.read(PIECE_BYTES):
                hashed.update(piece)
                copy.write(piece)
        return hashed.hexdigest()

    def delete(self, key: str) -> None:
        """Delete a file; a missing one is no error."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
            if path.parent.exists():
                sync_to_disk(path.parent)
        except OSError as error:
            raise StoreError(f"{self.root}: {key!r} cannot be deleted ({error}); give this user the right") from error

    def listing(self, prefix: str = "", *, overwritten: bool = False) -> Iterator[StoredObject]:  # noqa: ARG002  a folder has no older versions
        """Yield every file whose key has the prefix, folder by folder; a file deleted meanwhile is left out."""
        folder, _, name_prefix = prefix.rpartition("/")
        start = self._path(folder) if folder else self.root
        for path, found in _files(start, name_prefix):
            yield self.stored_object(path, found)

    def stored_object(self, path: Path, found: os.stat_result) -> StoredObject:
        """Return a file of this folder as in a listing."""
        key = path.relative_to(self.root).as_posix().translate(_AS_TEXT)
        return StoredObject(key, _version(found), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def probe(self, *, writes: bool = True) -> None:
        """Raise `StoreError` if the folder cannot be read or, with `writes`, overwrites an existing file."""
        if not writes:
            if self.root.exists() and not os.access(self.root, os.R_OK | os.X_OK):
                raise StoreError(f"{self.root}: cannot be read; give this user the right to read it")
            return
        key = f"{PROBE_PREFIX}{uuid.uuid4().hex}"
        try:
            stored = self.put_once(key, b"first")
            overwritten = _link(self._path(key), self._path(key))
            if not stored or overwritten or self.get(key) != b"first":
                problem = "found a file system that does not refuse an existing name"
                raise StoreError(f"{self.root}: {problem}; use a local disk, NFS or S3")
        except OSError as error:
            raise StoreError(f"{self.root}: cannot be written to ({error}); check the disk and its rights") from error
        finally:
            with suppress(OSError):
                self._path(key).unlink()

    def path_of(self, key: str) -> Path:
        """Return the path of a file of this folder: only for a folder that nobody else writes to."""
        return self._path(key)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not key or key.startswith("/") or ".." in parts or "\0" in key:
            raise StoreError(f"{self.root}: {key!r} is no key; expected a relative path")
        return self.root / key.translate(_AS_BYTES)

    @contextmanager
    def _opened(self, key: str, version: str | None) -> Iterator[BinaryIO]:
        """Give a file to read; raises `StoreError` if it changes while it is read, or a link is on its way."""
        try:
            with self._open_regular(key) as file:
                before = _version(os.fstat(file.fileno()))
                yield file
                after = _version(os.fstat(file.fileno()))
        except FileNotFoundError as error:
            raise StoreError(f"{self.root}: {key!r} is missing; restore it from a copy, or deliver it again") from error
        except OSError as error:
            raise StoreError(f"{self.root}: {key!r} cannot be read ({error})") from error
        if before != (version or before) or after != before:
            raise StoreError(f"{self.root}: {key!r} has changed since it was found; its new version will be read")

    def _open_regular(self, key: str) -> BinaryIO:
        """Open a file of this folder; raises `OSError` where a link, a pipe or a device has taken its place."""
        # Who writes to the folder may replace a file, or a folder above it, by a link after it was listed. Each name
        # is therefore opened from the folder above it, and a link is refused at the moment of opening.
        *folders, name = self._path(key).relative_to(self.root).parts
        at = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for folder in folders:
                above, at = at, os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
                os.close(above)
            file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(file).st_mode):
            os.close(file)
            raise OSError(errno.EINVAL, "no regular file", key)
        return os.fdopen(file, "rb")


def _version(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns}-{found.st_size}"


def _write(path: Path, source: Content, sha256: str | None, key: str) -> None:
    hashed = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_FILE), "wb") as file:
        for piece in _pieces(source):
            hashed.update(piece)
            file.write(piece)
        if sha256 not in {None, hashed.hexdigest()}:
            raise StoreError(f"{key!r}: its bytes changed while they were read; deliver it again when it is complete")
        file.flush()
        os.fsync(file.fileno())


def _make_private(folder: Path) -> None:
    """Create a folder and those above it that do not exist, for this user alone."""
    if not folder.exists():
        _make_private(folder.parent)
        with suppress(FileExistsError):
            folder.mkdir(PRIVATE_FOLDER)


def _pieces(source: Content) -> Iterator[bytes]:
    if isinstance(source, bytes):
        yield source
        return
    with source.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _link(file: Path, path: Path) -> bool:
    """Link a file to a path, durably, unless the path exists; return whether it was free."""
    try:
        os.link(file, path)
    except FileExistsError:
        return False
    sync_to_disk(path.parent)  # the name is on disk too
    return True


def _files(folder: Path, name_prefix: str) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files below a folder, and their `stat`, whose first path component has the prefix."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.startswith(name_prefix):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _files(Path(entry.path), "")
                elif entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        yield Path(entry.path), entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{folder}: cannot be listed ({error}); give this user the right to list it") from error
