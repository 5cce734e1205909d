"""Whether the files of a Delta table are there and whole: their sizes against those that its log names.

A truncated Parquet file makes Polars panic, which no handler of exceptions can describe. So files in a folder are
examined before they are read; a size costs a few microseconds. On S3 a file is whole or not there.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from infra.storage.landing import open_store
from infra.storage.places import Place
from infra.storage.store import DamagedFile
from schemas.errors import StoreError


def table_damage(root: Place, name: str, table: DeltaTable, partitions: list[str] | None = None) -> list[DamagedFile]:
    """Return the damaged files of a table at the version that it was opened at; only of these partitions if given."""
    adds = pl.DataFrame(table.get_add_actions(flatten=True))
    if partitions is not None:
        adds = adds.filter(pl.col("partition.partition").is_in(partitions))
    expected = [(unquote(path), size) for path, size in adds.select("path", "size_bytes").iter_rows()]
    sizes = _sizes(root / name, (file for file, _ in expected))
    return [
        DamagedFile(f"{name}/{file}", found, size)
        for (file, size), found in zip(expected, sizes, strict=True)
        if found != size
    ]


def refuse_damage(root: Place, name: str, table: DeltaTable, partitions: list[str] | None = None) -> None:
    """Raise `StoreError` if a file in a folder that is about to be read is missing or has another size."""
    damaged = table_damage(root, name, table, partitions) if isinstance(root, Path) else []
    if damaged:
        message = f"lake: {len(damaged)} files of {name} in {root} are missing or damaged"
        raise StoreError(f"{message}, the first {damaged[0]}; restore them from the lake's backup, then run it again")


def _sizes(place: Place, files: Iterable[str]) -> Iterator[int | None]:
    if isinstance(place, Path):
        yield from (_size(f"{place}/{file}") for file in files)
        return
    stored = {found.key: found.bytes for found in open_store(place).listing()}
    yield from (stored.get(file) for file in files)


def _size(path: str) -> int | None:
    try:
        return os.stat(path).st_size  # noqa: PTH116  a path object for each of ten thousand files takes longer
    except (FileNotFoundError, NotADirectoryError):
        return None
