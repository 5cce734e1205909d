"""A delivery: one file with its contract and sender, batched, landed, and found again in the landing zone."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from flows.contracts.gate import usable_contract
from flows.installation import Installation
from flows.intake.archives import read_files
from infra import telemetry
from infra.inbox.landed import left_to_others
from infra.ledger import submissions as ledger_submissions
from infra.ledger.erasures import read_erasures
from infra.storage import landing
from infra.storage.store import Content, content_hash, size_of
from schemas.contract import IDENTIFIER
from schemas.errors import EngangError, OverLimitError, UsageError
from transforms import identity
from transforms.parsing.gzip import GZIP, TRAILER, likely_size

BATCH_BYTES: Final = 24 * 2**20
BATCH_FILES: Final = 1000
"""Limits of what is read, normalised and registered at once: the batch bounds memory, not the delivery."""
GZIP_ENDING: Final = ".gz"
LIKELY_RATIO: Final = 10
"""How many times its size a gzipped file is taken to be whose end nobody has read."""
LANDING_THREADS: Final = 8
NOTES_PER_LOOKUP: Final = 5000
"""Notes of the landing zone that one query compares with the ledger."""


@dataclass(frozen=True)
class Delivery:
    """One file to receive. `period`, `as_of` and `replaces` are what the sender states and the file does not.

    as_of: the time as of which its statements hold, by default that of its receipt. replaces: a submission of the same
    contract and sender. received_at: when it was received, if it is not received now but read again.
    """

    filename: str
    data: Content
    contract: str
    sender: str
    period: str | None = None
    as_of: datetime | None = None
    replaces: str | None = None
    received_at: datetime | None = None


class Landed(NamedTuple):
    """A delivery in the landing zone: its note and its bytes, None where a worker of a cluster reads them."""

    note: landing.Note
    data: Content | None

    @property
    def contract(self) -> str:
        """The contract that the delivery follows."""
        return self.note.contract


InBatch = TypeVar("InBatch", bound="Delivery | Landed")


def make_delivery(
    installation: Installation,
    filename: str,
    data: Content,
    contract: str,
    *,
    sender: str | None,
    period: str | None,
) -> Delivery:
    """Return the delivery; `UsageError` if sender or period is missing or not allowed by the contract."""
    rules = usable_contract(installation, contract)
    sender = sender or rules.sender.default
    if sender is None:
        raise UsageError(f"contract {contract!r} names no default sender: give the sender with --sender")
    if not re.fullmatch(IDENTIFIER, sender):
        raise UsageError(f"sender {sender!r} is no name: expected small letters, digits, '.', '_' or '-', at most 64")
    if not rules.sender.may_deliver(sender):
        raise UsageError(
            f"sender {sender!r} may not deliver {contract!r}; allowed: {', '.join(rules.sender.known())}. "
            "Add it to `sender.allowed` of the contract if it should"
        )
    if "period" in rules.options() and period is None:
        raise UsageError(f"the files of contract {contract!r} do not state their period: give it with --period")
    return Delivery(filename, data, contract, sender, period if "period" in rules.options() else None)


def deliveries_from_paths(
    installation: Installation,
    paths: Iterable[Path],
    contract: str,
    *,
    sender: str | None,
    period: str | None,
    refused: list[OverLimitError] | None = None,
) -> Iterator[Delivery]:
    """Yield a delivery for each file, for each file in a folder and for each member of an archive.

    A file over a limit is added to `refused`, if given, and the others are yielded. Raises `UsageError` for a path
    without files, and as `read_files` and `make_delivery` do.
    """
    for path in paths:
        over: list[OverLimitError] = []
        is_empty = True
        for name, data in read_files(path, installation.settings, *([] if refused is None else [over.append])):
            is_empty = False
            yield make_delivery(installation, name, data, contract, sender=sender, period=period)
        if is_empty and not over:
            raise UsageError(f"{path}: no file in it; hidden files are left out")
        if refused is not None:
            refused += over


def landing_note(delivery: Delivery, at: datetime) -> landing.Note:
    """Return the note that the landing zone keeps with a delivery received at a time."""
    sha256 = content_hash(delivery.data)
    as_of = delivery.as_of.isoformat(timespec="microseconds") if delivery.as_of else None
    stated = (as_of or "", delivery.replaces or "") if as_of or delivery.replaces else ()
    return landing.Note(
        submission_id=identity.submission_id(delivery.contract, delivery.sender, delivery.period, sha256, *stated),
        contract=delivery.contract,
        sender=delivery.sender,
        sha256=sha256,
        filename=delivery.filename,
        period=delivery.period,
        bytes=size_of(delivery.data),
        received_at=at.isoformat(),
        as_of=as_of,
        replaces=delivery.replaces,
    )


def batches(deliveries: Iterable[InBatch]) -> Iterator[list[InBatch]]:
    """Yield the deliveries in batches: each of one contract, and limited in files and in unpacked bytes."""
    batch: list[InBatch] = []
    size = 0
    for delivery in deliveries:
        if batch and (size + _size_in_batch(delivery) > BATCH_BYTES or len(batch) >= BATCH_FILES
                      or delivery.contract != batch[0].contract):  # fmt: skip
            yield batch
            batch, size = [], 0
        batch.append(delivery)
        size += _size_in_batch(delivery)
    if batch:
        yield batch


def _size_in_batch(delivery: Delivery | Landed) -> int:
    if delivery.data is not None:
        return _likely_size(delivery.data)
    note = delivery.note
    return note.bytes * (LIKELY_RATIO if note.filename.endswith(GZIP_ENDING) else 1)


def _likely_size(data: Content) -> int:
    if isinstance(data, bytes):
        return likely_size(data)
    size = data.stat().st_size
    with data.open("rb") as file:
        start = file.read(len(GZIP))
        file.seek(max(0, size - TRAILER))
        return max(size, likely_size(start + file.read()))


def erasure_reasons(installation: Installation) -> dict[str, str]:
    """Return why bytes are refused that were erased, by their hash."""
    return {
        row["sha256"]: f"it was erased on {row['begun_at']:%Y-%m-%d} by {row['who']}: {row['why']}"
        for row in read_erasures(installation.engine).iter_rows(named=True)
    }


def refused_deliveries(installation: Installation, batch: list[Delivery]) -> dict[int, str]:
    """Return why deliveries of a batch are refused, by their place in it: their bytes were erased."""
    reasons = erasure_reasons(installation)
    if not reasons:  # as good as always: no hash is computed twice
        return {}
    hashes = {n: content_hash(delivery.data) for n, delivery in enumerate(batch)}
    return {n: reasons[sha256] for n, sha256 in hashes.items() if sha256 in reasons}


@telemetry.span("land")
def land(installation: Installation, batch: list[Delivery]) -> list[Landed]:
    """Hop 1: store the bytes of a batch's deliveries, durably; `UsageError` if one of them was erased."""
    store = installation.landing
    for place, reason in refused_deliveries(installation, batch).items():
        raise UsageError(f"{batch[place].filename}: {reason}")

    def _land_one(delivery: Delivery, at: datetime) -> Landed:
        return Landed(landing.put(store, landing_note(delivery, at), delivery.data), delivery.data)

    times = _receipt_times(batch)
    if len(batch) <= 1 or isinstance(installation.settings.landing, Path):
        return [_land_one(delivery, at) for delivery, at in zip(batch, times, strict=True)]
    with ThreadPoolExecutor(LANDING_THREADS) as pool:  # each waits for two answers of S3
        return list(pool.map(_land_one, batch, times))


