"""The process that runs one query in DuckDB: it sees the tables that it is given, and nothing else of the machine.

`infra.lake.query_process` starts it and ends it. Standard input holds a line of JSON (`Request`) and the frames;
standard output gets a line of JSON (the error, or null) and the rows as an Arrow stream.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypedDict

import duckdb
import pyarrow as pa

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

MARGIN_BYTES: Final = 2**30
"""Address space beyond the memory limit: programs, thread stacks, what is reserved and not used."""
BATCH_ROWS: Final = 10_000
FUNCTIONS: Final = {"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"}
"""The table functions that a query may call: they make rows of their arguments only."""
STREAM_ERROR: Final = "reading the stream registered as '_lake_"
"""Start of DuckDB's message when the dataset of a table on S3 fails."""
REVEALING_FUNCTIONS: Final = {"current_setting", "pg_get_viewdef", "write_log"}
"""Functions whose result is a setting or a path of the machine."""
SHOWABLE: Final = {'"tables"', "__show_tables_expanded"}
SYSTEM_TABLE: Final = (
    "the query failed: it reads the tables of the release and of the ledger: found {}, which is none of them"
)


class Request(TypedDict):
    """One query: its SQL, its limits, and what it may read.

    views: SQL that creates each. files: the paths that the views read. frames: the name and size of each frame that
    follows, as Arrow streams. datasets: name, and the pickled place, table and version of a table on S3.
    """

    sql: str
    memory: int
    seconds: int
    rows: int
    views: list[str]
    files: list[str]
    frames: list[tuple[str, int]]
    datasets: list[tuple[str, str]]


class RefusedQueryError(Exception):
    """The query asks for more than it may: the message is for the person who wrote it."""


def main() -> None:
    """Run the query of standard input, write its rows to standard output, and end."""
    request: Request = json.loads(sys.stdin.buffer.readline())
    _limit_process(request)
    connection = duckdb.connect()
    try:
        rows = _run(connection, request, sys.stdin.buffer)
    except RefusedQueryError as error:
        _answer("usage", str(error))
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        kind = _kind(error)
        _answer(kind, f"the query failed: {error}" if kind == "usage" else str(error))
    else:
        _answer(None, "", rows)
    os._exit(0)  # nothing to clean up, and DuckDB's own end may wait for threads


def _kind(error: Exception) -> str:
    """Return what an error is about: the query (`usage`), its `memory`, a table on `s3`, or the lake (`store`).

    An error of DuckDB arrives as one of Arrow, with the same message, once the first rows are read.
    """
    text = str(error)
    if STREAM_ERROR in text:
        return "s3"
    if isinstance(error, MemoryError | duckdb.OutOfMemoryException) or "Out of Memory Error" in text:
        return "memory"
    return "store" if isinstance(error, duckdb.IOException) or "IO Error" in text else "usage"


def _limit_process(request: Request) -> None:
    """Let the system end this process when its time is over, even if the process that started it is dead."""
    # An alarm whose signal has its default effect needs no Python code to run: it ends DuckDB in any state.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(request["seconds"] + 1)
    most = request["memory"] + MARGIN_BYTES
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _run(connection: duckdb.DuckDBPyConnection, request: Request, source: BinaryIO) -> list[pa.RecordBatch]:
    connection.execute(f"SET memory_limit = '{request['memory']}B'")
    for name, size in request["frames"]:
        connection.register(name, pa.ipc.open_stream(source.read(size)).read_all())
    for name, place in request["datasets"]:
        connection.register(name, _dataset(place))
    for view in request["views"]:
        connection.execute(view)
    _lock_down(connection, request["files"])
    _refuse_unsafe(connection, request["sql"])
    reader = connection.sql(request["sql"]).to_arrow_reader(BATCH_ROWS)
    schema = pa.schema([f.with_name(n) for f, n in zip(reader.schema, _distinct(reader.schema.names), strict=True)])
    # A result without rows has columns too. `from_pylist` would import pandas, half of what a query costs.
    empty = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
    return [empty, *(batch.rename_columns(schema.names) for batch in _limited(reader, request))]


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names of columns, those that repeat numbered: a, a_1."""
    found: list[str] = []
    for name in names:
        number, chosen = 0, name
        while chosen in found:
            number += 1
            chosen = f"{name}_{number}"
        found.append(chosen)
    return found


def _limited(reader: pa.RecordBatchReader, request: Request) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a result; raise `RefusedQueryError` once it has too many rows or bytes."""
    rows = size = 0
    for batch in reader:
        rows += batch.num_rows
        size += batch.nbytes
        if rows > request["rows"]:
            limit = f"the query failed: its result has more than {request['rows']} rows (ENGANG_QUERY_ROWS)"
            raise RefusedQueryError(
                f"{limit}: add a LIMIT, or sum up in the query; `engang export` writes whole tables"
            )
        if size > request["memory"] // 4:
            limit = f"a quarter of {request['memory']} bytes (ENGANG_QUERY_MEMORY)"
            wrong = f"the query failed: its result takes more than {limit}"
            raise RefusedQueryError(f"{wrong}: select fewer rows or columns; `engang export` writes whole tables")
        yield batch


