"""Random parts of the lake, read whole: what its bytes hold shows only when they are read."""

import random
from collections.abc import Iterable

import polars as pl

from infra.lake import delta
from infra.lake.access import scan_errors
from infra.lake.partitions import partition_sizes
from infra.storage.places import Place
from schemas.errors import StoreError


def sample_problems(root: Place, tables: Iterable[tuple[str, int | None]], count: int, most: int) -> list[str]:
    """Read some random partitions of these tables (name and version, None for the newest) of at most so many bytes.

    Returns a sentence for each whose bytes cannot be read.
    """
    parts = [
        (name, version, partition)
        for name, version in tables
        if version is not None or delta.exists(root, name)
        for partition, size in partition_sizes(root, name, version)
        if size <= most
    ]
    problems = []
    for name, version, partition in random.sample(parts, min(count, len(parts))):
        try:
            rows = delta.scan(root, name, version, [partition])
        except (StoreError, OSError):
            continue  # sizes are wrong: `delta.damaged_files` names them
        try:
            with scan_errors():
                rows.collect()
        except (StoreError, OSError, pl.exceptions.PolarsError) as error:
            problems.append(f"{name}, partition {partition}: {error}")
    return problems
