"""From the inbox to registered submissions: claim, fetch, land, register, settle.

Whatever moment a worker dies at, its rows are done by another: bytes land once, and a row is settled in the transaction
that registers what it became. A failure is one object's: a batch that fails is done again one by one.
"""

import os
import socket
import threading
import traceback
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, TypeAlias

import polars as pl
import sqlalchemy as sa
from polars.exceptions import PanicException

from flows.installation import Installation
from flows.intake import registration as receiving
from flows.intake.archives import ARCHIVES, LARGE, find, within_limits
from flows.intake.receipt import Receipt
from flows.intake.registration import Delivery
from infra import telemetry
from infra.inbox import work_queue as inbox
from infra.inbox.messages import noticed
from infra.inbox.object_keys import read_key
from infra.storage.store import Content, content_hash
from schemas.errors import ContractError, LeaseLost, RegisterError, StoreError, UsageError
from transforms import identity as identify

Progress: TypeAlias = Callable[[str], None]
Read: TypeAlias = tuple[dict[str, Any], receiving.Delivery]
"""A claimed row (`inbox.CLAIMED`) and the delivery that its object is."""

BATCH: Final = 128
"""Objects that are claimed at once: few, since whoever comes while a flood is worked off waits for a batch to end."""
FETCHES: Final = 8
"""Objects that are fetched and landed at once."""
RENEWALS: Final = 3
"""How often a lease is renewed in its time."""
HOPELESS: Final = (UsageError, ContractError, RegisterError)
"""No further try would help: a person puts it right first."""

OVERWRITTEN: Final = "the sender wrote over it before it was read; the newer version is received"

_log: Final = telemetry.log("intake")


class StoreAwayError(StoreError):
    """A store does not answer, or keeps nothing: no fault of what was delivered."""


def drain(
    installation: Installation,
    worker: str | None = None,
    progress: Progress = lambda _: None,
    limit: int | None = None,
) -> list[Receipt]:
    """Work off what waits in the inbox, up to `limit` objects, and return the receipts.

    What fails waits or is parked, and is no error here. Raises `StoreAwayError` when nothing can be kept or read now,
    what was claimed is given back then; `StoreError` when the ledger does not answer.
    """
    receipts: list[Receipt] = []
    taken = 0
    with ThreadPoolExecutor(FETCHES) as pool:
        batch = _Batch(installation, worker or worker_name(), pool)
        while limit is None or taken < limit:
            most = BATCH if limit is None else min(limit - taken, BATCH)
            claimed = inbox.claim(installation.engine, batch.worker, most, bytes_limit=receiving.BATCH_BYTES)
            if claimed.is_empty():
                break
            taken += claimed.height
            with _holding(installation.engine, batch.worker, claimed["id"].to_list()):
                for some in batch.work(claimed.to_dicts()):
                    receipts += some
            progress(f"registered {len(receipts)} submissions of {taken} arrived objects")
    return receipts


