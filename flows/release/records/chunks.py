"""What a kind's night publishes, in parts: memory holds all columns of a limited number of reports at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import polars as pl

from infra.lake.partitions import group_partitions
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


def records_parts_against(
    kind: Kind, resolution: KindResolution, ids: pl.Series, published: Callable[[pl.Series], ConsolidatedRecords]
) -> Iterator[RecordsPart]:
    """Yield all items, each compared with what is published of its id; then the published ids that no item has now.

    ids: the published ones. published: what is published of some of them, whatever the rules by which it was.
    """
    for part in records_parts(kind, replace(resolution, before=resolution.before.clear())):
        now = part.after.items["item_id"].implode()
        yield _compared(kind, published(ids.filter(ids.is_in(now))), part.after)
    rest = ids.filter(~ids.is_in(resolution.after["item_id"].unique().implode()))
    nothing = consolidate_records(resolution.after.clear(), kind)
    for some in rest.to_frame().iter_slices(CHUNK_REPORTS):
        yield _compared(kind, published(some.to_series()), nothing)


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
    return _compared(kind, *(consolidate_records(side, kind, chosen) for side, chosen in (before, after)))


def _compared(kind: Kind, before: ConsolidatedRecords, after: ConsolidatedRecords) -> RecordsPart:
    content = item_content(before.items, before.sources, kind), item_content(after.items, after.sources, kind)
    return RecordsPart(before, after, *content, record_changes(*content))
