"""SQL queries over a release's tables and some tables of the ledger."""

from collections.abc import Callable
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.published_tables import all_item_tables
from flows.releases import find_release
from infra.lake.duckdb_views import ReleaseTables, query_release
from infra.ledger.records import read_record_warnings
from infra.ledger.releases import read_releases
from infra.ledger.submissions import read_rejects, read_submissions

LEDGER_TABLES: Final[dict[str, Callable[..., pl.DataFrame]]] = {
    "submissions": read_submissions,
    "rejects": read_rejects,
    "releases": read_releases,
    "record_warnings": read_record_warnings,
}
"""The ledger's tables that a query sees, each with the function that reads all of it."""


def query(installation: Installation, sql: str, number: int | None = None) -> pl.DataFrame:
    """Run one SELECT (DuckDB) over the tables of a release, the current one by default, and the `LEDGER_TABLES`.

    It sees nothing else of the machine. Raises `UsageError` with DuckDB's message, `StoreError` if a table cannot be
    read.
    """
    release = find_release(installation, number)
    mentioned = {name: read for name, read in LEDGER_TABLES.items() if name in sql.lower()}
    frames = {name: read(installation.engine) for name, read in mentioned.items()}
    return query_release(ReleaseTables(release["tables"], all_item_tables(installation), frames), sql)
