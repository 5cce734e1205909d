"""A release asked in SQL, by DuckDB, which sees the release and nothing else of the machine."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import polars as pl

from flows.installation import Installation
from flows.releases import released
from infra.lake import delta as lake
from infra.lake import kind_tables as lake_records
from infra.lake.access import unreached
from infra.ledger import submissions as ledger
from infra.storage.places import Place
from schemas.claims import PUBLISHED, Column
from schemas.errors import StoreError, UsageError
from schemas.record_tables import published

LEDGER_TABLES: Final = ("submissions", "rejects", "releases")
STREAM: Final = "reading the stream registered as '_lake_"
"""What DuckDB says first when it is the dataset of a table on S3 that fails."""


def query(installation: Installation, sql: str, number: int | None = None) -> pl.DataFrame:
    """Run SQL (DuckDB) over a release's tables and the ledger's submissions, rejects and releases.

    The query is one SELECT and sees these and nothing else of the machine. Raises `UsageError` with DuckDB's own words,
    and `StoreError` if a table cannot be read.
    """
    release = released(installation, number)
    connection = duckdb.connect()
    views = [*_observations(installation, release, connection), *_records(installation, release, connection)]
    try:
        for view in views:
            connection.sql(_create(view))
    except duckdb.Error as error:
        raise _unread(error) from error
    for name in LEDGER_TABLES:
        if name in sql.lower():
            connection.register(name, _ledger_table(installation, name).to_arrow())
    listed = ", ".join(_quoted(file) for view in views if view.source for file in view.source.files)
    connection.execute(f"SET allowed_paths = [{listed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    try:
        _refuse_writing(connection, sql)
        found: pl.DataFrame = connection.sql(sql).pl()
    except (duckdb.Error, pl.exceptions.PolarsError) as error:  # Polars has no type for an interval, say
        if isinstance(error, duckdb.IOException) or STREAM in str(error):
            raise _unread(error) from error
        raise UsageError(f"the query failed: {_said(error)}") from error
    return found


def _said(error: Exception) -> str:
    return str(error).partition("\n\nLINE ")[0]


def _unread(error: Exception) -> StoreError:
    """Return what to tell where a table cannot be read, and no SQL is to blame for it."""
    if STREAM in str(error):
        return unreached("lake: a table on S3", error)
    hint = "see to the disk and this user's rights; what is gone, put back from the lake's backup"
    return StoreError(f"lake: a table cannot be read: {_said(error)}; {hint}")


@dataclass(frozen=True)
class View:
    """A published table as DuckDB reads it: its source, the columns that has, the ids whose rows are retired."""

    name: str
    columns: tuple[Column, ...]
    source: "Source | None"
    kept: Collection[str]
    retired: str | None
    """Name of the registered table of item_id and _until, if rows of this table are."""


class Source(NamedTuple):
    """What a view selects from, as SQL, and the files that it reads."""

    sql: str
    files: list[str]


def _source(
    root: Place, name: str, version: int, connection: duckdb.DuckDBPyConnection, *, mixed: bool
) -> Source | None:
    """Return what to read a table's version from: its files or, on S3, its dataset; None if nothing is there.

    `mixed`: a file may lack a column that another has; to find out, each is opened.
    """
    files = lake.files(root, name, version)
    if not files:
        return None
    if not isinstance(root, Path):  # what reads S3 is an extension of DuckDB, and the credentials are not its business
        connection.register(f"_lake_{name}", lake.dataset(root, name, version))
        return Source(_named(f"_lake_{name}"), [])
    listed = ", ".join(_quoted(f) for f in files)
    partitioned = "hive_partitioning = true, hive_types = {'partition': VARCHAR}"
    return Source(f"read_parquet([{listed}], {partitioned}, union_by_name = {str(mixed).lower()})", files)


def _observations(
    installation: Installation, release: ledger.Release, connection: duckdb.DuckDBPyConnection
) -> Iterator[View]:
    root, versions = installation.settings.lake, release["tables"]
    gone = lake.retired(root, versions)
    connection.register("_retired", gone.select("item_id", "_until").to_arrow())
    for name, columns in PUBLISHED.items():
        overlay = "_retired" if gone.height and name in lake.REPLACED else None
        source = _source(root, name, versions[name], connection, mixed=False)
        yield View(name, columns, source, {c.name for c in columns}, overlay)


def _records(
    installation: Installation, release: ledger.Release, connection: duckdb.DuckDBPyConnection
) -> Iterator[View]:
    """Yield the tables of every record kind, empty where the release has none."""
    root, versions = installation.settings.lake, release["tables"]
    for kind in installation.kinds.values():
        gone, registered = lake_records.retired(root, kind, versions, "item"), f"_retired_{kind.kind}"
        connection.register(registered, gone.rename({"id": "item_id"}).to_arrow())
        for name, columns in published(kind).items():
            overlay = registered if gone.height and name in lake_records.replaced(kind) else None
            source = _source(root, name, versions[name], connection, mixed=True) if name in versions else None
            kept = lake.scan(root, name, versions[name]).collect_schema().names() if source else []
            yield View(name, columns, source, kept, overlay)


def _refuse_writing(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise DuckDB's error for what is no single SELECT, or one that writes: a file that may be read may be written.

    A WITH clause may hold a COPY, but not beneath another SELECT; so that is planned first, and not run.
    """
    connection.execute("EXPLAIN SELECT * FROM query(?)", [sql])


def _create(view: View) -> str:
    columns = ", ".join(
        _named(c.name) if c.name in view.kept else f"NULL::{_sql_type(c.dtype)} AS {_named(c.name)}"
        for c in view.columns
    )
    if view.source is None:
        types = ", ".join(f"NULL::{_sql_type(c.dtype)} AS {_named(c.name)}" for c in view.columns)
        return f"CREATE VIEW {_named(view.name)} AS SELECT {types} WHERE false"
    sql = f"SELECT {columns} FROM {view.source.sql}"  # noqa: S608  our own file and column names
    if view.retired:
        sql += f" LEFT JOIN {_named(view.retired)} USING (item_id) WHERE release >= coalesce(_until, 0)"
    return f"CREATE VIEW {_named(view.name)} AS {sql}"


def _sql_type(dtype: Any) -> str:  # noqa: ANN401  Polars types its dtypes as classes or instances
    if isinstance(dtype, pl.List):
        return f"{_sql_type(dtype.inner)}[]"
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    names = {pl.String: "VARCHAR", pl.Date: "DATE", pl.Boolean: "BOOLEAN", pl.Int16: "SMALLINT", pl.Int32: "INTEGER"}
    return names.get(dtype, "BIGINT" if dtype == pl.Int64 else "TIMESTAMP")


def _named(name: str) -> str:
    return f'"{name}"'


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _ledger_table(installation: Installation, name: str) -> pl.DataFrame:
    if name == "submissions":
        return ledger.submissions(installation.engine)
    if name == "releases":
        return ledger.releases(installation.engine)
    return ledger.rejects(installation.engine)
