"""Frames to PostgreSQL by COPY, batch by batch, in its text format: every text survives it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from infra.mart.ddl import quoted

if TYPE_CHECKING:
    from psycopg import Cursor

COPIED_ROWS: Final = 50_000
"""About so many rows are in memory at once."""
_ESCAPED: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\u2400"}
"""PostgreSQL's text holds no NUL: it becomes the symbol for it, as in the ledger."""
_QUOTED: Final = {"\\": "\\\\", '"': '\\"'}


def copy_frames(cursor: "Cursor[Any]", table: str, columns: Iterable[str], frames: Iterable[pl.DataFrame]) -> int:
    """Copy the columns of some frames into a table; return how many rows they have."""
    names, rows = list(columns), 0
    statement = f"COPY {quoted(table)} ({', '.join(map(quoted, names))}) FROM STDIN"
    with cursor.copy(statement.encode()) as copy:
        for frame in frames:
            copy.write(as_copy_text(frame.select(names)))
            rows += frame.height
    return rows


def copy_lazy(cursor: "Cursor[Any]", table: str, columns: Iterable[str], rows: pl.LazyFrame) -> int:
    """Copy the columns of a lazy frame into a table, as it is read; return how many rows it has."""
    names = list(columns)
    return copy_frames(cursor, table, names, rows.select(names).collect_batches(chunk_size=COPIED_ROWS))


def as_copy_text(frame: pl.DataFrame) -> bytes:
    r"""Return a frame in COPY's text format: tabs between fields, `\N` for null, lists as `{"a","b"}`."""
    lists = [name for name, dtype in frame.schema.items() if isinstance(dtype, pl.List)]
    plain = frame.with_columns(_array(name) for name in lists)
    odd = _with_odd_characters(plain)
    escaped = plain.with_columns(pl.col(odd).str.replace_many(_ESCAPED))
    return escaped.write_csv(include_header=False, separator="\t", quote_style="never", null_value="\\N").encode()


def _with_odd_characters(frame: pl.DataFrame) -> list[str]:
    names = [name for name, dtype in frame.schema.items() if dtype == pl.String]
    found = frame.select(pl.col(name).str.contains_any(list(_ESCAPED)).any() for name in names)
    return [name for name in names if frame.height and found[name].item()]


def _array(name: str) -> pl.Expr:
    element = pl.element().cast(pl.String).str.replace_many(_QUOTED)
    texts = pl.col(name).list.eval(pl.format('"{}"', element).fill_null("NULL"))
    return pl.concat_str(pl.lit("{"), texts.list.join(","), pl.lit("}")).alias(name)
