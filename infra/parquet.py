"""Plain Parquet files, for whoever reads them elsewhere."""

import os
import re
from pathlib import Path

import polars as pl


def write_parquet(frame: pl.DataFrame, to: Path) -> None:
    """Write a frame to a file; raises `OSError` that names the file, also where Polars makes another error of it."""
    try:
        frame.write_parquet(to)
    except pl.exceptions.ComputeError as error:
        said = re.search(r"\(os error (\d+)\)", str(error))
        if said is None:
            raise
        number = int(said[1])
        raise OSError(number, os.strerror(number), str(to)) from error
