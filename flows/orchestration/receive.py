"""The Prefect flow `receive`: the steps of flows.intake.registration, a task per batch of submissions and stage.

Prefect holds parameters, receipts and how it went; deliveries and frames stay in the process, landing zone and lake.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

from prefect import Task, flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import flow_run

from flows import events
from flows.installation import Installation, open_installation
from flows.intake import arrivals as intake
from flows.intake import registration as receiving
from flows.intake.archives import find
from flows.intake.receipt import Receipt
from flows.intake.registration import Delivery
from flows.orchestration import runs as flow_runs
from schemas.claims import COUNTED
from schemas.errors import StoreError, UsageError

P = ParamSpec("P")
R = TypeVar("R")

RETRY_AFTER: Final = (10.0, 60.0, 300.0)
"""Seconds before each new try of a stage."""
TIMEOUT: Final = 3600
"""Seconds: what a run leaves the next one takes up, a minute later."""
SHOWN_RECEIPTS: Final = 500
TOLD: Final = ("submission_id", "filename", "contract", "sender", "period", "status", *COUNTED)
"""What Prefect's database gets of a receipt: its problem quotes what was delivered, so that stays in the ledger."""


def stage(step: Callable[P, R]) -> Task[P, R]:
    """Make a step that may be redone whole a task: tried again when storage failed, its result kept in memory only."""
    return task(
        persist_result=False,
        cache_policy=NO_CACHE,
        retries=len(RETRY_AFTER),
        retry_delay_seconds=list(RETRY_AFTER),
        retry_condition_fn=storage_failed,
    )(step)


def storage_failed(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Tell whether a try failed on storage; what is wrong with a contract, a delivery or a release stays wrong."""
    return isinstance(state.result(raise_on_failure=False), StoreError | OSError)


def named(name: Callable[[dict[str, Any], datetime], str]) -> Callable[[], str]:
    """Return what gives a run its name, of its parameters and the time that it was due."""
    return lambda: name(flow_run.parameters, flow_run.scheduled_start_time)


open_home = stage(open_installation)
land = stage(receiving.land)
register = stage(receiving.register)
take_in = stage(intake.take_in)
post_events = stage(events.deliver_outbox)


@flow(
    persist_result=False,
    flow_run_name=named(flow_runs.receive_name),
    timeout_seconds=TIMEOUT,
    on_failure=[flow_runs.tell_failed],
    on_crashed=[flow_runs.tell_failed],
)
def receive(
    paths: tuple[Path, ...] = (),
    contract: str | None = None,
    sender: str | None = None,
    period: str | None = None,
) -> list[Receipt]:
    """Receive files, folders or archives under a contract; without paths, what waits in the inbox.

    What was cut off half-way, and stands in the landing zone only, is left to the nightly: it lists the whole of it.

    Raises `UsageError` if there are paths and no contract, or the contract needs to be told more.
    """
    installation = open_home()
    receipts = [] if paths else take_in(installation, get_run_logger().info)
    deliveries = _deliveries(installation, paths, contract, sender, period) if paths else ()
    for batch in receiving.batches(deliveries):
        receipts += register(installation, land(installation, batch))
        get_run_logger().info("registered %d submissions", len(receipts))
    if receipts:
        tell_receipts(receipts)
    if installation.settings.telling.webhook:
        post_events(installation)
    return receipts


def tell_receipts(receipts: list[Receipt]) -> None:
    """Leave the artifacts `delivery` (what came, in sums) and `receipts` (a row each, those with rejects first)."""
    totals = {name: sum(getattr(r, name) for r in receipts) for name in COUNTED}
    states = Counter(r.status for r in receipts)
    lines = [f"# {len(receipts)} submissions", "", *markdown_table({**dict(sorted(states.items())), **totals})]
    if totals["rejected"] or totals["warnings"] or states["rejected"]:
        lines += ["", "Which rows, why, and what to do: `engang rejects SUBMISSION`."]
    create_markdown_artifact("\n".join(lines), key="delivery", description="What came")
    first = sorted(receipts, key=lambda r: (r.status != "rejected", -r.rejected, -r.warnings))[:SHOWN_RECEIPTS]
    shown = f"{len(first)} of {len(receipts)} receipts, those with rejects first"
    rows = [{name: getattr(r, name) for name in TOLD} for r in first]
    create_table_artifact(rows, key="receipts", description=shown)


def markdown_table(counts: dict[str, int]) -> list[str]:
    """Return the lines of a table of counts."""
    return ["| what | count |", "| --- | ---: |", *(f"| {k.replace('_', ' ')} | {n} |" for k, n in counts.items())]


def _deliveries(
    installation: Installation, paths: tuple[Path, ...], contract: str | None, sender: str | None, period: str | None
) -> Iterator[Delivery]:
    if contract is None:
        raise UsageError("paths are given and no contract: say which one they follow")
    for path in paths:
        for name, data in find(path, installation.settings):
            yield receiving.deliver(installation, name, data, contract, sender=sender, period=period)
