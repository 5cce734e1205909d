"""The rows of each table of a package, a few months at a time."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from flows.disclosure.small_counts import SmallCounts
from flows.disclosure.withheld import (
    FORMER,
    VALUE_COLUMNS,
    closed_items,
    confidential_items,
    former_confidential_items,
    without_concepts,
    without_small_counts,
    without_values,
)
from flows.installation import Installation
from flows.package.history import describe_items, history_rows
from flows.published_tables import PublishedTables, released_tables, tables_of_overlap, tables_that_describe
from flows.releases import files_behind
from infra.ledger import releases as ledger_releases
from infra.ledger.erasures import oldest_readable_release
from infra.ledger.releases import Release
from infra.ledger.submissions import read_rejects, read_submissions
from schemas.claims import REASONS, frame_schema
from schemas.package_tables import PUBLISHED_REJECT, PUBLISHED_RELEASE, PackageTable
from transforms.package.disclosure import Disclosure, disclosure_of


@dataclass
class PackageRows:
    """The rows of the tables of a package.

    breakdowns: the different breakdowns of the observations, once these have been read.
    """

    installation: Installation
    release: Release
    breakdowns: list[pl.Series] = field(default_factory=list)

    def frames(self, table: PackageTable) -> Iterator[pl.DataFrame]:
        """Yield the rows of a table; the months of a frame come before those of the next."""
        if table.name in self._of_ledger:
            yield self._of_ledger[table.name]()
        elif table.name == "history":
            yield from self._history()
        elif table.name in self.published:
            yield from self._published(table.name)

    @cached_property
    def published(self) -> dict[str, PublishedTables]:
        """The tables of the lake by name."""
        asked = (self.installation, self.release)
        return {
            name: tables
            for tables in (*released_tables(*asked), tables_of_overlap(*asked), tables_that_describe(*asked))
            for name in tables.tables.published
        }

    def _history(self) -> Iterator[pl.DataFrame]:
        published, engine = self.published["observations"], self.installation.engine
        known = ledger_releases.read_releases(engine)["release"].to_list()  # oldest first
        since = max(oldest_readable_release(engine), known[0])
        for months in published.groups("observations", "changes"):
            yield self._shown(history_rows(published, months, since), "history", months)

    def _published(self, name: str) -> Iterator[pl.DataFrame]:
        published = self.published[name]
        columns = [column.name for column in published.tables.published[name]]
        for months in published.groups(name):
            rows = published.live(name, months).select(columns)
            if name == f"{published.tables.prefix}changes":
                rows = rows.filter(pl.col("release") == self.release["release"])
            frame = rows.collect()
            if name == "observations":
                self.breakdowns.append(frame["breakdown"].unique())
            yield self._shown(frame, name, months) if name in VALUE_COLUMNS else frame

    def _shown(self, rows: pl.DataFrame, table: str, months: list[str]) -> pl.DataFrame:
        """Return rows of a table of observations without the values that a package may not have."""
        published, closed = self.published["observations"], self._closed_concepts
        rows = without_small_counts(rows, table, self.small)
        hidden = [closed_items(published, months, self._disclosure)]
        if table in FORMER:
            hidden.append(confidential_items(published, months))
        if table == "changes" and closed:
            concepts = describe_items(published, months, rows["item_id"].unique()).select("item_id", "concept")
            described = rows.join(concepts, on="item_id", how="left", maintain_order="left")
            rows = without_concepts(described, table, closed).select(rows.columns)
        if table == "history":
            hidden.append(former_confidential_items(published, months, rows))
            rows = without_concepts(rows, table, closed)
        every = pl.concat(hidden)
        return without_values(rows, table, every) if every.len() else rows

    @cached_property
    def small(self) -> SmallCounts:
        """The small counts of the release, and what would give them away."""
        return SmallCounts(self.installation, self.release)

    @cached_property
    def _disclosure(self) -> Disclosure:
        return disclosure_of(self.installation.contracts.values(), self.installation.vocabulary.concepts)

    @cached_property
    def _closed_concepts(self) -> list[str]:
        contracts = [self.installation.contracts[name] for name in self._disclosure.closed]
        stated = {claim.concept for contract in contracts for claim in contract.claims}
        return sorted(stated | {concept for _, concept in self._disclosure.personal})

    @cached_property
    def _of_ledger(self) -> dict[str, Callable[[], pl.DataFrame]]:
        return {
            "submissions": lambda: files_behind(self.installation, self.release),
            "rejects": self._rejects,
            "releases": self._releases,
        }

    def _releases(self) -> pl.DataFrame:
        rows = ledger_releases.read_releases(self.installation.engine).filter(
            pl.col("release") <= self.release["release"]
        )
        items = [json.loads(text).get("items", 0) for text in rows["counts"]]
        columns = frame_schema(PUBLISHED_RELEASE)
        return rows.with_columns(pl.Series("items", items, pl.Int64)).select(columns.names()).cast(columns)

    def _rejects(self) -> pl.DataFrame:
        """Return the rejects of the submissions that the release counts, without any delivered text."""
        engine, columns = self.installation.engine, frame_schema(PUBLISHED_REJECT)
        counted = ledger_releases.read_row_counts(engine, self.release["release"]).select("submission_id").unique()
        contracts = read_submissions(engine, columns=["submission_id", "contract"]).join(counted, on="submission_id")
        # The header of a file may be a row of its data: only names that the contract has itself are published.
        known = [
            {"contract": name, "column": column}
            for name, contract in self.installation.contracts.items()
            for column in {*contract.columns(), *contract.ignored_columns()}
        ]
        declared = pl.DataFrame(known, {"contract": pl.String, "column": pl.String}).with_columns(_declared=True)
        rows = read_rejects(engine).join(contracts, on="submission_id")
        rows = rows.join(declared, on=["contract", "column"], how="left")
        rows = rows.with_columns(
            pl.when(pl.col("_declared")).then(pl.col("column")).alias("column"),
            pl.col("reason").replace_strict(REASONS, default="", return_dtype=pl.String).alias("means"),
        )
        return rows.select(columns.names()).cast(columns)
