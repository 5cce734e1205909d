"""What a night has written and not yet published, in numbers: filled step by step, read once by the checks."""

from dataclasses import dataclass, field

import polars as pl

from infra.checks import engine as checks
from infra.ledger.records import RecordsPublished
from schemas.claims import PUBLISHED


@dataclass(frozen=True)
class Beside:
    """What a release starts from where submissions are read anew by it, and all others stay as they are.

    standing: the buckets before anything is consolidated. reached: submission_id, partition, claims of new readings.
    """

    standing: pl.DataFrame
    reached: pl.DataFrame


@dataclass
class Staged:
    """What the night has written and not yet published.

    lanes: of the release's digest. buckets: submission_id, bucket, rows. suites: what is checked, by table. changed and
    agreements: of observations. items: how many items each record kind gained. remade: kinds whose items a decision or
    another model joined or split. records: what the ledger is told of the kinds.
    """

    release: int
    lanes: list[int]
    buckets: pl.DataFrame
    suites: dict[str, checks.TableCheck] = field(
        default_factory=lambda: {table: checks.TableCheck(table) for table in PUBLISHED}
    )
    changed: dict[str, int] = field(default_factory=lambda: {"added": 0, "changed": 0, "removed": 0})
    agreements: dict[str, int] = field(default_factory=dict)
    partitions: list[str] = field(default_factory=list)
    items: dict[str, int] = field(default_factory=dict)
    remade: set[str] = field(default_factory=set)
    records: RecordsPublished = field(default_factory=RecordsPublished)

    def count(self, lanes: tuple[int, ...], buckets: pl.DataFrame, sign: int) -> None:
        """Add (sign 1) or take away (-1) what some items and their rows count."""
        self.lanes = [lane + sign * own for lane, own in zip(self.lanes, lanes, strict=True)]
        signed = buckets.with_columns(pl.col("rows") * sign)
        summed = pl.concat([self.buckets, signed]).group_by("submission_id", "bucket").agg(pl.col("rows").sum())
        self.buckets = summed
