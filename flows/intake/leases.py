"""The leases of a worker: its name, their renewal while it works, its sign of life; what becomes of a failed row."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import sqlalchemy as sa

from flows.installation import Installation
from flows.intake.reading import failure_reason
from infra.inbox import work_queue as inbox
from infra.ledger import runs as ledger_runs
from schemas.errors import StoreAwayError, StoreError

RENEWALS: Final = 3
"""How often a lease is renewed before it would end."""
BEAT_SECONDS: Final = 60.0
"""How often a worker's sign of life is written at most."""


def worker_name() -> str:
    """Return a name that no other worker has, on this host or another, now or later."""
    return f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


def reason_of(error: BaseException) -> str:
    """Return the reason that the inbox stores for an error."""
    return str(error) if isinstance(error, StoreError | OSError) else failure_reason(error)


def check_stores(installation: Installation) -> None:
    """Raise `StoreAwayError` if a store is what fails."""
    try:
        installation.arrivals.probe(writes=False)
        installation.landing.probe()
    except (StoreError, OSError) as error:
        raise StoreAwayError(f"nothing can be received now: {error}") from error


@contextmanager
def renewed_lease(engine: sa.Engine, worker: str, ids: list[int]) -> Iterator[None]:
    """Renew the lease while the block runs. If the block fails, give the unsettled rows back without counting a try.

    A renewal may fail or come too late, for example when the process was suspended. Another worker may then claim the
    same rows. That is safe: each settling transaction checks the lease and raises `LeaseLost` if it is no longer held.
    """
    done = threading.Event()

    def _renew() -> None:
        while not done.wait(inbox.LEASE_TIME.total_seconds() / RENEWALS):
            with suppress(StoreError):  # the next renewal may succeed; if none does, settling raises `LeaseLost`
                inbox.renew_lease(engine, worker, ids)

    thread = threading.Thread(target=_renew, name="engang-lease", daemon=True)
    thread.start()
    try:
        yield
    except BaseException as error:
        with suppress(StoreError):  # the ledger does not answer either: the lease ends by itself
            inbox.requeue_failed(engine, worker, ids, f"given back: {reason_of(error)}", count_attempt=False)
        raise
    finally:
        done.set()
        thread.join()


class Heartbeat:
    """The row of one process among the runs: there while it receives, with the time of its last round."""

    def __init__(self, installation: Installation, worker: str) -> None:
        """Write nothing yet."""
        self._engine, self._worker = installation.engine, worker
        self._last = -BEAT_SECONDS

    def beat(self) -> None:
        """Record that the process works, once a minute. Raises `StoreError` if the ledger does not answer."""
        if time.monotonic() - self._last >= BEAT_SECONDS:
            ledger_runs.record_heartbeat(self._engine, self._worker)
            self._last = time.monotonic()

    def end(self) -> None:
        """Remove the row: the process stops because it was asked to."""
        with suppress(StoreError):  # then it looks like one that died, which is no worse
            ledger_runs.remove_heartbeat(self._engine, self._worker)
