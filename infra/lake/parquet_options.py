"""How the lake's Parquet files are written: which columns have a dictionary, which have statistics."""

from collections.abc import Iterable
from typing import Final

import polars as pl
from deltalake import ColumnProperties, WriterProperties

HIGH_CARDINALITY: Final = (
    "item_id", "claim_id", "slot_id", "original", "value", "value_after", "value_before", "report_id", "report_key",
    "content", "part_values", "a", "b", "weight",
)  # fmt: skip
"""Columns whose values rarely repeat: a dictionary would double the time of writing them and save no space."""
INDEXED: Final = ("item_id", "report_id")
"""Columns with statistics (minimum and maximum per row group): queries select by id only."""
NO_STATISTICS: Final = ColumnProperties(dictionary_enabled=True, statistics_enabled="NONE")
ROW_GROUP_ROWS: Final = 32 * 1024
"""Items are sorted: a look-up of one reads one small group."""
SAMPLE_ROWS: Final = 10_000
"""Size of the sample of a kind's table: a column is of high cardinality if over a third of its values are distinct."""


def _writer(columns: Iterable[str]) -> WriterProperties:
    plain = {
        name: ColumnProperties(dictionary_enabled=False, statistics_enabled="CHUNK" if name in INDEXED else "NONE")
        for name in columns
    }
    return WriterProperties(
        compression="LZ4_RAW",
        max_row_group_size=ROW_GROUP_ROWS,
        default_column_properties=NO_STATISTICS,
        column_properties=plain,
    )


def writer_of(rows: pl.DataFrame) -> WriterProperties:
    """Return how rows of a record kind are written, whose columns are its own."""
    return _writer(_high_cardinality(rows))


def _high_cardinality(rows: pl.DataFrame) -> set[str]:
    """Return the columns of high cardinality by Parquet's names: those of `HIGH_CARDINALITY`, others by a sample."""
    names = set(HIGH_CARDINALITY) & set(rows.columns)
    for column in rows.head(SAMPLE_ROWS):
        is_list = column.dtype == pl.List
        values = (column.explode() if is_list else column).drop_nulls()
        if 3 * values.n_unique() > values.len():
            names.add(f"{column.name}.list.item" if is_list else column.name)
    return names


WRITER: Final = _writer(HIGH_CARDINALITY)
"""How rows of the tables that every installation has are written."""
