"""What a query in its own process answers: rows, or one error in words; which dates Python does not have."""

import json
import os
import subprocess
from datetime import date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from infra.lake import query_process
from infra.lake.query_process import one_message, resident_bytes
from infra.settings import QueryLimits
from schemas.errors import EngangError, StoreError, UsageError
from tests.support.paths import ROOT

LIMITS = QueryLimits(memory=1000, seconds=3, rows=9)
LIMIT = "it needs more memory than 1000 bytes (ENGANG_QUERY_MEMORY)"
MEMORY = f"the query failed: {LIMIT}: ask for fewer rows, or sum up in steps"


def result(error: str | None = None, message: str = "", rows: bytes = b"") -> pl.DataFrame:
    head = json.dumps({"error": error, "message": message}).encode()
    return query_process._result(head, rows, LIMITS)  # noqa: SLF001


def refusal(kind: type[Exception], *given: Any) -> str:
    with pytest.raises(kind) as raised:
        result(*given)
    return str(raised.value)


def stream(frame: pl.DataFrame) -> bytes:
    return query_process._stream(frame)  # noqa: SLF001


def test_rows_come_back_as_they_were() -> None:
    frame = pl.DataFrame({"a": [1, None], "b": ["æ", ""], "c": [[1.5], []], "d": [date(1, 1, 1), date(9999, 12, 31)]})
    assert result(rows=stream(frame)).equals(frame)
    assert result(rows=stream(frame.clear())).equals(frame.clear())


def test_each_error_says_what_to_do() -> None:
    assert refusal(UsageError, "memory", "x") == MEMORY
    assert refusal(UsageError, "sql", "Parser Error:\n  syntax\n\nLINE 1: SELECT secret") == "Parser Error: syntax"
    assert refusal(StoreError, "store", "no file") == (
        "lake: a table cannot be read: no file; check the disk and this user's rights; restore missing files from the "
        "lake's backup"
    )
    s3 = refusal(StoreError, "s3", "<Code>AccessDenied</Code>")
    assert s3.startswith("lake: a table on S3 cannot be reached (AccessDenied); check the bucket")


def test_a_process_that_died_without_an_answer_got_no_memory() -> None:
    with pytest.raises(UsageError) as raised:
        query_process._result(b"", b"", LIMITS)  # noqa: SLF001
    assert str(raised.value) == MEMORY


@pytest.mark.parametrize(("days", "has"), [
    (-719_162, True), (-719_163, False), (2_932_896, True), (2_932_897, False), (0, True),
])  # fmt: skip
@pytest.mark.parametrize("per_day", [None, 86_400_000, 86_400_000_000])
def test_dates_are_those_of_the_years_1_to_9999(days: int, has: bool, per_day: int | None) -> None:
    if per_day is None:
        column = pl.Series("day", [0, None, days], dtype=pl.Int32).cast(pl.Date)
    else:
        unit: Any = "ms" if per_day == 86_400_000 else "us"
        column = pl.Series("day", [0, None, days * per_day + per_day - 1], dtype=pl.Int64).cast(pl.Datetime(unit))
    if has:
        assert result(rows=stream(column.to_frame())).height == 3
        return
    message = (
        "the query failed: 'day' has dates before the year 1 or after 9999: leave them out, or select them as text"
    )
    assert refusal(UsageError, None, "", stream(column.to_frame())) == message


def test_a_type_that_polars_lacks_is_an_error_of_the_query() -> None:
    table = pa.table({"i": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as written:
        written.write_table(table)
    assert refusal(UsageError, None, "", bytes(sink.getvalue())).startswith("the query failed: ")


def test_an_error_is_one_line_without_the_query() -> None:
    assert one_message("Binder Error:\n no  column\n\nLINE 1: SELECT x\n ^") == "Binder Error: no column"
    assert one_message("plain") == "plain"


def test_a_query_imports_no_pandas() -> None:
    """To import it would double what a query costs."""
    rows = stream(pl.DataFrame({"a": [1], "b": ["x"]}))
    request: dict[str, Any] = {"sql": "SELECT * FROM t", "views": [], "files": [], "datasets": []}
    request |= {"memory": 2**30, "seconds": 60, "rows": 9, "frames": [("t", len(rows))]}
    program, *arguments = query_process.CHILD
    done = subprocess.run(
        [program, "-X", "importtime", *arguments],
        input=json.dumps(request).encode() + b"\n" + rows,
        capture_output=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout.startswith(b'{"error": null')
    assert b" duckdb\n" in done.stderr
    assert b" pandas" not in done.stderr


def test_memory_of_a_process_is_shown_where_there_is_one() -> None:
    assert resident_bytes(os.getpid()) > 10**6
    assert resident_bytes(2**30) == 0


class FakeProcess:
    """A process that never ends, or at once."""

    def __init__(self, *, ends: bool) -> None:
        self.ends, self.pid, self.waited = ends, 1, list[float]()

    def wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        if not self.ends:
            raise query_process.subprocess.TimeoutExpired("x", seconds)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("ends", "times", "memory", "problem"),
    [
        (True, [0.0], 0, None),
        (False, [0.0, 3.0, 3.1], 0, "the query failed: it was ended after 3 seconds (ENGANG_QUERY_SECONDS): "),
        (False, [0.0, 1.0], 1001, MEMORY),
        (False, [0.0, 1.0, 3.5], 1000, "the query failed: it was ended after 3 seconds"),
    ],
)
def test_a_query_ends_by_itself_in_time_and_in_its_memory(
    monkeypatch: pytest.MonkeyPatch, ends: bool, times: list[float], memory: int, problem: str | None
) -> None:
    process = object.__new__(query_process.QueryProcess)
    process.limits, process._process = LIMITS, FakeProcess(ends=ends)  # type: ignore[assignment]
    clock = iter(times)
    monkeypatch.setattr("infra.lake.query_process.time.monotonic", lambda: next(clock))
    monkeypatch.setattr(query_process, "resident_bytes", lambda _: memory + query_process.PROGRAM_BYTES)
    found = process._watch()
    assert (found or "").startswith(problem or "")
    assert (found is None) == (problem is None)
    assert list(clock) == [], "it looked as often as it should"


def test_what_is_no_table_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl, "from_arrow", lambda _: pl.Series([datetime(2026, 1, 1)]))
    assert refusal(EngangError, None, "", stream(pl.DataFrame({"a": [1]}))) == "the query gave no table"
