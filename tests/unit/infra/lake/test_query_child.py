"""What a query may ask: one SELECT over the tables that it is given, and nothing of the machine or of our settings."""

from collections.abc import Iterator
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from infra.lake import query_child
from infra.lake.duckdb_views import Source, View, _create_view, _sql_type
from infra.lake.query_child import RefusedQueryError, Request
from schemas.claims import Column

LIMITS: Request = {
    "sql": "", "memory": 10**8, "seconds": 9, "rows": 100, "views": [], "files": [], "frames": [], "datasets": [],
}  # fmt: skip


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that is locked down over two views, one of which has the name of a system table."""
    with duckdb.connect() as opened:
        opened.execute("CREATE VIEW observations AS SELECT 1 AS item_id, 'x' AS unit")
        opened.execute("CREATE VIEW pg_class AS SELECT 2 AS n")
        query_child._lock_down(opened, ["/there/it's.parquet"])  # noqa: SLF001
        yield opened


@pytest.mark.parametrize(
    "sql",
    [
        "FROM observations", "TABLE observations", "SELECT * FROM OBSERVATIONS o JOIN observations p USING (item_id)",
        "FROM main.observations", "FROM memory.main.observations", "VALUES (1)", "SHOW TABLES", "SHOW ALL TABLES",
        "DESCRIBE observations", "SUMMARIZE observations", "SELECT * FROM (DESCRIBE observations)", "SELECT 1;",
        "FROM range(3)", "FROM generate_series(1, 3)", "FROM unnest([1, 2])", "FROM repeat(1, 2)",
        """FROM json_each('{"a": 1}')""", "WITH range AS (SELECT 7 AS n) FROM range",
        "FROM observations PIVOT (count(*) FOR unit IN ('x'))", "SELECT (SELECT max(item_id) FROM observations)",
        "SELECT 'SELECT current_setting' AS duckdb_settings -- current_setting('x')", "FROM pg_class",
    ],
)  # fmt: skip
def test_what_only_reads_the_tables_is_run(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    query_child._refuse_unsafe(connection, sql)  # noqa: SLF001
    assert connection.sql(sql).fetchall()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("FROM duckdb_settings()", "duckdb_settings()"),
        ("FROM duckdb_views", "duckdb_views"),
        ("FROM sqlite_master", "sqlite_master"),
        ("FROM information_schema.tables", "information_schema.tables"),
        ("FROM system.information_schema.tables", "system.information_schema.tables"),
        ("FROM pg_catalog.pg_class", "pg_catalog.pg_class"),
        ("FROM temp.observations", "temp.observations"),
        ("SHOW duckdb_settings", "duckdb_settings"),
        ("SHOW databases", '"databases"'),
        ("SUMMARIZE duckdb_views", "duckdb_views"),
        ("FROM query('SELECT 1')", "query()"),
        ("FROM query_table('observations')", "query_table()"),
        ("FROM read_text('/there/it''s.parquet')", "read_text()"),
        ("FROM READ_CSV('/etc/passwd')", "read_csv()"),
        ("FROM glob('/*')", "glob()"),
        ("FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", "json_execute_serialized_sql()"),
        ("FROM pragma_table_info('observations')", "pragma_table_info()"),
        ("FROM enable_logging()", "enable_logging()"),
        ("SELECT current_setting('allowed_paths')", "current_setting()"),
        ("SELECT Current_Setting('allowed_paths')", "current_setting()"),
        ("SELECT pg_get_viewdef('observations')", "pg_get_viewdef()"),
        ("SELECT write_log('x')", "write_log()"),
        ("WITH t AS (SELECT [x FOR x IN [current_setting('threads')]] AS l) FROM t", "current_setting()"),
        ("SELECT 1 WHERE EXISTS (FROM duckdb_settings())", "duckdb_settings()"),
        ("SELECT 1 ORDER BY (SELECT count(*) FROM duckdb_views)", "duckdb_views"),
        ("SELECT 1 UNION ALL SELECT count(*) FROM duckdb_views", "duckdb_views"),
    ],
)
def test_what_reveals_the_machine_is_named_and_refused(
    connection: duckdb.DuckDBPyConnection, sql: str, found: str
) -> None:
    with pytest.raises(RefusedQueryError) as caught:
        query_child._refuse_unsafe(connection, sql)  # noqa: SLF001
    assert str(caught.value) == query_child.SYSTEM_TABLE.format(found)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY observations TO 'x.csv'", "WITH x AS (SELECT 1) COPY (SELECT 1) TO 'x.csv'", "SELECT 1; SELECT 2", "",
        "CREATE TABLE t AS SELECT 1", "ATTACH 'x.db'", "INSTALL httpfs", "SET threads = 1", "PRAGMA database_list",
        "EXPLAIN ANALYZE SELECT 1", "RESET threads", "CALL pragma_version()", "SELECT", "FROM '/etc/passwd'",
        "DROP VIEW observations", "SELECT * FROM absent", "EXPORT DATABASE 'x'", "SELECT nextval('x')",
    ],
)  # fmt: skip
def test_what_is_no_single_select_of_what_there_is_is_refused(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    with pytest.raises((duckdb.Error, RefusedQueryError)):
        query_child._refuse_unsafe(connection, sql)  # noqa: SLF001


def test_no_setting_changes_after_the_lock(connection: duckdb.DuckDBPyConnection) -> None:
    for statement in ("SET enable_external_access = true", "SET allowed_paths = ['/']", "SET temp_directory = '/x'"):
        with pytest.raises(duckdb.Error, match=r"locked|cannot be changed|disabled"):
            connection.execute(statement)


@pytest.mark.parametrize(
    ("names", "distinct"),
    [
        (["a", "b"], ["a", "b"]),
        (["a", "a", "a"], ["a", "a_1", "a_2"]),
        (["a_1", "a", "a"], ["a_1", "a", "a_2"]),
        (["a", "a", "a_1"], ["a", "a_1", "a_1_1"]),
        (["A", "a"], ["A", "a"]),
        ([], []),
    ],
)
def test_columns_that_repeat_are_numbered(names: list[str], distinct: list[str]) -> None:
    assert query_child._distinct(names) == distinct  # noqa: SLF001


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (pa.ArrowException(f"{query_child.STREAM_ERROR}x': 404"), "s3"),
        (MemoryError(), "memory"),
        (duckdb.OutOfMemoryException("x"), "memory"),
        (pa.ArrowException("Out of Memory Error: x"), "memory"),
        (duckdb.IOException("x"), "store"),
        (pa.ArrowException("IO Error: x"), "store"),
        (duckdb.BinderException("x"), "usage"),
        (pa.ArrowException("x"), "usage"),
    ],
)
def test_an_error_is_about_the_query_its_memory_or_the_lake(error: Exception, kind: str) -> None:
    assert query_child._kind(error) == kind  # noqa: SLF001


def reader(rows: int, batch: int, text: str = "x") -> Any:
    table = pa.table({"a": [text] * rows})
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=batch))


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_a_result_has_at_most_so_many_rows(batch: int) -> None:
    whole = list(query_child._limited(reader(100, batch), LIMITS))  # noqa: SLF001
    assert sum(part.num_rows for part in whole) == 100
    with pytest.raises(
        RefusedQueryError, match=r"its result has more than 100 rows \(ENGANG_QUERY_ROWS\): add a LIMIT"
    ):
        list(query_child._limited(reader(101, batch), LIMITS))  # noqa: SLF001


def test_a_result_takes_at_most_a_quarter_of_the_memory() -> None:
    small: Request = {**LIMITS, "memory": 4 * 1000}
    assert list(query_child._limited(reader(9, 1, "x" * 50), small))  # noqa: SLF001
    with pytest.raises(RefusedQueryError, match=r"takes more than a quarter of 4000 bytes \(ENGANG_QUERY_MEMORY\)"):
        list(query_child._limited(reader(50, 1, "x" * 50), small))  # noqa: SLF001


COLUMNS = (
    Column("item_id", pl.String, "x"), Column("value", pl.Decimal(28, 9), "x"),
    Column("parts", pl.List(pl.String), "x"), Column("at", pl.Datetime("us"), "x"), Column("n", pl.Int64, "x"),
)  # fmt: skip


def columns_of(view: View) -> list[tuple[str, str]]:
    with duckdb.connect() as opened:
        opened.execute("CREATE TABLE data AS SELECT 'i' AS item_id, 1.5::DECIMAL(28, 9) AS value, 3 AS release")
        opened.execute("CREATE TABLE gone AS SELECT 'i' AS item_id, 4 AS _until")
        opened.execute(_create_view(view))
        rows = opened.execute(f'FROM "{view.name}"')
        return [(name, str(type_)) for name, type_, *_ in rows.description or ()]


def test_a_view_has_all_columns_whether_or_not_they_are_stored() -> None:
    expected = ["item_id", "value", "parts", "at", "n"]
    stored = View("observations", COLUMNS, Source("data", [], []), {"item_id", "value"}, None)
    absent = View("observations_at_3", COLUMNS, None, (), None)
    for view in (stored, absent):
        assert [name for name, _ in columns_of(view)] == expected
    assert columns_of(stored) == columns_of(absent)


@pytest.mark.parametrize(("retired", "rows"), [(None, 1), ("gone", 0)])
def test_a_row_that_was_retired_later_than_it_came_is_not_shown(retired: str | None, rows: int) -> None:
    view = View("v", COLUMNS, Source("data", [], []), {"item_id", "value"}, retired)
    with duckdb.connect() as opened:
        opened.execute("CREATE TABLE data AS SELECT 'i' AS item_id, 1.5::DECIMAL(28, 9) AS value, 3 AS release")
        opened.execute("CREATE TABLE gone AS SELECT 'i' AS item_id, 4 AS _until")
        opened.execute(_create_view(view))
        assert len(opened.execute("FROM v").fetchall()) == rows


@pytest.mark.parametrize(
    ("dtype", "sql"),
    [
        (pl.String, "VARCHAR"), (pl.Int64, "BIGINT"), (pl.Int16, "SMALLINT"), (pl.Datetime("us"), "TIMESTAMP"),
        (pl.List(pl.Decimal(28, 9)), "DECIMAL(28, 9)[]"), (pl.List(pl.List(pl.Date)), "DATE[][]"),
        (pl.Boolean, "BOOLEAN"),
    ],
)  # fmt: skip
def test_each_dtype_is_a_type_of_duckdb(dtype: Any, sql: str) -> None:
    assert _sql_type(dtype) == sql
