"""A table of a package as CSV, made of its Parquet file in bounded memory."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import polars as pl

CSV_ROWS: Final = 1_048_575
"""As many rows as a spreadsheet opens: a table with more has no CSV."""


def write_csv_file(parquet: Path, file: Path, columns: Sequence[pl.Expr]) -> None:
    """Write these columns of a Parquet file as CSV: UTF-8, commas, a header, null as nothing."""
    pl.scan_parquet(parquet, glob=False).select(columns).sink_csv(file, maintain_order=True)
