"""Whether the files of a Delta table are there and whole: their sizes against those that its log names.

A truncated Parquet file makes Polars panic, which no handler of exceptions can describe. So files in a folder are
examined before they are read; a size costs a few microseconds. On S3 a file is whole or not there.

A log that was cut between two of its lines is a log of another table: rows are missing, and nothing else shows it.
Each commit states how many files it adds and removes, so the night and `engang status` compare.
"""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import polars as pl
from deltalake import DeltaTable

from infra.lake.files.appended_files import FILES_PROPERTY
from infra.storage.landing import open_store
from infra.storage.places import Place
from infra.storage.store import DamagedFile
from schemas.errors import StoreError

_METRICS: Final = {
    "add": ("num_added_files", "numFilesAdded", "numRestoredFile"),
    "remove": ("num_removed_files", "numFilesRemoved", "numRemovedFile"),
}
"""What a commit states of its own actions: a write, an optimisation, a restoration."""
_FOREIGN: Final = (
    ~pl.col("path").str.starts_with("partition=")
    | pl.col("path").str.contains("..", literal=True)
    | (pl.col("size_bytes") < 0)
)


def table_damage(root: Place, name: str, table: DeltaTable, partitions: list[str] | None = None) -> list[DamagedFile]:
    """Return the damaged files of a table at the version that it was opened at; only of these partitions if given."""
    adds = pl.DataFrame(table.get_add_actions(flatten=True))
    if partitions is not None:  # a file outside the table, which none of ours is, spoils every reading of it
        adds = adds.filter(pl.col("partition.partition").is_in(partitions) | _FOREIGN)
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


def all_damage(root: Place, name: str, table: DeltaTable) -> list[DamagedFile]:
    """Return what is damaged of a table at the version that it was opened at, its log included."""
    return [*table_damage(root, name, table), *log_damage(root, name, table.version())]


def log_damage(root: Place, name: str, version: int) -> list[DamagedFile]:
    """Return the commits of a table in a folder, since its last checkpoint, that name other files than they state."""
    folder = Path(f"{root}/{name}/_delta_log")
    if not isinstance(root, Path):
        return []
    checkpoints = [int(file.name.split(".")[0]) for file in folder.glob("[0-9]*.checkpoint*.parquet")]
    since = max((at for at in checkpoints if at <= version), default=-1)
    commits = (folder / f"{number:020}.json" for number in range(since + 1, version + 1))
    return [damage for commit in commits for damage in _commit_damage(name, commit)]


def _commit_damage(name: str, commit: Path) -> Iterator[DamagedFile]:
    lines = commit.read_bytes().splitlines() if commit.exists() else []  # a missing one is an error of opening it
    if commit.exists() and not lines:
        yield DamagedFile(f"{name}/_delta_log/{commit.name}", 0, 1, "lines")
    stated = _stated(lines[0]) if lines else {}
    for action, metrics in _METRICS.items():
        found = sum(line.startswith(f'{{"{action}":'.encode()) for line in lines)
        expected = next((stated[metric] for metric in metrics if metric in stated), found)
        if found != expected:
            yield DamagedFile(f"{name}/_delta_log/{commit.name}", found, expected, f"files to {action}")


def _stated(line: bytes) -> dict[str, int]:
    """Return the metrics of a commit, of its first line; none if that is not what we write."""
    try:
        commit = json.loads(line)["commitInfo"]
        if FILES_PROPERTY in commit:
            return {_METRICS["add"][0]: int(commit[FILES_PROPERTY])}
        return dict(commit["operationMetrics"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}


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
