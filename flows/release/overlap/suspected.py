"""The table `suspected` of a staged release: double reporting that nobody declared, found within the night's budget."""

from typing import Final

import polars as pl

from flows.installation import Installation
from flows.release.staged import StagedRelease
from infra.lake import delta as lake
from infra.lake.item_tables import ItemTables, observation_tables, overlap_tables
from infra.ledger.overlap_verdicts import read_overlap_verdicts
from infra.ledger.releases import Release
from schemas.record_tables import SINGLE_PARTITION
from transforms.discovery.suspected import suspected_of
from transforms.discovery.verdicts import with_verdicts
from transforms.discovery.window import DiscoveryWindow, discovery_window
from transforms.overlap.statements import read_figures

ORDER: Final = ("kind", "series_a", "series_b", "shift", "scale")


def write_suspected(
    installation: Installation, staged: StagedRelease, last: Release | None, coverage: pl.DataFrame
) -> None:
    """Write what is suspected of the figures in the window, with the verdicts on it, if that is not as it was.

    Nothing is compared where the night reached no month of the window. coverage: the table of the staged release.
    """
    tables = overlap_tables(installation.settings.lake)
    window = discovery_window(coverage, installation.settings.discovery_figures)
    before = tables.scan("suspected").collect()
    known = last is not None and not staged.counts_afresh and window.is_of(_window_of(tables, last))
    found = before if known and not _reaches(staged, window) else _suspected(installation, window)
    after = with_verdicts(found, read_overlap_verdicts(installation.engine))
    staged.compared = window.counts()
    staged.count_overlap("suspected", before.clear() if staged.counts_afresh else before, after)
    if before.sort(ORDER).equals(after.sort(ORDER)):
        return
    staged.check("suspected", after)
    if before.height:
        lake.overwrite(tables.root, "suspected", [SINGLE_PARTITION], after, tables.columns["suspected"])
    else:
        tables.append("suspected", after)


def _window_of(tables: ItemTables, last: Release) -> DiscoveryWindow | None:
    """Return the window of a release; None for one of an older version of Engang, which compared nothing."""
    budget = last["counts"].get("figures_compared_at_most")
    return None if budget is None else discovery_window(tables.live("coverage", last["tables"]).collect(), budget)


def _reaches(staged: StagedRelease, window: DiscoveryWindow) -> bool:
    return not set(staged.partitions).isdisjoint(window.months)


def _suspected(installation: Installation, window: DiscoveryWindow) -> pl.DataFrame:
    tables = observation_tables(installation.settings.lake)
    live = (tables.live(name, tables.versions(), list(window.months)) for name in ("sources", "observations"))
    sources, items = live
    units = window.units()
    if units is not None:
        items = items.filter(units)
        sources = sources.join(items.select("item_id"), on="item_id", how="semi")
    return suspected_of(read_figures(sources, items))
