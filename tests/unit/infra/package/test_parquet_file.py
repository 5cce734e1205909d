"""A table of a package as a file: sorted, described, and the same however its rows came."""

import datetime as dt
import json
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from infra.package.csv_file import write_csv_file
from infra.package.duckdb_file import write_duckdb_file
from infra.package.parquet_file import write_table_file
from schemas.claims import Column
from schemas.package_tables import PackageTable

TABLE = PackageTable(
    "things",
    "One row a thing",
    (
        Column("item_id", pl.String, "Its id"),
        Column("kind", pl.String, "What it is", values=("a", "b"), nullable=True),
        Column("names", pl.List(pl.String), "Its names"),
        Column("day", pl.Date, "When", nullable=True),
    ),
    order=("kind", "item_id"),
)
ROWS = pl.DataFrame(
    {
        "day": [dt.date(2024, 1, 1), None, None],
        "item_id": ["z", "a", "m"],
        "kind": ["a", None, "a"],
        "names": [["x"], [], ["y", "z"]],
        "extra": [1, 2, 3],
    }
)


def write(folder: Path, *frames: pl.DataFrame, group_rows: int = 100) -> tuple[Path, int]:
    file = folder / "things.parquet"
    return file, write_table_file(file, TABLE, frames, {"engang.release": "3"}, group_rows)


@pytest.mark.parametrize("group_rows", [1, 2, 100])
def test_rows_are_sorted_and_have_the_columns_of_the_table(group_rows: int, tmp_path: Path) -> None:
    file, count = write(tmp_path, ROWS, group_rows=group_rows)
    assert count == 3
    read = pl.read_parquet(file)
    assert read.columns == ["item_id", "kind", "names", "day"]
    assert read["item_id"].to_list() == ["m", "z", "a"], "nulls last"
    assert pq.ParquetFile(file).num_row_groups == -(-3 // group_rows)


def test_several_frames_follow_each_other(tmp_path: Path) -> None:
    one, count = write(
        tmp_path, ROWS.filter(pl.col("kind") == "a"), ROWS.clear(), ROWS.filter(pl.col("kind").is_null())
    )
    assert count == 3
    assert pl.read_parquet(one)["item_id"].to_list() == ["m", "z", "a"]


@pytest.mark.parametrize("frames", [(), (ROWS.clear(),)])
def test_a_table_without_rows_has_its_columns(frames: tuple[pl.DataFrame, ...], tmp_path: Path) -> None:
    file, count = write(tmp_path, *frames)
    assert (count, pl.read_parquet(file).shape) == (0, (0, 4))


def test_the_file_states_what_it_is_and_each_column_what_it_means(tmp_path: Path) -> None:
    file, _ = write(tmp_path, ROWS)
    schema = pq.read_schema(file)
    assert schema.metadata[b"engang.release"] == b"3"
    assert schema.field("item_id").metadata[b"description"] == b"Its id"
    assert json.loads(schema.field("kind").metadata[b"values"]) == ["a", "b"]
    assert b"values" not in schema.field("day").metadata


def test_csv_is_written_of_it_with_any_name(tmp_path: Path) -> None:
    folder = tmp_path / "a*[b]?"
    folder.mkdir()
    file, _ = write(folder, ROWS)
    write_csv_file(file, folder / "things.csv", [pl.col("item_id"), pl.col("day")])
    assert (folder / "things.csv").read_text() == "item_id,day\nm,\nz,2024-01-01\na,\n"


def test_a_database_is_one_file_and_refers_to_no_other(tmp_path: Path) -> None:
    file = tmp_path / "x.duckdb"
    write_duckdb_file(file, ["CREATE TABLE t AS SELECT range AS n FROM range(1000)", "CREATE VIEW v AS FROM t"])
    assert [path.name for path in tmp_path.iterdir()] == ["x.duckdb"]
    with pytest.raises(Exception, match="there"):
        write_duckdb_file(tmp_path / "y.duckdb", ["FROM there"])
