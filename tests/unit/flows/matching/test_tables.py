"""Tables that a user hands to a command: Parquet as it is, CSV as text in whatever dialect, and nothing else."""

from pathlib import Path

import polars as pl
import pytest

from flows.matching.tables import read_rows_of, read_table_of
from schemas.errors import UsageError


@pytest.mark.parametrize("name", ["t.parquet", "t.PQ", "day=1/t.parquet"])
def test_parquet_is_read_as_it_is(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    rows = pl.DataFrame({"id": [1, 2], "label": ["a", None]})
    rows.write_parquet(file)
    table = read_table_of(file)
    assert table.rows.equals(rows), "the name of its folder is no column"
    assert table.file_format == {"type": "parquet"}


@pytest.mark.parametrize(
    ("data", "delimiter", "encoding"),
    [
        ("id;navn\n01;Måløy\n", ";", "utf-8"),
        ("id,navn\n01,Måløy\n", ",", "utf-8"),
        ("id\tnavn\n01\tMåløy\n", "\t", "utf-8"),
    ],
)
def test_csv_is_text_whatever_its_dialect(data: str, delimiter: str, encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes(data.encode(encoding))
    table = read_table_of(file)
    assert table.rows.to_dicts() == [{"id": "01", "navn": "Måløy"}]
    assert table.file_format == {"type": "csv", "delimiter": delimiter, "encoding": encoding}


def test_csv_of_older_programs_is_read(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    for encoding in ("cp1252", "utf-16"):
        file.write_bytes("id;navn\n01;Måløy\n".encode(encoding))
        assert read_rows_of(file).to_dicts() == [{"id": "01", "navn": "Måløy"}]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("t.parquet", b"no Parquet", "is neither Parquet (.parquet) nor CSV with a header"),
        ("t.parquet", b"", "is neither Parquet (.parquet) nor CSV with a header"),
        ("t.csv", b"", "is neither Parquet (.parquet) nor CSV with a header"),
        ("t.csv", b"a;b\n1;2;3;4\n", "is neither Parquet (.parquet) nor CSV with a header"),
    ],
)
def test_what_is_no_table_is_wrong_use(name: str, data: bytes, problem: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(UsageError) as caught:
        read_rows_of(file)
    assert str(caught.value) == f"{file} {problem}"


def test_what_is_no_file_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"absent\.csv cannot be read: No such file or directory"):
        read_rows_of(tmp_path / "absent.csv")
    with pytest.raises(UsageError, match="cannot be read: it is no plain file"):
        read_rows_of(tmp_path)
