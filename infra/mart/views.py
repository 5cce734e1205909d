"""The views that others build on: the tables of a release by name, and observations with what they refer to.

A view is replaced in place, so that what was built on it goes on, unless a column of it went or has another type.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from infra.mart.ddl import comment, literal, quoted
from infra.mart.star import DERIVED_TABLES, MARKED, STAR, VIEWS, Star
from schemas.errors import StoreError

if TYPE_CHECKING:
    from psycopg import Cursor

WIDE: Final = "observations_wide"
LONGEST_NAME: Final = 50
"""Bytes of a dimension's name, above which it has no column: PostgreSQL would cut it."""
MOST_DIMENSIONS: Final = 500
"""Dimensions that have a column: PostgreSQL takes 1,600 columns."""
_BY: Final = "by_"
_WIDE_COLUMNS: Final = (
    ("o", ("item_id", "concept")),
    ("c", ("title_nb", "title_nn", "title_en")),
    ("o", ("unit_id", "unit_kind", "unit_code", "unit_name", "period_start", "period_end")),
    ("p", ("year", "quarter", "month", "label")),
    ("o", ("unit_measure", "value", "decimals", "obs_status", "conf_status", "agreement", "reports", "reporters")),
    ("o", ("release", "breakdown")),
)
_RENAMED: Final = {"label": "period", **{f"title_{code}": f"concept_{code}" for code in ("nb", "nn", "en")}}
_TABLE_OF: Final = {"o": "observations", "c": "concepts", "p": "periods"}


Statements = dict[str, list[str]]
"""Of each view its query, and the statements that describe it."""


@contextmanager
def views_of_others() -> Iterator[None]:
    """Raise `StoreError` where a view, table or column goes that somebody's own views hang on."""
    from psycopg.errors import DependentObjectsStillExist

    try:
        yield
    except DependentObjectsStillExist:
        message = "the mart is unchanged: a table, view or column would go, and views of others hang on it"
        raise StoreError(f"{message}. Build on the views of the schema {VIEWS}, drop those, and sync again") from None


def known_views(cursor: "Cursor[Any]") -> Statements:
    """Return the views that the mart made last."""
    if cursor.execute("SELECT to_regclass(%s)", [f"{STAR}.sync"]).fetchone() == (None,):
        return {}
    row = cursor.execute(f"SELECT views FROM {STAR}.sync".encode()).fetchone()  # noqa: S608  names of ours
    return dict(json.loads(row[0])) if row and row[0] else {}


def replace_views(cursor: "Cursor[Any]", star: Star, known: Statements, *, changed: bool = False) -> None:
    """Make every view select from the tables that are there now, and drop those of `known` that there are no more.

    changed: leave those alone whose statement is that of `known`.
    """
    cursor.execute(f"SET LOCAL search_path = {STAR}".encode())
    statements = {**_table_views(star), WIDE: _wide_view(star, _dimensions(cursor))}
    for name in known.keys() - statements.keys():
        cursor.execute(f"DROP VIEW IF EXISTS {VIEWS}.{quoted(name)}".encode())
    for name, statement in statements.items():
        if not changed or known.get(name) != statement:
            _replace(cursor, name, statement)
    cursor.execute(f"UPDATE {STAR}.sync SET views = %s".encode(), [json.dumps(statements)])  # noqa: S608


def _replace(cursor: "Cursor[Any]", name: str, statements: list[str]) -> None:
    import psycopg

    view, (select, *comments) = f"{VIEWS}.{quoted(name)}", statements
    try:
        with cursor.connection.transaction():
            cursor.execute(f"CREATE OR REPLACE VIEW {view} AS {select}".encode())
    except psycopg.errors.InvalidTableDefinition:  # a column that is not one more at the end
        cursor.execute(f"DROP VIEW {view}; CREATE VIEW {view} AS {select}".encode())
    cursor.execute(";\n".join(comments).encode())


def _dimensions(cursor: "Cursor[Any]") -> list[str]:
    """Return the dimensions of breakdowns that get a column: those that have one first, in its place."""
    cursor.execute("SELECT DISTINCT dimension FROM dimensions")
    known = {str(name) for (name,) in cursor.fetchall() if len(str(name).encode()) <= LONGEST_NAME}
    cursor.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND NOT attisdropped ORDER BY attnum",
        [f"{VIEWS}.{WIDE}"],
    )
    present = [str(name).removeprefix(_BY) for (name,) in cursor.fetchall() if str(name).startswith(_BY)]
    remaining = [name for name in present if name in known]
    return [*remaining, *sorted(known - set(remaining))][:MOST_DIMENSIONS]


def _table_views(star: Star) -> Statements:
    statements = {}
    for name, columns in {**star.published, **DERIVED_TABLES}.items():
        table = star.table(name)
        only = " WHERE described" if name in MARKED else ""
        listed = ", ".join(quoted(column.name) for column in columns)
        comments = {column.name: table.c[column.name].comment or "" for column in columns}
        query = f"SELECT {listed} FROM {quoted(name)}{only}"  # noqa: S608  names of ours
        statements[name] = [query, *_comments(name, table.comment or "", comments)]
    about = "The release that the mart holds, and since when"
    state = 'SELECT "release", digest, published_at, synced_at FROM sync'
    return {**statements, "mart": [state, *_comments("mart", about, {})]}


def _wide_view(star: Star, dimensions: list[str]) -> list[str]:
    selected, comments = [], {}
    for alias, names in _WIDE_COLUMNS:
        for name in names:
            shown = _RENAMED.get(name, name)
            selected.append(f"{alias}.{quoted(name)} AS {quoted(shown)}")
            comments[shown] = star.table(_TABLE_OF[alias]).c[name].comment or ""
    selected += ["u.name AS unit_name_now", "above.name AS parent_name"]
    comments |= {"unit_name_now": "The reporting unit's newest name", "parent_name": "The unit of which it is a part"}
    for name in dimensions:
        selected.append(f"o.breakdown ->> {literal(name)} AS {quoted(f'{_BY}{name}')}")
        comments[f"{_BY}{name}"] = f"Its breakdown by {name}; null without one"
    query = (
        f"SELECT {', '.join(selected)} FROM observations o JOIN concepts c USING (concept) "  # noqa: S608
        "JOIN periods p USING (period_start, period_end) JOIN reporting_units u USING (unit_key) "
        "LEFT JOIN reporting_units above ON above.unit_key = u.parent_id"
    )
    about = "Observations with what they refer to, and a column for each dimension of breakdowns"
    return [query, *_comments(WIDE, about, comments)]


def _comments(name: str, about: str, columns: dict[str, str]) -> Iterator[str]:
    return comment("VIEW", f"{VIEWS}.{quoted(name)}", about, columns)
