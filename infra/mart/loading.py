"""A mart loaded from nothing: part by part into tables of its own, which then take the place of the others.

Each part is one transaction, which records that it is done. A load that was killed goes on from there, as long as the
release, its tables and their layout are the same.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.mart.ddl import create_foreign_keys, create_keys, create_tables, grant_reading, quoted
from infra.mart.dimensions import ReadSubmissions, begin_noting, complete_dimensions, note_items, note_sources
from infra.mart.star import LOADING, READING_ROLE, STAR, VIEWS, Star
from infra.mart.state import CREATE_PROGRESS, CREATE_SYNC, MartState, loaded_parts, read_state, write_state
from infra.mart.views import known_views, replace_views, views_of_others

if TYPE_CHECKING:
    from psycopg import Connection, Cursor


@contextmanager
def transaction_in(connection: "Connection[Any]", schema: str) -> Iterator["Cursor[Any]"]:
    """Open a transaction in which tables are those of a schema; its cursor."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL search_path = {schema}".encode())
        yield cursor


def begin_load(connection: "Connection[Any]", star: Star, target: MartState) -> set[str]:
    """Create the tables to be loaded, or find those of a load that was cut off; return the parts that are done."""
    if target.same_as(read_state(connection, LOADING)):
        return loaded_parts(connection, LOADING)
    with connection.transaction():
        connection.execute(f"DROP SCHEMA IF EXISTS {LOADING} CASCADE; CREATE SCHEMA {LOADING}".encode())
        with transaction_in(connection, LOADING) as cursor:
            cursor.execute(f"{create_tables(star)};\n{CREATE_SYNC};\n{CREATE_PROGRESS}".encode())
            write_state(cursor, target)
    return set()


@contextmanager
def load_part(connection: "Connection[Any]", part: str) -> Iterator["Cursor[Any]"]:
    """Open the transaction of one part; it is done when the block ends."""
    with transaction_in(connection, LOADING) as cursor:
        yield cursor
        cursor.execute("INSERT INTO progress VALUES (%s)", [part])


def finish_load(
    connection: "Connection[Any]", star: Star, done: set[str], read_submissions: ReadSubmissions
) -> Iterator[str]:
    """Give the loaded tables their keys, dimensions and foreign keys; yield what is done next."""
    for table in star.metadata.sorted_tables:
        if f"{table.name} keys" not in done:
            yield f"indexing {table.name}"
            with load_part(connection, f"{table.name} keys") as cursor:
                cursor.execute(create_keys(table).encode())
    if "dimensions" not in done:
        yield "completing the dimensions"
        with load_part(connection, "dimensions") as cursor:
            begin_noting(cursor)
            note_items(cursor, "observations")
            for group in star.groups:
                note_sources(cursor, quoted(group.sources))
            complete_dimensions(cursor, star, read_submissions, register=True)
    if "foreign keys" not in done:
        yield "examining the foreign keys"
        with load_part(connection, "foreign keys") as cursor:
            cursor.execute(create_foreign_keys(star).encode())


def swap(connection: "Connection[Any]", star: Star) -> None:
    """Put the loaded tables in the place of the others, in one transaction; views that others built on stay valid.

    Raises `StoreError` if somebody's own views hang on a table or a column that goes.
    """
    with views_of_others(), connection.transaction(), connection.cursor() as cursor:
        known = known_views(cursor)
        before = f"{STAR}_before"
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {VIEWS}; CREATE SCHEMA IF NOT EXISTS {STAR}".encode())
        cursor.execute(f"ALTER SCHEMA {STAR} RENAME TO {before}; ALTER SCHEMA {LOADING} RENAME TO {STAR}".encode())
        cursor.execute(f"DROP TABLE {STAR}.progress".encode())
        replace_views(cursor, star, known)
        _drop(cursor, before)
        grant(cursor)


def grant(cursor: "Cursor[Any]") -> None:
    """Let the reading role read, if there is one."""
    if cursor.execute("SELECT FROM pg_roles WHERE rolname = %s", [READING_ROLE]).fetchone() is not None:
        cursor.execute(grant_reading().encode())


def _drop(cursor: "Cursor[Any]", schema: str) -> None:
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema])
    names = ", ".join(f"{schema}.{quoted(str(name))}" for (name,) in cursor.fetchall())
    if names:
        cursor.execute(f"DROP TABLE {names}".encode())
    cursor.execute(f"DROP SCHEMA {schema}".encode())
