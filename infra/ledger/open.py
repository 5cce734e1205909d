"""Opening the ledger: the engine, SQLite's settings, and the migrations when they are due."""

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy import Engine

from infra.ledger import tables as t
from infra.ledger.sql import WRITES, writing
from schemas.errors import StoreError

if TYPE_CHECKING:
    import psycopg

BUSY_SECONDS: Final = 60
"""How long a writer of SQLite waits for another one."""

MIGRATING: Final = 7_464_913_202
"""PostgreSQL's advisory lock while a ledger is made or migrated: any number, but always the same."""

MIGRATIONS: Final = Path(__file__).parents[1] / "migrations"


def open_ledger(url: str) -> Engine:
    """Open the ledger, made or brought up to date when it is not.

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
        told = sa.make_url(url)
    except sa.exc.ArgumentError as error:
        raise StoreError("ENGANG_LEDGER is no database URL: expected sqlite:///<file> or postgresql://...") from error
    if told.drivername in {"postgres", "postgresql", "postgresql+psycopg"}:
        server = sa.create_engine(told.set(drivername="postgresql+psycopg"))
        sa.event.listen(server, "connect", _plain)
        return server
    if told.get_backend_name() != "sqlite" or told.database in {None, "", ":memory:"}:
        raise StoreError(f"no ledger in {told.drivername}: expected sqlite:///<file> or postgresql://...")
    Path(str(told.database)).absolute().parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(told, connect_args={"timeout": BUSY_SECONDS})
    sa.event.listen(engine, "connect", _tune)
    sa.event.listen(engine, "begin", _begin)
    return engine


def _tune(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # `_begin` says BEGIN, the driver does not: DDL is then transactional too
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _plain(connection: "psycopg.Connection[Any]", _record: object) -> None:
    # Every question is answered from an index: to compile it takes longer than to answer it.
    connection.execute("SET jit = off")
    connection.commit()


def _begin(connection: sa.Connection) -> None:
    # A transaction that first reads and then writes fails if another wrote between: a writer locks at once.
    writes = connection.get_execution_options().get(WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _revision(engine: Engine) -> str | None:
    with engine.connect() as connection:
        try:
            stands = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        except (sa.exc.OperationalError, sa.exc.ProgrammingError):
            return None  # there is no such table as a rule; whatever else is wrong, migrating says
    return None if stands is None else str(stands)


def _migrate(engine: Engine) -> None:
    from alembic import command  # noqa: PLC0415  takes a second: only when a migration is due
    from alembic.config import Config  # noqa: PLC0415  same
    from alembic.util import CommandError  # noqa: PLC0415  same

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    try:
        with writing(engine) as connection:
            if engine.dialect.name == "postgresql":  # two that open a new ledger at once: the second waits
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATING)))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(f"the ledger is not of this version of Engang: {error}. Upgrade Engang") from error
