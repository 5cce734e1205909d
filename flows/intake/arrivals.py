"""Arrivals: files that arrive in a bucket or a folder become rows of the inbox, then submissions.

A notification is a hint that makes intake fast. The listing of the arrivals is the truth that makes it complete.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import polars as pl

from flows.installation import Installation
from flows.intake.leases import Heartbeat, worker_name
from flows.intake.receipt import Receipt
from flows.intake.worker import CLAIM_SIZE, ProgressCallback, process_inbox
from infra import telemetry
from infra.inbox import work_queue as inbox
from infra.inbox.messages import inbox_row
from infra.storage.folder_watch import QUIET_SECONDS, FolderWatch
from infra.storage.store import StoredObject
from schemas.errors import StoreError

OBJECTS_PER_LOOKUP: Final = 2_000
"""Listed objects that one query compares with the inbox."""
MESSAGES_PER_READ: Final = 500
"""Messages of a queue that are recorded at once."""
FOLDER_POLL_SECONDS: Final = 0.5
"""How often a folder is read."""
QUEUE_WAIT_SECONDS: Final = 2
"""How long a queue waits for a message: until then the worker does nothing else."""
LISTING_SECONDS: Final = 300.0
BUCKET_LISTING_SECONDS: Final = 30.0
"""How often a bucket without a queue is listed."""
RETRY_PAUSES: Final = (1.0, 60.0)
"""The first and the longest pause after a store, the queue or the ledger failed; each is twice the previous one."""

_log: Final = telemetry.log("intake")


class NotificationCounts(NamedTuple):
    """What was read from a queue: objects new to the inbox, messages, test messages among them, messages remaining."""

    new: int
    messages: int
    tests: int = 0
    remaining: int = 0


def receive_notifications(
    installation: Installation, wait: int = 0, most: int = MESSAGES_PER_READ
) -> NotificationCounts:
    """Record the objects that the queue announces, waiting up to `wait` seconds for the first message.

    Messages are deleted only when their objects are stored in the inbox: a crash in between repeats a message, and
    recording an object twice changes nothing. Without a queue this does nothing. Raises `StoreError` if the queue or
    the ledger does not answer.
    """
    from infra.inbox.sqs import open_queue  # only where there is a queue

    if installation.settings.queue is None:
        return NotificationCounts(0, 0)
    queue = open_queue(installation.settings.queue, installation.settings.arrivals)
    messages = queue.receive(most, wait)
    new = inbox.enqueue(installation.engine, pl.DataFrame(messages.objects, inbox.INBOX_ROW), "event")
    queue.delete(messages.receipts)
    return NotificationCounts(new, len(messages.receipts), messages.tests, messages.unreadable)


def reconcile_arrivals(installation: Installation, progress: ProgressCallback = lambda _: None) -> int:
    """List the arrivals, record in the inbox what no event announced, and return how many objects that were.

    A file in a folder that was modified a moment ago may still be incomplete: the next listing takes it.
    """
    found: Iterable[StoredObject] = installation.arrivals.listing(overwritten=True)
    if isinstance(installation.settings.arrivals, Path):
        quiet = datetime.now(UTC) - timedelta(seconds=QUIET_SECONDS)
        found = (file for file in found if file.modified <= quiet)
    new = record_arrivals(installation, found)
    if new:
        progress(f"found {new} arrived objects that no event announced")
        _log.info("found arrived objects that no event announced", extra={"count": new})
    return new


def record_arrivals(installation: Installation, found: Iterable[StoredObject]) -> int:
    """Record listed objects that the inbox does not have; return how many."""
    rows = (row for file in found if (row := inbox_row(file.key, file.version, file.bytes)) is not None)
    new = 0
    while chunk := list(islice(rows, OBJECTS_PER_LOOKUP)):
        unknown = inbox.not_enqueued(installation.engine, pl.DataFrame(chunk, inbox.INBOX_ROW))
        new += inbox.enqueue(installation.engine, unknown, "listing")
    return new


def receive_arrivals(
    installation: Installation, progress: ProgressCallback = lambda _: None, *, listing: bool = False
) -> list[Receipt]:
    """Record what the queue announces, with `listing` all arrivals, process the inbox, and return the receipts.

    If the queue or the arrivals do not answer, that is reported and left for next time: a night does not wait. A queue
    that does not answer stops neither the listing nor what waits in the inbox.
    """
    with _left_for_next_time("notifications", progress):
        while receive_notifications(installation).messages >= MESSAGES_PER_READ:
            pass
    with _left_for_next_time("arrivals", progress):
        if listing:
            reconcile_arrivals(installation, progress)
        return _process_inbox(installation, progress)
    return []


def _process_inbox(installation: Installation, progress: ProgressCallback) -> list[Receipt]:
    """Process the inbox: in as many threads as keep the workers of a cluster busy, if there is one.

    Each thread leases objects of its own, as if it were a process of its own.
    """
    if installation.cluster is None:
        return process_inbox(installation, progress=progress)
    threads = installation.cluster.width + 1
    with ThreadPoolExecutor(threads) as pool:
        steps = [pool.submit(copy_context().run, process_inbox, installation, None, progress) for _ in range(threads)]
        return [receipt for step in steps for receipt in step.result()]


@contextmanager
def _left_for_next_time(what: str, progress: ProgressCallback) -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        progress(f"{what} are left for next time: {error}")
        _log.warning("%s are left for next time", what, extra={"error": type(error).__name__})


def announce_parked(installation: Installation, since: datetime | None = None) -> int:
    """Announce every parked object (parked since a time) once; return how many are parked."""
    from flows.events import SUBMISSION_PARKED, publish_event  # only where an event is written
    from flows.releases import page_note

    parked = inbox.list_parked(installation.engine, since=since)
    page = {} if parked.is_empty() else page_note(installation, "operations.html")
    for row in parked.iter_rows(named=True):
        data = {"inbox": row["id"], "sender": row["sender"], "attempts": row["attempts"], **page}
        publish_event(installation, SUBMISSION_PARKED, f"inbox/{row['id']}", data, key=str(row["done_at"]))
    return parked.height


def watch_arrivals(
    installation: Installation,
    stop: threading.Event,
    on_received: Callable[[list[Receipt]], None] = lambda _: None,
    *,
    process: bool = True,
) -> None:
    """Record and process arrivals until `stop` is set: the loop of a served worker.

    With `process` false it only records arrivals and announces them (`submission.received`); other workers process
    them. When storage, queue or ledger fail, it retries after a growing pause, for as long as it takes.
    """
    alive = Heartbeat(installation, worker_name())

    def _received(receipts: list[Receipt]) -> None:
        alive.beat()  # in a large backlog too
        on_received(receipts)

    rounds = _rounds(installation, stop, _received, process=process)
    pause = RETRY_PAUSES[0]
    while not stop.is_set():
        try:
            next(rounds)
            alive.beat()
            pause = RETRY_PAUSES[0]
        except (StoreError, OSError) as error:
            _log.warning("intake waits: %s", error, extra={"error": type(error).__name__, "seconds": pause})
            stop.wait(pause)
            pause = min(2 * pause, RETRY_PAUSES[1])
            rounds = _rounds(installation, stop, _received, process=process)
    alive.end()


def _rounds(
    installation: Installation, stop: threading.Event, on_received: Callable[[list[Receipt]], None], *, process: bool
) -> Iterator[None]:
    """Yield after each round. The first round lists all arrivals, since events may have been lost while it was down."""
    worker, poll = worker_name(), _arrival_source(installation)
    has_fast_source = bool(installation.settings.queue) or _in_folder(installation)
    listing_interval = LISTING_SECONDS if has_fast_source else BUCKET_LISTING_SECONDS
    last_listing, last_parked = -listing_interval, datetime.now(UTC).replace(tzinfo=None)
    while True:
        new, away = _poll(poll)
        if time.monotonic() - last_listing >= listing_interval:
            new += reconcile_arrivals(installation)
            last_listing = time.monotonic()
        if process:
            for receipts in _backlog(installation, stop, worker):
                on_received(receipts)
                poll(0)  # objects that arrive during a large backlog get their place in the next batch
        elif new:
            _announce_received(installation, new)
        now = datetime.now(UTC).replace(tzinfo=None)
        announce_parked(installation, last_parked)
        last_parked = now
        if away is not None:
            raise away  # at the end: what is listed and processed needs no queue
        stop.wait(0 if installation.settings.queue else FOLDER_POLL_SECONDS)
        yield


def _backlog(installation: Installation, stop: threading.Event, worker: str) -> Iterator[list[Receipt]]:
    """Process the inbox batch by batch until it is empty or `stop` is set; yield the receipts of each batch."""
    while not stop.is_set() and (receipts := process_inbox(installation, worker, limit=4 * CLAIM_SIZE)):
        yield receipts


def _poll(source: Callable[[int], int]) -> tuple[int, StoreError | None]:
    try:
        return source(QUEUE_WAIT_SECONDS), None
    except StoreError as error:
        return 0, error


def _arrival_source(installation: Installation) -> Callable[[int], int]:
    """Return a callable that polls the queue or the folder; for a bucket without a queue it does nothing.

    Its argument is how many seconds the queue may wait; it returns how many objects are new.
    """
    if installation.settings.queue is not None:
        return lambda wait: receive_notifications(installation, wait).new
    if not _in_folder(installation):
        return lambda _: 0
    folder = FolderWatch(Path(str(installation.settings.arrivals)))
    return lambda _: record_arrivals(installation, folder.poll())


def _in_folder(installation: Installation) -> bool:
    return isinstance(installation.settings.arrivals, Path)


def _announce_received(installation: Installation, new: int) -> None:
    from flows.events import SUBMISSION_RECEIVED, publish_event  # only where an event is written

    publish_event(installation, SUBMISSION_RECEIVED, "inbox", {"objects": new}, key=uuid.uuid4().hex)
