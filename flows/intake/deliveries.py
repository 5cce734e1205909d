"""A delivery: one file with its contract and sender, batched, landed, and found again in the landing zone."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

from flows.installation import Installation
from flows.intake.archives import read_files
from infra import telemetry
from infra.ledger import submissions as ledger_submissions
from infra.storage import landing
from infra.storage.store import Content, content_hash, size_of
from schemas.contract import IDENTIFIER
from schemas.errors import EngangError, UsageError
from transforms import identity
from transforms.parsing.gzip import GZIP, TRAILER, likely_size

BATCH_BYTES: Final = 24 * 2**20
BATCH_FILES: Final = 1000
"""Limits of what is read, normalised and registered at once: the batch bounds memory, not the delivery."""
LANDING_THREADS: Final = 8
NOTES_PER_LOOKUP: Final = 5000
"""Notes of the landing zone that one query compares with the ledger."""


@dataclass(frozen=True)
class Delivery:
    """One file to receive. `period` is what the sender states and the file does not."""

    filename: str
    data: Content
    contract: str
    sender: str
    period: str | None = None


Landed: TypeAlias = tuple[landing.Note, Content]
"""A delivery in the landing zone: its note and its bytes."""


def make_delivery(  # noqa: PLR0913  what the command line states about one file
    installation: Installation, filename: str, data: Content, contract: str, *, sender: str | None, period: str | None
) -> Delivery:
    """Return the delivery; `UsageError` if sender or period is missing or not allowed by the contract."""
    rules = installation.contract(contract)
    sender = sender or rules.sender.default
    if sender is None:
        raise UsageError(f"contract {contract!r} names no default sender: give the sender with --sender")
    if not re.fullmatch(IDENTIFIER, sender):
        raise UsageError(f"sender {sender!r} is no name: expected small letters, digits, '.', '_' or '-', at most 64")
    if rules.sender.allowed is not None and sender not in rules.sender.allowed:
        raise UsageError(f"sender {sender!r} may not deliver {contract!r}; allowed: {', '.join(rules.sender.allowed)}")
    if "period" in rules.options() and period is None:
        raise UsageError(f"the files of contract {contract!r} do not state their period: give it with --period")
    return Delivery(filename, data, contract, sender, period if "period" in rules.options() else None)


def deliveries_from_paths(
    installation: Installation, paths: Iterable[Path], contract: str, *, sender: str | None, period: str | None
) -> Iterator[Delivery]:
    """Yield a delivery for each file, for each file in a folder and for each member of an archive.

    Raises `UsageError` for a path without files, and as `read_files` and `make_delivery` do.
    """
    for path in paths:
        is_empty = True
        for name, data in read_files(path, installation.settings):
            is_empty = False
            yield make_delivery(installation, name, data, contract, sender=sender, period=period)
        if is_empty:
            raise UsageError(f"{path}: no file in it; hidden files are left out")


def landing_note(delivery: Delivery, at: datetime) -> landing.Note:
    """Return the note that the landing zone keeps with a delivery received at a time."""
    sha256 = content_hash(delivery.data)
    return landing.Note(
        submission_id=identity.submission_id(delivery.contract, delivery.sender, delivery.period, sha256),
        contract=delivery.contract,
        sender=delivery.sender,
        sha256=sha256,
        filename=delivery.filename,
        period=delivery.period,
        bytes=size_of(delivery.data),
        received_at=at.isoformat(),
    )


def batches(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """Yield the deliveries in batches: each of one contract, and limited in files and in unpacked bytes."""
    batch: list[Delivery] = []
    size = 0
    for delivery in deliveries:
        if batch and (size + _likely_size(delivery.data) > BATCH_BYTES or len(batch) >= BATCH_FILES
                      or delivery.contract != batch[0].contract):  # fmt: skip
            yield batch
            batch, size = [], 0
        batch.append(delivery)
        size += _likely_size(delivery.data)
    if batch:
        yield batch


def _likely_size(data: Content) -> int:
    if isinstance(data, bytes):
        return likely_size(data)
    size = data.stat().st_size
    with data.open("rb") as file:
        start = file.read(len(GZIP))
        file.seek(max(0, size - TRAILER))
        return max(size, likely_size(start + file.read()))


@telemetry.span("land")
def land(installation: Installation, batch: list[Delivery]) -> list[Landed]:
    """Hop 1: store the bytes of a batch's deliveries, durably."""
    store = installation.landing

    def _land_one(delivery: Delivery) -> Landed:
        return landing.put(store, landing_note(delivery, landing.receipt_time()), delivery.data), delivery.data

    if len(batch) == 1 or isinstance(installation.settings.landing, Path):
        return [_land_one(delivery) for delivery in batch]
    with ThreadPoolExecutor(LANDING_THREADS) as pool:  # each waits for two answers of S3
        return list(pool.map(_land_one, batch))


def unregistered_deliveries(
    installation: Installation, progress: Callable[[str], None] = lambda _: None
) -> Iterator[Delivery]:
    """Yield what is in the landing zone but not in the ledger, contract by contract.

    A file that cannot be received now (for example, its contract was removed) is reported and stays where it is: the
    others do not wait for it.
    """
    store = installation.landing
    for key in sorted(_unregistered_keys(installation)):
        try:
            note = landing.read_note(store, key)
            data = landing.get(store, installation.contract(note.contract).contract, note.sender, note.sha256)
        except EngangError as error:
            progress(f"left in the landing zone: {error}")
            continue
        yield Delivery(note.filename, data, note.contract, note.sender, note.period)


def _unregistered_keys(installation: Installation) -> Iterator[str]:
    """Yield the note keys of landed submissions that the ledger does not have, one key per submission."""
    seen: set[str] = set()
    listed = landing.list_notes(installation.landing)
    while chunk := dict(islice(listed, NOTES_PER_LOOKUP)):
        known = ledger_submissions.read_submissions(installation.engine, ids=list(chunk), columns=["submission_id"])[
            "submission_id"
        ]
        new = chunk.keys() - set(known) - seen
        seen |= new
        yield from (chunk[submission] for submission in new)
