"""The partitions of tables: how large they are, and groups of them that fit in memory."""

from collections.abc import Iterable, Iterator

import polars as pl

from infra.lake.delta import open_table
from infra.storage.places import Place


def group_partitions(sizes: Iterable[tuple[str, int]], rows: int, most: int | None = None) -> Iterator[list[str]]:
    """Yield partitions in groups of at most `rows` rows and `most` partitions; a larger one is a group by itself."""
    group: list[str] = []
    total = 0
    for partition, size in sizes:
        if group and (total + size > rows or len(group) == most):
            yield group
            group, total = [], 0
        group.append(partition)
        total += size
    if group:
        yield group


def partition_sizes(root: Place, name: str, version: int | None = None) -> list[tuple[str, int]]:
    """Return the partitions of a table's version, and their bytes."""
    adds = pl.DataFrame(open_table(root, name, version).get_add_actions(flatten=True))
    return adds.group_by(pl.col("partition.partition")).agg(pl.col("size_bytes").sum()).sort(pl.all()).rows()


def partition_rows(root: Place, name: str) -> pl.DataFrame:
    """Return the number of rows per partition, retired ones included: partition, rows."""
    adds = pl.DataFrame(open_table(root, name).get_add_actions(flatten=True))
    adds = adds.select(pl.col("partition.partition").alias("partition"), pl.col("num_records").alias("rows"))
    return adds.group_by("partition").agg(pl.col("rows").sum())
