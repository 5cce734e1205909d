"""Files, folders and archives as a stream of (name, content), within a budget for all members of an archive together.

Nothing delivered names a file of ours. A large member goes to a temporary file; it is deleted when it was received.
"""

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Final, TypeAlias

from infra.files import scratch_file
from infra.settings import Settings
from infra.storage.store import STREAM_ABOVE_BYTES, Content, size_of
from schemas.errors import OverLimitError, UsageError
from transforms.parsing.gzip import GZIP, size_within

RefusedCallback: TypeAlias = Callable[[OverLimitError], None]
"""Takes the error of a file over a limit, which is left out."""
ARCHIVE_SUFFIXES: Final = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.xz", ".tar.bz2")
"""Endings of archives, in small letters or capitals."""
UNPACK_ERRORS: Final = (
    tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError, ValueError,
    NotImplementedError, MemoryError,
)  # fmt: skip
"""What unpacking raises: bzip2 an OSError for altered bytes, zip a RuntimeError for encrypted or odd compression."""
READ_CHUNK_BYTES: Final = 1 << 20
LOCAL_HEADER_BYTES: Final = 30
"""The least size of what precedes a member's bytes in a zip."""


class Unpacked:
    """Counts what an archive unpacks to; raises `OverLimitError` beyond the budget."""

    def __init__(self, path: Path, settings: Settings) -> None:
        """Take the archive, whose size decides how much it may hold."""
        self.name = path.name
        self.limits = settings.reading
        self.most = self.limits.most_unpacked(path.stat().st_size)
        self.most_members = settings.max_archive_files
        self.bytes = 0
        self.members = 0

    def add(self, size: int) -> None:
        """Count so many bytes more."""
        self.bytes += size
        if self.bytes > self.most:
            problem = f"it unpacks to more than {self.most} bytes, the limit for an archive of its size"
            hint = "deliver it in parts, or raise ENGANG_UNPACK_RATIO or ENGANG_UNPACK_BYTES"
            raise OverLimitError(self.name, f"{problem}; {hint}")

    def add_member(self) -> None:
        """Count a member."""
        self.members += 1
        if self.members > self.most_members:
            raise OverLimitError(self.name, f"more than {self.most_members} files; split the archive")


def _raise(error: OverLimitError) -> None:
    raise error


def read_files(path: Path, settings: Settings, refuse: RefusedCallback = _raise) -> Iterator[tuple[str, Content]]:
    """Yield (name, content) of a file, of every file in a folder, or of every member of an archive, in order of name.

    Hidden files and the lock files of office programs are left out. A gzipped file is checked by its unpacked size and
    yielded packed. For a large plain file a path is yielded. A file over its limit, and an archive over its budget, of
    which no member is yielded, are left to `refuse`, which raises `OverLimitError` by default. Raises `UsageError` if
    the path does not exist or an archive cannot be unpacked.
    """
    if path.is_dir():
        for file in sorted(p for p in path.rglob("*") if p.is_file() and not is_hidden(p.relative_to(path).as_posix())):
            yield from _one_file(file, _printable_name(file.relative_to(path).as_posix()), settings, refuse)
    elif not path.is_file():
        raise UsageError(f"{path}: no such file or folder")
    elif is_archive(path.name):
        yield from _archive_members(path, settings, refuse)
    else:
        yield from _one_file(path, _printable_name(path.name), settings, refuse)


