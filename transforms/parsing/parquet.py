"""Parquet to the raw frame, every column as text.

Arrow reads it: Polars' own reader aborts the process on some damaged files, which no `except` can catch.
"""

import io
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from polars.exceptions import PanicException

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError
from schemas.reading_limits import ReadingLimits
from transforms.parsing.raw_frame import (
    ParseResult,
    check_columns,
    check_shape,
    check_width,
    finish_parsing,
    known_names,
)
from transforms.parsing.real_numbers import float_texts
from transforms.parsing.shapes.columns_to_rows import mapped_columns

TEXT_BYTES: Final = 1 << 29
"""The limit of text in the mapped columns together: dictionaries and run lengths let a small file hold any amount."""
_HINT: Final = "Write the file again and deliver that."
_DAMAGED: Final = (pa.ArrowException, pa.ArrowInvalid, OSError, NotImplementedError, UnicodeDecodeError)


def read_parquet(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of a Parquet file as delivered. Raises `SubmissionError`, `UnreadError`."""
    try:
        file = pq.ParquetFile(io.BytesIO(data))
        names = file.schema_arrow.names
        rows = file.metadata.num_rows
    except _DAMAGED as error:
        raise _unreadable(str(error)) from error
    check_width(len(names), limits)
    known = known_names(names, contract)
    warnings = check_columns(known, contract)
    mapped = mapped_columns(known, contract)
    check_shape(rows, len(mapped), limits)  # before they are read: run lengths let a small file hold any number
    room = TEXT_BYTES
    columns = {}
    for name in mapped:
        field = file.schema_arrow.field(known.index(name))
        if pa.types.is_nested(field.type):
            raise _unreadable(f"{name!r} of type {field.type}")
        column, size = _column(data, names[known.index(name)], room)
        room -= size
        columns[name] = _texts(column, name, contract.format)
    if any(len(column) != rows for column in columns.values()):
        raise _unreadable(f"columns that do not all have {rows} rows")
    raw = pl.DataFrame(columns).with_row_index("row", offset=2).with_columns(pl.col("row").cast(pl.Int32))
    return finish_parsing(raw, [warnings], nul=True)


def _column(data: bytes, name: str, room: int) -> tuple[pa.ChunkedArray, int]:
    """Return one column, its texts still dictionary-encoded, and their size when they are not.

    Raises `SubmissionError` too-large, unreadable.
    """
    try:
        column = pq.ParquetFile(io.BytesIO(data), read_dictionary=[name]).read(columns=[name])[name]
        size = sum(_size(chunk) for chunk in column.chunks if pa.types.is_dictionary(chunk.type))
    except (*_DAMAGED, KeyError) as error:
        raise _unreadable(str(error)) from error
    if size > room:
        found = f"more than {TEXT_BYTES} bytes of text"
        raise SubmissionError("too-large", found, f"at most {TEXT_BYTES}", "Deliver it in parts.", column=name)
    return column, size


def _size(chunk: pa.DictionaryArray) -> int:
    return pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0


def _texts(column: pa.ChunkedArray, name: str, form: Format) -> pl.Series:
    try:
        if pa.types.is_decimal(column.type):
            # Polars has no decimals of more than 38 digits; and Arrow alone keeps the zeros at the end.
            texts = pl.Series(name, pc.cast(column, pa.string()))
        else:
            texts = _single_texts(pl.Series(name, column), form)
    except (pl.exceptions.PolarsError, PanicException, *_DAMAGED) as error:
        raise _unreadable(f"{name!r} of type {column.type}") from error
    if form.decimal != "." and pa.types.is_decimal(column.type):
        texts = texts.str.replace(".", form.decimal, literal=True)
    return texts.fill_null("")


def _single_texts(series: pl.Series, form: Format) -> pl.Series:
    if series.dtype.is_float():
        # The shortest text of a narrower number first: 0.1 of 32 bits is no 0.100000001490116 of 64.
        return float_texts(series.cast(pl.String).cast(pl.Float64), form)
    if isinstance(series.dtype, pl.Datetime):
        return series.dt.to_string("%Y-%m-%d %H:%M:%S%.f")
    return series.cast(pl.String)


def _unreadable(found: str) -> SubmissionError:
    return SubmissionError("unreadable", found[:200], "a Parquet file whose columns hold single values", _HINT)
