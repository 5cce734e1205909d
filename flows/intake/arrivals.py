"""Intake: what arrives, in a bucket or a folder, becomes rows of the inbox, and those become submissions.

A notification is a hint that makes it quick; the listing of the arrivals is the truth that makes it whole.
"""

import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import polars as pl

from flows.installation import Installation
from flows.intake.receipt import Receipt
from flows.intake.worker import BATCH, Progress, drain, worker_name
from infra import telemetry
from infra.inbox import work_queue as inbox
from infra.inbox.messages import noticed
from infra.settings import user_name
from infra.storage.folder_watch import QUIET_SECONDS, FolderWatch
from infra.storage.store import Found
from schemas.errors import StoreError

if TYPE_CHECKING:
    from infra.inbox.sqs import Queue

__all__ = [
    "Listened",
    "announce_parked",
    "dead_letter_queue",
    "dismiss",
    "drain",
    "listen",
    "reconcile_arrivals",
    "take_in",
    "watch",
]

LISTED: Final = 2_000
"""Objects of a listing that are compared with the inbox at once."""
MESSAGES: Final = 500
"""Messages of a queue that are noted at once."""
LOOK_SECONDS: Final = 0.5
"""How often a folder is looked into."""
POLL_SECONDS: Final = 2
"""How long a queue is asked to wait for a message: while it waits, nothing else is done."""
RECONCILE_SECONDS: Final = 300.0
UNTOLD_SECONDS: Final = 30.0
"""How often a bucket is listed of which no queue tells."""
PAUSES: Final = (1.0, 60.0)
"""The first and the longest pause after a store, the queue or the ledger failed; each is twice the one before."""

_log: Final = telemetry.log("intake")


class Listened(NamedTuple):
    """What a queue told: objects that are new to the inbox, messages read, tests among them, messages left."""

    new: int
    messages: int
    tests: int = 0
    left: int = 0


def listen(installation: Installation, wait: int = 0, most: int = MESSAGES) -> Listened:
    """Note what the queue tells of, and only then delete its messages; `wait` seconds for the first one.

    Without a queue nothing is told. Raises `StoreError` if the queue or the ledger does not answer.
    """
    from infra.inbox.sqs import open_queue  # noqa: PLC0415  only where there is a queue

    if installation.settings.queue is None:
        return Listened(0, 0)
    queue = open_queue(installation.settings.queue, installation.settings.arrivals)
    told = queue.receive(most, wait)
    new = inbox.notice(installation.engine, pl.DataFrame(told.objects, inbox.NOTICED), "event")
    queue.delete(told.receipts)
    return Listened(new, len(told.receipts), told.tests, told.left)


def reconcile_arrivals(installation: Installation, progress: Progress = lambda _: None) -> int:
    """List the arrivals, note in the inbox what no event told of, and return how much that was.

    A file in a folder that was written to a moment ago is left to the next time.
    """
    found: Iterable[Found] = installation.arrivals.listing(overwritten=True)
    if isinstance(installation.settings.arrivals, Path):
        quiet = datetime.now(UTC) - timedelta(seconds=QUIET_SECONDS)
        found = (each for each in found if each.modified <= quiet)
    new = note_found(installation, found)
    if new:
        progress(f"found {new} arrived objects that no event told of")
        _log.info("found arrived objects that no event told of", extra={"count": new})
    return new


def note_found(installation: Installation, found: Iterable[Found]) -> int:
    """Note listed objects that the inbox does not have; return how many these are."""
    rows = (row for each in found if (row := noticed(each.key, each.version, each.bytes)) is not None)
    new = 0
    while some := list(islice(rows, LISTED)):
        unknown = inbox.unnoticed(installation.engine, pl.DataFrame(some, inbox.NOTICED))
        new += inbox.notice(installation.engine, unknown, "listing")
    return new


def take_in(installation: Installation, progress: Progress = lambda _: None, *, listing: bool = False) -> list[Receipt]:
    """Note what the queue tells of, with `listing` all that arrived, work it off, and return the receipts.

    A queue or arrivals that do not answer are told of, and left to the next time: a night does not wait for them.
    """
    try:
        while listen(installation).messages >= MESSAGES:
            pass
        if listing:
            reconcile_arrivals(installation, progress)
        return drain(installation, progress=progress)
    except StoreError as error:
        progress(f"what arrived is left to the next time: {error}")
        _log.warning("what arrived is left to the next time", extra={"error": type(error).__name__})
        return []


