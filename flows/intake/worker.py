"""The inbox worker: claim rows, fetch their objects, land, register, settle.

A worker may die at any moment; another one then processes its rows: bytes land once, and a row is settled in the
transaction that registers its submission. A failure affects one object only: a batch that fails is redone one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

import polars as pl
import sqlalchemy as sa

from flows.contracts.gate import usable_contract
from flows.installation import Installation
from flows.intake import registration
from flows.intake.archives import archive_ending, check_size, is_archive, read_files
from flows.intake.deliveries import BATCH_BYTES, Delivery, Landed, batches, erasure_reasons, land, make_delivery
from flows.intake.isolation import start_reader
from flows.intake.leases import check_stores, reason_of, renewed_lease, worker_name
from flows.intake.reading import ANY_ERROR
from flows.intake.receipt import Receipt
from infra import telemetry
from infra.inbox import work_queue as inbox
from infra.inbox.landed import LANDED
from infra.inbox.messages import inbox_row
from infra.inbox.object_keys import read_key
from infra.storage import landing
from infra.storage.store import STREAM_ABOVE_BYTES, Content, content_hash
from schemas.errors import ContractError, LeaseLost, RegisterError, StoreAwayError, StoreError, UsageError
from transforms import identity

ProgressCallback: TypeAlias = Callable[[str], None]
Found: TypeAlias = Delivery | Landed
"""What a row's object is: a delivery, or one that has landed before."""
FetchedRow: TypeAlias = tuple[dict[str, Any], Found]
"""A claimed row (`inbox.LEASED_COLUMNS`) and what its object is."""

CLAIM_SIZE: Final = 128
"""Objects that are claimed at once. Few: a new sender waits for one batch to end while a large backlog is processed."""
FETCH_THREADS: Final = 8
"""Objects that are fetched and landed at once."""
PERMANENT_ERRORS: Final = (UsageError, ContractError, RegisterError)
"""Errors that no retry can fix: the object is parked for a person."""

OVERWRITTEN: Final = "the sender overwrote it before it was read; the newer version is received"

_log: Final = telemetry.log("intake")


def process_inbox(
    installation: Installation,
    worker: str | None = None,
    progress: ProgressCallback = lambda _: None,
    limit: int | None = None,
) -> list[Receipt]:
    """Process the waiting rows of the inbox, up to `limit` objects; return the receipts.

    An object that fails waits for a retry or is parked; that raises nothing. Raises `StoreAwayError` when a store
    cannot be read or written, after giving back the claimed rows; `StoreError` when the ledger does not answer.
    """
    receipts: list[Receipt] = []
    claimed_count = 0
    with ThreadPoolExecutor(FETCH_THREADS) as pool:
        batch = _Batch(installation, worker or worker_name(), pool)
        while limit is None or claimed_count < limit:
            most = CLAIM_SIZE if limit is None else min(limit - claimed_count, CLAIM_SIZE)
            claimed = inbox.lease(installation.engine, batch.worker, most, bytes_limit=BATCH_BYTES)
            if claimed.is_empty():
                break
            if installation.cluster is None:
                start_reader()
            claimed_count += claimed.height
            held = renewed_lease(installation.engine, batch.worker, claimed["id"].to_list())
            with telemetry.span("receive"), held:
                for new_receipts in batch.process(claimed.to_dicts()):
                    receipts += [receipt for receipt in new_receipts if receipt.status != "parked"]
            progress(f"registered {len(receipts)} submissions of {claimed_count} arrived objects")
    return receipts


