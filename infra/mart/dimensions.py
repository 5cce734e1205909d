"""The dimensions that follow from the facts: each is made complete, and rid of what no fact names any more.

A transaction notes which keys its facts touched (`begin_noting`, `note_items`, `note_sources`, `note_rewritten`), and
at its end `complete_dimensions` looks at these alone. The first load touches all of them: both lead to the same rows.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from infra.mart.copying import copy_frames
from infra.mart.star import Star
from schemas.claims import EXPORTED_SUBMISSION, frame_schema

if TYPE_CHECKING:
    from psycopg import Cursor

ReadSubmissions = Callable[[list[str]], pl.DataFrame]
_NOTED: Final = {
    "_touched_concepts": "concept text",
    "_touched_units": "unit_key text",
    "_touched_periods": "period_start date, period_end date",
    "_touched_duties": "obligation text, contract text",
    "_touched_submissions": "submission_id text",
}
ITEM_KEYS: Final = "concept, unit_key, period_start, period_end"
SOURCE_KEYS: Final = "submission_id, obligation, contract"
_LABEL: Final = """CASE
    WHEN t.period_start = date_trunc('year', t.period_start) AND t.period_end = t.period_start + interval '1 year'
        THEN to_char(t.period_start, 'YYYY')
    WHEN t.period_start = date_trunc('quarter', t.period_start) AND t.period_end = t.period_start + interval '3 months'
        THEN to_char(t.period_start, 'YYYY"-Q"Q')
    WHEN t.period_start = date_trunc('month', t.period_start) AND t.period_end = t.period_start + interval '1 month'
        THEN to_char(t.period_start, 'YYYY-MM')
    WHEN t.period_end = t.period_start + 1 THEN to_char(t.period_start, 'YYYY-MM-DD')
    ELSE to_char(t.period_start, 'YYYY-MM-DD') || '/' || to_char(t.period_end - 1, 'YYYY-MM-DD') END"""


def begin_noting(cursor: "Cursor[Any]") -> None:
    """Begin to note which keys of dimensions the facts of this transaction touch."""
    for name, columns in _NOTED.items():
        cursor.execute(f"CREATE TEMPORARY TABLE {name} ({columns}) ON COMMIT DROP".encode())


def note_items(cursor: "Cursor[Any]", rows: str) -> None:
    """Note the keys of observations; `rows` is a table, or a join of some."""
    _note(cursor, "_touched_concepts", "concept", rows)
    _note(cursor, "_touched_units", "unit_key", rows)
    _note(cursor, "_touched_periods", "period_start, period_end", rows)


def note_sources(cursor: "Cursor[Any]", rows: str) -> None:
    """Note the keys of the claims behind items, as `note_items` does."""
    _note(cursor, "_touched_submissions", "submission_id", rows)
    _note(cursor, "_touched_duties", "obligation, contract", rows)


def note_rewritten(cursor: "Cursor[Any]", name: str) -> None:
    """Note every row of a published dimension that is about to be written whole."""
    if name == "concepts":
        _note(cursor, "_touched_concepts", "concept", "concepts")
    elif name == "obligations":
        _note(cursor, "_touched_duties", "obligation, contract", "obligations")
    elif name == "units":
        _note(cursor, "_touched_units", "unit_key", "reporting_units")


def complete_dimensions(
    cursor: "Cursor[Any]", star: Star, read_submissions: ReadSubmissions, *, register: bool
) -> None:
    """Make the dimensions hold what the facts name and the release describes, and nothing else.

    register: whether the table `units` was written.
    """
    sources = tuple(group.sources for group in star.groups)
    _complete_marked(cursor, "concepts", "_touched_concepts", ("concept",), ("observations",))
    _complete_marked(cursor, "obligations", "_touched_duties", ("obligation", "contract"), sources)
    _complete_units(cursor, register=register)
    _complete_periods(cursor)
    _complete_submissions(cursor, sources, read_submissions)


def _note(cursor: "Cursor[Any]", noted: str, keys: str, rows: str) -> None:
    cursor.execute(f"INSERT INTO {noted} SELECT DISTINCT {keys} FROM {rows}".encode())  # noqa: S608  names of ours


def _exists(tables: tuple[str, ...], keys: tuple[str, ...]) -> str:
    """Return the condition that a fact names what was noted as `t`."""
    found = []
    for table in tables:
        same = " AND ".join(f"f.{key} = t.{key}" for key in keys)
        found.append(f'EXISTS (SELECT FROM "{table}" f WHERE {same})')
    return f"({' OR '.join(found)})"


def _complete_marked(
    cursor: "Cursor[Any]", table: str, noted: str, keys: tuple[str, ...], facts: tuple[str, ...]
) -> None:
    """Add rows, not described, for what facts name; delete those of them that no fact names."""
    names, same = ", ".join(keys), " AND ".join(f"d.{key} = t.{key}" for key in keys)
    distinct = f"(SELECT DISTINCT {names} FROM {noted}) t"  # noqa: S608  names of ours, here and below
    cursor.execute(
        f"INSERT INTO {table} ({names}, described) SELECT t.*, false FROM {distinct} "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT FROM {table} d WHERE {same}) AND {_exists(facts, keys)}".encode()
    )
    cursor.execute(
        f"DELETE FROM {table} d USING {distinct} "  # noqa: S608
        f"WHERE {same} AND NOT d.described AND NOT {_exists(facts, keys)}".encode()
    )


def _complete_units(cursor: "Cursor[Any]", *, register: bool) -> None:
    insert = "INSERT INTO reporting_units (unit_id, kind, code, name, parent_id, provisional) SELECT DISTINCT ON"
    if register:
        cursor.execute(
            f"DELETE FROM reporting_units; {insert} (unit_key) unit_id, kind, code, name, parent_id, false "  # noqa: S608
            "FROM units ORDER BY unit_key, valid_to DESC NULLS FIRST, valid_from DESC, "
            'kind COLLATE "C", code COLLATE "C", name COLLATE "C", parent_id COLLATE "C"'.encode()
        )
    cursor.execute(
        "DELETE FROM reporting_units r USING (SELECT DISTINCT unit_key FROM _touched_units) t "
        "WHERE r.unit_key = t.unit_key AND r.provisional"
    )
    cursor.execute(
        f"{insert} (unit_key) unit_id, unit_kind, unit_code, unit_name, NULL, true FROM observations "  # noqa: S608
        "WHERE unit_key IN (SELECT unit_key FROM _touched_units EXCEPT SELECT unit_key FROM reporting_units) "
        'ORDER BY unit_key, period_start DESC, period_end DESC, item_id COLLATE "C"'.encode()
    )


def _complete_periods(cursor: "Cursor[Any]") -> None:
    keys = ("period_start", "period_end")
    referred, same = _exists(("observations",), keys), "d.period_start = t.period_start AND d.period_end = t.period_end"
    distinct = "(SELECT DISTINCT period_start, period_end FROM _touched_periods) t"
    parts = ", ".join(f"extract({part} FROM t.period_start)::integer" for part in ("year", "quarter", "month"))
    cursor.execute(
        f"INSERT INTO periods SELECT t.period_start, t.period_end, {parts}, t.period_end - t.period_start, {_LABEL} "  # noqa: S608
        f"FROM {distinct} WHERE NOT EXISTS (SELECT FROM periods d WHERE {same}) AND {referred}".encode()
    )
    cursor.execute(f"DELETE FROM periods d USING {distinct} WHERE {same} AND NOT {referred}".encode())  # noqa: S608


def _complete_submissions(
    cursor: "Cursor[Any]", fact_tables: tuple[str, ...], read_submissions: ReadSubmissions
) -> None:
    referred, same = _exists(fact_tables, ("submission_id",)), "d.submission_id = t.submission_id"
    distinct = "(SELECT DISTINCT submission_id FROM _touched_submissions) t"
    cursor.execute(
        f"SELECT t.submission_id FROM {distinct} "  # noqa: S608
        f"WHERE NOT EXISTS (SELECT FROM submissions d WHERE {same}) AND {referred}".encode()
    )
    ids = [str(row[0]) for row in cursor.fetchall()]
    if ids:
        columns = frame_schema(EXPORTED_SUBMISSION)
        copy_frames(cursor, "submissions", columns, [read_submissions(ids).cast(columns)])
    cursor.execute(f"DELETE FROM submissions d USING {distinct} WHERE {same} AND NOT {referred}".encode())  # noqa: S608