def dead_letter_queue(installation: Installation, *, hasty: bool = False) -> "Queue | None":
    """Return the queue of dead letters, if there is one; a hasty one answers within seconds or not at all."""
    from infra.inbox.sqs import open_queue  # noqa: PLC0415  only where there is a queue

    url = installation.settings.dead_letters
    return None if url is None else open_queue(url, installation.settings.arrivals, hasty=hasty)


def dismiss(installation: Installation, ids: Collection[int], *, why: str, who: str | None = None) -> list[int]:
    """Leave parked objects that a person (by default who runs this) gives up, with the reason; return which were.

    Raises `UsageError` for a name or a reason that cannot be kept.
    """
    from flows.matching.decisions import written  # noqa: PLC0415  only where a person decides

    told = {"who": written("who", who or user_name()), "why": written("why", why)}
    return inbox.dismiss(installation.engine, ids, **told)


def announce_parked(installation: Installation, since: datetime | None = None) -> int:
    """Tell of every parked object (parked since a time), once each; return how many are parked."""
    from flows.events import PARKED, announce  # noqa: PLC0415  only where something is told

    parked = inbox.parked(installation.engine, since=since)
    for row in parked.iter_rows(named=True):
        data = {"inbox": row["id"], "sender": row["sender"], "attempts": row["attempts"]}
        announce(installation, PARKED, f"inbox/{row['id']}", data, key=str(row["done_at"]))
    return parked.height


def watch(
    installation: Installation,
    stop: threading.Event,
    on_received: Callable[[list[Receipt]], None] = lambda _: None,
    *,
    drains: bool = True,
) -> None:
    """Look for what arrives and work it off, until `stop`: the loop of a served worker.

    With `drains` false it only notes what arrives and tells of it (`submission.received`), for others to work off.
    Storage, queue or ledger that fail are tried again, after a growing pause, for as long as it takes.
    """
    rounds = _rounds(installation, stop, on_received, drains=drains)
    pause = PAUSES[0]
    while not stop.is_set():
        try:
            next(rounds)
            pause = PAUSES[0]
        except (StoreError, OSError) as error:
            _log.warning("intake waits: %s", error, extra={"error": type(error).__name__, "seconds": pause})
            stop.wait(pause)
            pause = min(2 * pause, PAUSES[1])
            rounds = _rounds(installation, stop, on_received, drains=drains)


def _rounds(
    installation: Installation, stop: threading.Event, on_received: Callable[[list[Receipt]], None], *, drains: bool
) -> Iterator[None]:
    """Do one round after the other; a new one begins with the listing, since what an event told may be lost."""
    worker, look = worker_name(), _eyes(installation)
    every = RECONCILE_SECONDS if installation.settings.queue or _in_folder(installation) else UNTOLD_SECONDS
    listed, parked = -every, datetime.now(UTC).replace(tzinfo=None)
    while True:
        new = look(POLL_SECONDS)
        if time.monotonic() - listed >= every:
            new += reconcile_arrivals(installation)
            listed = time.monotonic()
        if drains:
            while not stop.is_set() and (receipts := drain(installation, worker, limit=4 * BATCH)):
                on_received(receipts)
                look(0)  # what arrives while a flood is worked off has its place in the next batch
        elif new:
            _tell(installation, new)
        now = datetime.now(UTC).replace(tzinfo=None)
        announce_parked(installation, parked)
        parked = now
        stop.wait(0 if installation.settings.queue else LOOK_SECONDS)
        yield


def _eyes(installation: Installation) -> Callable[[int], int]:
    """Return what looks for arrivals, quickly: the queue, else the folder; a bucket without a queue is only listed.

    It takes for how many seconds the queue may wait, and gives how many objects are new.
    """
    if installation.settings.queue is not None:
        return lambda wait: listen(installation, wait).new
    if not _in_folder(installation):
        return lambda _: 0
    folder = FolderWatch(Path(str(installation.settings.arrivals)))
    return lambda _: note_found(installation, folder.look())


def _in_folder(installation: Installation) -> bool:
    return isinstance(installation.settings.arrivals, Path)


def _tell(installation: Installation, new: int) -> None:
    from flows.events import RECEIVED, announce  # noqa: PLC0415  only where something is told

    announce(installation, RECEIVED, "inbox", {"objects": new}, key=uuid.uuid4().hex)
