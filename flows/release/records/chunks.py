"""What a kind's night publishes, in parts: memory holds all columns of a limited number of reports at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from infra.lake.delta import group_partitions
from schemas.kind import Kind
from transforms.linkage.clustering import connected_components
from transforms.records.consolidate import ConsolidatedRecords, consolidate_records, left_join_columns
from transforms.records.content import item_content, record_changes
from transforms.records.resolution import KindResolution

CHUNK_REPORTS: Final = 250_000
"""About how many deliveries are consolidated at once; those of one item stay together."""
PREFIX_DIGITS: Final = 2
"""First digits of report ids by which they are put in parts: hashes come in 256 parts of one size."""


@dataclass(frozen=True)
class RecordsPart:
    """What is published of some items, before and after, and what differs (`transforms.records.content`)."""

    before: ConsolidatedRecords
    after: ConsolidatedRecords
    content_before: pl.DataFrame
    content_after: pl.DataFrame
    changes: pl.DataFrame


def records_parts(kind: Kind, resolution: KindResolution) -> Iterator[RecordsPart]:
    """Yield all that the night reaches: an item of the last release and of this one is in one part."""
    before, after = resolution.before, resolution.after
    if max(before.height, after.height) <= CHUNK_REPORTS:
        yield _part(kind, (before, None), (after, None))
        return
    labels = _labels(before, after)
    sizes = pl.concat(labels).value_counts(name="rows").sort(labels[0].name)
    for group in group_partitions(sizes.rows(), rows=CHUNK_REPORTS):
        yield _part(kind, *((side, label.is_in(group)) for side, label in zip((before, after), labels, strict=True)))


def _labels(before: pl.DataFrame, after: pl.DataFrame) -> list[pl.Series]:
    """Return of each delivery the first digits of the least report id among all that share its items."""
    if before.is_empty():  # each item is in one part already, that of its id
        return [_digits(side, pl.coalesce("item_id", "report_id")) for side in (before, after)]
    pairs = pl.concat(
        side.select(a="report_id", b="item_id").filter(pl.col("a") != pl.col("b")) for side in (before, after)
    )
    components = connected_components(pairs, pl.concat([pairs["a"], pairs["b"]]).unique().to_frame("report_id"))
    sides = (left_join_columns(side.select("report_id"), components, "report_id") for side in (before, after))
    return [_digits(side, pl.coalesce("component", "report_id")) for side in sides]


def _digits(side: pl.DataFrame, label: pl.Expr) -> pl.Series:
    return side.select(label.str.slice(0, PREFIX_DIGITS).alias("part")).to_series()


def _part(
    kind: Kind, before: tuple[pl.DataFrame, pl.Series | None], after: tuple[pl.DataFrame, pl.Series | None]
) -> RecordsPart:
    """Consolidate the chosen deliveries of each side; all of them without a choice."""
    old, new = (consolidate_records(side, kind, chosen) for side, chosen in (before, after))
    content = item_content(old.items, old.sources, kind), item_content(new.items, new.sources, kind)
    return RecordsPart(old, new, *content, record_changes(*content))
