"""Parquet: its limits, at their edge; texts that cannot be stored."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.unit.transforms.parsing.test_parse_bad_input import CSV, PARQUET, refusal
from transforms.parsing import parquet, parse
from transforms.parsing.parquet import TEXT_BYTES


def written(rows: int, text: str = "a") -> bytes:
    target = io.BytesIO()
    pl.DataFrame({"unit": [text] * rows, "year": [2024] * rows, "sum": [1] * rows}).write_parquet(target)
    return target.getvalue()


def test_a_cell_with_nul_rejects_its_row() -> None:
    rejects = parse.parse(written(1, "a\0b"), PARQUET).rejects
    assert rejects.select("row", "column", "reason").rows() == [(2, "unit", "unreadable")]


def test_a_file_that_states_more_rows_than_its_columns_have_is_unreadable() -> None:
    data, stated = written(37), b"\x16\x4a\x19"  # the file's count of rows as the footer writes it, before its groups
    assert data.count(stated) == 1
    error = refusal(data.replace(stated, b"\x16\x4c\x19"), PARQUET)
    assert (error.code, error.found) == ("unreadable", "columns that do not all have 38 rows")


def test_a_file_of_any_format_has_a_greatest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"unit;year;sum\na;1;2\n"
    monkeypatch.setattr(parse, "FILE_BYTES", len(data))
    assert parse.parse(data, CSV).delivered == 1
    error = refusal(data + b"\n", CSV)
    assert (error.code, error.found) == ("too-large", f"{len(data) + 1} bytes")


def test_its_limits_are_those_that_senders_know() -> None:
    assert TEXT_BYTES == 512 * 2**20


def table(**columns: Any) -> bytes:
    """Return a file of these columns, those that the contract maps besides."""
    target = io.BytesIO()
    pq.write_table(pa.table({"unit": ["a", "b"], "year": ["2024"] * 2, "sum": ["1"] * 2, **columns}), target)
    return target.getvalue()


COMMA = PARQUET.model_copy(update={"format": PARQUET.format.model_copy(update={"decimal": ","})})


@pytest.mark.parametrize(
    ("column", "point", "comma"),
    [
        (pa.array([1, None]), "1", "1"),
        (pa.array([1.5, None]), "1.5", "1,5"),
        (pa.array([0.1, None], pa.float32()), "0.1", "0,1"),
        (pa.array([1e20, None]), "1" + "0" * 20, "1" + "0" * 20),
        (pa.array([Decimal("1.50"), None]), "1.50", "1,50"),
        (pa.array([Decimal("1" * 40 + ".5"), None], pa.decimal256(50, 1)), "1" * 40 + ".5", "1" * 40 + ",5"),
        (pa.array([True, None]), "true", "true"),
        (pa.array([dt.date(2024, 1, 2), None]), "2024-01-02", "2024-01-02"),
        (pa.array([dt.datetime(2024, 1, 2, 3, 4, 5), None]), "2024-01-02 03:04:05", "2024-01-02 03:04:05"),
        (pa.array(["1.5", None]), "1.5", "1.5"),
        (pa.array(["x", None]).dictionary_encode(), "x", "x"),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)  # fmt: skip
def test_each_type_is_text_in_the_notation_of_the_contract(column: pa.Array, point: str, comma: str) -> None:
    data = table(sum=column)
    assert parse.parse(data, PARQUET).raw["sum"].to_list() == [point, ""]
    assert parse.parse(data, COMMA).raw["sum"].to_list() == [comma, ""]


def test_rows_are_numbered_as_in_a_table_with_a_header() -> None:
    raw = parse.parse(table(), PARQUET).raw
    assert raw["row"].to_list() == [2, 3]
    assert raw.schema["row"] == pl.Int32


@pytest.mark.parametrize("column", [pa.array([[1], [2]]), pa.array([{"x": 1}, {"x": 2}])], ids=["list", "struct"])
def test_a_column_of_several_values_a_cell_is_unreadable(column: pa.Array) -> None:
    error = refusal(table(sum=column), PARQUET)
    assert (error.code, error.found[:14]) == ("unreadable", "'sum' of type ")


def test_what_is_no_parquet_is_unreadable_and_what_is_not_mapped_is_unknown() -> None:
    assert refusal(b"PAR1 and nothing else", PARQUET).code == "unreadable"
    assert refusal(table(more=pa.array([1, 2])), PARQUET).code == "unknown-column"


@pytest.mark.parametrize(("limit", "fits"), [(200, True), (199, False)])
def test_text_has_a_limit_as_it_is_when_it_is_read(monkeypatch: pytest.MonkeyPatch, limit: int, fits: bool) -> None:
    monkeypatch.setattr(parquet, "TEXT_BYTES", limit)
    repeated = table(unit=["a" * 95] * 2, year=["2024"] * 2, sum=["1"] * 2)
    if fits:
        assert parse.parse(repeated, PARQUET).delivered == 2
    else:
        error = refusal(repeated, PARQUET)
        assert (error.code, error.column) == ("too-large", "sum")
