"""Files, folders and archives as a stream of (name, bytes): limited in size, never unpacked to the file system."""

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

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
UNPACK_ERRORS = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError)
"""What unpacking raises: bzip2 an OSError for altered bytes, zip a RuntimeError for encrypted or odd compression."""
READ_CHUNK_BYTES = 1 << 20
STREAM_ABOVE_BYTES = 64 * 2**20
"""A plain file larger than this is not read into memory before it is parsed."""


def read_files(path: Path, settings: Settings) -> Iterator[tuple[str, Content]]:
    """Yield (name, bytes) of a file, of every file in a folder, or of every member of an archive, in order of name.

    Hidden files are left out. A gzipped file is checked by its unpacked size and yielded packed. For a large plain file
    the path is yielded. Raises `UsageError` if the path does not exist or a file is over its limit.
    """
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file() and not _hidden(p.relative_to(path).as_posix())):
            yield _printable_name(file.relative_to(path).as_posix()), _read(file, settings)
    elif not path.is_file():
        raise UsageError(f"{path}: no such file or folder")
    elif path.name.endswith(ARCHIVE_SUFFIXES):
        yield from _archive_members(path, settings)
    else:
        yield _printable_name(path.name), _read(path, settings)


def check_size(name: str, delivered: bytes | int, settings: Settings) -> None:
    """Raise `UsageError` if a file, or the content of a gzipped one, is over the limit; a number is a size in bytes."""
    size = delivered if isinstance(delivered, int) else size_within(delivered, settings.max_file_bytes)
    _check_bytes(name, size, settings)


def _read(path: Path, settings: Settings) -> Content:
    size = path.stat().st_size
    _check_bytes(path.name, size, settings)
    with path.open("rb") as file:
        if size > STREAM_ABOVE_BYTES and file.read(len(GZIP)) != GZIP:
            return path
    data = path.read_bytes()
    _check_bytes(path.name, size_within(data, settings.max_file_bytes), settings)
    return data


def _archive_members(path: Path, settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Yield an archive's files. Their names are only shown, never used as paths."""
    try:
        members = _unzip(path, settings) if path.suffix == ".zip" else _untar(path, settings)
        for count, member in enumerate(members, 1):
            if count > settings.max_archive_files:
                raise UsageError(f"{path.name}: more than {settings.max_archive_files} files; split the archive")
            _check_bytes(member[0], size_within(member[1], settings.max_file_bytes), settings)
            yield member
    except UNPACK_ERRORS as error:
        raise UsageError(f"{path.name}: cannot be unpacked ({error}); make the archive again") from error


def _unzip(path: Path, settings: Settings) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in sorted(archive.infolist(), key=lambda i: i.filename):
            if not info.is_dir() and not _hidden(info.filename):
                _check_bytes(info.filename, info.file_size, settings)
                yield _printable_name(info.filename), archive.read(info)


def _untar(path: Path, settings: Settings) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        if path.suffix != ".tar" and archive.fileobj is not None:
            # Read to the end first: the checksum is there, and only then is the packed file known to be complete.
            while archive.fileobj.read(READ_CHUNK_BYTES):
                pass
        for info in archive:
            if info.isfile() and not _hidden(info.name):
                _check_bytes(info.name, info.size, settings)
                file = archive.extractfile(info)
                if file is not None:
                    yield _printable_name(info.name), file.read()


def _printable_name(name: str) -> str:
    """Return a file name as text: bytes that are not UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _check_bytes(name: str, size: int, settings: Settings) -> None:
    if size > settings.max_file_bytes:
        problem = f"{name}: {size} bytes, the limit is {settings.max_file_bytes}"
        raise UsageError(f"{problem}; deliver it in parts, or raise ENGANG_MAX_FILE_BYTES")


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) and part != ".." for part in PurePosixPath(name).parts)
