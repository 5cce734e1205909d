"""The Prefect flow `nightly`: reconcile, publish, export, each step a task; the same steps as the command's.

A task that fails on storage is repeated whole: nothing refers to what a night wrote but did not publish. A refused
release is not retried, since the same submissions would be refused again: the run fails and lists the failed checks.
"""

from typing import Final

import polars as pl
from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from flows import pipeline
from flows.installation import Installation
from flows.orchestration.runs import announce_failure, nightly_name
from flows.orchestration.tasks import (
    export_task,
    markdown_table,
    open_installation_task,
    receive_arrivals_task,
    run_name_from,
    task_of,
)
from flows.pipeline import ExportMode, Night
from flows.release.build import night
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from schemas.claims import COUNT_COLUMNS
from schemas.errors import ReleaseRefused

NIGHTLY_TIMEOUT: Final = 6 * 3600
"""Seconds. A night that takes longer is ended and publishes nothing."""

reconcile_task = task_of(pipeline.reconcile)
send_notifications_task = task_of(pipeline.send_notifications)
compact_task = task_of(pipeline.compact_small_files)


@task_of
def publish_task(installation: Installation) -> Night:
    """Stage, check and publish a release, or nothing."""
    return night(installation, get_run_logger().info)


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
    """
    installation = open_installation_task()
    receive_arrivals_task(installation, get_run_logger().info, listing=True)
    receipts = reconcile_task(installation)
    if receipts:
        get_run_logger().info("%d submissions were in the landing zone unregistered", len(receipts))
    create_contract_artifact(installation)
    try:
        done = publish_task(installation)
    except ReleaseRefused as refused:
        create_refusal_artifacts(installation, refused)
        send_notifications_task(installation, get_run_logger().info)
        raise
    send_notifications_task(installation, get_run_logger().info)
    folder = export_task(installation, done, export)
    compact_task(installation, get_run_logger().info)
    create_release_artifact(done, exported=folder is not None)
    if folder is not None:
        create_link_artifact(
            folder.as_uri(), f"release {done.release}", key="release-files", description="Plain Parquet"
        )
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


def create_contract_artifact(installation: Installation) -> None:
    """Create the artifact `contracts`: everything delivered under each contract, and how much of it was rejected."""
    counts = ledger_submissions.count_submissions(installation.engine)
    totals = counts.group_by("contract").agg(pl.col("submissions", *COUNT_COLUMNS).sum())
    rows = totals.sort("rejected", "contract", descending=[True, False]).to_dicts()
    create_table_artifact(rows, key="contracts", description="Deliveries and rejects by contract")
