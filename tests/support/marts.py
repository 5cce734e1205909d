"""Marts compared: with the release that they hold, row for row, and with each other."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from flows.disclosure.withheld import without_small_counts
from flows.installation import Installation
from flows.mart.release_rows import ReleaseRows
from flows.mart.sync import MartSync, sync
from flows.releases import find_release, read_table
from infra.mart.connection import MartAddress
from infra.mart.star import STAR, VIEWS

Row = tuple[Any, ...]


def synced(installation: Installation, url: str, number: int | None = None) -> MartSync:
    """Bring a mart to a release, and see that it is that release."""
    done = sync(installation, MartAddress(url, "a test's"), number)
    assert_is_release(installation, url, number)
    return done


def assert_is_release(installation: Installation, url: str, number: int | None = None) -> None:
    """See that every view holds the rows that the release publishes, each as often, no other, and no small count."""
    release = find_release(installation, number)
    rows = ReleaseRows(installation, release)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT release, digest FROM engang.mart").fetchall() == [
            (release["release"], release["digest"])
        ]
        for name, columns in rows.star.published.items():
            found = connection.execute(every_row(VIEWS, name))
            assert [c.name for c in found.description or ()] == [c.name for c in columns], name
            published = without_small_counts(read_table(installation, name, release), name, rows.small)
            published = published.select(c.name for c in columns).collect()
            assert counted(found) == counted(published.rows(), json_at(rows, name)), name
        wide = connection.execute("SELECT count(*), count(concept_nb IS NULL) FROM engang.observations_wide").fetchone()
        assert wide == (read_table(installation, "observations", release).collect().height,) * 2


def every_row(schema: str, table: str) -> sql.Composed:
    """Return the query of all rows of a table or view."""
    return sql.SQL("SELECT * FROM {}").format(sql.Identifier(schema, table))


def json_at(rows: ReleaseRows, name: str) -> set[int]:
    """Return the places of the columns that are jsonb in the mart."""
    columns = [c.name for c in rows.star.published[name]]
    return {n for n, column in enumerate(columns) if str(rows.star.table(name).c[column].type) == "JSONB"}


def counted(rows: Iterable[Row], parsed: Iterable[int] = ()) -> Counter[str]:
    """Return how often each row is there, as text that does not depend on the order of a JSON object's keys."""
    at = set(parsed)
    return Counter(
        repr(
            [
                json.dumps(json.loads(v) if n in at and v is not None else v, sort_keys=True, default=str)
                for n, v in enumerate(row)
            ]
        )
        for row in rows
    )


def everything(url: str) -> dict[str, Counter[str]]:
    """Return all rows of all tables of the star, but for when it was synced and how its sources are numbered."""
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [STAR]).fetchall()
        tables = {name: connection.execute(every_row(STAR, name)).fetchall() for (name,) in names if name != "sync"}
    return {name: counted(row[:-1] if name == "sources" else row for row in rows) for name, rows in tables.items()}
