"""Tables that a user hands to a command as a file: Parquet or CSV."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from infra.files import check_input
from schemas.errors import UsageError
from transforms.drafting.csv_dialect import csv_delimiter, csv_encoding, csv_text

PARQUET_SUFFIXES: Final = {".parquet", ".pq"}


@dataclass(frozen=True)
class UserTable:
    """The rows of a file, those of CSV as text, and its format as a contract declares it."""

    rows: pl.DataFrame
    file_format: dict[str, Any]


def read_table_of(file: Path) -> UserTable:
    """Return the table in a file; `UsageError` if it is neither Parquet nor CSV."""
    check_input(file)
    try:
        if file.suffix.lower() in PARQUET_SUFFIXES:
            return UserTable(pl.read_parquet(file, hive_partitioning=False), {"type": "parquet"})
        return _csv_table(file.read_bytes())
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or 'it is no file'}") from error
    except (ValueError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{file} is neither Parquet (.parquet) nor CSV with a header") from error


def read_rows_of(file: Path) -> pl.DataFrame:
    """Return the rows of a file, those of CSV as text; `UsageError` if it is neither Parquet nor CSV."""
    return read_table_of(file).rows


def _csv_table(content: bytes) -> UserTable:
    text = csv_text(content)
    delimiter = csv_delimiter(text)
    rows = pl.read_csv(text.encode(), infer_schema=False, separator=delimiter)
    return UserTable(rows, {"type": "csv", "delimiter": delimiter, "encoding": csv_encoding(content)})