def is_archive(name: str) -> bool:
    """Return whether a file of this name is unpacked."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def archive_ending(name: str) -> str:
    """Return the ending by which an archive is unpacked."""
    return next(ending for ending in ARCHIVE_SUFFIXES if name.lower().endswith(ending))


def is_hidden(name: str) -> bool:
    """Return whether a file is no delivery: hidden, an office program's lock file, or macOS's notes on a file."""
    return any(part.startswith((".", "~$", "__MACOSX")) and part != ".." for part in PurePosixPath(name).parts)


def check_size(name: str, delivered: bytes | int, settings: Settings) -> None:
    """Raise `OverLimitError` if a file, or the content of a gzipped one, is over its limit; a number: its bytes."""
    if isinstance(delivered, int):
        _check_bytes(name, delivered, settings)
        return
    _check_bytes(name, len(delivered), settings)
    most = min(settings.max_file_bytes, settings.reading.most_unpacked(len(delivered)))
    size = size_within(delivered, most)
    if delivered.startswith(GZIP) and size > most:
        problem = f"{len(delivered)} bytes of gzip that hold more than {most}, the limit for a file of its size"
        hint = "deliver it in parts, or raise ENGANG_MAX_FILE_BYTES or ENGANG_UNPACK_RATIO"
        raise OverLimitError(name, f"{problem}; {hint}")


def _one_file(path: Path, name: str, settings: Settings, refuse: RefusedCallback) -> Iterator[tuple[str, Content]]:
    try:
        content = _read(path, name, settings)
    except OverLimitError as error:
        refuse(error)
        return
    yield name, content


def _read(path: Path, name: str, settings: Settings) -> Content:
    size = path.stat().st_size
    _check_bytes(name, size, settings)
    with path.open("rb") as file:
        if size > STREAM_ABOVE_BYTES and file.read(len(GZIP)) != GZIP:
            return path
    data = path.read_bytes()
    check_size(name, data, settings)
    return data


def _archive_members(path: Path, settings: Settings, refuse: RefusedCallback) -> Iterator[tuple[str, Content]]:
    """Yield an archive's files. Their names are only shown, never used as paths."""
    budget = Unpacked(path, settings)
    members = _unzip(path, budget) if archive_ending(path.name) == ".zip" else _untar(path, budget)
    try:
        for name, content in members:
            if _fits(name, content, settings, refuse):
                yield name, content
    except OverLimitError as error:
        refuse(error)
    except UNPACK_ERRORS as error:
        raise UsageError(f"{path.name}: cannot be unpacked ({error}); make the archive again") from error


def _fits(name: str, content: Content, settings: Settings, refuse: RefusedCallback) -> bool:
    try:
        if isinstance(content, bytes):
            check_size(name, content, settings)
        _check_bytes(name, size_of(content), settings)
    except OverLimitError as error:
        refuse(error)
        return False
    return True


def _unzip(path: Path, budget: Unpacked) -> Iterator[tuple[str, Content]]:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir() and not is_hidden(info.filename)]
        _refuse_overlaps(path, archive.infolist())
        for info in members:
            budget.add_member()
            budget.add(info.file_size)
        for info in sorted(members, key=lambda i: i.filename):
            with archive.open(info) as file:  # it yields no more bytes than the archive states, which are counted
                yield _printable_name(info.filename), _content(file, info.file_size)


def _refuse_overlaps(path: Path, members: list[zipfile.ZipInfo]) -> None:
    """Raise `UsageError` if two members share bytes: then a small archive holds any amount. Python 3.11.7 reads it."""
    end = 0
    for info in sorted(members, key=lambda i: i.header_offset):
        if info.header_offset < end:
            raise UsageError(f"{path.name}: its members overlap ({_printable_name(info.filename)!r}); make it again")
        end = info.header_offset + LOCAL_HEADER_BYTES + len(info.filename) + info.compress_size


def _untar(path: Path, budget: Unpacked) -> Iterator[tuple[str, Content]]:
    # Read to the end first: the checksum is there, only then is the packed file known to be complete, and an archive
    # over its budget ends here, before any of its members is received.
    with tarfile.open(path) as archive:
        while archive.fileobj is not None and (piece := archive.fileobj.read(READ_CHUNK_BYTES)):
            budget.add(len(piece))
    budget.bytes = 0
    with tarfile.open(path) as archive:
        for info in archive:
            if info.isfile() and not is_hidden(info.name):
                budget.add_member()
                budget.add(info.size)  # a sparse member states more than the archive holds
                file = archive.extractfile(info)
                if file is not None:
                    yield _printable_name(info.name), _content(file, info.size)


def _content(file: IO[bytes], size: int) -> Content:
    """Return a member's bytes, or a temporary file that holds those of a large one."""
    if size <= STREAM_ABOVE_BYTES:
        return file.read()
    path = scratch_file()
    with path.open("wb") as copy:
        while piece := file.read(READ_CHUNK_BYTES):
            copy.write(piece)
    return path


def _printable_name(name: str) -> str:
    """Return a file name as text: bytes that are not UTF-8 become U+FFFD."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _check_bytes(name: str, size: int, settings: Settings) -> None:
    if size > settings.max_file_bytes:
        problem = f"{size} bytes, the limit is {settings.max_file_bytes}"
        raise OverLimitError(name, f"{problem}; deliver it in parts, or raise ENGANG_MAX_FILE_BYTES")
