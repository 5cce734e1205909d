"""Files, folders and archives as a stream of named bytes: bounded, and nothing in them reaches the file system."""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from infra.settings import Settings
from infra.storage.store import Content
from schemas.errors import UsageError
from transforms.parsing.gzip import GZIP, size_within

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
BROKEN = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError)
"""What unpacking raises: bzip2 says OSError of what is altered, zip RuntimeError of what is locked or oddly packed."""
CHUNK = 1 << 20
LARGE = 64 * 2**20
"""A plain file above so many bytes is not read before it is parsed."""


def find(path: Path, settings: Settings) -> Iterator[tuple[str, Content]]:
    """Yield (name, bytes) of a file, of every file in a folder, or of every member of an archive, in order of name.

    Hidden files are left out; a gzipped file is bounded by what it holds, and given as it is; of a large plain file the
    path is given. Raises `UsageError` if the path is not there, or something in it is over its limit.
    """
    if path.is_dir():
        for each in sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path).as_posix())):
            yield _told(each.relative_to(path).as_posix()), _read(each, settings)
    elif not path.is_file():
        raise UsageError(f"{path}: no such file or folder")
    elif path.name.endswith(ARCHIVES):
        yield from _members(path, settings)
    else:
        yield _told(path.name), _read(path, settings)


def within_limits(name: str, delivered: bytes | int, settings: Settings) -> None:
    """Raise `UsageError` if a file, or what a gzipped one holds, is over its limit; a number is so many bytes."""
    size = delivered if isinstance(delivered, int) else size_within(delivered, settings.max_file_bytes)
    _bounded(name, size, settings)


def _read(path: Path, settings: Settings) -> Content:
    size = path.stat().st_size
    _bounded(path.name, size, settings)
    with path.open("rb") as file:
        if size > LARGE and file.read(len(GZIP)) != GZIP:
            return path
    data = path.read_bytes()
    _bounded(path.name, size_within(data, settings.max_file_bytes), settings)
    return data


def _members(path: Path, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield an archive's files; their names are only told, never used as paths."""
    try:
        members = _unzip(path, settings) if path.suffix == ".zip" else _untar(path, settings)
        for count, member in enumerate(members, 1):
            if count > settings.max_archive_files:
                raise UsageError(f"{path.name}: more than {settings.max_archive_files} files; split the archive")
            _bounded(member[0], size_within(member[1], settings.max_file_bytes), settings)
            yield member
    except BROKEN as error:
        raise UsageError(f"{path.name}: cannot be unpacked ({error}); make the archive again") from error


def _unzip(path: Path, settings: Settings) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda i: i.filename):
            if not info.is_dir() and not _hidden(info.filename):
                _bounded(info.filename, info.file_size, settings)
                yield _told(info.filename), archive.read(info)


def _untar(path: Path, settings: Settings) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        if path.suffix != ".tar" and archive.fileobj is not None:
            while archive.fileobj.read(CHUNK):  # what is packed is known to be whole at its end, where its checksum is
                pass
        for info in archive:
            if info.isfile() and not _hidden(info.name):
                _bounded(info.name, info.size, settings)
                file = archive.extractfile(info)
                if file is not None:
                    yield _told(info.name), file.read()


def _told(name: str) -> str:
    """Return a file's name as text: bytes of it that are no UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _bounded(name: str, size: int, settings: Settings) -> None:
    if size > settings.max_file_bytes:
        told = f"{name}: {size} bytes, the limit is {settings.max_file_bytes}"
        raise UsageError(f"{told}; deliver it in parts, or raise ENGANG_MAX_FILE_BYTES")


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(name).parts)
