"""Reads of record resolution: the lake as of the last release, deliveries since then, the ledger's assigned ids."""

from functools import cached_property
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.release.records.inputs import KindInputs
from infra.lake.item_tables import kind_tables
from infra.ledger import records as ledger_records
from infra.storage.places import Place
from transforms.linkage.blocking import key_columns
from transforms.linkage.candidates import shares_blocking_key
from transforms.records.consolidate import filter_rows, left_join_columns
from transforms.records.resolution import CountedDeliveries, KnownIds, absent_founders

BATCH_KEY: Final = ("submission_id", "batch")
"""The key of one reading of a submission."""


def reports_in(root: Place, inputs: KindInputs, batches: pl.DataFrame) -> pl.Series:
    """Return the ids of the reports that these readings (`BATCH_KEY`) hold a delivery of."""
    rows = kind_tables(root, inputs.kind).scan(f"{inputs.kind.kind}_records").select("report_id", *BATCH_KEY)
    rows = rows.filter(pl.col("batch").is_in(batches["batch"].unique().implode()))
    found = rows.join(batches.lazy(), on=BATCH_KEY, how="semi")
    return found.select(pl.col("report_id").unique()).collect().to_series()


def read_deliveries(root: Place, inputs: KindInputs, reports: pl.Series | None) -> pl.DataFrame:
    """Return every delivery of these reports, or of all, ever registered; with `before`, `after`, `first_release`."""
    rows = kind_tables(root, inputs.kind).scan(f"{inputs.kind.kind}_records")
    if reports is not None:
        rows = rows.filter(pl.col("report_id").is_in(reports.implode()))
    return filter_rows(left_join_columns(rows.collect(), inputs.batches, *BATCH_KEY), pl.col("before").is_not_null())


class KindReader:
    """Reads for the resolution of one kind; the deliveries of a report and the whole index are read once at most."""

    def __init__(self, installation: Installation, inputs: KindInputs) -> None:
        """Read nothing yet."""
        self.root, self.engine, self.inputs = installation.settings.lake, installation.engine, inputs
        self._known = pl.Series("report_id", [], dtype=pl.String)
        self._deliveries: list[pl.DataFrame] = []

    def changed_reports(self) -> pl.Series:
        """Return the ids of the reports with a delivery that enters or leaves the release."""
        batches = self.inputs.batches.filter(pl.col("before") != pl.col("after"))
        return reports_in(self.root, self.inputs, batches)

    def all_deliveries(self) -> pl.DataFrame:
        """Return every delivery of every report, as `read_deliveries`."""
        return read_deliveries(self.root, self.inputs, None)

    def deliveries(self, reports: pl.Series, prefetch: pl.Series | None = None) -> pl.DataFrame:
        """Return the deliveries of these reports, as `read_deliveries`; `prefetch` are read for a later call."""
        asked = reports if prefetch is None else pl.concat([reports, prefetch.rename(reports.name)])
        new = asked.filter(~asked.is_in(self._known.implode())).unique()
        if new.len() or not self._deliveries:
            self._deliveries.append(read_deliveries(self.root, self.inputs, new))
            self._known = pl.concat([self._known, new.rename("report_id")])
        wanted = pl.col("report_id").is_in(reports.implode())
        return pl.concat(filter_rows(rows, wanted) for rows in self._deliveries)

    def live(self, name: str) -> pl.LazyFrame:
        """Return the kind's table `<kind>_<name>` as the last release has it."""
        kind = self.inputs.kind
        return kind_tables(self.root, kind).live(f"{kind.kind}_{name}", self.inputs.released)

    def edges(self) -> pl.DataFrame:
        """Return a, b, weight of all edges."""
        return self.live("edges").select("a", "b", "weight").collect()

    @cached_property
    def index(self) -> pl.DataFrame:
        """The whole blocking index: report_id and the blocking keys. A kind without identities needs some rows only."""
        return self.live("reports").select("report_id", *key_columns(self.inputs.kind)).collect()

    def indexed_reports(self) -> pl.Series:
        """Return the reports that the last release had, whatever the rules by which they stood."""
        return self.live("reports").select(pl.col("report_id").unique()).collect().to_series()

    def index_rows(self, keys: pl.DataFrame, without: pl.DataFrame) -> pl.DataFrame:
        """Return the index rows in any of these blocks (rule, key), except those of the reports of `without`."""
        kind = self.inputs.kind
        rows = self.index.lazy() if kind.identities() else self.live("reports")
        rows = rows.join(without.lazy(), on="report_id", how="anti").filter(shares_blocking_key(keys, kind))
        return rows.select("report_id", *key_columns(kind)).collect()

    def item_neighbours(self, returning: pl.Series) -> pl.Series:
        """Return the reports assigned to the items of those that come back: who bears an id may depend on them."""
        if not returning.len():
            return returning
        kind = self.inputs.kind.kind
        assigned = ledger_records.read_item_assignments(self.engine, kind, returning.to_list())["item_id"]
        items = pl.concat([returning, assigned.filter(assigned != "").rename("report_id")]).unique()
        others = ledger_records.read_assignments_to(self.engine, kind, items.to_list())["report_id"]
        return pl.concat([items, others]).unique()

    def known_ids(self, deliveries: CountedDeliveries) -> KnownIds:
        """Return what is known of the ids of the reports of these deliveries."""
        sources = self.live("sources")
        if self.inputs.new_rules is None:
            before = deliveries.standing("before").select("report_id")
            sources = sources.join(before.lazy(), on="report_id", how="semi")
        items = sources.select("report_id", "item_id").unique().collect()
        after = None if self.inputs.everything else deliveries.standing("after")["report_id"].to_list()
        assignments = ledger_records.read_assignment_history(self.engine, self.inputs.kind.kind, after)
        founders = absent_founders(assignments, deliveries.rows)
        rows = read_deliveries(self.root, self.inputs, founders) if founders.len() else deliveries.rows.clear()
        return KnownIds(items, assignments, rows)
