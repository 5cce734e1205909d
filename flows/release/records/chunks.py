"""What a kind's night publishes, part by part: never more than some reports in all their columns at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import polars as pl

from flows.release.records.resolution import KindNight
from infra.lake.delta import groups
from schemas.kind import Kind
from transforms.linkage.clustering import components
from transforms.records.consolidate import RecordsConsolidated, beside, consolidated
from transforms.records.content import record_changes, record_content

CHUNK_REPORTS: Final = 250_000
"""How many deliveries are consolidated at once, about: an item's are never parted."""
DIGITS: Final = 2
"""First letters of report ids by which they are put in parts: hashes come in 256 parts of one size."""


@dataclass(frozen=True)
class Part:
    """What is published of some items, before and after, and what differs (`transforms.records.content`)."""

    before: RecordsConsolidated
    after: RecordsConsolidated
    content_before: pl.DataFrame
    content_after: pl.DataFrame
    changes: pl.DataFrame


def parts(night: KindNight) -> Iterator[Part]:
    """Yield all that the night reaches: an item of the last release and of this one is in one part."""
    kind, before, after = night.basis.kind, night.before, night.after
    if max(before.height, after.height) <= CHUNK_REPORTS:
        yield _part((before, None), (after, None), kind)
        return
    places = _places(before, after)
    sizes = pl.concat(places).value_counts(name="rows").sort(places[0].name)
    for some in groups(sizes.rows(), rows=CHUNK_REPORTS):
        was, stands = ((side, place.is_in(some)) for side, place in zip((before, after), places, strict=True))
        yield _part(was, stands, kind)


def _places(before: pl.DataFrame, after: pl.DataFrame) -> list[pl.Series]:
    """Return of each delivery the first letters of the least report id among all that share its items."""
    if before.is_empty():  # no item is in two parts then, if all of its reports are in that of its id
        return [_letters(side, pl.coalesce("item_id", "report_id")) for side in (before, after)]
    tied = pl.concat(
        side.select(a="report_id", b="item_id").filter(pl.col("a") != pl.col("b")) for side in (before, after)
    )
    labels = components(tied, pl.concat([tied["a"], tied["b"]]).unique().to_frame("report_id"))
    sides = (beside(side.select("report_id"), labels, "report_id") for side in (before, after))
    return [_letters(side, pl.coalesce("component", "report_id")) for side in sides]


def _letters(side: pl.DataFrame, label: pl.Expr) -> pl.Series:
    return side.select(label.str.slice(0, DIGITS).alias("place")).to_series()


def _part(
    was: tuple[pl.DataFrame, pl.Series | None], stands: tuple[pl.DataFrame, pl.Series | None], kind: Kind
) -> Part:
    before, after = (consolidated(side, kind, part) for side, part in (was, stands))
    content = record_content(before.items, before.sources, kind), record_content(after.items, after.sources, kind)
    return Part(before, after, *content, record_changes(*content))
