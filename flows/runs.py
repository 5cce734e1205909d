"""Runs: recorded from their start, announced when they fail, closed when their process has died."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from flows.events import RUN_FAILED, deliver_outbox, publish_event
from flows.installation import Installation
from infra import telemetry
from infra.ledger import runs as ledger_runs
from schemas.errors import ReleaseRefused, StoreError

FAILED_STATE: Final = "Failed"
KILLED_STATE: Final = "Killed"
"""The states of a run in the event `run.failed`; Prefect's flows have their own."""


@contextmanager
def announced_run(installation: Installation, kind: str) -> Iterator[str]:
    """Record a run as `recorded_run` does, and publish the event `run.failed` if the block fails.

    A refused release has an event of its own. Runs that were killed since are closed and announced first.
    """
    close_killed_runs(installation)
    with ledger_runs.recorded_run(installation.engine, kind) as run_id, telemetry.bound(run=run_id):
        try:
            yield run_id
        except ReleaseRefused:
            raise
        except BaseException:  # an interrupt ends the night as well
            with suppress(StoreError):  # the ledger does not answer: that is the failure itself
                _announce(installation, kind, run_id, FAILED_STATE)
                deliver_outbox(installation)
            raise


def close_killed_runs(installation: Installation) -> int:
    """Record the runs whose process died as failed, and announce each; return how many."""
    closed = ledger_runs.close_dead_runs(installation.engine)
    for run in closed:
        telemetry.log("runs").warning("a run was killed", extra={"run": run.run_id})
        _announce(installation, run.kind, run.run_id, KILLED_STATE)
    return len(closed)


def _announce(installation: Installation, kind: str, run_id: str, state: str) -> None:
    data = {"flow": kind, "run": run_id, "state": state}
    publish_event(installation, RUN_FAILED, f"run/{run_id}", data, key=state)
