"""A staged release: what a night has written and not yet published, in numbers that the checks read."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from infra.checks import engine as checks
from infra.ledger.records import RecordsPublished
from schemas.claims import PUBLISHED_TABLES
from transforms.identity import LANES
from transforms.overlap.content import table_lanes
from transforms.overlap.counts import OverlapCounts
from transforms.receipts.fates import FATE_SUBMISSION, changed_fates


@dataclass(frozen=True)
class Baseline:
    """What a release starts from that does more than publish what enters and leaves it since the last one.

    buckets: submission_id, bucket, rows before anything is consolidated. reached: submission_id, partition, claims of
    what is consolidated besides: new readings of submissions, or everything. everything: all items are consolidated
    again, by rules that are not those of the last release, and compared with what the lake has of them.
    """

    buckets: pl.DataFrame
    reached: pl.DataFrame
    everything: bool = False


@dataclass
class StagedRelease:
    """What the night has written and not yet published.

    lanes: of the release's digest. buckets: submission_id, bucket, rows. suites: what is checked, by table. changed and
    agreements: of observations. partitions: the months written. items: how many items each record kind gained.
    unstated: by table, the items that are published no more because nothing states them (all was corrected or
    withdrawn) or because reports that arrived or were withdrawn joined them to others. may_shrink: tables whose items a
    decision, another model or a person's choice joins or removes. records: what is written to the ledger of the kinds.
    outdated: the last release follows other rules, so that lanes and buckets are counted from nothing.
    overlap_lanes: of the digest of the tables of overlap. overlap_counts: what its items count of them, without what
    the lake has, those of reports. counted_months: the months that they are of. counts_afresh: they are all counts.
    submissions: what fates are about, and fates: those that differ from before (`transforms.receipts.fates`).
    counted_in: the versions of the tables of the release whose counts these are added to. compared: what discovery
    compared (`transforms.discovery.window.DiscoveryWindow.counts`).
    """

    release: int
    lanes: list[int]
    buckets: pl.DataFrame
    suites: dict[str, checks.TableCheck] = field(
        default_factory=lambda: {table: checks.TableCheck(table) for table in PUBLISHED_TABLES}
    )
    changed: dict[str, int] = field(default_factory=lambda: {"added": 0, "changed": 0, "removed": 0})
    agreements: dict[str, int] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    unstated: Counter[str] = field(default_factory=Counter)
    may_shrink: set[str] = field(default_factory=set)
    records: RecordsPublished = field(default_factory=RecordsPublished)
    outdated: bool = False
    overlap_lanes: list[int] = field(default_factory=lambda: [0] * len(LANES))
    overlap_counts: list[OverlapCounts] = field(default_factory=list)
    counted_months: set[str] = field(default_factory=set)
    counts_afresh: bool = True
    submissions: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=FATE_SUBMISSION))
    fates: list[pl.Series] = field(default_factory=list)
    counted_in: dict[str, int] = field(default_factory=dict)
    compared: dict[str, int] = field(default_factory=dict)

    def count_overlap(self, name: str, before: pl.DataFrame, after: pl.DataFrame) -> None:
        """Count rows of a table of overlap into the digest of these, instead of those before."""
        sides = zip(table_lanes(name, before), table_lanes(name, after), strict=True)
        self.overlap_lanes = [lane - b + a for lane, (b, a) in zip(self.overlap_lanes, sides, strict=True)]

    def check(self, name: str, rows: pl.DataFrame) -> None:
        """Let rows of a table of overlap be checked."""
        self.suites.setdefault(name, checks.TableCheck(name)).add(rows)

    def count(self, lanes: tuple[int, ...], buckets: pl.DataFrame, sign: int) -> None:
        """Add (sign 1) or subtract (sign -1) what some items and their rows count."""
        self.lanes = [lane + sign * own for lane, own in zip(self.lanes, lanes, strict=True)]
        signed = buckets.with_columns(pl.col("rows") * sign)
        summed = pl.concat([self.buckets, signed]).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
        self.buckets = summed

    def add_fates(self, before: pl.Series | None, after: pl.Series) -> None:
        """Add the fates of some rows that differ from those before."""
        changed = changed_fates(before, after, self.submissions)
        if changed.len():
            self.fates.append(changed)
