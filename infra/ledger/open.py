"""Opening the ledger: the engine, the connections' settings, the tables of a new one, migrations of an older one."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.schema import CreateIndex, CreateTable

from infra.ledger import tables as t
from infra.ledger.sql import WRITE_OPTION, write_transaction
from schemas.errors import StoreError

if TYPE_CHECKING:
    import psycopg

BUSY_SECONDS: Final = 60
"""How long a writer waits for another one on SQLite."""

MIGRATION_LOCK: Final = 7_464_913_202
"""Key of PostgreSQL's advisory lock while a ledger is created or migrated: any number, but always the same."""

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"

_REVISION: Final = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table, as it creates it: the number of the last migration."""


def open_ledger(url: str) -> Engine:
    """Open the ledger; create or migrate it first if needed.

    Takes `sqlite:///<file>` or `postgresql://...`. Raises `StoreError` when it cannot be opened.
    """
    engine = _engine(url)
    try:
        if _revision(engine) != t.HEAD:
            _migrate(engine)
    except sa.exc.DBAPIError as error:
        shown = engine.url.render_as_string(hide_password=True)
        raise StoreError(f"the ledger {shown} cannot be opened: {error.orig}. Check ENGANG_LEDGER") from error
    return engine


def _engine(url: str) -> Engine:
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # not chained: its text may quote a part of a password
        raise StoreError("ENGANG_LEDGER is no database URL: expected sqlite:///<file> or postgresql://...") from None
    if parsed.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        server = sa.create_engine(parsed.set(drivername="postgresql+psycopg"))
        sa.event.listen(server, "connect", _configure_postgresql)
        for index in (index for table in t.metadata.tables.values() for index in table.indexes):
            index.dialect_options["postgresql"]["where"] = index.dialect_options["sqlite"]["where"]
        return server
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"}:
        raise StoreError(f"no ledger in {parsed.drivername}: expected sqlite:///<file> or postgresql://...")
    Path(str(parsed.database)).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _configure_sqlite)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _configure_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the driver sends no BEGIN, `_begin` does: so DDL is transactional too
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _configure_postgresql(connection: "psycopg.Connection[Any]", _record: object) -> None:
    # Every query is answered from an index: compiling it would take longer than running it.
    connection.execute("SET jit = off")
    connection.commit()


def _begin(connection: sa.Connection) -> None:
    # On SQLite a transaction that first reads and then writes fails if another one wrote in between.
    # A transaction that will write therefore takes the write lock at once, and waits for it up to BUSY_SECONDS.
    will_write = connection.get_execution_options().get(WRITE_OPTION)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if will_write else "BEGIN")


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        try:
            revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        except (sa.exc.OperationalError, sa.exc.ProgrammingError):
            return None  # no such table yet, as a rule; any other error shows when migrating
    return None if revision is None else str(revision)


def _migrate(engine: Engine) -> None:
    with write_transaction(engine) as connection:
        if engine.dialect.name == "postgresql":  # of two that open a new ledger, the second waits
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK)))
        if sa.inspect(connection).get_table_names():
            upgrade(connection)
        else:
            _create(connection)


def _create(connection: sa.Connection) -> None:
    """Create the tables of an empty ledger as declared: migrations lead to the same, and take ten times as long."""
    for table in (*t.metadata.sorted_tables, _REVISION):
        connection.execute(CreateTable(table))
        for index in sorted(table.indexes, key=_partial_last):
            connection.execute(CreateIndex(index))
    connection.execute(sa.insert(_REVISION).values(version_num=t.HEAD))


def _partial_last(index: sa.Index) -> tuple[bool, str]:
    # Of two indexes that serve a query as well, SQLite takes the newer one: the one made for the query.
    return index.dialect_options["sqlite"]["where"] is not None, str(index.name)


def upgrade(connection: sa.Connection) -> None:
    """Run the migrations that are due. Raises `StoreError` for a ledger of a later version of Engang."""
    from alembic import command  # takes a second: only when a migration is due
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"the ledger is not of this version of Engang: {error}. Upgrade Engang") from error
