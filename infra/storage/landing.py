"""The landing zone: the bytes of every delivery as received, at `<contract>/<sender>/<sha256>`, immutable.

Next to the bytes is a delivery note, `<sha256>.<submission_id>.json`: the filename, the period and the receipt time,
which the file itself does not hold. With both every delivery can be read again. Withdrawals are in the ledger.
"""

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from infra.files import scratch_file
from infra.storage.folder import FolderStore
from infra.storage.places import Place
from infra.storage.store import STREAM_ABOVE_BYTES, Content, DamagedFile, Store, content_hash
from schemas.contract_parts import IDENTIFIER
from schemas.errors import StoreError

AS_OF_FORMAT: Final = "%Y-%m-%dT%H:%M:%S%.6f"
SHA256_PATTERN: Final = r"^[0-9a-f]{64}$"
READ_AHEAD: Final = 8
READ_AHEAD_BYTES: Final = 64 * 2**20
"""How many deliveries, and how many bytes, `get_each` reads before they are asked for."""
_NOTE: Final = re.compile(r"[^/]+/[^/]+/[^./]+\.(?P<submission>[^./]+)(\.[^/]*)?(?<=json)")


@dataclass(frozen=True)
class Note:
    """The delivery note: what is known of a delivery besides its bytes."""

    submission_id: str
    contract: str
    sender: str
    sha256: str
    filename: str
    period: str | None
    bytes: int
    received_at: str
    """ISO 8601, UTC."""
    as_of: str | None = None
    """The time as of which the sender states it, ISO 8601: it orders the sender's statements before `received_at`."""
    replaces: str | None = None
    """The submission of the same contract and sender that it replaces."""


def open_store(place: Place) -> Store:
    """Return the store at a place, without connecting to it."""
    if isinstance(place, Path):
        return FolderStore(place)
    from infra.storage.s3 import S3Store  # only where S3 is used

    return S3Store(place)


def put(store: Store, note: Note, source: Content) -> Note:
    """Store a delivery and its note, durably; return the stored note, which is an earlier one if there is one."""
    # Bytes first: a note promises that its bytes are there. A crash in between leaves bytes without a note, which no
    # listing of notes shows; the sender's next try stores the note. The same delivery by two workers at once gets
    # one note, the first, so its receipt time is the same in every rebuild.
    store.put_once(_key(note.contract, note.sender, note.sha256), source, note.sha256)
    stated = {name: value for name, value in asdict(note).items() if value is not None or name == "period"}
    content = json.dumps(stated, ensure_ascii=False, indent=1).encode()
    key = note_key(note)
    return note if store.put_once(key, content) else read_note(store, key)


def note_key(note: Note) -> str:
    """Return the key of a delivery's note."""
    name = f"{note.sha256}.{_checked(note.submission_id, IDENTIFIER)}.json"
    return f"{_checked(note.contract, IDENTIFIER)}/{_checked(note.sender, IDENTIFIER)}/{name}"


def erase_delivery(store: Store, submission: Mapping[str, Any], *, with_bytes: bool) -> None:
    """Delete a delivery's note, then its bytes unless another delivery has the same ones.

    submission: contract, sender, sha256, submission_id.
    """
    # The note first: it promises that its bytes are there. After a crash in between, the second try deletes the bytes.
    key = _key(submission["contract"], submission["sender"], submission["sha256"])
    store.delete(f"{key}.{_checked(submission['submission_id'], IDENTIFIER)}.json")
    if with_bytes:
        store.delete(key)


def get(store: Store, contract: str, sender: str, sha256: str) -> bytes:
    """Return a delivery's bytes; `StoreError` if they are missing or have changed."""
    data = store.get(_key(contract, sender, sha256))
    _check_hash(content_hash(data), contract, sender, sha256)
    return data


def content(store: Store, contract: str, sender: str, sha256: str, size: int) -> Content:
    """Return a delivery's content: its bytes, checked, or a file of a large one, which its reader has to check."""
    if size <= STREAM_ABOVE_BYTES:
        return get(store, contract, sender, sha256)
    key = _key(contract, sender, sha256)
    if isinstance(store, FolderStore):
        return store.path_of(key)
    file = scratch_file()
    store.fetch(key, file)
    return file


def get_each(store: Store, wanted: Iterable[tuple[str, str, str, int]]) -> Iterator[bytes]:
    """Yield the bytes of deliveries (contract, sender, sha256, bytes) in order, as `get` does, reading some ahead."""
    with ThreadPoolExecutor(READ_AHEAD) as pool:
        ahead: deque[tuple[Future[bytes], int]] = deque()
        ahead_bytes = 0
        for contract, sender, sha256, size in wanted:
            ahead.append((pool.submit(get, store, contract, sender, sha256), size))
            ahead_bytes += size
            while ahead and (len(ahead) > READ_AHEAD or ahead_bytes > READ_AHEAD_BYTES):
                future, size_read = ahead.popleft()
                ahead_bytes -= size_read
                yield future.result()
        yield from (future.result() for future, _ in ahead)


def delivery_damage(store: Store, contract: str, sender: str, expected: Iterable[tuple[str, int]]) -> list[DamagedFile]:
    """Return which deliveries of a sender (sha256, bytes) are missing or have another size, by one listing."""
    prefix = f"{_checked(contract, IDENTIFIER)}/{_checked(sender, IDENTIFIER)}/"
    stored = {found.key: found.bytes for found in store.listing(prefix)}
    files = ((f"{prefix}{sha256}", size) for sha256, size in expected)
    return [DamagedFile(file, stored.get(file), size) for file, size in files if stored.get(file) != size]


def list_notes(store: Store) -> Iterator[tuple[str, str]]:
    """Yield (submission_id, key of its note) of every delivery: the authoritative list of what was delivered."""
    for stored in store.listing():
        if match := _NOTE.fullmatch(stored.key):
            yield match["submission"], stored.key


def read_note(store: Store, key: str) -> Note:
    """Return a delivery note; `StoreError` if the object is not one."""
    try:
        return Note(**json.loads(store.get(key)))
    except (ValueError, TypeError, RecursionError) as error:
        raise StoreError(f"landing zone: {key} is no delivery note ({error}); restore it from a copy") from error


def receipt_time() -> datetime:
    """Return the current time, UTC: the clock of all delivery notes."""
    return datetime.now(UTC)


def _key(contract: str, sender: str, sha256: str) -> str:
    return f"{_checked(contract, IDENTIFIER)}/{_checked(sender, IDENTIFIER)}/{_checked(sha256, SHA256_PATTERN)}"


def _check_hash(found: str, contract: str, sender: str, sha256: str) -> None:
    if found != sha256:
        raise StoreError(f"landing zone: {sha256} of {contract}/{sender} has changed; restore it from a copy")


def _checked(name: str, pattern: str) -> str:
    """Return the name if it can be part of a key: no delivered text names a file or object unchecked."""
    if not re.fullmatch(pattern, name):
        raise StoreError(f"landing zone: {name!r} cannot name a folder or file; expected {pattern}")
    return name
