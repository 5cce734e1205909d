"""A query in a process of its own: ended, and reported as one error, where it takes too much time or memory.

DuckDB limits the memory of its tables, not that of a single text or list, and nothing interrupts it inside a function.
Only the end of a process does.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import Any, Final, NoReturn, Self

import polars as pl
import pyarrow as pa

from infra.lake.access import unreachable
from infra.settings import QueryLimits, query_environment
from schemas.errors import EngangError, StoreError, UsageError

CHILD: Final = (sys.executable, "-P", "-m", "infra.lake.query_child")
"""-P: no module of the user's own folder is imported."""
POLL_SECONDS: Final = 0.02
PROGRAM_BYTES: Final = 384 * 2**20
"""Resident memory of the process beyond its limit: DuckDB's own program, buffers outside its count."""
NARROWER: Final = "ask for fewer rows, or sum up in steps"
FIRST_PYTHON_DAY: Final = date.min.toordinal() - date(1970, 1, 1).toordinal()
LAST_PYTHON_DAY: Final = date.max.toordinal() - date(1970, 1, 1).toordinal()
"""The days of the years 1 to 9999, counted from 1970."""
PER_DAY: Final = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
"""What a time is counted in."""


class QueryProcess:
    """A process that waits for one query. Started before the query is known, it is ready when the query is."""

    def __init__(self, limits: QueryLimits) -> None:
        """Start the process."""
        self.limits = limits
        self._process = start_process()

    def __enter__(self) -> Self:
        """Return the process, which ends with the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def run(self, request: Mapping[str, Any], frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
        """Run one query; `request` and what it may read are described in `infra.lake.query_child`.

        Raises `UsageError` for SQL that fails, writes or takes too much, `StoreError` if a table cannot be read.
        """
        streams = {name: _stream(frame) for name, frame in frames.items()}
        sizes = [(name, len(stream)) for name, stream in streams.items()]
        limits = {"memory": self.limits.memory, "seconds": self.limits.seconds, "rows": self.limits.rows}
        head = json.dumps({**request, **limits, "frames": sizes}).encode() + b"\n"
        with ThreadPoolExecutor(1) as pool:
            output = pool.submit(self._exchange, b"".join([head, *streams.values()]))
            problem = self._watch()
            if problem is not None:
                self._process.kill()
            answer = output.result()
        head, _, rows = answer.partition(b"\n")
        if problem is not None and not head:
            raise UsageError(problem)
        return _result(head, rows, self.limits)

    def _exchange(self, request: bytes) -> bytes:
        """Write the request, then return all that the process writes."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            return b""
        with suppress(BrokenPipeError):
            stdin.write(request)
            stdin.close()
        return stdout.read()

    def _watch(self) -> str | None:
        """Wait for the end of the process; return why it has to be ended earlier, None if it ended by itself."""
        deadline = time.monotonic() + self.limits.seconds
        while True:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(POLL_SECONDS)
                return None
            if time.monotonic() > deadline:
                limit = f"{self.limits.seconds} seconds (ENGANG_QUERY_SECONDS)"
                return f"the query failed: it was ended after {limit}: {NARROWER}"
            if resident_bytes(self._process.pid) > self.limits.memory + PROGRAM_BYTES:
                return _memory_problem(self.limits)


def start_process() -> subprocess.Popen[bytes]:
    """Start a process that waits for a query on its standard input."""
    return subprocess.Popen(  # noqa: S603  our own module
        CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=query_environment()
    )


def _memory_problem(limits: QueryLimits) -> str:
    return f"the query failed: it needs more memory than {limits.memory} bytes (ENGANG_QUERY_MEMORY): {NARROWER}"


def resident_bytes(process: int) -> int:
    """Return the resident memory of a process, 0 where the system does not show it."""
    try:
        with open(f"/proc/{process}/statm", encoding="ascii") as file:  # noqa: PTH123  Path would cost as much again
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _stream(frame: pl.DataFrame) -> bytes:
    table = frame.to_arrow()
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _result(head: bytes, rows: bytes, limits: QueryLimits) -> pl.DataFrame:
    if not head:  # it died without an answer, as a process does that gets no memory
        raise UsageError(_memory_problem(limits))
    answer = json.loads(head)
    if answer["error"] is not None:
        _raise(answer["error"], answer["message"], limits)
    try:
        table = pl.from_arrow(pa.ipc.open_stream(rows).read_all())
    except pl.exceptions.PolarsError as error:  # Polars has no type for an interval, say
        raise UsageError(f"the query failed: {one_message(str(error))}") from error
    if not isinstance(table, pl.DataFrame):
        raise EngangError("the query gave no table")
    _refuse_far_dates(table)
    return table


def _refuse_far_dates(table: pl.DataFrame) -> None:
    """Raise `UsageError` for dates that Python does not have: infinity, years before 1 and after 9999."""
    for name, dtype in table.schema.items():
        if dtype == pl.Date or isinstance(dtype, pl.Datetime):
            per_day = PER_DAY[dtype.time_unit] if isinstance(dtype, pl.Datetime) else 1
            days = table[name].to_physical().drop_nulls() // per_day
            if not days.is_between(FIRST_PYTHON_DAY, LAST_PYTHON_DAY).all():
                problem = f"the query failed: {name!r} has dates before the year 1 or after 9999"
                raise UsageError(f"{problem}: leave them out, or select them as text")


def _raise(kind: str, message: str, limits: QueryLimits) -> NoReturn:
    if kind == "memory":
        raise UsageError(_memory_problem(limits))
    if kind == "s3":
        raise unreachable("lake: a table on S3", OSError(message))
    if kind == "store":
        hint = "check the disk and this user's rights; restore missing files from the lake's backup"
        raise StoreError(f"lake: a table cannot be read: {one_message(message)}; {hint}")
    raise UsageError(one_message(message))


def one_message(text: str) -> str:
    """Return an error of DuckDB on one line, without the excerpt of the query that it ends with."""
    return " ".join(text.partition("\n\nLINE ")[0].split())
