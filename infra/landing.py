"""The landing zone: every delivery's bytes as received, at `<contract>/<sender>/<sha256>`, immutable from then on.

Beside the bytes stands a delivery note, `<sha256>.<submission_id>.json`: what the delivery said and the file does not
(its name, the period), and when it came. With them every delivery can be read again; the ledger says which are
withdrawn.
"""

import hashlib
import json
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from schemas.contract import IDENTIFIER
from schemas.errors import StoreError

SHA256: Final = r"^[0-9a-f]{64}$"


@dataclass(frozen=True)
class Note:
    """What is known of a delivery beside its bytes."""

    submission_id: str
    contract: str
    sender: str
    sha256: str
    filename: str
    period: str | None
    bytes: int
    received_at: str
    """ISO 8601, UTC."""


def content_hash(data: bytes) -> str:
    """Return the SHA-256 of the bytes, 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


def put(root: Path, note: Note, data: bytes) -> Note:
    """Store a delivery and its note, durably, and return the note that stands: the first, if it came before."""
    folder = _folder(root, note.contract, note.sender)
    folder.mkdir(parents=True, exist_ok=True)
    _write_once(folder / _checked(note.sha256, SHA256), data)
    told = json.dumps(asdict(note), ensure_ascii=False, indent=1).encode()
    path = folder / f"{note.sha256}.{_checked(note.submission_id, IDENTIFIER)}.json"
    return note if _write_once(path, told) else read_note(path)


def get(root: Path, contract: str, sender: str, sha256: str) -> bytes:
    """Return a delivery's bytes; `StoreError` if they are gone or no longer what was delivered."""
    path = _folder(root, contract, sender) / _checked(sha256, SHA256)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise StoreError(f"landing zone: {path.name} of {contract}/{sender} is gone; restore it from a copy") from error
    if content_hash(data) != sha256:
        raise StoreError(f"landing zone: {path.name} of {contract}/{sender} has changed; restore it from a copy")
    return data


def listing(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield (submission_id, path of its note) of every delivery: the listing is the truth of what was delivered."""
    for path in root.glob("*/*/*.json"):
        yield path.name.split(".")[1], path


def read_note(path: Path) -> Note:
    """Return a delivery note; `StoreError` if it is not one."""
    try:
        return Note(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise StoreError(f"landing zone: {path.name} is no delivery note ({error}); restore it from a copy") from error


def now() -> datetime:
    """Return the current time, UTC: the one clock of deliveries."""
    return datetime.now(UTC)


def _folder(root: Path, contract: str, sender: str) -> Path:
    return root / _checked(contract, IDENTIFIER) / _checked(sender, IDENTIFIER)


def _checked(name: str, pattern: str) -> str:
    """Return the name if it can be part of a path: nothing delivered reaches the file system otherwise."""
    if not re.fullmatch(pattern, name):
        raise StoreError(f"landing zone: {name!r} cannot name a folder or file; expected {pattern}")
    return name


def _write_once(path: Path, data: bytes) -> bool:
    """Write a file durably unless it is there; return whether it was written."""
    if path.exists():
        return False
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return True
