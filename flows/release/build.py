"""The night: from counted claims to a published release, the last three hops."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, replace
from typing import Final

import polars as pl

from flows.events import event_on_refusal
from flows.installation import Installation
from flows.release.overlap.measures import begin_measures, count_measures, write_measures
from flows.release.overlap.suspected import write_suspected
from flows.release.publish import Night, changed_submissions, publish_staged, publishing_run
from flows.release.reconsolidation import published_observations, reconsolidation_baseline, reconsolidation_reason
from flows.release.records.inputs import kinds_to_resolve, release_models
from flows.release.records.staging import stage_records, staged_items
from flows.release.staged import Baseline, StagedRelease
from infra import telemetry
from infra.checks import engine as checks
from infra.lake import delta as lake
from infra.lake.item_tables import observation_tables, versioned_tables
from infra.lake.partitions import group_partitions
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.releases import Release
from schemas.claims import BUCKETS, CLAIM_BUCKETS
from schemas.errors import ReleaseRefused
from schemas.record_tables import RECORDS_PREFIX
from transforms import identity
from transforms.observations.changes import added_items, changed_items
from transforms.observations.consolidate import (
    ConsolidatedClaims,
    consolidate,
    count_unstated,
    lane_sums,
    observation_content,
)
from transforms.receipts.fates import fate_submissions
from transforms.submissions import buckets_by_status, counted_batches, mark_counting

CHUNK_CLAIMS: Final = 700_000
"""How many claims are consolidated at once: months are taken in groups of about this size."""
CHUNK_MONTHS: Final = 24
"""The most months in a group, however few of their claims are new: all ids of a month are read."""


@telemetry.span("night")
def night(
    installation: Installation, progress: Callable[[str], None] = lambda _: None, run_id: str | None = None
) -> Night:
    """Publish what is registered as one release, or nothing at all; without anything new nothing is published.

    If the last release follows other rules than this version's, everything is consolidated again, new or not.
    run_id: the recorded run that this is a part of; by default it is recorded as a run of its own. Raises
    `ReleaseRefused` when a critical check fails: the last release stays the current one.
    """
    engine = installation.engine
    with (
        publishing_run(engine, "nightly", run_id) as run,
        telemetry.bound(run=run),
        event_on_refusal(installation, run),
    ):
        last = ledger_releases.current_release(engine)
        tables = versioned_tables(installation.kinds.values())
        lake.restore(installation.lake, last["tables"] if last else {}, tables)
        submissions = mark_counting(ledger_submissions.read_submissions(engine))
        entering, leaving = changed_submissions(submissions)
        kinds = kinds_to_resolve(installation, submissions, last)
        reason = reconsolidation_reason(last)
        if not entering.height and not leaving.height and not kinds and reason is None:
            return _unchanged(last)
        baseline = None
        if last is not None and reason is not None:
            progress(reason)
            baseline = reconsolidation_baseline(installation, submissions, last, kinds)
        checks.preload()
        staged = stage_observations(installation, submissions, last, progress, baseline)  # hops 6 and 7
        stage_records(installation, staged, kinds, progress)  # the same, for records
        staged.records = replace(staged.records, models=release_models(kinds, last))
        progress("checking the staged release")
        findings = check_staged(installation, submissions, staged, last)
        return publish_staged(installation, run, staged, findings, (entering, leaving))  # hop 8


def _unchanged(last: Release | None) -> Night:
    """Return the result of a night without work: the last release, unchanged."""
    if last is None:
        return Night(None, published=False, digest=None, counts={}, findings=[])
    return Night(last["release"], published=False, digest=last["digest"], counts=last["counts"], findings=[])


@telemetry.span("consolidate")
def stage_observations(
    installation: Installation,
    submissions: pl.DataFrame,
    last: Release | None,
    progress: Callable[[str], None],
    baseline: Baseline | None = None,
) -> StagedRelease:
    """Consolidate what entering and leaving submissions reach, group of months by group, and write what differs.

    `baseline` is given where submissions are read again (`transforms.submissions.counted_batches`), or by other rules
    than those of the last release.
    """
    outdated = last if baseline is not None and baseline.everything else None
    buckets = baseline.buckets if baseline else _initial_buckets(installation, submissions, last)
    first = installation.presets.first_release
    staged = _begun_release(last, buckets, outdated=outdated is not None, first=first)
    staged.submissions = fate_submissions(submissions, everything=outdated is not None)
    begin_measures(installation, staged, last)
    counted = counted_batches(submissions).filter(pl.col("before") | pl.col("after")).drop("first_release")
    with ThreadPoolExecutor(1) as writer:  # one group is written while the next is consolidated
        written: Future[None] | None = None
        for partitions in _groups(installation, counted, baseline):
            progress(f"consolidating {partitions[0]} to {partitions[-1]}")
            claims = reached_claims(installation, counted, partitions, every=outdated is not None)
            before = _before(installation, claims, partitions, outdated)
            after = consolidate(claims if claims["after"].all() else claims.filter("after"))
            if written is not None:
                written.result()
            staged.unstated["observations"] += count_unstated(claims, before, after)
            written = writer.submit(copy_context().run, _write, installation, staged, before, after)
    if written is not None:
        written.result()
    progress("compacting")
    observation_tables(installation.settings.lake).compact(staged.partitions)
    write_suspected(installation, staged, last, write_measures(installation, staged))
    return staged


def _begun_release(last: Release | None, buckets: pl.DataFrame, *, outdated: bool, first: int) -> StagedRelease:
    """Return the release that follows the last one; its digest continues that of the last one unless it is outdated."""
    lanes = last["digest_lanes"].split(",")[: len(identity.LANES)] if last and not outdated else []
    sums = list(map(int, lanes)) or [0] * len(identity.LANES)
    return StagedRelease(last["release"] + 1 if last else first, sums, buckets, outdated=outdated)


def _before(
    installation: Installation, claims: pl.DataFrame, partitions: list[str], outdated: Release | None
) -> ConsolidatedClaims | None:
    """Return what the last release publishes of these claims: what the lake has, if it follows other rules."""
    if outdated is not None:
        return published_observations(installation, outdated, partitions)
    return consolidate(claims.filter("before")) if claims["before"].any() else None


def _groups(installation: Installation, counted: pl.DataFrame, baseline: Baseline | None) -> Iterator[list[str]]:
    """Yield the months that the night reaches, in groups of about `CHUNK_CLAIMS` claims."""
    ids = counted.filter(pl.col("before") != pl.col("after"))["submission_id"]
    reached = ledger_submissions.read_submission_partitions(installation.engine, ids=ids.to_list())
    if baseline is not None:
        reached = pl.concat([reached, baseline.reached.select(reached.columns)])
    reached = reached.filter(~pl.col("partition").str.starts_with(RECORDS_PREFIX))
    sizes = reached.group_by("partition").agg(pl.col("claims").sum()).sort("partition").rows()
    yield from group_partitions(sizes, rows=CHUNK_CLAIMS, most=CHUNK_MONTHS)


def reached_claims(
    installation: Installation, counted: pl.DataFrame, partitions: list[str], *, every: bool = False
) -> pl.DataFrame:
    """Return all claims of the items that entering or leaving claims of these months reach, with `before`, `after`.

    A new version in a slot reaches every item of the slot. Where all claims are new, or `every`, these are all claims.
    """
    claims = lake.scan(installation.settings.lake, "claims", partitions=partitions)
    batch = ["submission_id", "batch"]
    if every or not counted["before"].any():
        # Month by month, for a month is written as one piece; and into one chunk, for joining many takes twice as long.
        months = pl.collect_all([claims.filter(pl.col("partition") == month) for month in partitions])
        marked = pl.concat(months, rechunk=True).join(counted, on=batch, how="left", maintain_order="left")
        return marked.filter(pl.col("after").is_not_null()) if marked["after"].null_count() else marked
    keys = claims.select("submission_id", "batch", "item_id", "slot_id").join(counted.lazy(), on=batch).collect()
    differ = keys.filter(pl.col("before") != pl.col("after"))
    slots = differ["slot_id"].drop_nulls().unique()
    reached = pl.concat([differ["item_id"], keys.filter(pl.col("slot_id").is_in(slots.implode()))["item_id"]]).unique()
    wanted = pl.col("item_id").is_in(reached.implode())
    slots = keys.filter(wanted)["slot_id"].drop_nulls().unique()
    if slots.len():
        wanted = wanted | pl.col("slot_id").is_in(slots.implode())
    return claims.filter(wanted).join(counted.lazy(), on=batch).collect()


def _write(
    installation: Installation,
    staged: StagedRelease,
    before: ConsolidatedClaims | None,
    after: ConsolidatedClaims,
) -> None:
    """Append what differs to the lake, and count it into the staged release."""
    number = pl.lit(staged.release, dtype=pl.Int32).alias("release")
    delta = _delta(before, after, outdated=staged.outdated)
    rows = {"observations": after.observations, "sources": after.sources, "conflicts": after.conflicts}
    if before is not None:
        rows = {name: frame.join(delta, on="item_id", how="semi") for name, frame in rows.items()}
        replaced = delta.filter(pl.col("change") != "added").select("item_id", number, "partition")
        lake.append(installation.settings.lake, "retired", replaced)
    if staged.release > installation.presets.first_release:  # there is none before the first, so it changes nothing
        rows["changes"] = delta
    for name, frame in rows.items():
        numbered = frame.with_columns(number)
        staged.suites[name].add(numbered)
        lake.append(installation.settings.lake, name, numbered)
    _count(staged, delta, before, after)
    staged.add_fates(None if before is None else before.fates, after.fates)
    count_measures(installation, staged, before, after)


def _delta(before: ConsolidatedClaims | None, after: ConsolidatedClaims, *, outdated: bool) -> pl.DataFrame:
    """Return what differs (`transforms.observations.changes`); where nothing was before, all of it is new."""
    if before is None:
        return added_items(after.observations)
    sides = (
        observation_content(side.observations, side.sources, side.conflicts if outdated else None)
        for side in (before, after)
    )
    return changed_items(*sides)


def _count(
    staged: StagedRelease, delta: pl.DataFrame, before: ConsolidatedClaims | None, after: ConsolidatedClaims
) -> None:
    for change, count in delta.group_by("change").len().iter_rows():
        staged.changed[change] += count
    sides = [(after, 1), (before, -1)] if before is not None else [(after, 1)]
    for side, sign in sides:
        if sign > 0 or not staged.outdated:  # by other rules, the release is counted from nothing
            staged.count(lane_sums(side.observations, side.sources), side.buckets, sign)
        for agreement, count in side.observations.group_by("agreement").len().iter_rows():
            staged.agreements[agreement] = staged.agreements.get(agreement, 0) + sign * count
        staged.partitions = sorted({*staged.partitions, *side.observations["partition"].unique()})


def _initial_buckets(installation: Installation, submissions: pl.DataFrame, last: Release | None) -> pl.DataFrame:
    """Return the buckets before anything is consolidated.

    They are those of the last release for what it counts, and those that a submission's own state decides.
    """
    by_status = buckets_by_status(submissions).cast({"rows": pl.Int64})
    if last is None:
        return by_status
    counted = submissions.filter("in_release").select("submission_id")
    known = ledger_releases.read_row_counts(installation.engine, last["release"])
    known = known.join(counted, on="submission_id", how="semi").filter(pl.col("bucket").is_in(CLAIM_BUCKETS))
    return (
        pl.concat([by_status, known.select("submission_id", "bucket", "rows")])
        .group_by("submission_id", "bucket")
        .agg(pl.col("rows").sum())
    )


@telemetry.span("check")
def check_staged(
    installation: Installation, submissions: pl.DataFrame, staged: StagedRelease, last: Release | None
) -> list[checks.Finding]:
    """Check the staged release; raises `ReleaseRefused` with what failed."""
    findings = [finding for table in staged.suites.values() for finding in table.findings()]
    findings += checks.check_release(summarise_staged(installation, submissions, staged, last))
    failed = [f for f in findings if not f.success]
    if failed:
        shown = "; ".join(f"{f.table}.{f.column or '*'}: found {f.found}, expected {f.expected}" for f in failed[:10])
        message = f"{len(failed)} checks failed, nothing was published: {shown}"
        raise ReleaseRefused(message, [asdict(f) for f in failed])
    return findings


def summarise_staged(
    installation: Installation, submissions: pl.DataFrame, staged: StagedRelease, last: Release | None
) -> checks.ReleaseSummary:
    """Return the staged release in numbers, to be checked as a whole.

    An item stays in one month, so ids are unique over the whole table if they are unique in each month; the months that
    the night did not reach were checked when they were written.
    """
    before = last["counts"]["items"] if last else 0
    items = before + staged.changed["added"] - staged.changed["removed"]
    tables = observation_tables(installation.settings.lake)
    ids = tables.live("observations", tables.versions(), staged.partitions).select("item_id").collect()["item_id"]
    repeated = ids.len() - identity.count_distinct(ids)
    bucketed = staged.buckets.group_by("submission_id").agg(pl.col("rows").sum(), pl.col("rows").min().alias("least"))
    balance = submissions.join(bucketed, on="submission_id", how="left").fill_null(0)
    unbalanced = balance.filter((pl.col("delivered") != pl.col("rows")) | (pl.col("least") < 0))
    records = staged_items(installation, staged, last)
    totals = dict(staged.buckets.group_by("bucket").agg(pl.col("rows").sum()).iter_rows())
    return checks.ReleaseSummary(
        rows={"observations": items} | {kind: count for kind, (count, _) in records.items()},
        item_ids=items - repeated,
        delivered=int(submissions["delivered"].sum()),
        buckets={bucket: totals.get(bucket, 0) for bucket in BUCKETS},
        unbalanced=unbalanced.height,
        rows_before={"observations": before} | {k: last["counts"].get(k, 0) for k in records} if last else None,
        removed_submissions=changed_submissions(submissions)[1].height,
        record_ids={kind: ids for kind, (_, ids) in records.items()},
        may_shrink=frozenset(staged.may_shrink),
        unstated=dict(staged.unstated),
    )
