"""A release asked in SQL, by DuckDB, which sees the release and nothing else of the machine."""

from pathlib import Path
from typing import Any, Final

import duckdb
import polars as pl

from flows.installation import Installation
from flows.reading import released
from infra import lake, ledger
from schemas.claims import PUBLISHED
from schemas.errors import UsageError

LEDGER_TABLES: Final = ("submissions", "rejects", "releases")


def query(installation: Installation, sql: str, number: int | None = None) -> pl.DataFrame:
    """Run SQL (DuckDB) over a release's tables and the ledger's submissions, rejects and releases.

    The query is one SELECT and sees these and nothing else of the machine. Raises `UsageError` with DuckDB's own words.
    """
    release = released(installation, number)
    root = installation.settings.lake
    connection = duckdb.connect()
    gone = lake.retired(root, release["tables"])
    connection.register("_retired", gone.select("item_id", "_until").to_arrow())
    for name in PUBLISHED:
        connection.sql(_view(root, name, release["tables"][name], retired=bool(gone.height)))
    listed = ", ".join(_quoted(f) for name in PUBLISHED for f in lake.files(root, name, release["tables"][name]))
    for name in LEDGER_TABLES:
        if name in sql.lower():
            connection.register(name, _ledger_table(installation, name).to_arrow())
    connection.execute(f"SET allowed_paths = [{listed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    try:
        _refuse_writing(connection, sql)
        found: pl.DataFrame = connection.sql(sql).pl()
    except (duckdb.Error, pl.exceptions.PolarsError) as error:  # Polars has no type for an interval, say
        said = str(error).partition("\n\nLINE ")[0]
        raise UsageError(f"the query failed: {said}") from error
    return found


def _refuse_writing(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise DuckDB's error for what is no single SELECT, or one that writes: a file that may be read may be written.

    A WITH clause may hold a COPY, but not beneath another SELECT; so that is planned first, and not run.
    """
    connection.execute("EXPLAIN SELECT * FROM query(?)", [sql])


def _view(root: Path, name: str, version: int, *, retired: bool) -> str:
    found = lake.files(root, name, version)
    columns = ", ".join(f'"{c.name}"' for c in PUBLISHED[name])
    if not found:
        types = ", ".join(f'NULL::{_sql_type(c.dtype)} AS "{c.name}"' for c in PUBLISHED[name])
        return f"CREATE VIEW {name} AS SELECT {types} WHERE false"
    listed = ", ".join(_quoted(f) for f in found)
    source = f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{'partition': VARCHAR}})"
    sql = f"SELECT {columns} FROM {source}"  # noqa: S608  our own file and column names
    if retired and name in lake.REPLACED:
        sql += " LEFT JOIN _retired USING (item_id) WHERE release >= coalesce(_until, 0)"
    return f"CREATE VIEW {name} AS {sql}"


def _sql_type(dtype: Any) -> str:  # noqa: ANN401  Polars types its dtypes as classes or instances
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    names = {pl.String: "VARCHAR", pl.Date: "DATE", pl.Boolean: "BOOLEAN", pl.Int16: "SMALLINT", pl.Int32: "INTEGER"}
    return names.get(dtype, "BIGINT" if dtype == pl.Int64 else "TIMESTAMP")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _ledger_table(installation: Installation, name: str) -> pl.DataFrame:
    if name == "submissions":
        return ledger.submissions(installation.engine)
    if name == "releases":
        return ledger.releases(installation.engine)
    return ledger.rejects(installation.engine)
