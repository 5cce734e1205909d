"""A staged release: what a night has written and not yet published, in numbers that the checks read."""

from collections import Counter
from dataclasses import dataclass, field

import polars as pl

from infra.checks import engine as checks
from infra.ledger.records import RecordsPublished
from schemas.claims import PUBLISHED_TABLES


@dataclass(frozen=True)
class RereadBaseline:
    """What a release starts from that publishes new readings of submissions and leaves all others as they are.

    buckets: submission_id, bucket, rows before anything is consolidated. reached: submission_id, partition, claims of
    the new readings.
    """

    buckets: pl.DataFrame
    reached: pl.DataFrame


@dataclass
class StagedRelease:
    """What the night has written and not yet published.

    lanes: of the release's digest. buckets: submission_id, bucket, rows. suites: what is checked, by table. changed and
    agreements: of observations. partitions: the months written. items: how many items each record kind gained.
    unstated: by table, the items that are published no more because nothing states them: all was corrected or
    withdrawn. may_shrink: tables whose items a decision, another model or a person's choice joins or removes. records:
    what is written to the ledger of the kinds.
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

    def count(self, lanes: tuple[int, ...], buckets: pl.DataFrame, sign: int) -> None:
        """Add (sign 1) or subtract (sign -1) what some items and their rows count."""
        self.lanes = [lane + sign * own for lane, own in zip(self.lanes, lanes, strict=True)]
        signed = buckets.with_columns(pl.col("rows") * sign)
        summed = pl.concat([self.buckets, signed]).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
        self.buckets = summed
