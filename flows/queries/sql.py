"""SQL queries over a release's tables and some tables of the ledger."""

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.published_tables import all_item_tables, measures_published
from flows.releases import find_release
from infra.lake import access as lake_access
from infra.lake.delta import opened_once
from infra.lake.duckdb_views import ReleaseTables, query_release
from infra.lake.item_tables import ItemTables, description_tables, observation_tables, overlap_tables
from infra.ledger.records import read_record_warnings
from infra.ledger.releases import Release, read_releases
from infra.ledger.submissions import read_rejects, read_submissions
from schemas.overlap import MEASURED_TABLES, OVERLAP_TABLES

LEDGER_TABLES: Final[dict[str, Callable[..., pl.DataFrame]]] = {
    "submissions": read_submissions,
    "rejects": read_rejects,
    "releases": read_releases,
    "record_warnings": read_record_warnings,
}
"""The ledger's tables that a query sees, each with the function that reads all of it."""
WITH_COUNTS: Final = ("observations", "sources", "conflicts", "changes", "derivable")
"""The tables that have values of observations."""
AT_RELEASE: Final = re.compile(r"\b(\w+)_at_([1-9][0-9]{0,8})\b")
"""How a query names the table of another release."""
WITH_VERDICTS: Final = {"suspected"}
"""The tables of overlap of which a query sees what people have decided since the release."""


@lake_access.scan_errors()
@opened_once()
def query(
    installation: Installation, sql: str, number: int | None = None, *, confidential: bool = False
) -> pl.DataFrame:
    """Run one SELECT (DuckDB) over the tables of a release, the current one by default, and the `LEDGER_TABLES`.

    `TABLE_at_N` is a table as release N had it, so that one query compares releases. Tables of overlap
    (`OVERLAP_TABLES`) that the release does not have are computed when they are asked for. Counts below the least of
    their concept, and what would give them away, are null unless `confidential` is asked for; then there is the table
    `confidential_claims` too. The query sees nothing else of the machine, and has the
    limits of `Settings.query`. Raises `UsageError` with DuckDB's message or the limit, `StoreError` for a table that
    cannot be read.
    """
    release = find_release(installation, number)
    frames = _frames(installation, release, sql, confidential=confidential)
    withholding = not confidential and asks_for_counts(installation, sql)
    seen = ReleaseTables(release["tables"], _published(installation, release, WITH_VERDICTS), frames)
    names = {name for tables in seen.items for name in tables.published} | WITH_VERDICTS
    releases = [(seen, release), *_other_releases(installation, sql, names)]
    shown = [without_counts(installation, sql, *each) if withholding else each[0] for each in releases]
    return query_release(shown, sql, installation.settings.query)


def _frames(installation: Installation, release: Release, sql: str, *, confidential: bool) -> dict[str, pl.DataFrame]:
    """Return the tables that a query may name and no release has: those of the ledger, and what is computed for it."""
    stored = MEASURED_TABLES if measures_published(release) else {}
    made = set(OVERLAP_TABLES) - set(stored) | WITH_VERDICTS
    frames = {name: read(installation.engine) for name, read in LEDGER_TABLES.items() if name in sql.lower()}
    if computed := [name for name in OVERLAP_TABLES if name in made and name in sql.lower()]:
        from flows.overlap.tables import overlap_table  # most queries ask for what is published

        frames |= {name: overlap_table(installation, release, name) for name in computed}
    if confidential:
        frames["confidential_claims"] = confidential_claims(installation, release)
    return frames


def asks_for_counts(installation: Installation, sql: str) -> bool:
    """Return whether a query may read counts of which the vocabulary states the least that is shown."""
    has_least = any(concept.suppress_below is not None for concept in installation.vocabulary.concepts.values())
    return has_least and any(table in sql.lower() for table in WITH_COUNTS)


def without_counts(installation: Installation, sql: str, tables: ReleaseTables, release: Release) -> ReleaseTables:
    """Return the tables of a release as a query sees them without the right to what is confidential."""
    from flows.disclosure.small_counts import SmallCounts  # most vocabularies state no least count
    from flows.disclosure.withheld import withheld_in, without_small_counts

    small = SmallCounts(installation, release)
    frames = {name: without_small_counts(frame, name, small) for name, frame in tables.frames.items()}
    found = {name: withheld_in(name, small) for name in WITH_COUNTS if f"{name}{tables.suffix}" in sql.lower()}
    return replace(tables, frames=frames, withheld={name: one for name, one in found.items() if one is not None})


def _published(installation: Installation, release: Release, without: Collection[str] = ()) -> list[ItemTables]:
    """Return the tables that a release may have stored, but these."""
    published = [*all_item_tables(installation), description_tables(installation.settings.lake)]
    if measures_published(release):
        tables = overlap_tables(installation.settings.lake)
        views = {name: columns for name, columns in tables.published.items() if name not in without}
        published.append(replace(tables, published=views))
    return published


def _other_releases(
    installation: Installation, sql: str, names: Collection[str]
) -> Iterator[tuple[ReleaseTables, Release]]:
    """Yield the tables of the releases of which a query names one (`TABLE_at_N`); `UsageError` if there is none."""
    found = AT_RELEASE.findall(sql.lower())
    for number in sorted({int(digits) for name, digits in found if name in names}):
        release = find_release(installation, number)
        yield ReleaseTables(release["tables"], _published(installation, release), {}, f"_at_{number}"), release


def confidential_claims(installation: Installation, release: Release) -> pl.DataFrame:
    """Return the claims behind a release that their senders marked as confidential, with their values."""
    tables = observation_tables(installation.settings.lake)
    cell = ["item_id", "submission_id", "row", "column", "reported_by"]
    sources = tables.live("sources", release["tables"]).filter("confidential").select(*cell, "claim_id", "relation")
    claims = tables.scan("claims").filter("confidential")
    found = claims.join(sources, on=cell, how="inner").unique("claim_id", keep="any")
    names = ["item_id", "claim_id", "relation", "concept", "sender", "reported_by", "original", "value", "decimals"]
    return found.select(names).sort("item_id", "claim_id").collect()