def _receipt_times(batch: list[Delivery]) -> list[datetime]:
    """Return the receipt time of each delivery of a batch: later ones have later times, and correct earlier ones."""
    now = landing.receipt_time()
    return [d.received_at or now + timedelta(microseconds=n) for n, d in enumerate(batch)]


def unregistered_deliveries(
    installation: Installation, park: Callable[[str, str, EngangError], None]
) -> Iterator[Landed]:
    """Yield what is in the landing zone and waits for no person, but is not in the ledger, contract by contract.

    What cannot be read from the landing zone, or has no contract any more, is given to `park` with the submission and
    the key of its note: the others do not wait for it.
    """
    store = installation.landing
    for key, submission in sorted(_unregistered_keys(installation)):
        try:
            note = landing.read_note(store, key)
            contract = usable_contract(installation, note.contract).contract
            by_worker = installation.cluster is not None
            data = None if by_worker else landing.content(store, contract, note.sender, note.sha256, note.bytes)
        except EngangError as error:
            park(submission, key, error)
            continue
        yield Landed(note, data)


def _unregistered_keys(installation: Installation) -> Iterator[tuple[str, str]]:
    """Yield the note key and id of landed submissions that the ledger does not have, each submission once."""
    seen: set[str] = set()
    listed = landing.list_notes(installation.landing)
    while chunk := dict(islice(listed, NOTES_PER_LOOKUP)):
        known = ledger_submissions.read_submissions(installation.engine, ids=list(chunk), columns=["submission_id"])[
            "submission_id"
        ]
        new = chunk.keys() - set(known) - seen
        new -= left_to_others(installation.engine, new)
        seen |= new
        yield from ((chunk[submission], submission) for submission in new)
