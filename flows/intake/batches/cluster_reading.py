"""Batches that workers of a cluster read: asked for, and answered, by the process that registers them."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

from flows.installation import Installation
from flows.intake.batches.answers import ANSWER_PREFIX, answered_reading
from flows.intake.batches.worker_task import BatchTask, read_on_worker, setup_differences, worker_setup
from flows.intake.previous_period import current_versions
from flows.intake.reading import Reading
from infra import telemetry
from infra.cluster.cluster import Cluster
from infra.storage import landing
from schemas.contract import Contract
from schemas.errors import StoreError, UsageError
from transforms.normalisation.previous_period import change_rules

ABANDONED: Final = timedelta(days=1)
"""An answer of this age is of a night that was killed: no night waits so long for one."""

_log: Final = telemetry.log("intake")


def check_workers(installation: Installation, cluster: Cluster) -> None:
    """Raise `UsageError` if a worker would read otherwise than this process, by other rules, contracts or keys."""
    for worker, setup in cluster.ask_all(worker_setup).items():
        if differing := setup_differences(setup, installation.setup):
            problem = f"the worker at {worker} has other {differing} than this process"
            raise UsageError(f"{problem}: start it from the same version, with the same settings and files")


def read_on_cluster(
    installation: Installation, cluster: Cluster, contract: Contract, notes: Sequence[landing.Note]
) -> Reading:
    """Return what a worker has read of landed files; their claims are in files of the lake, uncommitted.

    Raises `WorkersLost` if worker after worker ended at it, `StoreError` if a store or the cluster fails.
    """
    released = current_versions(installation) if change_rules(contract) else {}
    keys = tuple(landing.note_key(note) for note in notes)
    answer = cluster.call(read_on_worker, BatchTask(contract.contract, keys, installation.setup, released))
    store = landing.open_store(installation.lake)
    reading = answered_reading(answer, store.get(answer.key))
    with suppress(StoreError):  # an old one is deleted before another night
        store.delete(answer.key)
    fields = {"contract": contract.contract, "submissions": len(keys), "seconds": round(answer.seconds, 3)}
    _log.info("a worker read a batch", extra={**fields, "rows": sum(file.rows for file in answer.files)})
    return reading


def remove_abandoned_answers(installation: Installation) -> int:
    """Delete the answers that killed nights never took; return how many."""
    store = landing.open_store(installation.lake)
    until = datetime.now(UTC) - ABANDONED
    found = [each.key for each in store.listing(ANSWER_PREFIX) if each.modified < until]
    for key in found:
        store.delete(key)
    return len(found)
