"""Frames into and out of the ledger's database: bulk rows, transactions, id lists. All SQL is built from the tables."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import polars as pl
import sqlalchemy as sa

from schemas.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

IDS_PER_STATEMENT: Final = 5_000
"""Ids bound in one statement: SQLite takes 32,766 parameters, PostgreSQL 65,535."""

Id = TypeVar("Id", str, int)

WRITE_OPTION: Final = "ledger_writes"
"""Execution option of a connection that will write: SQLite then takes its write lock at BEGIN."""

_POLARS: Final[dict[type[Any], type[pl.DataType] | pl.DataType]] = {
    sa.BigInteger: pl.Int64,
    sa.Integer: pl.Int32,
    sa.Boolean: pl.Boolean,
    sa.DateTime: pl.Datetime("us"),
    sa.Text: pl.String,
}


@contextmanager
def write_transaction(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a write transaction: it is kept whole or not at all. Turns database errors into `StoreError`."""
    driver = engine.dialect.loaded_dbapi
    try:
        with engine.execution_options(**{WRITE_OPTION: True}).begin() as connection:
            yield connection
    except (sa.exc.DBAPIError, driver.Error) as error:
        reason = getattr(error, "orig", None) or error
        raise StoreError(
            f"the ledger refused to write: {reason}. Nothing of this was kept; see the message and try again"
        ) from error


def utc_now() -> datetime:
    """Return the current time in UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def id_chunks(ids: Iterable[Id]) -> Iterator[list[Id]]:
    """Yield the distinct ids in ascending order, in lists short enough to bind."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), IDS_PER_STATEMENT):
        yield ordered[start : start + IDS_PER_STATEMENT]


def polars_dtype(column: sa.ColumnElement[Any]) -> type[pl.DataType] | pl.DataType:
    """Return the Polars dtype of a column of the ledger."""
    return next(d for kind, d in _POLARS.items() if isinstance(column.type, kind))


def filter_ids(query: sa.Select[Any], table: sa.Table, ids: Sequence[str] | None) -> sa.Select[Any]:
    """Return the query restricted to these submission ids of the table; unchanged when ids is None."""
    return query if ids is None else query.where(table.c.submission_id.in_(ids))


def read_frame(engine: sa.Engine, query: sa.Select[Any]) -> pl.DataFrame:
    """Return the query's rows as a frame; its columns are typed as the tables declare. Raises `StoreError`."""
    columns = (c for c in query.selected_columns if isinstance(c, sa.ColumnElement | sa.Label))
    schema = {c.name: polars_dtype(c) for c in columns}
    try:
        with engine.connect() as connection:
            return pl.DataFrame(connection.execute(query).all(), schema=schema, orient="row")
    except sa.exc.DBAPIError as error:
        raise StoreError(f"the ledger cannot be read: {error.orig}. Check ENGANG_LEDGER and the database") from error


def read_by_ids(
    engine: sa.Engine, ids: Collection[str] | None, query: Callable[[Sequence[str] | None], sa.Select[Any]]
) -> pl.DataFrame:
    """Return the rows of `query(some ids)` for all the ids, chunk by chunk; `query(None)` when ids is None."""
    if ids is None:
        return read_frame(engine, query(None))
    return pl.concat([read_frame(engine, query(chunk)) for chunk in list(id_chunks(ids)) or [[]]])


def stored_frame(table: sa.Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame as its table stores it: columns in the table's order, times in UTC without zone, no NUL.

    PostgreSQL's text holds no NUL; it becomes U+2400, the symbol for it.
    Raises `StoreError` for a column that the table does not have.
    """
    unknown = [c for c in frame.columns if c not in table.c]
    if unknown:
        raise StoreError(
            f"columns {unknown} are not in the ledger's {table.name}: expected {[c.name for c in table.c]}"
        )
    zoned = [c for c, t in frame.schema.items() if isinstance(t, pl.Datetime) and t.time_zone]
    return frame.select(c.name for c in table.c if c.name in frame.columns).with_columns(
        pl.col(zoned).dt.convert_time_zone("UTC").dt.replace_time_zone(None),
        pl.col(pl.String).str.replace_all("\0", "\u2400", literal=True),
    )


def bulk_insert(connection: sa.Connection, table: sa.Table, frame: pl.DataFrame) -> None:
    """Insert the frame's rows, in the connection's transaction: COPY on PostgreSQL, executemany on SQLite."""
    if frame.is_empty():
        return
    rows = stored_frame(table, frame)
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows)
        return
    statement = sa.insert(table).values({c: sa.bindparam(c) for c in rows.columns})
    times_as_text = pl.col(pl.Datetime).dt.strftime("%Y-%m-%d %H:%M:%S%.6f")  # the format SQLAlchemy stores
    parameters = rows.with_columns(times_as_text).rows()
    connection.exec_driver_sql(str(statement.compile(dialect=connection.dialect)), parameters)


def _copy(connection: sa.Connection, table: sa.Table, rows: pl.DataFrame) -> None:
    quote = connection.dialect.identifier_preparer.quote
    names = ", ".join(quote(c) for c in rows.columns)
    raw: Any = connection.connection.driver_connection
    with raw.cursor() as cursor, cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN (FORMAT csv)") as copy:
        # Polars and PostgreSQL agree on CSV: an empty field is null, "" is the empty text.
        copy.write(rows.write_csv(include_header=False))


def insert_statement(connection: sa.Connection, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    """Return an insert into the table that supports `on_conflict_do_...`."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as on_postgresql  # heavy, and not for SQLite

        return on_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert as on_sqlite  # as heavy, and not for PostgreSQL

    return on_sqlite(table)


@cache
def _staging_table(table: sa.Table, names: tuple[str, ...]) -> sa.Table:
    """Return a temporary table of these columns. Cached: SQLAlchemy compiles, and keeps, a statement for each one."""
    columns = (sa.Column(name, table.c[name].type) for name in names)
    return sa.Table(f"new_{table.name}", sa.MetaData(), *columns, prefixes=["TEMPORARY"])


def insert_new(
    connection: sa.Connection,
    table: sa.Table,
    frame: pl.DataFrame,
    overwrite: Callable[[Any], sa.ColumnElement[bool]] | None = None,
    key: sa.Column[Any] | None = None,
) -> list[str]:
    """Insert the rows whose key does not exist yet and return the keys of those written, ascending.

    The key is the table's first primary key column, or `key`, which must be unique too. With `overwrite`, an existing
    row is overwritten where `overwrite(the new row's columns)` holds.
    """
    if frame.is_empty():
        return []
    key = next(iter(table.primary_key)) if key is None else key
    names = tuple(c.name for c in table.c if c.name in frame.columns)
    staged = _staging_table(table, names)
    staged.create(connection)
    bulk_insert(connection, staged, frame)
    # Ascending keys: two writers of the same rows then wait for each other. In any other order they could deadlock.
    rows = sa.select(staged).order_by(key.name)
    statement = insert_statement(connection, table).from_select(list(names), rows)
    if overwrite is None:
        statement = statement.on_conflict_do_nothing(index_elements=[key])
    else:
        # A column that the frame lacks gets its default, as in a new row.
        new = {c.name: statement.excluded[c.name] for c in table.c if c is not key}
        statement = statement.on_conflict_do_update(index_elements=[key], set_=new, where=overwrite(statement.excluded))
    written = sorted(connection.execute(statement.returning(key)).scalars())
    staged.drop(connection)
    return written
