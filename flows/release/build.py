"""From the claims that count to a release: the last three hops."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Final

import polars as pl
import sqlalchemy as sa

from flows import telling
from flows.events import telling_refusal, telling_release
from flows.installation import Installation
from flows.release.records.inputs import bases, matched_with
from flows.release.records.staging import record_rows, stage_records
from flows.release.staged import Beside, Staged
from infra import telemetry
from infra.checks import engine as checks
from infra.lake import access as lake_places
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.ledger import submissions as ledger
from schemas.claims import AGREEMENTS, BUCKETS, CLAIM_BUCKETS
from schemas.errors import ReleaseRefused
from schemas.record_tables import RECORDS
from transforms import identity as identify
from transforms.observations.changes import added, changes
from transforms.observations.consolidate import Consolidated, consolidate, content, lane_sums
from transforms.submissions import counting, members, standing_buckets

CHUNK_CLAIMS: Final = 700_000
"""How many claims are consolidated at once: the months of a release are taken in groups of about this size."""
CHUNK_MONTHS: Final = 24
"""How many months at most, however few of their claims are new: their ids are all looked at."""
RULES: Final = "1"
"""Version of the law as this code applies it, written with each release. Nothing compares it yet: a change of the law
leaves untouched items as they were.
"""


@dataclass(frozen=True)
class Night:
    """How a night ended: the release that stands, whether it is new, and what it counts."""

    release: int | None
    published: bool
    digest: str | None
    counts: dict[str, int]
    findings: list[checks.Finding]


@telemetry.span("night")
def night(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> Night:
    """Publish what is registered as one release, or nothing at all; nothing new publishes nothing.

    Raises `ReleaseRefused` when a critical check fails: the last release stands as it was.
    """
    engine = installation.engine
    with alone(engine, "nightly") as run_id, telemetry.bound(run=run_id), telling_refusal(installation, run_id):
        last = ledger.current_release(engine)
        tables = lake_records.versioned(installation.kinds.values())
        lake.restore(installation.lake, last["tables"] if last else {}, tables)
        submissions = counting(ledger.submissions(engine))
        entered, left = moved(submissions)
        kinds = bases(installation, submissions, last)
        if not entered.height and not left.height and not kinds:
            return _as_it_was(last)
        checks.preload()
        staged = stage(installation, submissions, last, progress)  # hops 6 and 7, for observations
        stage_records(installation, staged, kinds, progress)  # the same, for records
        staged.records = replace(staged.records, models=matched_with(kinds, last))
        progress("checking the staged release")
        findings = check(installation, submissions, staged, last)
        return publish(installation, run_id, staged, findings, (entered, left))  # hop 8


def _as_it_was(last: ledger.Release | None) -> Night:
    """Return the night that had nothing to do."""
    if last is None:
        return Night(None, published=False, digest=None, counts={}, findings=[])
    return Night(last["release"], published=False, digest=last["digest"], counts=last["counts"], findings=[])


@contextmanager
def alone(engine: sa.Engine, kind: str) -> Iterator[str]:
    """Give the id of a run that nothing else publishes beside; those that were killed are written down as failed."""
    with ledger.publishing_lock(engine):
        for publishes in ledger.PUBLISHERS:
            ledger.close_killed_runs(engine, publishes)
        with ledger.run(engine, kind) as run_id, lake.signed(run_id), lake_places.reading():
            yield run_id


def moved(submissions: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the submissions that count and did not, and those that did and do not."""
    return submissions.filter(pl.col("counts") & ~pl.col("in_release")), submissions.filter(
        ~pl.col("counts") & pl.col("in_release")
    )


@telemetry.span("consolidate")
def stage(
    installation: Installation,
    submissions: pl.DataFrame,
    last: ledger.Release | None,
    progress: Callable[[str], None],
    beside: Beside | None = None,
) -> Staged:
    """Consolidate what the new and the gone submissions touch, group of months by group, and write what differs.

    `beside` is told where submissions are read anew (`transforms.submissions.members`).
    """
    sums = [int(x) for x in last["digest_lanes"].split(",")] if last else [0] * len(identify.LANES)
    standing = beside.standing if beside else _standing(installation, submissions, last)
    staged = Staged(last["release"] + 1 if last else 1, sums, standing)
    counted = members(submissions).filter(pl.col("before") | pl.col("after")).drop("first_release")
    with ThreadPoolExecutor(1) as writer:  # one group is written while the next is consolidated
        written: Future[None] | None = None
        for partitions in _groups(installation, counted, beside):
            progress(f"consolidating {partitions[0]} to {partitions[-1]}")
            claims = touched_claims(installation, counted, partitions)
            before = consolidate(claims.filter("before")) if claims["before"].any() else None
            after = consolidate(claims if claims["after"].all() else claims.filter("after"))
            if written is not None:
                written.result()
            written = writer.submit(copy_context().run, _write, installation, staged, before, after)
    if written is not None:
        written.result()
    progress("compacting")
    lake.compact(installation.settings.lake, staged.partitions)
    return staged


