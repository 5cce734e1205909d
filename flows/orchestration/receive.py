"""The Prefect flow `receive`: the steps of flows.intake, one task per step and batch of submissions.

Prefect stores parameters, receipts and run states; delivered data stays in the process, the landing zone and the lake.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prefect import flow, get_run_logger
from prefect.artifacts import create_markdown_artifact, create_table_artifact

from flows import events
from flows.installation import Installation
from flows.intake import deliveries as intake_deliveries
from flows.intake import registration
from flows.intake.deliveries import Delivery
from flows.intake.receipt import Receipt
from flows.orchestration.runs import announce_failure, receive_name
from flows.orchestration.tasks import (
    markdown_table,
    open_installation_task,
    receive_arrivals_task,
    run_name_from,
    task_of,
)
from schemas.claims import COUNT_COLUMNS
from schemas.errors import UsageError

RECEIVE_TIMEOUT: Final = 3600
"""Seconds. The next run, a minute later, continues where a run was ended."""
MAX_RECEIPT_ROWS: Final = 500
ARTIFACT_COLUMNS: Final = ("submission_id", "filename", "contract", "sender", "period", "status", *COUNT_COLUMNS)
"""The columns of a receipt that Prefect gets. `problem` quotes delivered data, so it stays in the ledger."""

receive_batch_task = task_of(registration.receive_batch)
deliver_outbox_task = task_of(events.deliver_outbox)


@flow(
    persist_result=False,
    flow_run_name=run_name_from(receive_name),
    timeout_seconds=RECEIVE_TIMEOUT,
    on_failure=[announce_failure],
    on_crashed=[announce_failure],
)
def receive(
    paths: tuple[Path, ...] = (),
    contract: str | None = None,
    sender: str | None = None,
    period: str | None = None,
) -> list[Receipt]:
    """Receive files, folders or archives under a contract; without paths, what waits in the inbox.

    Deliveries that were cut off half-way, so that only the landing zone has them, are left to the nightly: it lists
    the whole landing zone.

    Raises `UsageError` if paths are given without a contract, or if the contract needs a sender or a period.
    """
    installation = open_installation_task()
    receipts = [] if paths else receive_arrivals_task(installation, get_run_logger().info)
    delivered = _deliveries(installation, paths, contract, sender, period) if paths else iter(())
    for batch in intake_deliveries.batches(delivered):
        receipts += receive_batch_task(installation, batch)
        get_run_logger().info("registered %d submissions", len(receipts))
    if receipts:
        create_receipt_artifacts(receipts)
    if installation.settings.observability.webhook:
        deliver_outbox_task(installation)
    return receipts


def create_receipt_artifacts(receipts: list[Receipt]) -> None:
    """Create the artifacts `delivery` (totals) and `receipts` (one row each, those with rejects first)."""
    totals = {f"rows {name}": sum(getattr(r, name) for r in receipts) for name in COUNT_COLUMNS}
    states = Counter(f"files {r.status}" for r in receipts)
    lines = [f"# {len(receipts)} submissions", "", *markdown_table({**dict(sorted(states.items())), **totals})]
    if totals["rows rejected"] or totals["rows warnings"] or states["files rejected"]:
        lines += ["", "Which rows, why, and what to do: `engang rejects SUBMISSION`."]
    create_markdown_artifact("\n".join(lines), key="delivery", description="What was delivered")
    first = sorted(receipts, key=lambda r: (r.status != "rejected", -r.rejected, -r.warnings))[:MAX_RECEIPT_ROWS]
    description = f"{len(first)} of {len(receipts)} receipts, those with rejects first"
    rows = [{name: getattr(r, name) for name in ARTIFACT_COLUMNS} for r in first]
    create_table_artifact(rows, key="receipts", description=description)


def _deliveries(
    installation: Installation, paths: tuple[Path, ...], contract: str | None, sender: str | None, period: str | None
) -> Iterator[Delivery]:
    if contract is None:
        raise UsageError("paths are given without a contract: give the contract that they follow")
    return intake_deliveries.deliveries_from_paths(installation, paths, contract, sender=sender, period=period)
