"""What a mart holds: the release, recorded in the same transaction as its rows; and how far a load has come."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

CREATE_SYNC: Final = """CREATE TABLE sync (
    "release" integer NOT NULL, identity text NOT NULL, layout text NOT NULL, tables jsonb NOT NULL,
    digest text NOT NULL, published_at timestamp NOT NULL, synced_at timestamptz NOT NULL DEFAULT now(), views text)"""
CREATE_PROGRESS: Final = "CREATE TABLE progress (part text PRIMARY KEY)"


@dataclass(frozen=True)
class MartState:
    """Which release a mart holds, or is being loaded with.

    identity: the digest of what distinguishes this release from one of the same number in another home. layout: of the
    tables' declaration. tables: the versions of the release's tables. synced_at: when; None for a state not reached.
    """

    release: int
    identity: str
    layout: str
    tables: Mapping[str, int]
    digest: str
    published_at: datetime
    synced_at: datetime | None = None

    def same_as(self, other: "MartState | None") -> bool:
        """Return whether both are of the same rows in the same tables."""
        mine = (self.release, self.identity, self.layout, dict(self.tables))
        return other is not None and mine == (other.release, other.identity, other.layout, dict(other.tables))


def identity_of(release: Mapping[str, Any]) -> str:
    """Return what distinguishes a release of the ledger from every other one, of this home or another."""
    fields = [str(release[name]) for name in ("release", "digest", "published_at", "run_id")]
    return hashlib.sha256("\0".join(fields).encode()).hexdigest()


def read_state(connection: "Connection[Any]", schema: str) -> MartState | None:
    """Return what the tables in a schema hold, None where there are none."""
    if connection.execute("SELECT to_regclass(%s)", [f"{schema}.sync"]).fetchone() == (None,):
        return None
    from psycopg.errors import UndefinedColumn

    columns = '"release", identity, layout, tables, digest, published_at, synced_at'
    try:
        row = connection.execute(f"SELECT {columns} FROM {schema}.sync".encode()).fetchone()  # noqa: S608  our names
    except UndefinedColumn:  # of another version of Engang
        return None
    return MartState(*row) if row else None


def write_state(cursor: "Cursor[Any]", state: MartState) -> None:
    """Record what the tables hold from this transaction on."""
    cursor.execute("DELETE FROM sync")
    cursor.execute(
        'INSERT INTO sync ("release", identity, layout, tables, digest, published_at) VALUES (%s, %s, %s, %s, %s, %s)',
        [state.release, state.identity, state.layout, json.dumps(dict(state.tables)), state.digest, state.published_at],
    )


def loaded_parts(connection: "Connection[Any]", schema: str) -> set[str]:
    """Return the parts of a load that are done."""
    return {str(part) for (part,) in connection.execute(f"SELECT part FROM {schema}.progress".encode())}  # noqa: S608