def _groups(installation: Installation, counted: pl.DataFrame, beside: Beside | None) -> Iterator[list[str]]:
    """Yield the months that the night touches, in groups of about `CHUNK_CLAIMS` claims."""
    differ = counted.filter(pl.col("before") != pl.col("after"))
    told = ledger.partitions(installation.engine, ids=differ["submission_id"].to_list())
    told = told if beside is None else pl.concat([told, beside.reached.select(told.columns)])
    told = told.filter(~pl.col("partition").str.starts_with(RECORDS))
    sizes = told.group_by("partition").agg(pl.col("claims").sum()).sort("partition").rows()
    yield from lake.groups(sizes, rows=CHUNK_CLAIMS, most=CHUNK_MONTHS)


def touched_claims(installation: Installation, counted: pl.DataFrame, partitions: list[str]) -> pl.DataFrame:
    """Return all claims of the items that new or gone claims of these months reach, with `before` and `after`.

    A new version in a slot reaches every item of the slot. Where all claims are new this is all claims.
    """
    claims = lake.scan(installation.settings.lake, "claims", partitions=partitions)
    named = ["submission_id", "batch"]
    if not counted["before"].any():
        told = claims.join(counted.lazy(), on=named, how="left", maintain_order="left").collect()
        return told.filter(pl.col("after").is_not_null()) if told["after"].null_count() else told
    keys = claims.select("submission_id", "batch", "item_id", "slot_id").join(counted.lazy(), on=named).collect()
    differ = keys.filter(pl.col("before") != pl.col("after"))
    slots = differ["slot_id"].drop_nulls().unique()
    reached = pl.concat([differ["item_id"], keys.filter(pl.col("slot_id").is_in(slots.implode()))["item_id"]]).unique()
    wanted = pl.col("item_id").is_in(reached.implode())
    slots = keys.filter(wanted)["slot_id"].drop_nulls().unique()
    if slots.len():
        wanted = wanted | pl.col("slot_id").is_in(slots.implode())
    return claims.filter(wanted).join(counted.lazy(), on=named).collect()


def _write(
    installation: Installation,
    staged: Staged,
    before: Consolidated | None,
    after: Consolidated,
) -> None:
    """Append what differs to the lake, and count it into the staged release."""
    number = pl.lit(staged.release, dtype=pl.Int32).alias("release")
    delta = _delta(before, after)
    rows = {"observations": after.observations, "sources": after.sources, "conflicts": after.conflicts}
    if before is not None:
        rows = {name: frame.join(delta, on="item_id", how="semi") for name, frame in rows.items()}
        gone = delta.filter(pl.col("change") != "added").select("item_id", number, "partition")
        lake.append(installation.settings.lake, "retired", gone)
    if staged.release > 1:  # the first has none before it, so it changes nothing
        rows["changes"] = delta
    for name, frame in rows.items():
        numbered = frame.with_columns(number)
        staged.suites[name].add(numbered)
        lake.append(installation.settings.lake, name, numbered)
    _count(staged, delta, before, after)


def _delta(before: Consolidated | None, after: Consolidated) -> pl.DataFrame:
    """Return what differs (`transforms.observations.changes`); where nothing was before, all of it is new."""
    if before is None:
        return added(after.observations)
    return changes(content(before.observations, before.sources), content(after.observations, after.sources))


def _count(staged: Staged, delta: pl.DataFrame, before: Consolidated | None, after: Consolidated) -> None:
    for change, count in delta.group_by("change").len().iter_rows():
        staged.changed[change] += count
    sides = [(after, 1), (before, -1)] if before is not None else [(after, 1)]
    for side, sign in sides:
        staged.count(lane_sums(side.observations, side.sources), side.buckets, sign)
        for agreement, count in side.observations.group_by("agreement").len().iter_rows():
            staged.agreements[agreement] = staged.agreements.get(agreement, 0) + sign * count
        staged.partitions = sorted({*staged.partitions, *side.observations["partition"].unique()})


def _standing(installation: Installation, submissions: pl.DataFrame, last: ledger.Release | None) -> pl.DataFrame:
    """Return the buckets before anything is consolidated.

    They are those of the last release for what it counts, and those that a submission's own state decides.
    """
    standing = standing_buckets(submissions).cast({"rows": pl.Int64})
    if last is None:
        return standing
    counted = submissions.filter("in_release").select("submission_id")
    told = ledger.row_counts(installation.engine, last["release"]).join(counted, on="submission_id", how="semi")
    told = told.filter(pl.col("bucket").is_in(CLAIM_BUCKETS)).select("submission_id", "bucket", "rows")
    return pl.concat([standing, told]).group_by("submission_id", "bucket").agg(pl.col("rows").sum())


