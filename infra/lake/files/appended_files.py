"""Rows appended to a table in a folder: Polars writes the files, one a month, and one commit of Delta adds them all.

Delta's own writer sorts rows by month and converts them to Arrow first, at half as much again. The files have the same
columns, compression and row groups.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Final

import polars as pl
from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.transaction import AddAction, RemoveAction

from infra.lake.files.parquet_options import INDEXED, ROW_GROUP_ROWS

FILES_PROPERTY: Final = "engang.files"
"""The property of a commit that holds how many files it adds: Delta states it of what its own writer wrote only."""
PARTITION: Final = "partition"
KEEP_LOG: Final = PostCommitHookProperties(cleanup_expired_logs=False)
"""Commits of older versions stay in the log: which may go is for `infra.lake.retention` to decide."""
_STATISTICS: Final = {"min": True, "max": True, "distinct_count": False, "null_count": True}


def append_files(folder: Path, table: DeltaTable, rows: pl.DataFrame, properties: Mapping[str, str]) -> None:
    """Write rows with all of the table's columns into its folder, and commit them with these properties.

    Where a file cannot be written, none stays.
    """
    written: list[Path] = []
    try:
        actions: list[AddAction | RemoveAction] = [
            _written(folder, month, part, written) for month, part in _months(rows)
        ]
    except BaseException:
        for file in written:
            file.unlink(missing_ok=True)
        raise
    # From here on files may belong to a commit, even if an error follows: what no commit names, no one reads.
    commit_added(table, actions, properties)


def commit_added(table: DeltaTable, actions: list[AddAction | RemoveAction], properties: Mapping[str, str]) -> None:
    """Commit files that are there, with these properties and their number: a log that was cut is found by it."""
    table.create_write_transaction(
        actions,
        "append",
        table.schema(),
        [PARTITION],
        commit_properties=CommitProperties(custom_metadata={**properties, FILES_PROPERTY: str(len(actions))}),
        post_commithook_properties=KEEP_LOG,
    )


def _months(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield the rows of each month, in order: slices where the rows of a month are neighbours."""
    runs = rows[PARTITION].rle().struct.unnest()
    if runs["value"].is_duplicated().any():
        yield from ((str(month), part) for (month,), part in rows.group_by(PARTITION, maintain_order=True))
        return
    first = 0
    for length, month in runs.iter_rows():
        yield month, rows.slice(first, length)
        first += length


def _written(folder: Path, month: str, rows: pl.DataFrame, written: list[Path]) -> AddAction:
    """Write the rows of a month as one file, remembered in `written` before it is there; return what adds it."""
    name = f"partition={month}/part-{uuid.uuid4()}.parquet"  # the month is our own YYYY-MM, never delivered text
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    written.append(file)
    write_data(rows, file)
    state = file.stat()
    return AddAction(name, state.st_size, {PARTITION: month}, state.st_mtime_ns // 10**6, True, file_statistics(rows))


def write_data(rows: pl.DataFrame, to: Path | IO[bytes]) -> None:
    """Write rows of one partition as a data file is: that column stands in the log."""
    stored = rows.drop(PARTITION)
    stored.write_parquet(to, compression="lz4", statistics=_STATISTICS, row_group_size=ROW_GROUP_ROWS)


def file_statistics(rows: pl.DataFrame) -> str:
    """Return the statistics of a file, by which queries of one id leave it out."""
    ids = [name for name in INDEXED if name in rows.columns]
    return json.dumps({
        "numRecords": rows.height,
        "minValues": {name: rows[name].min() for name in ids},
        "maxValues": {name: rows[name].max() for name in ids},
        "nullCount": {name: rows[name].null_count() for name in ids},
    })  # fmt: skip
