"""What the pages list of a release's months: read a few months at a time, added up, and cut to what is listed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Final

import polars as pl

from flows.disclosure.small_counts import SmallCounts
from flows.disclosure.withheld import without_small_counts
from flows.installation import Installation
from flows.published_tables import PublishedTables, released_tables
from infra.ledger.releases import Release
from transforms.observations.confidentiality import CONFIDENTIAL
from transforms.package.disclosure import Disclosure

MOST_TWICE: Final = 40
"""Items that the page of a unit lists."""
MOST_CONFLICTS: Final = 300
"""Conflicts that are listed, each with a page of its own: what is withheld comes first."""
MOST_FIGURES: Final = 60
"""Published figures that the page of a concept lists: those of the latest periods."""
MOST_CHANGES: Final = 300
"""Changes that are listed."""
ITEM_COLUMNS_SHOWN: Final = (
    "item_id", "concept", "unit_id", "unit_kind", "unit_code", "unit_name", "period_start", "period_end", "breakdown",
    "unit_measure", "value", "agreement", "conf_status",
)  # fmt: skip
_RANKS: Final = {"changed": 0, "removed": 1, "added": 2}
Frames = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class ReleaseMonths:
    """The observations of a release as its pages list them: no item of personal data, no value that is withheld."""

    installation: Installation
    release: Release
    disclosure: Disclosure

    def add_up(self) -> Frames:
        """Return what the pages show of all months, by name.

        concept_counts: concept, agreement, items. concept_periods: concept, first, beyond. unit_counts: unit_id,
        obligation, figures, figures_elsewhere. unit_names: unit_id with its newest name, code and kind. twice_counts:
        unit_id, items_twice. figures, changes: the rows that are listed. conflicts: item_id and partition of those
        that are. conflict_counts: concept, outcome, items. change_counts: concept (null if removed), change, items.
        """
        return reduce(_added_up, map(self._facts, self._groups()), dict[str, pl.DataFrame]())

    def reported_twice(self, units: pl.Series) -> pl.DataFrame:
        """Return the first items of each of these units that several obligations have, with what each states."""
        found = (self._twice(months, units) for months in self._groups())
        return reduce(lambda rows, more: _first_twice(pl.concat([rows, more])), found)

    def _groups(self) -> list[list[str]]:
        return list(self._published.groups("observations", "sources", "conflicts", "changes")) or [[]]

    def rows_of(self, table: str, items: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a table that are of these items (item_id, partition)."""
        months, ids = sorted(items["partition"].unique()), items["item_id"].implode()
        rows = self._published.live(table, months).filter(pl.col("item_id").is_in(ids))
        return without_small_counts(rows, table, self._small).collect()

    @cached_property
    def _published(self) -> PublishedTables:
        return next(iter(released_tables(self.installation, self.release)))

    @cached_property
    def _small(self) -> SmallCounts:
        return SmallCounts(self.installation, self.release)

    def _read(self, months: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the items of some months of which no claim is personal data, and the claims of all."""
        shown = without_small_counts(self._published.live("observations", months), "observations", self._small)
        sources = without_small_counts(self._published.live("sources", months), "sources", self._small)
        claims = sources.select("item_id", "contract", "obligation", "value", "relation").collect()
        items = shown.select(ITEM_COLUMNS_SHOWN).collect()
        if self.disclosure.personal:
            contracts = {contract for contract, _ in self.disclosure.personal}
            own = claims.filter(pl.col("contract").is_in(contracts)).join(
                items.select("item_id", "concept"), on="item_id"
            )
            items = items.join(own.filter(self.disclosure.is_personal()), on="item_id", how="anti")
        return items, claims

    def _facts(self, months: list[str]) -> Frames:
        items, claims = self._read(months)
        twice = items.join(_several(claims), on="item_id", how="semi")
        conflicts, conflict_counts = self._conflicts(months)
        changes, change_counts = self._changes(months, items)
        return {
            "concept_counts": items.group_by("concept", "agreement").agg(items=pl.len()),
            "concept_periods": items.group_by("concept").agg(
                first=pl.col("period_start").min(), beyond=pl.col("period_end").max()
            ),
            "unit_counts": _unit_counts(claims, items, twice),
            "unit_names": items.select("unit_id", "unit_name", "unit_code", "unit_kind", "period_start", "item_id"),
            "twice_counts": twice.group_by("unit_id").agg(items_twice=pl.len()),
            "figures": self._figures(items, claims),
            "conflicts": conflicts,
            "conflict_counts": conflict_counts,
            "changes": changes,
            "change_counts": change_counts,
        }

    def _twice(self, months: list[str], units: pl.Series) -> pl.DataFrame:
        items, claims = self._read(months)
        own = items.filter(pl.col("unit_id").is_in(units.implode()))
        listed = _first_twice(own.join(_several(claims), on="item_id", how="semi"))
        lines = claims.join(listed.select("item_id", "concept"), on="item_id")
        lines = lines.with_columns(self.disclosure.shown_value())
        value, is_sum = pl.col("value"), (pl.col("relation") == "additive").any()
        known = value.is_not_null().all()  # a sum with a line that is withheld is withheld
        stated = lines.group_by("item_id", "obligation").agg(
            low=pl.when(known).then(pl.when(is_sum).then(value.sum()).otherwise(value.min())),
            high=pl.when(known).then(pl.when(is_sum).then(value.sum()).otherwise(value.max())),
        )
        by_item = stated.sort("obligation").group_by("item_id").agg(statements=pl.struct("obligation", "low", "high"))
        return listed.join(by_item, on="item_id", maintain_order="left")

    def _figures(self, items: pl.DataFrame, claims: pl.DataFrame) -> pl.DataFrame:
        """Return the first items of each concept. A value is shown if that of every claim is."""
        listed = _first_figures(items)
        lines = claims.join(listed.select("item_id", "concept"), on="item_id")
        hidden = lines.with_columns(hidden=self.disclosure.shown_value().is_null() & pl.col("value").is_not_null())
        by_item = hidden.group_by("item_id").agg(is_shown=~pl.col("hidden").any())
        return listed.join(by_item, on="item_id", how="left", maintain_order="left")

    def _conflicts(self, months: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the first conflicts of some months, one row each, and the counts of all."""
        rows = self._published.live("conflicts", months).collect()
        personal = rows.filter(self.disclosure.is_personal())["item_id"].unique()
        rows = rows.filter(~pl.col("item_id").is_in(personal.implode()))
        is_withheld = (pl.col("outcome") == "withheld").any()
        items = rows.group_by("item_id").agg(
            pl.col("concept", "unit_id", "period_start", "partition").first(),
            outcome=pl.when(is_withheld).then(pl.lit("withheld")).otherwise(pl.lit("settled")),
        )
        return _first_conflicts(items), items.group_by("concept", "outcome").agg(items=pl.len())

    def _changes(self, months: list[str], items: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the first changes of some months, and the counts of all.

        Values are shown of concepts only of which every contract lets everybody see them, as a value may be that of an
        earlier claim, and none of an item that is confidential now.
        """
        own = self._published.live("changes", months).filter(pl.col("release") == self.release["release"])
        rows = without_small_counts(own, "changes", self._small).collect()
        rows = rows.join(items, on="item_id", how="left")  # of items that are removed, or personal, nothing is known
        nameable = pl.col("concept").is_not_null() | (pl.col("change") == "removed")
        hidden = self._closed_concepts
        is_open = ~pl.col("concept").is_in(hidden) if hidden else pl.lit(True)
        is_open = is_open.fill_null(value=not hidden) & (pl.col("conf_status") != CONFIDENTIAL).fill_null(value=True)
        values = (pl.when(is_open).then(name).alias(name) for name in ("value_before", "value_after"))
        listed = _first_changes(rows.filter(nameable)).with_columns(*values)
        return listed, rows.group_by("concept", "change").agg(items=pl.len())

    @cached_property
    def _closed_concepts(self) -> list[str]:
        contracts = self.installation.contracts.values()
        closed = {c.concept for each in contracts if each.contract in self.disclosure.closed for c in each.claims}
        return sorted(closed | {concept for _, concept in self.disclosure.personal})


def _several(claims: pl.DataFrame) -> pl.DataFrame:
    """Return the items that several obligations have."""
    counts = claims.group_by("item_id").agg(first=pl.col("obligation").min(), last=pl.col("obligation").max())
    return counts.filter(pl.col("first") != pl.col("last")).select("item_id")


def _unit_counts(claims: pl.DataFrame, items: pl.DataFrame, twice: pl.DataFrame) -> pl.DataFrame:
    """Return how many figures of each unit each obligation has: an item counts once under each."""
    known = twice.select("item_id", known=pl.lit(1))
    figures = claims.select("item_id", "obligation").unique().join(items.select("item_id", "unit_id"), on="item_id")
    counted = figures.join(known, on="item_id", how="left")
    return counted.group_by("unit_id", "obligation").agg(figures=pl.len(), figures_elsewhere=pl.col("known").sum())


def _newest_names(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.sort("period_start", "item_id").unique("unit_id", keep="last", maintain_order=True)


def _first_twice(items: pl.DataFrame) -> pl.DataFrame:
    """Return the first items of each unit, conflicts first."""
    ranked = items.sort(pl.col("agreement") != "conflict", -pl.col("period_start").to_physical(), "concept", "item_id")
    return ranked.group_by("unit_id", maintain_order=True).head(MOST_TWICE)


def _first_figures(items: pl.DataFrame) -> pl.DataFrame:
    """Return the first items of each concept, the latest periods first."""
    ranked = items.sort(-pl.col("period_start").to_physical(), "concept", "unit_name", "unit_id", "item_id")
    return ranked.group_by("concept", maintain_order=True).head(MOST_FIGURES)


def _first_conflicts(items: pl.DataFrame) -> pl.DataFrame:
    ranked = items.sort(pl.col("outcome") != "withheld", "concept", "unit_id", "period_start", "item_id")
    return ranked.head(MOST_CONFLICTS)


def _first_changes(rows: pl.DataFrame) -> pl.DataFrame:
    rank = pl.col("change").replace_strict(_RANKS, return_dtype=pl.Int8)
    return rows.sort(rank, "concept", "unit_id", "period_start", "item_id", nulls_last=True).head(MOST_CHANGES)


def _summed(*by: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda rows: rows.group_by(by).agg(pl.all().sum())


def _spans(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("concept").agg(pl.col("first").min(), pl.col("beyond").max())


_REDUCED: Final[Mapping[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "concept_counts": _summed("concept", "agreement"),
    "concept_periods": _spans,
    "unit_counts": _summed("unit_id", "obligation"),
    "unit_names": _newest_names,
    "twice_counts": _summed("unit_id"),
    "figures": _first_figures,
    "conflicts": _first_conflicts,
    "conflict_counts": _summed("concept", "outcome"),
    "changes": _first_changes,
    "change_counts": _summed("concept", "change"),
}
"""How what several groups of months give becomes what all of them give."""


def _added_up(known: Frames, more: Frames) -> Frames:
    return {
        name: reduced(pl.concat([known.get(name, more[name].clear()), more[name]]))
        for name, reduced in _REDUCED.items()
    }