def worker_name() -> str:
    """Return a name that no other worker bears, of this host or another, now or later."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass
class _Batch:
    """What works off claimed rows, each a dict of `inbox.CLAIMED`."""

    installation: Installation
    worker: str
    pool: ThreadPoolExecutor

    def work(self, rows: list[dict[str, Any]]) -> Iterator[list[Receipt]]:
        """Yield the receipts of what could be registered; what could not waits again, or is parked."""
        read: list[Read] = []
        with TemporaryDirectory(prefix="engang-") as folder:
            found = self.pool.map(partial(self._fetched, Path(folder)), rows)
            for row, got in zip(rows, found, strict=True):
                if isinstance(got, Delivery):
                    read.append((row, got))
                elif got is None:
                    yield self._archive(row)
                else:
                    self._failed(row, got)
            read.sort(key=lambda each: each[1].contract)
            in_order = iter(read)
            for batch in receiving.batches([delivery for _, delivery in read]):
                yield self._registered(list(islice(in_order, len(batch))))

    def _fetched(self, folder: Path, row: dict[str, Any]) -> Delivery | BaseException | None:
        """Return the delivery that an object is, what went wrong, or None for an archive, which is many.

        What is large is streamed to a file in the folder.
        """
        try:
            key = read_key(row["object"])
            if key.filename.endswith(ARCHIVES):
                return None
            within_limits(key.filename, row["bytes"] or 0, self.installation.settings)
            return self._delivery(row["object"], key.filename, self._content(folder, row))
        except (Exception, PanicException) as error:  # noqa: BLE001  one object's failure is told of it alone
            return error

    def _content(self, folder: Path, row: dict[str, Any]) -> Content:
        arrivals, settings = self.installation.arrivals, self.installation.settings
        if row["bytes"] is None or row["bytes"] > LARGE:
            path = folder / str(row["id"])
            arrivals.fetch(row["object"], path, row["version"])
            ((_, content),) = find(path, settings)
            return content
        data = arrivals.get(row["object"], row["version"])
        within_limits(row["object"], data, settings)
        return data

    def _delivery(self, key: str, filename: str, data: Content) -> Delivery:
        told = read_key(key)
        return receiving.deliver(
            self.installation, filename, data, told.contract, sender=told.sender, period=told.period
        )

    def _registered(self, read: list[Read]) -> list[Receipt]:
        """Register a batch of one contract, or, if that fails, each of it by itself."""
        try:
            return self._once(read)
        except (Exception, PanicException) as error:  # noqa: BLE001  one object's failure is told of it alone
            if len(read) > 1:
                if isinstance(error, StoreError | OSError):
                    self._ask_stores()
                return [receipt for each in read for receipt in self._registered([each])]
            self._failed(read[0][0], error)
            return []

    def _once(self, read: list[Read]) -> list[Receipt]:
        becomes = {row["id"]: _submission(delivery) for row, delivery in read}
        # Written down before it lands: whoever registers it from the landing zone settles its row too.
        inbox.intend(self.installation.engine, self.worker, becomes)
        return self._register([delivery for _, delivery in read], inbox.settle(self.worker, list(becomes)))

    def _register(self, deliveries: Sequence[Delivery], settle: Callable[[sa.Connection], None]) -> list[Receipt]:
        return receiving.register(self.installation, receiving.land(self.installation, list(deliveries)), settle)

    def _archive(self, row: dict[str, Any]) -> list[Receipt]:
        """Register what an archive holds, batch by batch; its row is settled with the last."""
        receipts: list[Receipt] = []
        try:
            with TemporaryDirectory(prefix="engang-") as folder:
                batches = receiving.batches(self._members(row, Path(folder)))
                batch = next(batches, None)
                if batch is None:
                    raise UsageError("no file in it; hidden files are left out")  # noqa: TRY301  parked as all that is
                while batch is not None:
                    following = next(batches, None)
                    done = inbox.settle if following is None else inbox.fence
                    receipts += self._register(batch, done(self.worker, [row["id"]]))
                    batch = following
        except (Exception, PanicException) as error:  # noqa: BLE001  one object's failure is told of it alone
            self._failed(row, error)
        return receipts

    def _members(self, row: dict[str, Any], folder: Path) -> Iterator[Delivery]:
        ending = next(end for end in ARCHIVES if row["object"].endswith(end))
        within_limits(row["object"], row["bytes"] or 0, self.installation.settings)
        path = folder / f"archive{ending}"  # its own name may be longer than a file's
        self.installation.arrivals.fetch(row["object"], path, row["version"])
        for name, data in find(path, self.installation.settings):
            yield self._delivery(row["object"], name, data)

    def _failed(self, row: dict[str, Any], error: BaseException) -> None:
        """Let a row wait, or park it. Raises `StoreAwayError` if it was no fault of it."""
        engine, worker = self.installation.engine, self.worker
        told = {"object": row["id"], "sender": row["sender"], "error": type(error).__name__}
        _log.warning("an arrived object was not registered", extra=told)
        if isinstance(error, LeaseLost):
            return  # another does it
        if isinstance(error, HOPELESS):
            inbox.park(engine, worker, [row["id"]], str(error))
            return
        if isinstance(error, StoreError | OSError):
            self._ask_stores()
            if self._written_over(row):
                inbox.close(engine, worker, [row["id"]], OVERWRITTEN)
                return
        inbox.release_with(engine, worker, [row["id"]], reason_of(error))

    def _written_over(self, row: dict[str, Any]) -> bool:
        """Tell whether the sender wrote another version over an object that no store keeps; that one is noted."""
        for found in self.installation.arrivals.listing(row["object"]):
            if found.key == row["object"] and found.version != row["version"]:
                newer = noticed(found.key, found.version, found.bytes)
                inbox.notice(self.installation.engine, pl.DataFrame([newer], inbox.NOTICED), "listing")
                kept = self.installation.arrivals.listing(row["object"], overwritten=True)
                return all(each[:2] != (row["object"], row["version"]) for each in kept)
        return False

    def _ask_stores(self) -> None:
        """Raise `StoreAwayError` if it is the stores that fail."""
        try:
            self.installation.arrivals.probe(writes=False)
            self.installation.landing.probe()
        except (StoreError, OSError) as error:
            raise StoreAwayError(f"nothing can be received now: {error}") from error


def reason_of(error: BaseException) -> str:
    """Return why something failed, as the inbox tells it.

    An unforeseen error may quote what was delivered: its type and the place where it was raised stand for it.
    """
    if isinstance(error, StoreError | OSError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unforeseen: {type(error).__name__}{where}; look into the file, then `engang inbox retry`"


def _submission(delivery: Delivery) -> str:
    sha256 = content_hash(delivery.data)
    return identify.submission_id(delivery.contract, delivery.sender, delivery.period, sha256)


@contextmanager
def _holding(engine: sa.Engine, worker: str, ids: list[int]) -> Iterator[None]:
    """Renew the lease while the block runs; if it fails, what is undone is given back and counts as untried."""
    over = threading.Event()

    def _renew() -> None:
        while not over.wait(inbox.LEASE.total_seconds() / RENEWALS):
            with suppress(StoreError):  # the next one may succeed; if none does, the lease is lost, and told then
                inbox.renew(engine, worker, ids)

    thread = threading.Thread(target=_renew, name="engang-lease", daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:
        with suppress(StoreError):  # the ledger is away too: the lease ends by itself
            inbox.release_with(engine, worker, ids, f"given back: {reason_of(error)}", counted=False)
        raise
    finally:
        over.set()
        thread.join()