@dataclass
class _Batch:
    """Processes claimed rows, each a dict of `inbox.LEASED_COLUMNS`."""

    installation: Installation
    worker: str
    pool: ThreadPoolExecutor

    def process(self, rows: list[dict[str, Any]]) -> Iterator[list[Receipt]]:
        """Yield the receipts of registered objects; a row that fails waits for a retry, or is parked."""
        fetched: list[FetchedRow] = []
        with TemporaryDirectory(prefix="engang-") as folder:
            results = self.pool.map(partial(self._fetch, Path(folder)), rows)
            for row, result in zip(rows, results, strict=True):
                if isinstance(result, Delivery | Landed):
                    fetched.append((row, result))
                elif result is None:
                    yield self._register_archive(row)
                else:
                    self._fail(row, result)
            fetched.sort(key=lambda pair: pair[1].contract)
            in_order = iter(fetched)
            for batch in batches([found for _, found in fetched]):
                yield self._register_rows(list(islice(in_order, len(batch))))

    def _fetch(self, folder: Path, row: dict[str, Any]) -> Found | BaseException | None:
        """Return the delivery made from an object, the error, or None for an archive, which holds many deliveries.

        A large object is streamed to a file in the folder.
        """
        try:
            if row["source"] == LANDED:
                return self._landed(row)
            key = read_key(row["object"])
            if is_archive(key.filename):
                return None
            check_size(key.filename, row["bytes"] or 0, self.installation.settings)
            return self._delivery(row["object"], key.filename, self._content(folder, row))
        except ANY_ERROR as error:
            return error

    def _landed(self, row: dict[str, Any]) -> Landed:
        note = landing.read_note(self.installation.landing, row["object"])
        contract = usable_contract(self.installation, note.contract).contract
        return Landed(note, landing.content(self.installation.landing, contract, note.sender, note.sha256, note.bytes))

    def _content(self, folder: Path, row: dict[str, Any]) -> Content:
        arrivals, settings = self.installation.arrivals, self.installation.settings
        if row["bytes"] is None or row["bytes"] > STREAM_ABOVE_BYTES:
            path = folder / str(row["id"])
            arrivals.fetch(row["object"], path, row["version"])
            ((_, content),) = read_files(path, settings)
            return content
        data = arrivals.get(row["object"], row["version"])
        check_size(row["object"], data, settings)
        return data

    def _delivery(self, key: str, filename: str, data: Content) -> Delivery:
        parts = read_key(key)
        return make_delivery(
            self.installation, filename, data, parts.contract, sender=parts.sender, period=parts.period
        )

    def _register_rows(self, rows: list[FetchedRow]) -> list[Receipt]:
        """Register a batch of one contract; if that fails, each of its rows alone."""
        try:
            return self._register_together(rows)
        except StoreAwayError:
            raise  # the cluster is away: no delivery is to blame
        except ANY_ERROR as error:
            if len(rows) > 1:
                if isinstance(error, StoreError | OSError):
                    check_stores(self.installation)
                return [receipt for row in rows for receipt in self._register_rows([row])]
            self._fail(rows[0][0], error)
            return []

    def _register_together(self, rows: list[FetchedRow]) -> list[Receipt]:
        submissions = {row["id"]: _submission_id(found) for row, found in rows}
        # The intent is stored before the bytes land. If this worker dies between landing and registration, the
        # nightly registers the bytes from the landing zone, finds the intent and settles these rows as well.
        # Otherwise the rows would be claimed again and reported to the sender as redelivered.
        inbox.reserve(self.installation.engine, self.worker, submissions)
        return self._register([found for _, found in rows], inbox.acknowledge(self.worker, list(submissions)))

    def _register(self, found: Sequence[Found], settle: Callable[[sa.Connection], None]) -> list[Receipt]:
        new = iter(land(self.installation, [each for each in found if isinstance(each, Delivery)]))
        landed = [each if isinstance(each, Landed) else next(new) for each in found]
        return registration.register(self.installation, landed, settle)

    def _register_archive(self, row: dict[str, Any]) -> list[Receipt]:
        """Register the files of an archive, batch by batch; its row is settled with the last batch.

        Each earlier batch checks the lease in its own transaction (`inbox.assert_lease`): a worker that lost the
        archive to another one registers nothing more of it.
        """
        receipts: list[Receipt] = []
        try:
            with TemporaryDirectory(prefix="engang-") as folder:
                members = batches(self._members(row, Path(folder)))
                batch = next(members, None)
                if batch is None:
                    raise UsageError("no file in it; hidden files are left out")
                while batch is not None:
                    next_batch = next(members, None)
                    write = inbox.acknowledge if next_batch is None else inbox.assert_lease
                    receipts += self._register(batch, write(self.worker, [row["id"]]))
                    batch = next_batch
        except StoreAwayError:
            raise
        except ANY_ERROR as error:
            self._fail(row, error)
        return receipts

    def _members(self, row: dict[str, Any], folder: Path) -> Iterator[Delivery]:
        ending = archive_ending(row["object"])
        check_size(row["object"], row["bytes"] or 0, self.installation.settings)
        path = folder / f"archive{ending}"  # its own name may be longer than a file's
        self.installation.arrivals.fetch(row["object"], path, row["version"])
        reasons, refused, others = erasure_reasons(self.installation), "", False
        for name, data in read_files(path, self.installation.settings):
            if reasons and (reason := reasons.get(content_hash(data))):
                refused = f"{name}: {reason}"
                _log.warning("a member of an archive is refused: it was erased", extra={"object": row["id"]})
            else:
                others = True
                yield self._delivery(row["object"], name, data)
        if refused and not others:
            raise UsageError(refused)

    def _fail(self, row: dict[str, Any], error: BaseException) -> None:
        """Let a row wait for a retry, or park it. Raises `StoreAwayError` if a store is the cause."""
        engine, worker = self.installation.engine, self.worker
        fields = {"object": row["id"], "sender": row["sender"], "error": type(error).__name__}
        _log.warning("an arrived object was not registered", extra=fields)
        if isinstance(error, LeaseLost):
            return  # another worker has the row now
        if isinstance(error, PERMANENT_ERRORS):
            inbox.park(engine, worker, [row["id"]], str(error))
            return
        if isinstance(error, StoreError | OSError):
            check_stores(self.installation)
            if row["source"] != LANDED and self._is_overwritten(row):
                inbox.close_overwritten(engine, worker, [row["id"]], OVERWRITTEN)
                return
        inbox.requeue_failed(engine, worker, [row["id"]], reason_of(error))

    def _is_overwritten(self, row: dict[str, Any]) -> bool:
        """Return whether the sender overwrote the object in a store without versions; the new version gets a row."""
        for found in self.installation.arrivals.listing(row["object"]):
            if found.key == row["object"] and found.version != row["version"]:
                newer = inbox_row(found.key, found.version, found.bytes)
                inbox.enqueue(self.installation.engine, pl.DataFrame([newer], inbox.INBOX_ROW), "listing")
                versions = self.installation.arrivals.listing(row["object"], overwritten=True)
                return all(version[:2] != (row["object"], row["version"]) for version in versions)
        return False


def _submission_id(found: Found) -> str:
    if isinstance(found, Landed):
        return found.note.submission_id
    sha256 = content_hash(found.data)
    return identity.submission_id(found.contract, found.sender, found.period, sha256)
