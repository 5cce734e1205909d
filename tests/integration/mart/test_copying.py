"""Frames copied to PostgreSQL come back as they were, whatever their texts."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl
import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.mart.copying import copy_frames

ODD = ["", "\\N", "\\.", "a\n\\.\nb", "\t\r\n", '"', '{"a\\b"}', "NULL", "null", "ø\u2028", "'; DROP TABLE t", "%s"]
"""Texts that COPY, an array or CSV could take for something else."""
TABLE = """CREATE TEMPORARY TABLE t (n integer, "text" text, texts text[], numbers integer[], value numeric(38, 9),
    day date, at timestamp, yes boolean, x double precision)"""
SCHEMA: dict[str, Any] = {
    "n": pl.Int32, "text": pl.String, "texts": pl.List(pl.String), "numbers": pl.List(pl.Int32),
    "value": pl.Decimal(38, 9), "day": pl.Date, "at": pl.Datetime("us"), "yes": pl.Boolean, "x": pl.Float64,
}  # fmt: skip
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
texts = st.one_of(st.none(), st.sampled_from(ODD), st.text(characters, max_size=5))


def copied(connection: psycopg.Connection, frame: pl.DataFrame) -> list[tuple[object, ...]]:
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(TABLE.encode())
        assert copy_frames(cursor, "t", frame.columns, [frame, frame.clear()]) == frame.height
        return cursor.execute("SELECT * FROM t ORDER BY n").fetchall()


@settings(max_examples=25)
@given(rows=st.lists(st.tuples(texts, st.one_of(st.none(), st.lists(texts, max_size=3))), min_size=1, max_size=6))
def test_any_text(new_postgresql: Callable[[], str], rows: list[tuple[str | None, list[str | None] | None]]) -> None:
    numbered = [(n, text, several, None, None, None, None, None, None) for n, (text, several) in enumerate(rows)]
    with psycopg.connect(_database(new_postgresql)) as connection:
        assert copied(connection, pl.DataFrame(numbered, SCHEMA, orient="row")) == numbered


def test_every_type(new_postgresql: Callable[[], str]) -> None:
    last = Decimal("1234567890123456789012345678.123456789")
    rows = [
        (0, "NUL: \0", [], [1, None], last, dt.date(2024, 2, 29), dt.datetime(2024, 1, 2, 3, 4, 5, 6), True, 1e-300),
        (1, None, None, None, None, None, None, None, None),
        (2, "", [None, ""], [], -last, dt.date(1, 1, 1), dt.datetime(9999, 12, 31), False, float("inf")),
    ]  # fmt: skip
    with psycopg.connect(_database(new_postgresql)) as connection:
        found = copied(connection, pl.DataFrame(rows, SCHEMA, orient="row"))
    assert found == [(0, "NUL: \u2400", *rows[0][2:]), *rows[1:]], "PostgreSQL's text holds no NUL"


_DATABASES: list[str] = []


def _database(new_postgresql: Callable[[], str]) -> str:
    if not _DATABASES:
        _DATABASES.append(new_postgresql())
    return _DATABASES[0]
