"""A release's tables as DuckDB views, for one SELECT over them in a process that sees nothing else of the machine."""

import pickle  # to a process of our own
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import polars as pl
from polars.datatypes import DataTypeClass

from infra.lake import delta as lake
from infra.lake.item_tables import ItemTables
from infra.lake.query_process import QueryProcess
from infra.settings import QueryLimits
from infra.storage.places import Place
from schemas.claims import Column

_SQL_TYPES: Final[Mapping[object, str]] = {
    pl.String: "VARCHAR", pl.Date: "DATE", pl.Boolean: "BOOLEAN", pl.Int16: "SMALLINT", pl.Int32: "INTEGER",
    pl.Float64: "DOUBLE",
}  # fmt: skip


@dataclass(frozen=True)
class ReleaseTables:
    """The tables that a query sees: those published of observations and kinds, by version, and frames by name.

    suffix: what follows their names in the query, where it reads several releases. withheld: table -> the items of
    which its rows have other values: column -> what it has instead, null or a text.
    """

    versions: dict[str, int]
    items: Iterable[ItemTables]
    frames: Mapping[str, pl.DataFrame]
    suffix: str = ""
    withheld: Mapping[str, tuple[pl.Series, Mapping[str, str | None]]] = field(default_factory=dict)


def query_release(releases: Iterable[ReleaseTables], sql: str, limits: QueryLimits) -> pl.DataFrame:
    """Run one SELECT over the tables of releases, in a process of its own. Only tables that it names are opened.

    Raises `UsageError` with DuckDB's message for SQL that fails or writes, and with the limit that a query exceeds;
    `StoreError` if a table cannot be read.
    """
    with QueryProcess(limits) as process:  # it starts while the tables are opened
        words = set(re.findall(r"\w+", sql.lower()))
        views: list[View] = []
        frames: dict[str, pl.DataFrame] = {}
        for tables in releases:
            for items in tables.items:
                prepared = _views(items, tables, words)
                views += prepared.views
                frames |= prepared.frames
            frames |= tables.frames
        return process.run({"sql": sql, **_request(views)}, frames)


class Source(NamedTuple):
    """What a view selects from, as SQL, and what it reads: files or, on S3, a dataset (name, and its pickled place)."""

    sql: str
    files: list[str]
    datasets: list[tuple[str, str]]


class PreparedViews(NamedTuple):
    """The views over the tables of observations or of a kind, and the frames that they join."""

    views: "list[View]"
    frames: dict[str, pl.DataFrame]


@dataclass(frozen=True)
class View:
    """A published table as DuckDB reads it: `stored` are the columns that its source has; others are null."""

    name: str
    columns: tuple[Column, ...]
    source: Source | None
    stored: Collection[str]
    retired: str | None
    """Name of the registered table of item_id and _until, if rows of this table are retired."""
    withheld: tuple[str, Mapping[str, str | None]] | None = None
    """Name of the registered table of the items with other values, and these by column."""


def _request(views: list[View]) -> dict[str, Any]:
    """Return what the process needs to create the views: their SQL, and what they read."""
    sources = [view.source for view in views if view.source is not None]
    return {
        "views": [_create_view(view) for view in views],
        "files": [file for source in sources for file in source.files],
        "datasets": [dataset for source in sources for dataset in source.datasets],
    }


def _views(tables: ItemTables, release: ReleaseTables, words: set[str]) -> PreparedViews:
    """Return the published tables of observations or of a kind, empty where the release or the query has none of it.

    words: those of the query, in lower case. A table is read only by its name: DuckDB has no escapes in names, and
    functions that take one as a text are refused (`infra.lake.query_child`).
    """
    versions, suffix = release.versions, release.suffix
    asked = {word.removesuffix(suffix) for word in words if word.endswith(suffix)}
    opened = asked & versions.keys() & tables.published.keys()
    registered = f"_retired_{tables.items}{suffix}"
    views, frames = [], _retired(tables, versions, opened, registered)
    overlaid = tables.replaced.keys() if frames else set()
    for name, columns in tables.published.items():
        stored: Collection[str] = {c.name for c in columns}
        source = None
        if name in opened:
            stored, mixed = _stored_columns(tables, name, versions[name])
            source = _source((tables.root, name, versions[name]), f"_lake_{name}{suffix}", mixed=mixed)
        overlay = registered if name in overlaid else None
        withheld = _withheld(release, name, frames) if name in opened & release.withheld.keys() else None
        views.append(View(f"{name}{suffix}", columns, source, stored, overlay, withheld))
    return PreparedViews(views, frames)