@telemetry.span("check")
def check(
    installation: Installation, submissions: pl.DataFrame, staged: Staged, last: ledger.Release | None
) -> list[checks.Finding]:
    """Check the staged release; raises `ReleaseRefused` with what failed."""
    findings = [finding for table in staged.suites.values() for finding in table.findings()]
    findings += checks.check_release(summary(installation, submissions, staged, last))
    failed = [f for f in findings if not f.success]
    if failed:
        told = "; ".join(f"{f.table}.{f.column or '*'}: found {f.found}, expected {f.expected}" for f in failed[:10])
        every = [asdict(f) for f in failed]
        raise ReleaseRefused(f"{len(failed)} checks failed, nothing was published: {told}", every)
    return findings


def summary(
    installation: Installation, submissions: pl.DataFrame, staged: Staged, last: ledger.Release | None
) -> checks.ReleaseSummary:
    """Return the staged release in numbers: what is checked of it as a whole.

    An item stays in one month, so ids are unique over the whole table if they are in each month; the months that the
    night did not touch were checked when they were written.
    """
    root = installation.settings.lake
    before = last["counts"]["items"] if last else 0
    items = before + staged.changed["added"] - staged.changed["removed"]
    ids = lake.live(root, "observations", lake.versions(root), staged.partitions).select("item_id")
    rows, distinct = ids.select(pl.len(), pl.col("item_id").n_unique().alias("distinct")).collect().row(0)
    bucketed = staged.buckets.group_by("submission_id").agg(pl.col("rows").sum(), pl.col("rows").min().alias("least"))
    told = submissions.join(bucketed, on="submission_id", how="left").fill_null(0)
    off = told.filter((pl.col("delivered") != pl.col("rows")) | (pl.col("least") < 0))
    records = record_rows(installation, staged, last)
    totals = dict(staged.buckets.group_by("bucket").agg(pl.col("rows").sum()).iter_rows())
    return checks.ReleaseSummary(
        rows={"observations": items} | {kind: count for kind, (count, _) in records.items()},
        item_ids=items - (rows - distinct),
        delivered=int(submissions["delivered"].sum()),
        buckets={bucket: totals.get(bucket, 0) for bucket in BUCKETS},
        unbalanced=off.height,
        rows_before={"observations": before} | {k: last["counts"].get(k, 0) for k in records} if last else None,
        left=moved(submissions)[1].height,
        record_ids={kind: ids for kind, (_, ids) in records.items()},
        remade=frozenset(staged.remade),
    )


@telemetry.span("publish")
def publish(  # noqa: PLR0913  what is published, and what else is written with it
    installation: Installation,
    run_id: str,
    staged: Staged,
    findings: list[checks.Finding],
    moved: tuple[pl.DataFrame, pl.DataFrame],
    *,
    also: Callable[[sa.Connection], None] | None = None,
) -> Night:
    """Make the staged release the current one: one row in `releases`, in one transaction with what `also` writes."""
    engine, root = installation.engine, installation.settings.lake
    last = ledger.current_release(engine)
    before = last["counts"] if last else {}
    agreements = {name: before.get(name, 0) + staged.agreements.get(name, 0) for name in AGREEMENTS}
    counts = {"items": sum(agreements.values()), **agreements, **staged.changed}
    counts |= {kind: before.get(kind, 0) + staged.items.get(kind, 0) for kind in staged.records.models}
    buckets = staged.buckets.filter(pl.col("rows") != 0)
    for bucket, rows in buckets.group_by("bucket").agg(pl.col("rows").sum()).sort("bucket").iter_rows():
        counts[f"rows_{bucket}"] = rows
    known = ledger.row_counts(engine, last["release"]) if last else buckets.clear()
    digest = identify.digest(tuple(staged.lanes))
    stood = last["tables"] if last else {}
    release: ledger.Release = {
        "release": staged.release,
        "run_id": run_id,
        "published_at": datetime.now(UTC).replace(tzinfo=None),
        "digest": digest,
        "digest_lanes": ",".join(map(str, staged.lanes)),
        "tables": lake.own_versions(root, lake_records.versioned(installation.kinds.values()), stood),
        "counts": counts,
        "register_digest": installation.register.digest,
        "rules_digest": RULES,
    }
    entered, left = (m["submission_id"].to_list() for m in moved)
    with telling_release(installation, release, also) as write:
        ledger.publish(engine, release, _recounted(buckets, known), entered, left, records=staged.records, also=write)
    telling.released(release, moved[0])
    return Night(staged.release, published=True, digest=digest, counts=counts, findings=findings)


def _recounted(buckets: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Return all buckets of each submission of which any changed; one without rows any more is told so."""
    cell = ["submission_id", "bucket", "rows"]
    known = known.filter(pl.col("rows") != 0)
    fresh = pl.concat([buckets.join(known, on=cell, how="anti")[cell], known.join(buckets, on=cell, how="anti")[cell]])
    ids = fresh.select("submission_id").unique()
    told = buckets.join(ids, on="submission_id", how="semi").select(cell)
    empty = ids.join(told, on="submission_id", how="anti")
    return pl.concat([told, empty.select("submission_id", bucket=pl.lit("rejected"), rows=pl.lit(0, dtype=pl.Int64))])
