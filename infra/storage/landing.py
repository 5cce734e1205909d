"""The landing zone: every delivery's bytes as received, at `<contract>/<sender>/<sha256>`, immutable from then on.

Beside the bytes stands a delivery note, `<sha256>.<submission_id>.json`: what the delivery said and the file does not
(its name, the period), and when it came. With them every delivery can be read again; the ledger says which are
withdrawn.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from infra.storage.folder import FolderStore
from infra.storage.places import Place
from infra.storage.store import Content, Store, content_hash
from schemas.contract_parts import IDENTIFIER
from schemas.errors import StoreError

SHA256: Final = r"^[0-9a-f]{64}$"
AHEAD: Final = 8
AHEAD_BYTES: Final = 64 * 2**20
"""How many deliveries, and of how many bytes, are read before they are asked for."""
_NOTE: Final = re.compile(r"[^/]+/[^/]+/[^./]+\.(?P<submission>[^./]+)(\.[^/]*)?(?<=json)")


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


def open_store(place: Place) -> Store:
    """Return the store at a place; nothing is asked of it yet."""
    if isinstance(place, Path):
        return FolderStore(place)
    from infra.storage.s3 import S3Store  # noqa: PLC0415  only where S3 is used

    return S3Store(place)


def put(store: Store, note: Note, source: Content) -> Note:
    """Store a delivery and its note, durably, and return the note that stands: the first, if it came before."""
    store.put_once(_key(note.contract, note.sender, note.sha256), source, note.sha256)
    told = json.dumps(asdict(note), ensure_ascii=False, indent=1).encode()
    name = f"{note.sha256}.{_checked(note.submission_id, IDENTIFIER)}.json"
    key = f"{_checked(note.contract, IDENTIFIER)}/{_checked(note.sender, IDENTIFIER)}/{name}"
    return note if store.put_once(key, told) else read_note(store, key)


def get(store: Store, contract: str, sender: str, sha256: str) -> bytes:
    """Return a delivery's bytes; `StoreError` if they are gone or no longer what was delivered."""
    data = store.get(_key(contract, sender, sha256))
    _same(content_hash(data), contract, sender, sha256)
    return data


def get_each(store: Store, wanted: Iterable[tuple[str, str, str, int]]) -> Iterator[bytes]:
    """Yield the bytes of deliveries (contract, sender, sha256, bytes) in order, as `get` does, a few read ahead."""
    with ThreadPoolExecutor(AHEAD) as pool:
        ahead: deque[tuple[Future[bytes], int]] = deque()
        held = 0
        for contract, sender, sha256, size in wanted:
            ahead.append((pool.submit(get, store, contract, sender, sha256), size))
            held += size
            while ahead and (len(ahead) > AHEAD or held > AHEAD_BYTES):
                future, done = ahead.popleft()
                held -= done
                yield future.result()
        yield from (future.result() for future, _ in ahead)


def fetch(store: Store, note: Note, to: Path) -> None:
    """Stream a delivery to a file; `StoreError` if it is gone or no longer what was delivered."""
    found = store.fetch(_key(note.contract, note.sender, note.sha256), to)
    _same(found, note.contract, note.sender, note.sha256)


def listing(store: Store) -> Iterator[tuple[str, str]]:
    """Yield (submission_id, key of its note) of every delivery: the listing is the truth of what was delivered."""
    for found in store.listing():
        if told := _NOTE.fullmatch(found.key):
            yield told["submission"], found.key


def read_note(store: Store, key: str) -> Note:
    """Return a delivery note; `StoreError` if it is not one."""
    try:
        return Note(**json.loads(store.get(key)))
    except (ValueError, TypeError) as error:
        raise StoreError(f"landing zone: {key} is no delivery note ({error}); restore it from a copy") from error


def now() -> datetime:
    """Return the current time, UTC: the one clock of deliveries."""
    return datetime.now(UTC)


def _key(contract: str, sender: str, sha256: str) -> str:
    return f"{_checked(contract, IDENTIFIER)}/{_checked(sender, IDENTIFIER)}/{_checked(sha256, SHA256)}"


def _same(found: str, contract: str, sender: str, sha256: str) -> None:
    if found != sha256:
        raise StoreError(f"landing zone: {sha256} of {contract}/{sender} has changed; restore it from a copy")


def _checked(name: str, pattern: str) -> str:
    """Return the name if it can be part of a key: nothing delivered names a file or an object otherwise."""
    if not re.fullmatch(pattern, name):
        raise StoreError(f"landing zone: {name!r} cannot name a folder or file; expected {pattern}")
    return name
