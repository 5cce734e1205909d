"""A table as one Parquet file: described in the file's and each column's metadata, sorted for range requests."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.claims import Column, empty
from schemas.package_tables import PackageTable

GROUP_ROWS: Final = 100_000
"""Rows of a group: what a reader fetches at least, and what its statistics are of."""
PACKAGE_COMPRESSION: Final = "zstd"
_RARELY_REPEATED: Final = ("item_id", "claim_id", "original", "value", "value_before", "value_after", "report_id")


def write_table_file(
    file: Path,
    table: PackageTable,
    frames: Iterable[pl.DataFrame],
    metadata: dict[str, str],
    group_rows: int = GROUP_ROWS,
) -> int:
    """Write frames, one after another, as the rows of a table; return their number.

    One frame is in memory at a time. A table without rows is a file without rows. Each frame is sorted by the table's
    order; the frames have to follow each other in it.
    """
    schema = _schema(table, metadata)
    rows = 0
    with pq.ParquetWriter(file, schema, **_options(table, schema)) as writer:
        for frame in frames:
            arranged = frame.select(schema.names).sort(table.order, nulls_last=True)
            writer.write_table(arranged.to_arrow().cast(schema), row_group_size=group_rows)
            rows += frame.height
    return rows


def column_metadata(column: Column) -> dict[str, str]:
    """Return what the metadata of a column states of it: its meaning, and its values if it has a set of them."""
    texts = {"description": column.doc}
    if column.values:
        texts["values"] = json.dumps(column.values)
    return texts


def _schema(table: PackageTable, metadata: dict[str, str]) -> pa.Schema:
    fields = empty(table.columns).to_arrow().schema
    by_name = {column.name: column for column in table.columns}
    described = [each.with_metadata(column_metadata(by_name[each.name])) for each in fields]
    return pa.schema(described, metadata)


def _options(table: PackageTable, schema: pa.Schema) -> dict[str, Any]:
    plain = {name for name in _RARELY_REPEATED if name in schema.names}
    texts = [name for name in schema.names if name not in plain and not pa.types.is_large_list(schema.field(name).type)]
    order = [pq.SortingColumn(schema.get_field_index(name)) for name in table.order]
    return {
        "compression": PACKAGE_COMPRESSION,
        "compression_level": 1,
        "use_dictionary": texts,
        "write_page_index": True,
        "sorting_columns": order,
    }