def _dataset(place: str) -> "Dataset":
    """Return the dataset of a table on S3."""
    import pickle  # only for a lake on S3

    from infra.lake.delta import dataset  # only for a lake on S3

    return dataset(*pickle.loads(bytes.fromhex(place)))  # noqa: S301  written by the process that started this one


def _lock_down(connection: duckdb.DuckDBPyConnection, files: list[str]) -> None:
    """Forbid all access to files but these, to the network and to extensions, and every change of these settings."""
    allowed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    # Without a temporary directory nothing is written that a query could read back, and memory is the only limit.
    connection.execute("SET temp_directory = ''")
    connection.execute("SET max_temp_directory_size = '0KiB'")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _refuse_unsafe(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raise an error for anything but a single SELECT that only reads the tables it is given.

    `allowed_paths` allows writing to the files too, and system tables hold their paths. DuckDB's own parser finds what
    a SELECT refers to; a WITH clause may hold a COPY, but not inside another SELECT, so the query is also planned, and
    not run, inside one.
    """
    parsed = json.loads(connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()[0][0])
    if not parsed["error"]:
        system = connection.execute("SELECT view_name, internal FROM duckdb_views()").fetchall()
        known = {name for name, internal in system if not internal}
        for node in _nodes(parsed):
            _refuse_node(node, known, {name for name, internal in system if internal} - known)
    connection.execute("EXPLAIN SELECT * FROM query(?)", [sql]).fetchall()
    if parsed["error"]:
        raise RefusedQueryError(f"the query failed: {parsed['error_message']}")


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Yield every mapping of a JSON tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _refuse_node(node: dict[str, Any], known: set[str], system: set[str]) -> None:
    """Raise `RefusedQueryError` for a part of a query that refers to a system table or reveals a setting."""
    path = [part.lower() for part in (node.get("qualified_name") or {}).get("path", [])]
    name = path[-1] if path else ""
    match node.get("type"):
        case "BASE_TABLE" if not set(path[:-1]) <= {"main", "memory"} or name in system:
            raise RefusedQueryError(SYSTEM_TABLE.format(".".join(path)))
        case "SHOW_REF" if path and name not in SHOWABLE | known:
            raise RefusedQueryError(SYSTEM_TABLE.format(name))
        case "TABLE_FUNCTION" if (called := _called(node)) not in FUNCTIONS:
            raise RefusedQueryError(SYSTEM_TABLE.format(f"{called}()"))
        case "FUNCTION" if name in REVEALING_FUNCTIONS:
            raise RefusedQueryError(SYSTEM_TABLE.format(f"{name}()"))


def _called(node: dict[str, Any]) -> str:
    return str((node.get("function") or {}).get("function_name", "")).lower()


def _answer(error: str | None, message: str, rows: Sequence[pa.RecordBatch] = ()) -> None:
    out = sys.stdout.buffer
    out.write(json.dumps({"error": error, "message": message}).encode() + b"\n")
    if error is None:
        with pa.ipc.new_stream(out, rows[0].schema) as stream:
            for batch in rows:
                stream.write_batch(batch)
    out.flush()


if __name__ == "__main__":
    main()
