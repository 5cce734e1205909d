"""The published tables of observations and of each record kind, read alike: what a release holds, its digest."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

from flows.installation import Installation
from infra.lake import delta as lake
from infra.lake.item_tables import ItemTables, description_tables, kind_tables, observation_tables, overlap_tables
from infra.lake.partitions import group_partitions, partition_sizes
from infra.ledger.releases import Release
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.overlap import MEASURED_TABLES, OVERLAP_COUNTS
from transforms.identity import LANES

if TYPE_CHECKING:
    from schemas.kind import Kind

GROUP_BYTES: Final = 16 * 2**20
"""Bytes of the lake's files whose rows are read at a time; a larger partition is read by itself."""


@dataclass(frozen=True)
class PublishedTables:
    """The published tables of observations, or of one record kind, as one release has them.

    content_lanes: the share of the release's digest of some items, from their rows and those of their sources.
    """

    tables: ItemTables
    release: Release
    content_lanes: Callable[[pl.DataFrame, pl.DataFrame], tuple[int, ...]]

    def live(self, name: str, partitions: list[str] | None = None) -> pl.LazyFrame:
        """Return the rows of a published table that belong to the release, lazily."""
        return self.tables.live(name, self.release["tables"], partitions)

    def partitions(self, name: str) -> list[str]:
        """Return the partitions that a table has rows of, sorted: months, or `all` for records."""
        versions = self.release["tables"]
        return lake.list_partitions(self.tables.root, name, versions[name]) if name in versions else []

    def groups(self, *names: str) -> Iterator[list[str]]:
        """Yield the partitions that any of these tables has rows of, in groups of about `GROUP_BYTES`."""
        versions, sizes = self.release["tables"], Counter[str]()
        for name in names:
            if name in versions:
                sizes.update(dict(partition_sizes(self.tables.root, name, versions[name])))
        return group_partitions(sorted(sizes.items()), rows=GROUP_BYTES)

    def digest_lanes(self) -> tuple[int, ...]:
        """Return the lanes of all items, as the lake really holds them, summed."""
        sums = [0] * len(LANES)
        for partition in self.partitions(self.tables.items):
            names = (self.tables.items, f"{self.tables.prefix}sources")
            items, sources = (self.live(name, [partition]).collect() for name in names)
            sums = [total + own for total, own in zip(sums, self.content_lanes(items, sources), strict=True)]
        return tuple(sums)


def released_tables(installation: Installation, release: Release) -> Iterator[PublishedTables]:
    """Yield the published tables of observations, then of each record kind that the release has."""
    from transforms.observations.consolidate import lane_sums  # queries of a release need no digest

    root = installation.settings.lake
    yield PublishedTables(observation_tables(root), release, lane_sums)
    for kind in kinds_of(installation, release):
        yield PublishedTables(kind_tables(root, kind), release, _record_lanes(kind))


def tables_that_describe(installation: Installation, release: Release) -> PublishedTables:
    """Return the tables that describe a release. They have no part in its digest."""
    return PublishedTables(description_tables(installation.settings.lake), release, lambda *_: (0,) * len(LANES))


def tables_of_overlap(installation: Installation, release: Release) -> PublishedTables:
    """Return the tables of overlap. Their digest is one of its own: `overlap_lanes`."""
    return PublishedTables(overlap_tables(installation.settings.lake), release, lambda *_: (0,) * len(LANES))


def measures_published(release: Release) -> bool:
    """Return whether a release has the tables of overlap; those of older versions of Engang do not."""
    return "coverage" in release["tables"]


def discovery_published(release: Release) -> bool:
    """Return whether a release has the table `suspected`: a night of this version made it, within a budget."""
    return release["counts"].get("figures_compared_at_most", 0) > 0


def overlap_lanes(installation: Installation, release: Release) -> tuple[int, ...]:
    """Return the digest lanes of the tables of overlap, as the lake really holds them, summed."""
    from transforms.overlap.content import latest_scopes, table_lanes  # queries of a release need no digest

    published = tables_of_overlap(installation, release)
    sums = [0] * len(LANES)
    for name in MEASURED_TABLES:
        rows = published.live(name).collect()
        own = table_lanes(name, latest_scopes(rows) if name == "redundancy" else rows)
        sums = [total + lane for total, lane in zip(sums, own, strict=True)]
    return tuple(sums)


def _record_lanes(kind: "Kind") -> Callable[[pl.DataFrame, pl.DataFrame], tuple[int, ...]]:
    from transforms.records.content import item_content, record_lane_sums

    return lambda items, sources: record_lane_sums(item_content(items, sources, kind))


def all_item_tables(installation: Installation) -> Iterator[ItemTables]:
    """Yield the tables of observations, then of each record kind, whether or not a release has them."""
    yield observation_tables(installation.settings.lake)
    for kind in installation.kinds.values():
        yield kind_tables(installation.settings.lake, kind)


def kinds_of(installation: Installation, release: Release) -> "list[Kind]":
    """Return the record kinds that a release has tables of."""
    if set(release["tables"]) <= {*lake.VERSIONED, *DESCRIPTION_TABLES, *MEASURED_TABLES, *OVERLAP_COUNTS}:
        return []  # and no kind is loaded for it
    return [kind for kind in installation.kinds.values() if kind.kind in release["tables"]]
