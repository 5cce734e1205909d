"""What the site shows of record kinds: counts, and of what reports were joined. No value of any record."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.published_tables import kinds_of
from flows.releases import read_table
from infra.ledger.records import read_record_warnings
from infra.ledger.releases import Release
from schemas.kind import Kind

MOST_JOINED: Final = 40
"""Items of several reports that the page of a kind lists: those of most reports."""


@dataclass(frozen=True)
class RecordContent:
    """A record kind in a release.

    sizes: reports, items. agreements: agreement, items. pairs: obligation_a, obligation_b, items (that both reported).
    fields: field, items (whose reports differ on it). joined: item_id, reports (a list of obligation, sender, row).
    """

    kind: Kind
    items: int
    reports: int
    sizes: pl.DataFrame
    agreements: pl.DataFrame
    pairs: pl.DataFrame
    fields: pl.DataFrame
    joined: pl.DataFrame
    warnings: pl.DataFrame


def read_record_content(installation: Installation, release: Release) -> tuple[RecordContent, ...]:
    """Read what the site shows of each record kind that a release has."""
    warnings = read_record_warnings(installation.engine, release["release"])
    return tuple(_read_kind(installation, release, kind, warnings) for kind in kinds_of(installation, release))


def _read_kind(installation: Installation, release: Release, kind: Kind, warnings: pl.DataFrame) -> RecordContent:
    name = kind.kind
    items = read_table(installation, name, release).select("item_id", "agreement", "reports").collect()
    sources = read_table(installation, f"{name}_sources", release)
    lines = sources.select("item_id", "report_id", "obligation", "sender", "row").unique().collect()
    conflicts = read_table(installation, f"{name}_conflicts", release).select("item_id", "field").unique().collect()
    return RecordContent(
        kind=kind,
        items=items.height,
        reports=lines["report_id"].n_unique(),
        sizes=items.group_by("reports").agg(items=pl.len()).sort("reports"),
        agreements=items.group_by("agreement").agg(items=pl.len()).sort("agreement"),
        pairs=_pairs(lines),
        fields=conflicts.group_by("field").agg(items=pl.len()).sort(["items", "field"], descending=[True, False]),
        joined=_joined(items, lines),
        warnings=warnings.filter(kind=name),
    )


def _pairs(lines: pl.DataFrame) -> pl.DataFrame:
    """Return how many items each two obligations both have reports of."""
    each = lines.select("item_id", "obligation").unique()
    both = each.join(each, on="item_id", suffix="_b").filter(pl.col("obligation") < pl.col("obligation_b"))
    counts = both.group_by(pl.col("obligation").alias("obligation_a"), "obligation_b").agg(items=pl.len())
    return counts.sort("obligation_a", "obligation_b")


def _joined(items: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    several = items.filter(pl.col("reports") > 1).sort(["reports", "item_id"], descending=[True, False])
    first = several.head(MOST_JOINED).select("item_id", "agreement")
    by_item = (
        lines.sort("obligation", "sender", "row")
        .group_by("item_id")
        .agg(parts=pl.struct("obligation", "sender", "row"))
    )
    return first.join(by_item, on="item_id", maintain_order="left")
