"""A release's tables as DuckDB views, and a sandbox for one SELECT over them that sees nothing else of the machine."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import polars as pl

from infra.lake import delta as lake
from infra.lake.access import unreachable
from infra.lake.item_tables import ItemTables
from infra.storage.places import Place
from schemas.claims import Column
from schemas.errors import StoreError, UsageError

STREAM_ERROR: Final = "reading the stream registered as '_lake_"
"""Start of DuckDB's message when the dataset of a table on S3 fails."""


@dataclass(frozen=True)
class ReleaseTables:
    """The tables that a query sees: those published of observations and kinds, by version, and frames by name."""

    versions: dict[str, int]
    items: Iterable[ItemTables]
    frames: Mapping[str, pl.DataFrame]


def query_release(tables: ReleaseTables, sql: str) -> pl.DataFrame:
    """Run one SELECT over the tables.

    Raises `UsageError` with DuckDB's message for SQL that fails or writes, `StoreError` if a table cannot be read.
    """
    connection = duckdb.connect()
    views = [view for items in tables.items for view in _views(items, tables.versions, connection)]
    try:
        for view in views:
            connection.sql(_create_view(view))
    except duckdb.Error as error:
        raise _unreadable(error) from error
    for name, frame in tables.frames.items():
        connection.register(name, frame.to_arrow())
    _lock_down(connection, [file for view in views if view.source for file in view.source.files])
    try:
        _refuse_writing(connection, sql)
        rows: pl.DataFrame = connection.sql(sql).pl()
    except (duckdb.Error, pl.exceptions.PolarsError) as error:  # Polars has no type for an interval, say
        if isinstance(error, duckdb.IOException) or STREAM_ERROR in str(error):
            raise _unreadable(error) from error
        raise UsageError(f"the query failed: {_message(error)}") from error
    return rows


def _lock_down(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """Forbid all access to files but these, to the network and to extensions, and every change of these settings."""
    allowed = ", ".join(_quote_text(file) for file in files)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _refuse_writing(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise DuckDB's error for anything but a single SELECT that only reads.

    `allowed_paths` allows writing to the files too. A WITH clause may hold a COPY, but not inside another SELECT; so
    the query is first planned, and not run, inside one.
    """
    connection.execute("EXPLAIN SELECT * FROM query(?)", [sql])


def _message(error: Exception) -> str:
    return str(error).partition("\n\nLINE ")[0]


def _unreadable(error: Exception) -> StoreError:
    """Return the error for a table that cannot be read, which is no fault of the query."""
    if STREAM_ERROR in str(error):
        return unreachable("lake: a table on S3", error)
    hint = "check the disk and this user's rights; restore missing files from the lake's backup"
    return StoreError(f"lake: a table cannot be read: {_message(error)}; {hint}")


class Source(NamedTuple):
    """What a view selects from, as SQL, and the files that it reads."""

    sql: str
    files: list[str]


@dataclass(frozen=True)
class View:
    """A published table as DuckDB reads it: `stored` are the columns that its source has; others are null."""

    name: str
    columns: tuple[Column, ...]
    source: Source | None
    stored: Collection[str]
    retired: str | None
    """Name of the registered table of item_id and _until, if rows of this table are retired."""


def _views(tables: ItemTables, versions: dict[str, int], connection: duckdb.DuckDBPyConnection) -> Iterator[View]:
    """Yield the published tables of observations or of a kind, empty where the release has none of it."""
    retired, registered = tables.retired(versions), f"_retired_{tables.items}"
    connection.register(registered, retired.select("_until", item_id="id").to_arrow())
    for name, columns in tables.published.items():
        source = None
        if name in versions:
            source = _source(tables.root, name, versions[name], connection, mixed=not tables.fixed)
        stored: Collection[str] = {c.name for c in columns}
        if source and not tables.fixed:
            stored = lake.scan(tables.root, name, versions[name]).collect_schema().names()
        overlay = registered if retired.height and name in tables.replaced else None
        yield View(name, columns, source, stored, overlay)


def _source(
    root: Place, name: str, version: int, connection: duckdb.DuckDBPyConnection, *, mixed: bool
) -> Source | None:
    """Return what to read a table's version from: its files or, on S3, its dataset; None if it has no files.

    `mixed`: a file may lack a column that another one has; DuckDB then opens every file to find out.
    """
    files = lake.files(root, name, version)
    if not files:
        return None
    if not isinstance(root, Path):  # DuckDB reads S3 by an extension only, and should not get the credentials
        connection.register(f"_lake_{name}", lake.dataset(root, name, version))
        return Source(_quote_name(f"_lake_{name}"), [])
    listed = ", ".join(_quote_text(file) for file in files)
    partitioned = "hive_partitioning = true, hive_types = {'partition': VARCHAR}"
    return Source(f"read_parquet([{listed}], {partitioned}, union_by_name = {str(mixed).lower()})", files)


def _create_view(view: View) -> str:
    nulls = {c.name: f"NULL::{_sql_type(c.dtype)} AS {_quote_name(c.name)}" for c in view.columns}
    if view.source is None:
        return f"CREATE VIEW {_quote_name(view.name)} AS SELECT {', '.join(nulls.values())} WHERE false"
    columns = ", ".join(_quote_name(name) if name in view.stored else null for name, null in nulls.items())
    sql = f"SELECT {columns} FROM {view.source.sql}"  # noqa: S608  our own file and column names
    if view.retired:
        sql += f" LEFT JOIN {_quote_name(view.retired)} USING (item_id) WHERE release >= coalesce(_until, 0)"
    return f"CREATE VIEW {_quote_name(view.name)} AS {sql}"


def _sql_type(dtype: Any) -> str:  # noqa: ANN401  Polars types its dtypes as classes or instances
    if isinstance(dtype, pl.List):
        return f"{_sql_type(dtype.inner)}[]"
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    names = {pl.String: "VARCHAR", pl.Date: "DATE", pl.Boolean: "BOOLEAN", pl.Int16: "SMALLINT", pl.Int32: "INTEGER"}
    return names.get(dtype, "BIGINT" if dtype == pl.Int64 else "TIMESTAMP")


def _quote_name(name: str) -> str:
    return f'"{name}"'


def _quote_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
