"""Files and folders written atomically: a reader sees the old content or the new, never a part of either.

The content goes to a temporary name in the same folder, is synced to disk, and is then renamed to its place.
"""

import os
import shutil
import tempfile
import uuid
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path, PosixPath
from typing import Final

import polars as pl

from schemas.errors import StoreError, UsageError, os_error_number

PARALLEL_SYNCS: Final = 8
"""Files of a folder that are synced at a time: the file system writes them to its journal together."""
PROBE_BYTES: Final = 1 << 16
"""How many more bytes a file is given to learn whether the system takes them."""


def write_atomic(path: Path, content: str | bytes) -> None:
    """Write a file, replacing an earlier one; text becomes UTF-8. On `OSError` the earlier file stays."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path to write a file to; after the block the file replaces `path`.

    If anything fails, `path` stays as it was and the temporary file is removed. An `OSError` names `path`.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        sync_to_disk(temporary)
        temporary.replace(path)
        sync_to_disk(path.parent)
    except OSError as error:
        if error.filename == str(temporary):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Give an empty temporary folder to fill; after the block it replaces `folder` and all that was in it.

    If anything fails, `folder` stays as it was and the temporary folder is removed. Not for two writers at once.
    """
    temporary, previous = (folder.with_name(f".{folder.name}.{suffix}") for suffix in ("partial", "previous"))
    # Python cannot swap two folders in one step. A process that dies between the two renames of `_swap` leaves the
    # earlier folder under `previous` and none in its place. The next writer restores it first.
    if previous.exists() and not folder.exists():
        previous.rename(folder)
    for leftover in (temporary, previous):
        shutil.rmtree(leftover, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        _sync_tree(temporary)
        _swap(temporary, folder, previous)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(previous, ignore_errors=True)


def temporary_path(path: Path) -> Path:
    """Return a hidden path next to `path` that no other writer uses, short enough for a file name of 255 bytes."""
    return path.with_name(f".{path.name[:50]}.{uuid.uuid4().hex}.partial")


class ScratchFile(PosixPath):
    """The path of a temporary file: deleted when nothing refers to this path any more, or the process ends."""


def scratch_file() -> ScratchFile:
    """Return the path of a new, empty temporary file that only this user can read."""
    descriptor, name = tempfile.mkstemp(prefix="engang-")
    os.close(descriptor)
    path = ScratchFile(name)
    weakref.finalize(path, Path(name).unlink, missing_ok=True)
    return path


def sync_to_disk(path: Path) -> None:
    """Wait until a file's bytes, or the names in a folder, are on disk and survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def check_input(file: Path, most: int | None = None) -> None:
    """Raise `UsageError` for an input that is no plain file, as a pipe may have no end. most: its largest size."""
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} cannot be read: it is no plain file")
    if most is not None and file.stat().st_size > most:
        raise UsageError(f"{file} is larger than {most} bytes, the limit for such a file")


def input_text(file: Path) -> str:
    """Return the text of an input; `UsageError` for one that is no plain file, or no UTF-8."""
    try:
        check_input(file)
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} cannot be read: it is no text in UTF-8") from error


def write_parquet(frame: pl.DataFrame, path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write a frame to a Parquet file, in place, with key-value metadata.

    Raises `OSError` where Polars turns one into an error of its own.
    """
    try:
        frame.write_parquet(path, metadata=metadata)
    except pl.exceptions.ComputeError as error:
        number = os_error_number(error) or _refusal(path)
        if number is None:
            raise
        raise OSError(number, os.strerror(number), str(path)) from error


def _refusal(path: Path) -> int | None:
    """Return the number of the error with which the system refuses more bytes to a file, None if it takes them.

    Where the end of a Parquet file cannot be written, Polars does not pass on the error number.
    """
    try:
        with path.open("ab") as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.errno
    return None


def write_model(home: Path, kind: str, digest: str, text: str) -> Path:
    """Write a match model to `<home>/models/<kind>/<digest>.json`; return the file.

    The ledger holds every model too. Raises `StoreError` if the disk refuses.
    """
    file = home / "models" / kind / f"{digest}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(file, text)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from error
    return file


def _swap(new: Path, folder: Path, previous: Path) -> None:
    replaces = folder.exists()
    if replaces:
        folder.rename(previous)
    try:
        new.rename(folder)
    except OSError:
        if replaces:
            previous.rename(folder)
        raise
    sync_to_disk(folder.parent)


def _sync_tree(folder: Path) -> None:
    paths = [Path(parent, name) for parent, _, names in os.walk(folder) for name in (*names, ".")]
    with ThreadPoolExecutor(PARALLEL_SYNCS) as pool:
        list(pool.map(sync_to_disk, paths))
