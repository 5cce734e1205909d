"""What the Prefect flows share: tasks that retry when storage fails, run names, tables for artifacts."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, ParamSpec, TypeVar

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run

from flows.installation import open_installation
from flows.intake.arrivals import receive_arrivals
from flows.pipeline import export_night
from schemas.errors import StoreError

P = ParamSpec("P")
R = TypeVar("R")

RETRY_AFTER: Final = (10.0, 60.0, 300.0)
"""Seconds before each retry of a task."""


def task_of(step: Callable[P, R], retry_after: Sequence[float] = RETRY_AFTER) -> Task[P, R]:
    """Return a Prefect task of a step that may be repeated whole: retried when storage fails, its result in memory."""
    return task(
        persist_result=False,
        cache_policy=NO_CACHE,
        retries=len(retry_after),
        retry_delay_seconds=list(retry_after),
        retry_condition_fn=storage_failed,
    )(step)


def storage_failed(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether storage failed; a wrong contract, delivery or release stays wrong, so it is not retried."""
    return isinstance(state.result(raise_on_failure=False), StoreError | OSError)


def run_name_from(name: Callable[[dict[str, Any], datetime], str]) -> Callable[[], str]:
    """Return a callable that names a run by its parameters and its scheduled time."""
    return lambda: name(flow_run.parameters, flow_run.scheduled_start_time)


def markdown_table(counts: Mapping[str, int | str]) -> list[str]:
    """Return the lines of a table of counts."""
    return ["| what | count |", "| --- | ---: |", *(f"| {k.replace('_', ' ')} | {n} |" for k, n in counts.items())]


open_installation_task = task_of(open_installation)
receive_arrivals_task = task_of(receive_arrivals)
export_task = task_of(export_night)
