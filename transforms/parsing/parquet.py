"""Parquet to the raw frame, every column as text.

Arrow reads it: Polars' own reader aborts the process on some damaged files, which no `except` can catch.
"""

import io
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.contract import Contract
from schemas.errors import SubmissionError
from transforms.parsing.raw_frame import ParseResult, check_columns, finish_parsing

MOST_ROWS: Final = 20_000_000
TEXT_BYTES: Final = 1 << 31
"""The limit of text in one column: run lengths let a small file hold any amount."""
_HINT: Final = "Write the file again and deliver that."
_DAMAGED: Final = (pa.ArrowException, pa.ArrowInvalid, OSError, NotImplementedError, UnicodeDecodeError)


def read_parquet(data: bytes, contract: Contract) -> ParseResult:
    """Return the rows of a Parquet file as delivered. Raises `SubmissionError`."""
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        names = file.schema_arrow.names
        rows = file.metadata.num_rows
    except _DAMAGED as error:
        raise _unreadable(str(error)) from error
    warnings = check_columns(names, contract)
    if rows > MOST_ROWS:
        raise SubmissionError("too-large", f"{rows} rows", f"at most {MOST_ROWS}", "Deliver it in parts.")
    columns = {name: _texts(_column(data, name), name) for name in contract.columns()}
    if any(len(column) != rows for column in columns.values()):
        raise _unreadable(f"columns that do not all have {rows} rows")
    raw = pl.DataFrame(columns).with_row_index("row", offset=2).with_columns(pl.col("row").cast(pl.Int32))
    return finish_parsing(raw, [warnings], nul=True)


def _column(data: bytes, name: str) -> pa.ChunkedArray:
    """Return one column, its texts still dictionary-encoded. Raises `SubmissionError` too-large, unreadable."""
    try:
        column = pq.ParquetFile(io.BytesIO(data), read_dictionary=[name]).read(columns=[name])[name]
        size = sum(_size(chunk) for chunk in column.chunks if pa.types.is_dictionary(chunk.type))
    except (*_DAMAGED, KeyError) as error:
        raise _unreadable(str(error)) from error
    if size > TEXT_BYTES:
        found = f"{size} bytes of text in one column"
        raise SubmissionError("too-large", found, f"at most {TEXT_BYTES}", "Deliver it in parts.", column=name)
    return column


def _size(chunk: pa.DictionaryArray) -> int:
    return pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0


def _texts(column: pa.ChunkedArray, name: str) -> pl.Series:
    try:
        series = pl.Series(name, column)
        if series.dtype.is_float():
            texts = series.cast(pl.String).str.strip_suffix(".0")
        elif isinstance(series.dtype, pl.Datetime):
            texts = series.dt.to_string("%Y-%m-%d %H:%M:%S%.f").str.strip_suffix(" 00:00:00")
        else:
            texts = series.cast(pl.String)
    except pl.exceptions.PolarsError as error:
        raise _unreadable(f"{name!r} of type {column.type}") from error
    return texts.fill_null("")


def _unreadable(found: str) -> SubmissionError:
    return SubmissionError("unreadable", found[:200], "a Parquet file whose columns hold single values", _HINT)
