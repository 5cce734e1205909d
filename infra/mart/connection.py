"""The mart's database: a connection, one writer at a time, and errors that show neither password nor cell text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from schemas.errors import StoreError, UsageError

if TYPE_CHECKING:
    import psycopg

WRITER_LOCK: Final = 7_464_913_203
"""Key of PostgreSQL's advisory lock while a mart is written: any number, but always the same."""
LOCK_SECONDS: Final = 60
"""How long a sync waits for another one, or for a query that reads a table that it is about to replace."""
CONNECT_SECONDS: Final = 15
INDEXING_MEMORY: Final = "256MB"
"""What the server may use to sort the keys of an index: with its default of 64 MB it sorts a million on disk."""
DRIVERS: Final = ("postgres", "postgresql", "postgresql+psycopg")
SECRETS: Final = {"password", "sslpassword"}
"""Parameters of a URL that are as secret as its password."""
_EXPECTED: Final = "expected postgresql://USER@HOST:PORT/DATABASE"
_SHOWN_CLASSES: Final = ("08", "25", "28", "3D", "3F", "42", "53", "54", "55", "57", "58")
"""Classes of SQLSTATE whose messages quote no row: those about values (22, 23) do."""


class MartAddress:
    """Where a mart is: a PostgreSQL URL that shows its password to nobody."""

    def __init__(self, url: str, setting: str) -> None:
        """Take a URL as `setting` has it; `UsageError` for one that is not PostgreSQL's."""
        try:
            self._url = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError) as error:
            message = f"{setting}: found no URL of a database, {_EXPECTED}"
            raise UsageError(message) from error if "@" not in url else None
        if "@" in (self._url.host or "") or url.partition("?")[0].count("@") > 1:
            # SQLAlchemy ends the password at the first one: the rest of it would pass for the host, and be shown.
            raise UsageError(f"{setting}: found several @, expected one: write @ in a user or password as %40")
        if self._url.drivername not in DRIVERS:
            raise UsageError(f"{setting}: found {self._url.drivername}://, {_EXPECTED}")

    @property
    def has_password(self) -> bool:
        """Whether the URL itself holds a secret."""
        return bool(self._url.password) or bool(SECRETS & self._url.query.keys())

    def __str__(self) -> str:
        """Return the URL without password and parameters."""
        port = f":{self._url.port}" if self._url.port else ""
        user = f"{self._url.username}@" if self._url.username else ""
        return f"postgresql://{user}{self._url.host or ''}{port}/{self._url.database or ''}"

    __repr__ = __str__

    def parameters(self) -> dict[str, Any]:
        """Return what the driver takes."""
        arguments = self._url.translate_connect_args(username="user", database="dbname")
        return {"connect_timeout": CONNECT_SECONDS, "application_name": "engang", **self._url.query, **arguments}

    def without_secrets(self, text: str) -> str:
        """Return a text of the driver's in which no secret of the URL is left."""
        secrets = [self._url.password, *(self._url.query.get(name) for name in SECRETS)]
        for secret in secrets:
            if secret:
                text = text.replace(str(secret), "***")
        return text


@contextmanager
def mart_connection(address: MartAddress) -> Iterator["psycopg.Connection[Any]"]:
    """Connect to the mart; every error of the database becomes a `StoreError`."""
    import psycopg  # only where there is a mart

    with _errors(address), psycopg.connect(**address.parameters(), autocommit=True) as connection:
        connection.execute("SET client_min_messages = warning; SET standard_conforming_strings = on")
        connection.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'; SET maintenance_work_mem = '{INDEXING_MEMORY}'")
        connection.execute("SET DateStyle = 'ISO, YMD'; SET TimeZone = 'UTC'; SET client_encoding = 'UTF8'")
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise StoreError(f"the mart {address}: found a database in {encoding}, expected UTF8: create it so")
        yield connection


@contextmanager
def only_writer(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """Be the only one who writes a mart in this database while the block runs."""
    # The lock is one of the session: a killed sync holds it until the server notices, and the next one waits for that.
    connection.execute("SELECT pg_advisory_lock(%s)", [WRITER_LOCK])
    try:
        yield
    finally:
        if not connection.broken and not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", [WRITER_LOCK])


@contextmanager
def _errors(address: MartAddress) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        message = f"the mart {address}: {address.without_secrets(_reason(error))}"
        # Not chained: the driver's message quotes rows, and a traceback would print them.
        raise StoreError(
            f"{message}. What it held before is unchanged; `engang mart sync` goes on from there"
        ) from None


def _reason(error: "psycopg.Error") -> str:
    """Return what went wrong: PostgreSQL's message only where it can quote no cell."""
    if error.sqlstate is None:
        lines = str(error).splitlines() or [type(error).__name__]
        return lines[0]
    found = error.diag
    place = " of ".join(name for name in (found.constraint_name, found.table_name) if name)
    text = found.message_primary if error.sqlstate[:2] in _SHOWN_CLASSES else type(error).__name__
    return f"{text} ({error.sqlstate}{f', {place}' if place else ''})"
