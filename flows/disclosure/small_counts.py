"""The counts of a release that leave the installation for nobody: those below the least of their concept, and more.

A release's own tables in the lake have them; what is made of it for others (packages, exports, site, mart) has not, and
a query shows them to those alone who ask for what is confidential.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.published_tables import tables_that_describe
from infra.lake.item_tables import ItemTables, observation_tables
from infra.ledger.releases import Release
from transforms.derivations.roll_ups import ITEM_IDENTITY
from transforms.derivations.small_counts import linked_concepts, withheld_items
from transforms.derivations.wholes import wholes_of

WITHHELD_ITEM: Final = {"item_id": pl.String, "partition": pl.String, "is_current": pl.Boolean}
_STATED: Final = ("item_id", *ITEM_IDENTITY, "partition", "value")


@dataclass(frozen=True)
class SmallCounts:
    """The items of a release whose values are withheld for the least count of a concept, or would give such away.

    They are read when they are asked for; of a release whose concepts have no least count nothing is.
    """

    installation: Installation
    release: Release

    @cached_property
    def items(self) -> pl.DataFrame:
        """item_id, partition, is_current (Boolean: its value in the release is withheld; of all former values are)."""
        if not self.least:
            return pl.DataFrame(schema=WITHHELD_ITEM)
        is_current = pl.col("item_id").is_in(self._now.implode()).alias("is_current")
        # An earlier value is that of a claim, which may be superseded, withdrawn or of an item that is no more
        claims = self._tables.scan("claims").filter(self._is_linked).select(_STATED)
        every = self._stated(pl.concat([self._observations, claims]))
        small = every.with_columns(pl.col("is_small") | is_current)
        known = every.filter(pl.col("item_id").is_in(self._withheld(small).implode()))
        return known.select("item_id", "partition", is_current).sort("item_id")

    @property
    def ever(self) -> pl.Series:
        """Ids of the items whose former values are withheld: some claim of theirs was small once, or is."""
        return self.items["item_id"]

    @cached_property
    def current(self) -> pl.Series:
        """Ids of the items whose value in the release is withheld, and of sums of them that nobody reports."""
        return self._now if self.least else pl.Series("item_id", dtype=pl.String)

    @cached_property
    def least(self) -> dict[str, int]:
        """Concept -> the least count of it that may be shown: as the release states it, or the vocabulary by now."""
        described = tables_that_describe(self.installation, self.release).live("concepts")
        stated = described.filter(pl.col("suppress_below").is_not_null()).select("concept", "suppress_below").collect()
        least = dict(stated.iter_rows())
        for name, concept in self.installation.vocabulary.concepts.items():
            if concept.suppress_below is not None:
                least[name] = max(concept.suppress_below, least.get(name, 0))
        return least

    @cached_property
    def _now(self) -> pl.Series:
        items = self._observations
        sources = self._tables.live("sources", self.release["tables"]).select("item_id", "value")
        claims = items.drop("value").join(sources, on="item_id").select(_STATED)
        return self._withheld(self._stated(pl.concat([items, claims])))

    @property
    def _tables(self) -> ItemTables:
        return observation_tables(self.installation.settings.lake)

    @cached_property
    def _is_linked(self) -> pl.Expr:
        return pl.col("concept").is_in(sorted(linked_concepts(self.installation.vocabulary, self.least)))

    @property
    def _observations(self) -> pl.LazyFrame:
        return self._tables.live("observations", self.release["tables"]).filter(self._is_linked).select(_STATED)

    def _stated(self, rows: pl.LazyFrame) -> pl.DataFrame:
        """Return each item once, with the least value that is stated of it, and whether that is a small count."""
        items = rows.group_by("item_id").agg(pl.col(*ITEM_IDENTITY, "partition").first(), pl.col("value").min())
        limit = pl.col("concept").replace_strict(self.least, default=None, return_dtype=pl.Int64)
        return items.with_columns(is_small=(pl.col("value") < limit).fill_null(value=False)).collect()

    def _withheld(self, items: pl.DataFrame) -> pl.Series:
        days = items["period_start"].unique().sort().to_list()
        wholes = wholes_of(self.installation.register.units, days)
        return withheld_items(items, self.installation.vocabulary, wholes)
