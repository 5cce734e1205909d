"""Publish: the lock that one publisher holds, and the one transaction that makes a staged release the current one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import sqlalchemy as sa

from flows.events import release_event
from flows.installation import Installation
from flows.release.descriptions import write_descriptions
from flows.release.staged import StagedRelease
from flows.release.tree.growth import grow_tree
from infra import telemetry
from infra.checks import engine as checks
from infra.lake import access as lake_access
from infra.lake import delta as lake
from infra.lake.item_tables import versioned_tables
from infra.ledger import releases as ledger_releases
from infra.ledger import runs as ledger_runs
from infra.ledger.releases import Release
from schemas.claims import AGREEMENTS
from transforms import identity, rules_version


@dataclass(frozen=True)
class Night:
    """How a night ended: the current release, whether it is new, and what it counts."""

    release: int | None
    published: bool
    digest: str | None
    counts: dict[str, int]
    findings: list[checks.Finding]


@contextmanager
def publishing_run(engine: sa.Engine, kind: str, run_id: str | None = None) -> Iterator[str]:
    """Hold the publishing lock and give the id of a run: the one given, which is recorded already, or a new one."""
    # One publisher at a time: the lock is a session of the database, so it ends with the process that held it. Should
    # the session break while the process lives on, the lock is lost unnoticed and a second publisher may start: every
    # commit to the lake is therefore signed with its run, and publishing refuses tables that another run has written
    # to (`own_versions`).
    with ledger_runs.publishing_lock(engine, run_id):
        recorded = ledger_runs.recorded_run(engine, kind) if run_id is None else nullcontext(run_id)
        with recorded as run, lake.signed_by(run), lake.opened_once(), lake_access.scan_errors():
            yield run


def changed_submissions(submissions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the submissions that enter the release (they count and did not before), and those that leave it."""
    return submissions.filter(pl.col("counts") & ~pl.col("in_release")), submissions.filter(
        ~pl.col("counts") & pl.col("in_release")
    )


@telemetry.span("publish")
def publish_staged(
    installation: Installation,
    run_id: str,
    staged: StagedRelease,
    findings: list[checks.Finding],
    changed: tuple[pl.DataFrame, pl.DataFrame],
    *,
    write_also: Callable[[sa.Connection], None] | None = None,
) -> Night:
    """Make the staged release the current one: a row in `releases`, in one transaction with what `write_also` writes.

    changed: the submissions that enter and that leave, as `changed_submissions` returns them.
    """
    engine, root = installation.engine, installation.settings.lake
    last = ledger_releases.current_release(engine)
    counts = _counts(staged, last["counts"] if last else {})
    buckets = staged.buckets.filter(pl.col("rows") != 0)
    known = ledger_releases.read_row_counts(engine, last["release"]) if last else buckets.clear()
    digest = identity.digest(tuple(staged.lanes))
    # All that was written to the lake so far is invisible. The row that names the tables' versions makes it the current
    # release, for every reader at once; killed before it, the night has changed nothing, and the next one restores the
    # tables. Between reading the versions and writing the row no other run may write: `own_versions` checks that only
    # this one did, and the number of the release, which is unique, refuses the second of two.
    write_descriptions(installation, last)
    versions = lake.own_versions(root, versioned_tables(installation.kinds.values()), last["tables"] if last else {})
    entering, leaving = (side["submission_id"].to_list() for side in changed)
    recounted = _recounted(buckets, known)
    tree = grow_tree(installation, staged, last, digest, {*recounted["submission_id"], *entering, *leaving})
    release: Release = {
        "release": staged.release, "run_id": run_id, "published_at": datetime.now(UTC).replace(tzinfo=None),
        "digest": digest, "digest_lanes": ",".join(map(str, (*staged.lanes, *staged.overlap_lanes))),
        "tables": versions, "counts": counts, "tree_head": tree.head,
        "register_digest": installation.register.digest, "rules_digest": rules_version.RULES_DIGEST,
    }  # fmt: skip
    contracts = {name for side in changed for name in side["contract"].unique()}
    with release_event(installation, release, write_also, contracts) as write:
        ledger_releases.publish_release(
            engine, release, recounted, entering, leaving, records=staged.records, leaves=tree.leaves, write_also=write
        )
    _log_released(release, changed[0])
    return Night(staged.release, published=True, digest=digest, counts=counts, findings=findings)


def _counts(staged: StagedRelease, before: dict[str, int]) -> dict[str, int]:
    """Return what the release counts: items, of each agreement and kind, changes, delivered rows by bucket, figures."""
    agreements = {name: before.get(name, 0) + staged.agreements.get(name, 0) for name in AGREEMENTS}
    counts = {"items": sum(agreements.values()), **agreements, **staged.changed}
    counts |= {kind: before.get(kind, 0) + staged.items.get(kind, 0) for kind in staged.records.models}
    buckets = staged.buckets.filter(pl.col("rows") != 0)
    for bucket, rows in buckets.group_by("bucket").agg(pl.col("rows").sum()).sort("bucket").iter_rows():
        counts[f"rows_{bucket}"] = rows
    return counts | staged.compared


def _log_released(release: Release, entered: pl.DataFrame) -> None:
    """Log a release that was published just now; record how old the oldest submission new in it was."""
    fields = {"release": release["release"], "run": release["run_id"], "items": release["counts"].get("items")}
    telemetry.log("night").info("release published", extra=fields)
    now = pl.lit(datetime.now(UTC).replace(tzinfo=None), dtype=pl.Datetime("us"))
    lag = entered.select((now - pl.col("received_at").min()).dt.total_milliseconds()).item()
    if lag is not None:
        telemetry.record_lag("released", lag / 1000)


def _recounted(buckets: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return all buckets of each submission of which any changed; one that has no rows any more gets an empty one."""
    cell = ["submission_id", "bucket", "rows"]
    known = known.filter(pl.col("rows") != 0)
    fresh = pl.concat([buckets.join(known, on=cell, how="anti")[cell], known.join(buckets, on=cell, how="anti")[cell]])
    ids = fresh.select("submission_id").unique()
    rows = buckets.join(ids, on="submission_id", how="semi").select(cell)
    empty = ids.join(rows, on="submission_id", how="anti")
    return pl.concat([rows, empty.select("submission_id", bucket=pl.lit("rejected"), rows=pl.lit(0, dtype=pl.Int64))])
