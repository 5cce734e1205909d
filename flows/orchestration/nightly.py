"""The Prefect flow `nightly`: reconcile, publish, export, each stage a task; thin, over the same steps as the command.

A stage that storage failed is redone whole: what a night wrote and did not publish belongs to nobody. A refused release
is not tried again, for the same submissions would be refused again: the run fails and says which checks failed.
"""

from typing import Final

import polars as pl
from prefect import flow, get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake import registration as receiving
from flows.orchestration import runs as flow_runs
from flows.orchestration.receive import markdown_table, named, open_home, stage
from flows.release.build import Night, night
from infra.ledger import submissions as ledger
from schemas.claims import COUNTED
from schemas.errors import ReleaseRefused

TIMEOUT: Final = 6 * 3600
"""Seconds: a night that takes longer is ended, and publishes nothing."""

take_in = stage(steps.take_in)
reconcile = stage(receiving.reconcile)
keep_watch = stage(steps.keep_watch)
write_files = stage(steps.export_night)
tidy = stage(steps.tidy)


@stage
def publish(installation: Installation) -> Night:
    """Stage, check and publish a release, or nothing."""
    return night(installation, get_run_logger().info)


@flow(
    persist_result=False,
    flow_run_name=named(flow_runs.nightly_name),
    timeout_seconds=TIMEOUT,
    on_failure=[flow_runs.tell_failed],
    on_crashed=[flow_runs.tell_failed],
)
def nightly(export: steps.Export = "auto") -> Night:
    """Publish what was delivered as one release, or nothing if a check fails, and export it as plain files.

    Raises `ReleaseRefused`: the last release stands then, and the artifact `failed-checks` says why.
    """
    installation = open_home()
    take_in(installation, get_run_logger().info, listing=True)
    found = reconcile(installation)
    if found:
        get_run_logger().info("%d submissions stood in the landing zone unregistered", len(found))
    tell_contracts(installation)
    try:
        done = publish(installation)
    except ReleaseRefused as refused:
        tell_refused(installation, refused)
        keep_watch(installation, get_run_logger().info)
        raise
    keep_watch(installation, get_run_logger().info)
    folder = write_files(installation, done, export)
    tidy(installation, get_run_logger().info)
    tell_release(done, exported=folder is not None)
    if folder is not None:
        create_link_artifact(
            folder.as_uri(), f"release {done.release}", key="release-files", description="Plain Parquet"
        )
    return done


def tell_release(done: Night, *, exported: bool) -> None:
    """Leave the artifact `release`: what stands now, its digest, its counts, and how to ask it."""
    if done.release is None:
        lines = ["# Nothing was delivered yet", "", "`engang submit FILE --contract C` delivers."]
    else:
        news = "published" if done.published else "stands: there was nothing new"
        also = f" Plain Parquet: `releases/{done.release}` in the home." if exported else ""
        lines = [f"# Release {done.release} {news}", "", f"Digest `{done.digest}`.{also}", ""]
        lines += markdown_table(done.counts)
        lines += ["", "Ask it:", "", '    engang query "SELECT * FROM observations LIMIT 10"']
    create_markdown_artifact("\n".join(lines), key="release", description="What is released")


def tell_refused(installation: Installation, refused: ReleaseRefused) -> None:
    """Leave the artifacts `release` (refused, and what stands) and `failed-checks` (a row each)."""
    last = ledger.current_release(installation.engine)
    stands = f"Release {last['release']} stands, digest `{last['digest']}`." if last else "There is no release yet."
    lines = ["# Refused: nothing was published", "", stands, "", f"{len(refused.failed)} checks failed."]
    create_markdown_artifact("\n".join(lines), key="release", description="What is released")
    create_table_artifact([dict(f) for f in refused.failed], key="failed-checks", description="Checks that failed")


def tell_contracts(installation: Installation) -> None:
    """Leave the artifact `contracts`: what was ever delivered under each contract, and how much of it was rejected."""
    told = ledger.submission_counts(installation.engine).group_by("contract").agg(pl.col("submissions", *COUNTED).sum())
    rows = told.sort("rejected", "contract", descending=[True, False]).to_dicts()
    create_table_artifact(rows, key="contracts", description="Deliveries and rejects by contract")
