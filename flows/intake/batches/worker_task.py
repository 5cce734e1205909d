"""What a worker of a cluster does with a batch: hops 3 to 5 without a ledger. Landed files in, files of a table out.

It gets keys of the landing zone, and what it reads goes into the lake: nothing delivered passes through the cluster.
A file is read in a child process within the same limits as everywhere.
"""

import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, NamedTuple

import sqlalchemy as sa

from flows.installation import Installation
from flows.intake.batches.answers import ANSWER_PREFIX, WorkerAnswer, answer_content
from flows.intake.batches.storing import batch_rows, batch_table
from flows.intake.isolation import read_isolated
from flows.intake.previous_period import add_change_warnings
from flows.intake.reading import ANY_ERROR, CHANGED, Reading, failure_reason
from flows.process import close_to_others
from infra import telemetry
from infra.lake.files.uncommitted import UncommittedFile, write_uncommitted
from infra.settings import read_settings
from infra.storage import landing
from infra.storage.store import Content
from schemas.contract import Contract
from schemas.errors import EngangError, StoreError

NO_LEDGER: Final = "sqlite://"
"""A worker registers nothing, so it has no access to the ledger: an empty one in memory takes its place."""


class BatchTask(NamedTuple):
    """What a worker is asked for: to read landed files under a contract.

    notes: keys of their delivery notes. setup: what must be alike where a batch is read and where it is registered.
    released: versions of the current release's tables, for rules that compare with the previous period.
    """

    contract: str
    notes: tuple[str, ...]
    setup: Mapping[str, str]
    released: Mapping[str, int]


def read_on_worker(task: BatchTask) -> WorkerAnswer:
    """Read landed files, write their claims into the lake without a commit, and leave an answer there.

    Raises `StoreError` if a store fails, or if this worker was set up otherwise than the process that asks. An
    unforeseen error becomes a `StoreError` that quotes nothing delivered: Dask logs what a task raises.
    """
    try:
        return _read(task)
    except EngangError:
        raise
    except ANY_ERROR as error:
        raise StoreError(f"a worker of the cluster failed: {failure_reason(error)}") from None


def worker_setup() -> dict[str, str]:
    """Return what decides how this worker reads (`Installation.setup`), by its settings as they are now."""
    worker_installation.cache_clear()
    return worker_installation().setup


def setup_differences(found: Mapping[str, str], expected: Mapping[str, str]) -> str:
    """Return the names of what differs between two setups, "" if nothing does."""
    return ", ".join(sorted(name for name in expected if found.get(name) != expected[name]))


@cache
def worker_installation() -> Installation:
    """Return the installation of this worker, opened once: without a ledger, by the settings of its environment."""
    close_to_others()
    settings = read_settings()
    telemetry.configure(settings)
    return Installation(settings, sa.create_engine(NO_LEDGER))


def _read(task: BatchTask) -> WorkerAnswer:
    started = time.monotonic()
    if worker_installation().setup != task.setup:
        worker_installation.cache_clear()  # contracts or code lists may have changed since this worker read them
    installation = worker_installation()
    if differing := setup_differences(installation.setup, task.setup):
        raise StoreError(f"a worker has other {differing} than the process that asks it: start it as that one is")
    contract = installation.contract(task.contract)
    reading = _read_files(installation, contract, task)
    batch = uuid.uuid4().hex  # of this attempt alone: another worker may have begun the same task, and died or not
    files = _write(installation, contract, reading, batch)
    key = f"{ANSWER_PREFIX}{batch}.json"
    landing.open_store(installation.settings.lake).put_once(key, answer_content(reading))
    return WorkerAnswer(batch, key, files, time.monotonic() - started)


def _read_files(installation: Installation, contract: Contract, task: BatchTask) -> Reading:
    store = landing.open_store(installation.settings.landing)

    def _landed(key: str) -> tuple[landing.Note, Content]:
        note = landing.read_note(store, key)
        return note, landing.content(store, note.contract, note.sender, note.sha256, note.bytes)

    with ThreadPoolExecutor(landing.READ_AHEAD) as pool:  # each waits for two answers of S3
        files = list(pool.map(_landed, task.notes))
    reading = read_isolated(installation, contract, files)
    if CHANGED in reading.failures.values():
        raise StoreError(CHANGED)
    return add_change_warnings(installation.settings, contract, reading, lambda: task.released)


def _write(installation: Installation, contract: Contract, reading: Reading, batch: str) -> tuple[UncommittedFile, ...]:
    if reading.normalised is None:
        return ()
    table, columns = batch_table(installation, contract)
    return tuple(write_uncommitted(installation.settings.lake, table, batch_rows(reading.normalised, batch), columns))
