"""Files of a table that processes write side by side, and that one process commits: several writers' files at once.

A file that no commit names belongs to nobody. Its writer may die, or be given up and finish all the same: no reader
sees what it wrote, and `infra.lake.delta.merge_small_files` deletes it a week later.
"""

import io
import time
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, NamedTuple

import polars as pl
from deltalake.transaction import AddAction, RemoveAction

from infra.lake import delta
from infra.lake.access import store_errors
from infra.lake.files.appended_files import PARTITION, commit_added, file_statistics, write_data
from infra.storage.landing import open_store
from infra.storage.places import Place
from schemas.claims import Column, frame_schema
from schemas.errors import StoreError

PARALLEL_WRITES: Final = 8
"""Files that are written at once: each waits for an answer of S3."""


class UncommittedFile(NamedTuple):
    """A Parquet file in a table's folder: its key there, partition, bytes and rows, and their statistics in JSON."""

    key: str
    partition: str
    bytes: int
    rows: int
    statistics: str


def write_uncommitted(
    root: Place, name: str, frame: pl.DataFrame, columns: tuple[Column, ...] | None = None
) -> list[UncommittedFile]:
    """Write rows as files of a table, one a partition, durably and without a commit. A kind's table needs `columns`."""
    schema = frame_schema(columns or delta.TABLES[name])
    rows = frame.select(schema.names()).cast(schema)  # Delta reads a file by the table's types, whatever its own are
    parts = rows.partition_by(PARTITION, as_dict=True, maintain_order=True)
    with ThreadPoolExecutor(PARALLEL_WRITES) as pool:
        written = [pool.submit(_write, root, name, str(partition), part) for (partition,), part in parts.items()]
        return [file.result() for file in written]


def _write(root: Place, name: str, partition: str, rows: pl.DataFrame) -> UncommittedFile:
    buffer = io.BytesIO()
    write_data(rows, buffer)
    key = f"{PARTITION}={partition}/part-{uuid.uuid4().hex}.parquet"
    content = buffer.getvalue()
    open_store(root).put_once(f"{name}/{key}", content)
    return UncommittedFile(key, partition, len(content), rows.height, file_statistics(rows))


def commit_files(
    root: Place, name: str, files: Sequence[UncommittedFile], columns: tuple[Column, ...] | None = None
) -> None:
    """Append files of `write_uncommitted` to their table, in one commit. A kind's table gains columns as needed.

    Raises `StoreError` if the store refuses it.
    """
    if not files:
        return
    if columns is not None:
        delta.ensure_columns(root, name, columns)
    table = delta.open_table(root, name)
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        AddAction(file.key, file.bytes, {PARTITION: file.partition}, now, True, file.statistics) for file in files
    ]
    with store_errors(root, name):
        commit_added(table, actions, delta.commit_signature())


@dataclass
class _Waiting:
    """Files that wait to be committed, and what their writer waits for."""

    files: Sequence[UncommittedFile]
    columns: tuple[Column, ...] | None
    done: Future[None] = field(default_factory=Future)


class Committer:
    """Commits files for the threads of one process, those of all that wait at once: a commit costs the same for many.

    On S3 a commit takes some five requests one after the other; thousands of batches would wait for each other.
    """

    def __init__(self, root: Place) -> None:
        """Take the lake."""
        self._root = root
        self._waiting: dict[str, list[_Waiting]] = {}
        self._change, self._commit = Lock(), Lock()

    def commit(self, name: str, files: Sequence[UncommittedFile], columns: tuple[Column, ...] | None = None) -> None:
        """Return once the files are committed; raises `StoreError` if they are not."""
        own = _Waiting(files, columns)
        with self._change:
            self._waiting.setdefault(name, []).append(own)
        with self._commit:  # the first of them commits for all that have come until then
            if not own.done.done():
                self._commit_waiting(name)
        own.done.result()

    def _commit_waiting(self, name: str) -> None:
        with self._change:
            waiting = self._waiting.pop(name)
        columns = next((each.columns for each in waiting if each.columns is not None), None)
        try:
            commit_files(self._root, name, [file for each in waiting for file in each.files], columns)
        except Exception as error:  # noqa: BLE001  each of them has to hear of it, whatever it is
            for each in waiting:
                each.done.set_exception(StoreError(f"lake: {name} took no files ({error}); run it again"))
            return
        for each in waiting:
            each.done.set_result(None)
