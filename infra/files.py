"""Match models as files, one each, beside the ledger that holds them too: `<home>/models/<kind>/<digest>.json`."""

import os
from pathlib import Path

from schemas.errors import StoreError


def keep(home: Path, kind: str, digest: str, text: str) -> Path:
    """Write a model durably, whole or not at all, and return its file; `StoreError` if the disk does not take it."""
    file = home / "models" / kind / f"{digest}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, text)
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}") from error
    return file


def write_whole(file: Path, text: str) -> None:
    """Write a file durably, whole or not at all, in the place of one that may be there."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    with partial.open("w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    partial.replace(file)
