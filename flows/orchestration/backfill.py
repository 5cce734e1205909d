"""The Prefect flow `backfill`: read anew, tried out, approved, published; thin, over the same steps as the command.

A run that is ended anywhere is done over with the same parameters: it goes on with the backfill that it began.
"""

from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Literal

from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput

from flows.backfill import publish as backfill_night
from flows.backfill import reread as backfilling
from flows.backfill.publish import Outcome
from flows.backfill.reread import Asked
from flows.orchestration import runs as flow_runs
from flows.orchestration.receive import markdown_table, named, open_home, stage
from flows.pipeline import export_night
from schemas.errors import ReleaseRefused

TIMEOUT: Final = 48 * 3600
"""Seconds, the wait for approval included."""
PATIENCE: Final = 24 * 3600
"""Seconds that a run waits for approval; what is read anew by then stays, and another run goes on with it."""

begin = stage(backfilling.start)
read_again = stage(backfilling.read_on)
try_out = stage(backfill_night.try_out)
finish = stage(backfill_night.finish)
write_files = stage(export_night)


class Approval(RunInput):
    """What a person says to the dry run's findings (the artifacts `backfill` and `backfill-changes`)."""

    publish: bool = False


def run_name(parameters: dict[str, Any], _at: datetime) -> str:
    """Return the name of a run."""
    tried = "try out a backfill" if parameters.get("dry_run") else "backfill"
    since, until = (parameters.get(name) for name in ("received_from", "received_to"))
    days = f", received {since or ''} to {until or ''}" if since or until else ""
    return f"{tried} of {parameters.get('contract')}{days}"


@flow(
    persist_result=False,
    flow_run_name=named(run_name),
    timeout_seconds=TIMEOUT,
    on_failure=[flow_runs.tell_failed],
    on_crashed=[flow_runs.tell_failed],
)
def backfill(  # noqa: PLR0913  a run's parameters
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
    """Read old submissions again by another version of their contract; return the release that is published, if any.

    contract, sender, received_from, received_to: which submissions; by `period` the days are those that claims speak
    of. rules: file of a new version of the contract, where the run can read it; the one in force by default. model: a
    match model to put in force. dry_run: only tell what would change. approve: wait for a person before publishing.
    """
    installation, log = open_home(), get_run_logger()
    begun = begin(installation, Asked(contract, sender, received_from, received_to, by, rules=rules, model=model))
    if begun.number is None:
        create_markdown_artifact("# Nothing to read again", key="backfill", description="What a backfill changes")
        return None
    log.info("backfill %d: %d submissions to read again", begun.number, begun.submissions)
    read_again(installation, begun.number, log.info)
    if dry_run or approve:
        tell(try_out(installation, begun.number, log.info))
    if dry_run:
        return None
    if approve and not _approved():
        log.info("backfill %d was not approved: nothing is published", begun.number)
        return None
    done = _finish(installation, begun.number)
    tell(done)
    return done.night.release if done.night else None


def _approved() -> bool:
    told = pause_flow_run(wait_for_input=Approval, timeout=PATIENCE)
    return told.publish


def _finish(installation: Any, number: int) -> Outcome:  # noqa: ANN401  Prefect's task hides the type
    try:
        done: Outcome = finish(installation, number, get_run_logger().info)
    except ReleaseRefused as refused:
        rows = [dict(f) for f in refused.failed]
        create_table_artifact(rows, key="failed-checks", description="Checks that failed")
        raise
    if done.night is not None:
        write_files(installation, done.night)
    return done


def tell(outcome: Outcome) -> None:
    """Leave the artifacts `backfill` (in numbers), `backfill-changes` (by contract and period) and a link to them all.

    No value that was delivered goes to Prefect: samples stand in the ledger, every change in the file.
    """
    told = outcome.diff
    counts = {f"{c['table']} {c['change']}": c["items"] for c in told["changes"]} or {"items changed": 0}
    counts |= {f"observations {agreement}": after for agreement, (_, after) in told["agreements"].items()}
    counts |= {f"rows {bucket}": after for bucket, (_, after) in told["rows"].items()}
    release = outcome.night.release if outcome.night else None
    head = f"Release {release} published" if release else f"Release {outcome.release_before} would change"
    lines = [f"# {head} by backfill {outcome.number}", "", f"{told['submissions']} submissions read anew.", ""]
    create_markdown_artifact(
        "\n".join([*lines, *markdown_table(counts)]), key="backfill", description="What a backfill changes"
    )
    create_table_artifact(told["by"], key="backfill-changes", description="Items by contract, period and change")
    create_link_artifact(outcome.file.as_uri(), "every change", key="backfill-file", description="Parquet, a row each")
