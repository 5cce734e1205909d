"""The Prefect flow `nightly`: reconcile, publish, check, export, each step a task; the same steps as the command's.

A task that fails on storage is repeated whole: nothing refers to what a night wrote but did not publish. A refused
release is not retried, since the same submissions would be refused again: the run fails and lists the failed checks.
"""

from typing import Final

import polars as pl
from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from flows import pipeline
from flows.contracts.gate import unusable_contracts
from flows.installation import Installation
from flows.monitoring.status import status
from flows.orchestration.cluster import flow_cluster
from flows.orchestration.night_report import deliveries_since_last_release, night_report, night_title, places_of
from flows.orchestration.runs import announce_failure, nightly_name
from flows.orchestration.tasks import (
    RETRY_AFTER,
    export_task,
    markdown_table,
    open_installation_task,
    receive_arrivals_task,
    run_name_from,
    task_of,
)
from flows.pipeline import ExportMode, Night
from flows.release.build import night
from flows.runs import close_killed_runs
from infra import telemetry
from infra.ledger import releases as ledger_releases
from infra.ledger import runs as ledger_runs
from infra.ledger import submissions as ledger_submissions
from schemas.claims import COUNT_COLUMNS
from schemas.errors import ReleaseRefused, StoreError

NIGHTLY_TIMEOUT: Final = 6 * 3600
"""Seconds. A night that takes longer is ended and publishes nothing."""

PUBLISH_RETRY_AFTER: Final = (*RETRY_AFTER, 900.0, 1800.0)
"""Seconds. A backfill, or the dry run of one, holds the publishing lock for a while: the night waits for its end."""

reconcile_task = task_of(pipeline.reconcile)
send_notifications_task = task_of(pipeline.send_notifications)
compact_task = task_of(pipeline.compact_small_files)
remove_releases_task = task_of(pipeline.remove_releases_night)
check_storage_task = task_of(pipeline.check_storage)
check_register_task = task_of(pipeline.check_register)
sync_mart_task = task_of(pipeline.sync_mart)
site_task = task_of(pipeline.write_site_night)
package_task = task_of(pipeline.write_package_night)


def publish(installation: Installation, run_id: str) -> Night:
    """Stage, check and publish a release, or nothing."""
    return night(installation, get_run_logger().info, run_id)


publish_task = task_of(publish, PUBLISH_RETRY_AFTER)


@flow(
    persist_result=False,
    flow_run_name=run_name_from(nightly_name),
    timeout_seconds=NIGHTLY_TIMEOUT,
    on_failure=[announce_failure],
    on_crashed=[announce_failure],
)
def nightly(export: ExportMode = "auto") -> Night:
    """Publish what was delivered as one release, or nothing if a check fails, and export it as plain files.

    Raises `ReleaseRefused`: then the last release stays current, and the artifact `failed-checks` lists the reasons.

    Args:
        export: Whether to write the release as plain Parquet: `auto` up to a million items, `always` or `never`.
    """
    installation = open_installation_task()
    close_killed_runs(installation)
    failure, done = None, None
    try:
        with ledger_runs.recorded_run(installation.engine, "nightly") as run_id, telemetry.span("nightly"):
            done = _nightly_steps(installation, export, run_id)
            return done
    except BaseException as error:  # a time limit and an interrupt too
        failure = ledger_runs.run_message(error)
        raise
    finally:
        create_night_artifacts(installation, done, failure)


def _nightly_steps(installation: Installation, export: ExportMode, run_id: str) -> Night:
    log = get_run_logger().info
    unusable_contracts(installation, log)
    with flow_cluster(installation) as reading:
        receive_arrivals_task(reading, log, listing=True)
        receipts = reconcile_task(reading)
    if receipts:
        log("%d submissions were in the landing zone unregistered", len(receipts))
    create_contract_artifact(installation)
    try:
        done = publish_task(installation, run_id)
    except ReleaseRefused as refused:
        create_refusal_artifacts(installation, refused)
        send_notifications_task(installation, log)
        raise
    check_storage_task(installation, log)
    check_register_task(installation, log)
    send_notifications_task(installation, log)
    folder = export_task(installation, done, export)
    sync_mart_task(installation, done, log)
    site = site_task(installation, done, log)
    package = package_task(installation, done, log)
    compact_task(installation, log)
    remove_releases_task(installation, log)
    create_release_artifact(done, exported=folder is not None)
    if folder is not None:
        create_link_artifact(
            folder.as_uri(), f"release {done.release}", key="release-files", description="Plain Parquet"
        )
    if site is not None:
        create_link_artifact(
            (site / "index.html").as_uri(), f"release {done.release}", key="site", description="The site of the release"
        )
    if package is not None:
        create_markdown_artifact(f"`{package.place}`", key="package", description="The package for analysts")
    return done


def create_release_artifact(done: Night, *, exported: bool) -> None:
    """Create the artifact `release`: the current release, its digest, its counts, and how to query it."""
    if done.release is None:
        lines = ["# Nothing was delivered yet", "", "`engang submit FILE --contract C` delivers."]
    else:
        state = "published" if done.published else "is unchanged: there was nothing new"
        files = f" Plain Parquet: `releases/{done.release}` in the home." if exported else ""
        lines = [f"# Release {done.release} {state}", "", f"Digest `{done.digest}`.{files}", ""]
        lines += markdown_table(done.counts)
        lines += ["", "Query it:", "", '    engang query "SELECT * FROM observations LIMIT 10"']
    create_markdown_artifact("\n".join(lines), key="release", description="What is released")


def create_refusal_artifacts(installation: Installation, refused: ReleaseRefused) -> None:
    """Create the artifacts `release` (the refusal and the current release) and `failed-checks` (one row each)."""
    last = ledger_releases.current_release(installation.engine)
    current = f"Release {last['release']} stays current, digest `{last['digest']}`." if last else "No release yet."
    lines = ["# Refused: nothing was published", "", current, "", f"{len(refused.failed)} checks failed."]
    create_markdown_artifact("\n".join(lines), key="release", description="What is released")
    create_table_artifact([dict(f) for f in refused.failed], key="failed-checks", description="Checks that failed")


def create_night_artifacts(installation: Installation, done: Night | None, failure: str | None) -> None:
    """Create the artifacts `night` (all that the night did) and `status`: what needs a person, its failure included."""
    try:
        state = status(installation)
        deliveries, problems = deliveries_since_last_release(installation, done), state.problems
        places = places_of(installation, done.release) if done and done.release else {}
        report = night_report(done, failure, deliveries, state, places)
    except StoreError as error:  # the ledger does not answer, so the failure is not recorded there
        problems = [*([f"this nightly failed: {failure}"] if failure else []), str(error)]
        report = "\n".join([f"# {night_title(done)}", "", *problems])
    create_markdown_artifact(report, key="night", description="What came, what is released, and where")
    lines = [f"# {len(problems)} problems need action" if problems else "# No action needed", ""]
    lines += [f"- {' '.join(problem.split())}" for problem in problems]
    create_markdown_artifact("\n".join(lines), key="status", description="What needs a person")


def create_contract_artifact(installation: Installation) -> None:
    """Create the artifact `contracts`: everything delivered under each contract, and how much of it was rejected."""
    counts = ledger_submissions.count_submissions(installation.engine)
    totals = counts.group_by("contract").agg(pl.col("submissions", *COUNT_COLUMNS).sum())
    rows = totals.sort("rejected", "contract", descending=[True, False]).to_dicts()
    create_table_artifact(rows, key="contracts", description="Deliveries and rejects by contract")
