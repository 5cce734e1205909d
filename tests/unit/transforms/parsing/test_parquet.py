"""Parquet: its limits, at their edge; texts that cannot be stored."""

import io

import polars as pl
import pytest

from tests.unit.transforms.parsing.test_parse_bad_input import CSV, PARQUET, refusal
from transforms.parsing import parse
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
