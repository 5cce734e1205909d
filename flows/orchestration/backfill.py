"""The Prefect flow `backfill`: reread, dry run, approval, publication; the same steps as the command's.

A run that ended early is repeated with the same parameters: it continues the backfill that it started.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput

from flows.backfill import publish, reread
from flows.backfill.publish import BackfillOutcome
from flows.backfill.reread import BackfillRequest
from flows.installation import Installation
from flows.orchestration.runs import announce_failure
from flows.orchestration.tasks import export_task, markdown_table, open_installation_task, run_name_from, task_of
from schemas.errors import ReleaseRefused
from transforms.package.disclosure import disclosure_of

BACKFILL_TIMEOUT: Final = 72 * 3600
"""Seconds, including the wait for approval."""
APPROVAL_TIMEOUT: Final = 48 * 3600
"""Seconds that a run waits for approval. The rereading is stored; another run continues with it."""
SAMPLE_COLUMNS: Final = ("change", "what", "contract", "period", "before", "after")

start_task = task_of(reread.start_backfill)
reread_task = task_of(reread.reread_submissions)
try_task = task_of(publish.try_backfill)
finish_task = task_of(publish.finish_backfill)


class Approval(RunInput):
    """The decision of a person on a dry run (artifacts `backfill`, `backfill-changes`, `backfill-samples`)."""

    publish: bool = False


def backfill_name(parameters: dict[str, Any], _at: datetime) -> str:
    """Return the name of a run."""
    action = "try out a backfill" if parameters.get("dry_run") else "backfill"
    since, until = (parameters.get(name) for name in ("received_from", "received_to"))
    days = f", received {since or ''} to {until or ''}" if since or until else ""
    return f"{action} of {parameters.get('contract')}{days}"


@flow(
    persist_result=False,
    flow_run_name=run_name_from(backfill_name),
    timeout_seconds=BACKFILL_TIMEOUT,
    on_failure=[announce_failure],
    on_crashed=[announce_failure],
)
def backfill(
    contract: str,
    sender: str | None = None,
    *,
    received_from: date | None = None,
    received_to: date | None = None,
    rules: Path | None = None,
    model: str | None = None,
    by: Literal["received", "period"] = "received",
    dry_run: bool = True,
    approve: bool = True,
) -> int | None:
    """Reread old submissions by another version of their contract; return the release that is published, if any.

    Args:
        contract: The contract of the submissions to read again.
        sender: Only the submissions of this sender.
        received_from: The first day of receipt or, with `period`, of the months that claims are about.
        received_to: The last such day.
        rules: File of a new version of the contract, readable by the run; by default the one in force.
        model: Digest of a match model to put in force.
        by: What the days select: days of receipt, or the periods that claims are about.
        dry_run: Only report what would change.
        approve: Wait for a person before publishing.
    """
    installation, log = open_installation_task(), get_run_logger()
    request = BackfillRequest(contract, sender, received_from, received_to, by, rules=rules, model=model)
    started = start_task(installation, request)
    if started.number is None:
        create_markdown_artifact("# Nothing to read again", key="backfill", description="What a backfill changes")
        return None
    left_out = "".join(f"; left out: {count} {reason}" for reason, count in started.left_out.items())
    log.info("backfill %d: %d submissions to read again%s", started.number, started.submissions, left_out)
    reread_task(installation, started.number, log.info)
    if dry_run or approve:
        create_outcome_artifacts(installation, try_task(installation, started.number, log.info))
    if dry_run:
        return None
    if approve and not _approved():
        log.info("backfill %d was not approved: nothing is published", started.number)
        return None
    outcome = _finish(installation, started.number)
    create_outcome_artifacts(installation, outcome)
    return outcome.night.release if outcome.night else None


def _approved() -> bool:
    approval = pause_flow_run(wait_for_input=Approval, timeout=APPROVAL_TIMEOUT)
    return approval.publish


def _finish(installation: Installation, number: int) -> BackfillOutcome:
    try:
        outcome: BackfillOutcome = finish_task(installation, number, get_run_logger().info)
    except ReleaseRefused as refused:
        rows = [dict(f) for f in refused.failed]
        create_table_artifact(rows, key="failed-checks", description="Checks that failed")
        raise
    if outcome.night is not None:
        export_task(installation, outcome.night)
    return outcome


def create_outcome_artifacts(installation: Installation, outcome: BackfillOutcome) -> None:
    """Create the artifacts `backfill` (counts), `backfill-changes` (by contract and period) and a link to all changes.

    `backfill-samples` has some changes before and after, only such that anybody may see: what is personal, closed,
    withheld or a small count does not go to Prefect, nor does any record. Every change is in the file.
    """
    diff = outcome.diff
    counts: dict[str, int | str] = {f"{c['table']} {c['change']}": c["items"] for c in diff["changes"]}
    counts = counts or {"items changed": 0}
    counts |= {f"observations {agreement}": _arrow(*both) for agreement, both in diff["agreements"].items()}
    counts |= {f"rows {bucket}": _arrow(*both) for bucket, both in diff["rows"].items()}
    release = outcome.night.release if outcome.night else None
    title = f"Release {release} published" if release else f"Release {outcome.release_before} would change"
    lines = [f"# {title} by backfill {outcome.number}", "", f"{diff['submissions']} submissions read again.", ""]
    create_markdown_artifact(
        "\n".join([*lines, *markdown_table(counts)]), key="backfill", description="What a backfill changes"
    )
    create_table_artifact(diff["by"], key="backfill-changes", description="Items by contract, period and change")
    disclosure = disclosure_of(installation.contracts.values(), installation.vocabulary.concepts)
    shown = disclosure.changes_for_anybody(diff["samples"], installation.contracts)
    samples = [{name: row[name] for name in SAMPLE_COLUMNS} for row in shown]
    create_table_artifact(samples, key="backfill-samples", description="Some changes that anybody may see")
    create_link_artifact(outcome.file.as_uri(), "every change", key="backfill-file", description="Parquet, a row each")


def _arrow(before: int, after: int) -> str:
    return f"{before} → {after}"
