"""The rows of a release as a mart takes them: lazily, in parts of bounded size, and what changed since another one."""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

import polars as pl

from flows.disclosure.small_counts import SmallCounts
from flows.disclosure.withheld import without_small_counts
from flows.installation import Installation
from flows.published_tables import (
    PublishedTables,
    kinds_of,
    released_tables,
    tables_of_overlap,
    tables_that_describe,
)
from infra.lake.partitions import group_partitions, partition_sizes
from infra.ledger.releases import Release, read_releases
from infra.ledger.submissions import read_submissions
from infra.mart.star import DERIVED_TABLES, Group, Star, star_of
from schemas.claims import EXPORTED_SUBMISSION, frame_schema

LOADED_BYTES: Final = 32 * 2**20
"""About so many bytes of the lake are one part of a load: what a load that is killed repeats at most."""


class ReleaseRows:
    """What a release publishes, table by table, without small counts."""

    def __init__(self, installation: Installation, release: Release) -> None:
        """Take a release; nothing is read yet."""
        self.installation, self.release = installation, release

    @cached_property
    def star(self) -> Star:
        """The tables of a mart of this release."""
        return star_of(kinds_of(self.installation, self.release))

    def parts(self, name: str) -> Iterator[list[str]]:
        """Yield the partitions of a table in groups of about `LOADED_BYTES`."""
        versions = self.release["tables"]
        if name in versions:
            sizes = partition_sizes(self.installation.settings.lake, name, versions[name])
            yield from group_partitions(sorted(sizes), rows=LOADED_BYTES)

    def rows(self, name: str, partitions: list[str] | None = None) -> pl.LazyFrame:
        """Return the rows of a published table, all or those of some partitions, lazily."""
        return without_small_counts(self._tables[name].live(name, partitions), name, self.small)

    @cached_property
    def small(self) -> SmallCounts:
        """The small counts of the release, and what would give them away."""
        return SmallCounts(self.installation, self.release)

    def changed_items(self, group: Group, since: int) -> pl.LazyFrame:
        """Return item_id and partition of what the releases after `since` changed, lazily; an item may be repeated."""
        return self.rows(group.changes).filter(pl.col("release") > since).select("item_id", "partition")

    def rows_since(self, name: str, since: int, partitions: list[str], items: pl.Series) -> pl.LazyFrame:
        """Return the rows of these partitions that the releases after `since` wrote, or that are of these items."""
        is_new = pl.col("release") > since
        is_wanted = is_new | pl.col("item_id").is_in(items.implode()) if items.len() else is_new
        return self.rows(name, partitions).filter(is_wanted)

    def releases(self, since: int = 0) -> pl.DataFrame:
        """Return the table `releases`: those after `since`, up to this one."""
        known = read_releases(self.installation.engine).select(frame_schema(DERIVED_TABLES["releases"]).names())
        return known.filter(pl.col("release") > since, pl.col("release") <= self.release["release"])

    def submissions(self, ids: list[str]) -> pl.DataFrame:
        """Return the table `submissions`: of these."""
        columns = frame_schema(EXPORTED_SUBMISSION).names()
        return read_submissions(self.installation.engine, ids=ids, columns=columns)

    @cached_property
    def _tables(self) -> dict[str, PublishedTables]:
        home, release = self.installation, self.release
        every = (*released_tables(home, release), tables_of_overlap(home, release), tables_that_describe(home, release))
        return {name: tables for tables in every for name in tables.tables.published}