def _retired(
    tables: ItemTables, versions: dict[str, int], opened: Collection[str], name: str
) -> dict[str, pl.DataFrame]:
    """Return the items that the opened tables have rows of which they have no more, under a name; empty without any."""
    found = tables.retired(versions) if tables.replaced.keys() & opened else None
    return {} if found is None or found.is_empty() else {name: found.select("_until", item_id="id")}


def _withheld(
    release: ReleaseTables, name: str, frames: dict[str, pl.DataFrame]
) -> tuple[str, Mapping[str, str | None]]:
    """Return what a view withholds, and add its items to the frames that are registered."""
    items, instead = release.withheld[name]
    registered = f"_withheld_{name}{release.suffix}"
    frames[registered] = pl.DataFrame({"item_id": items})
    return registered, instead


def _stored_columns(tables: ItemTables, name: str, version: int) -> tuple[Collection[str], bool]:
    """Return the columns of a table's version, and whether some of its files may lack some of them."""
    stored = lake.scan(tables.root, name, version).collect_schema().names()
    if not tables.fixed or not isinstance(tables.root, Path):
        return stored, not tables.fixed
    return stored, not lake.oldest_columns(tables.root, name, version) >= set(stored)


def _source(stored: tuple[Place, str, int], dataset: str, *, mixed: bool) -> Source | None:
    """Return what to read a table's version from: its files or, on S3, its dataset; None if it has no files.

    stored: root, table and version. dataset: what the dataset is called.
    `mixed`: a file may lack a column that another one has; DuckDB then opens every file to find out.
    """
    files = lake.files(*stored)
    if not files:
        return None
    if not isinstance(stored[0], Path):  # DuckDB reads S3 by an extension only, and should not get the credentials
        return Source(_quote_name(dataset), [], [(dataset, pickle.dumps(stored).hex())])
    listed = ", ".join(_quote_text(file) for file in files)
    partitioned = "hive_partitioning = true, hive_types = {'partition': VARCHAR}"
    return Source(f"read_parquet([{listed}], {partitioned}, union_by_name = {str(mixed).lower()})", files, [])


def _create_view(view: View) -> str:
    nulls = {c.name: f"NULL::{_sql_type(c.dtype)} AS {_quote_name(c.name)}" for c in view.columns}
    if view.source is None:
        return f"CREATE VIEW {_quote_name(view.name)} AS SELECT {', '.join(nulls.values())} WHERE false"
    found = {name: _quote_name(name) if name in view.stored else null for name, null in nulls.items()}
    columns = ", ".join((found | _withheld_columns(view)).values())
    sql = f"SELECT {columns} FROM {view.source.sql}"  # noqa: S608  our own file and column names
    if view.retired:
        sql += f" LEFT JOIN {_quote_name(view.retired)} USING (item_id) WHERE release >= coalesce(_until, 0)"
    return f"CREATE VIEW {_quote_name(view.name)} AS {sql}"


def _withheld_columns(view: View) -> dict[str, str]:
    """Return the columns that have other values of some items, as SQL."""
    if view.withheld is None:
        return {}
    table, instead = view.withheld
    is_one = f"item_id IN (SELECT item_id FROM {_quote_name(table)})"  # noqa: S608  our own names
    texts = {name: "NULL" if text is None else _quote_text(text) for name, text in instead.items()}
    return {
        name: f"CASE WHEN {is_one} THEN {text} ELSE {_quote_name(name)} END AS {_quote_name(name)}"
        for name, text in texts.items()
        if name in view.stored
    }


def _sql_type(dtype: pl.DataType | DataTypeClass) -> str:
    if isinstance(dtype, pl.List):
        return f"{_sql_type(dtype.inner)}[]"
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    return _SQL_TYPES.get(dtype, "BIGINT" if dtype == pl.Int64 else "TIMESTAMP")


def _quote_name(name: str) -> str:
    return f'"{name}"'


def _quote_text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
