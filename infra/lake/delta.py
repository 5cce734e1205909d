"""The lake: Delta tables, one writer, releases that are visible all at once.

A release names, for each table, the Delta version that belongs to it. Versions written after the last release belong to
nobody: the next writer restores the tables first. `infra.lake.item_tables` decides which rows of a version are live.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote

import polars as pl
from deltalake import CommitProperties, DeltaTable, Schema, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from infra.lake.access import single_writer, storage_options, store_errors, table_address
from infra.lake.files.appended_files import KEEP_LOG, append_files
from infra.lake.files.parquet_options import WRITER, writer_of
from infra.lake.integrity import all_damage, refuse_damage
from infra.storage.places import Place, check_lake_place
from infra.storage.store import DamagedFile
from schemas.claims import CLAIM, PUBLISHED_TABLES, Column, frame_schema
from schemas.errors import StoreError

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

BATCH_COLUMN: Final = Column("batch", pl.String, "The commit it came in; a claim counts if the ledger names its batch")
RETIRED: Final = (
    Column("item_id", pl.String, "The item"),
    Column("release", pl.Int32, "The release that replaced its rows"),
    Column("partition", pl.String, "Month of period_start"),
)
TABLES: Final = {"claims": (*CLAIM, BATCH_COLUMN), **PUBLISHED_TABLES, "retired": RETIRED}
VERSIONED: Final = (*PUBLISHED_TABLES, "retired")
"""The tables whose versions a release names."""
RUN_PROPERTY: Final = "engang.run"
"""The property of a commit that holds the id of the run that made it."""
APPEND_ATTEMPTS: Final = 5
"""Attempts to append to a kind's table while others create it or add columns to it."""
MANY_FILES: Final = 100
SMALL_FILE: Final = 2**24
"""This many files of fewer bytes in a partition are merged: each commit reads the list of all files."""
FILE_SCHEME: Final = "file://"


def open_lake(root: Place) -> None:
    """Create the missing ones of the tables that every installation has, empty.

    Raises `UsageError` for a place with a path from which Delta could not read them back.
    """
    check_lake_place(root)
    for name, columns in TABLES.items():
        if not exists(root, name):
            _create(root, name, frame_schema(columns))


def exists(root: Place, name: str) -> bool:
    """Return whether a table exists. Those of a record kind do once something was written to them."""
    with store_errors(root, name):
        return DeltaTable.is_deltatable(table_address(root, name), storage_options=storage_options(root))


class _Table(DeltaTable):
    """A table with unescaped paths: Delta gives them as URLs (`K%C3%A5re`), and files are opened by path."""

    @property
    def table_uri(self) -> str:
        """Return the table's address, unescaped."""
        uri = super().table_uri
        return unquote(uri) if uri.startswith(FILE_SCHEME) else uri

    def file_uris(self, *args: Any, **kwargs: Any) -> list[str]:
        """Return its files, unescaped."""
        escaped, plain = (uri.removeprefix(FILE_SCHEME) for uri in (super().table_uri, self.table_uri))
        return [plain + uri.removeprefix(escaped) for uri in super().file_uris(*args, **kwargs)]


_opened: Final[ContextVar[dict[tuple[Place, str, int | None], DeltaTable] | None]] = ContextVar("opened", default=None)


@contextmanager
def opened_once() -> Iterator[None]:
    """Open each version of a table once while the block runs: opening reads its log, on S3 one request a commit.

    Of a table that was found already (`_find_table`), only the commits since then are read. Blocks may be nested.
    """
    known = _opened.get()
    before = _opened.set({} if known is None else known)
    try:
        yield
    finally:
        _opened.reset(before)


def open_table(root: Place, name: str, version: int | None = None) -> DeltaTable:
    """Return a table at a version, the newest by default, with unescaped paths."""
    opened = _opened.get()
    if opened is None or version is None:  # the newest version may be another one a moment later
        return _open_version(root, name, version)
    key = (root, name, version)
    if key not in opened:
        opened[key] = _open_version(root, name, version)
    return opened[key]


def _open_version(root: Place, name: str, version: int | None) -> DeltaTable:
    with store_errors(root, name):
        return _Table(table_address(root, name), version=version, storage_options=storage_options(root))


def _find_table(root: Place, name: str) -> DeltaTable | None:
    """Return the newest version of a table, None if there is none. A check first would list S3 once more per table.

    In a block of `opened_once` it is the same object each time: do not scan it, for a later call moves it forward.
    """
    opened, key = _opened.get(), (root, name, None)
    with store_errors(root, name):
        if opened is not None and key in opened:
            opened[key].update_incremental()
            return opened[key]
        try:
            table = _Table(table_address(root, name), storage_options=storage_options(root))
        except TableNotFoundError:
            return None
    if opened is not None:
        opened[key] = table
    return table


def _write(root: Place, name: str, rows: pl.DataFrame, **options: Any) -> None:
    with store_errors(root, name):
        at, storage = table_address(root, name), storage_options(root)
        write_deltalake(at, rows, storage_options=storage, **_commit_options(), **options)


_run: Final[ContextVar[str | None]] = ContextVar("run", default=None)


@contextmanager
def signed_by(run: str) -> Iterator[None]:
    """Write the run's id into all commits of this context, so that `own_versions` can recognise them."""
    before = _run.set(run)
    try:
        yield
    finally:
        _run.reset(before)


def _commit_options() -> dict[str, Any]:
    """Return what every commit is given: its run, and that commits of older versions stay in the log."""
    # By default Delta deletes them after 30 days, and the older releases could not be read any more.
    signature = CommitProperties(custom_metadata=commit_signature()) if commit_signature() else None
    return {"commit_properties": signature, "post_commithook_properties": KEEP_LOG}


def commit_signature() -> dict[str, str]:
    """Return the properties of a commit that say which run made it; none outside of runs."""
    run = _run.get()
    return {} if run is None else {RUN_PROPERTY: run}


def _create(root: Place, name: str, schema: pl.Schema) -> None:
    _write(root, name, pl.DataFrame(schema=schema), partition_by=["partition"], mode="ignore")


def newest_versions(root: Place, names: Iterable[str] = VERSIONED) -> dict[str, int]:
    """Return the newest Delta version of each of these tables that exists."""
    tables = ((name, _find_table(root, name)) for name in names)
    return {name: table.version() for name, table in tables if table is not None}


def own_versions(root: Place, names: Iterable[str], released: dict[str, int]) -> dict[str, int]:
    """Return `newest_versions` if only the run of `signed_by` wrote since the tables were restored to `released`.

    Raises `StoreError` otherwise.
    """
    # The publishing lock is held by a session of the ledger's database. If that session breaks, the lock is free, the
    # next run may start and restore the tables, and this run writes on without noticing. No lock can prevent that. So
    # each commit has its run's id, and before it publishes a run checks that all commits after its restore are its own.
    versions = newest_versions(root, names)
    for name, version in versions.items():
        since = version - released.get(name, 0)
        for commit in open_table(root, name, version).history(since) if since > 0 else []:  # newest first
            if (run := commit.get(RUN_PROPERTY)) != _run.get():
                message = f"lake: another run ({run}) wrote to the table {name} at the same time"
                raise StoreError(f"{message}; nothing was published: run it again when that one has ended")
            if commit.get("operation") == "RESTORE":
                break
    return versions


def restore(root: Place, released: dict[str, int], names: Iterable[str] = VERSIONED) -> None:
    """Restore the tables to the versions of the last release (0, the empty table, without one).

    Raises `StoreError` if the lake lacks a version of the release: it was lost, or is older than the ledger.
    """
    # What a killed run wrote after the last release is counted by no one. It is removed before the next run writes.
    for name in names:
        table = _find_table(root, name)
        newest = -1 if table is None else table.version()
        if newest < released.get(name, -1):
            found = f"version {newest}" if table else "nothing"
            message = f"lake: of the table {name} found {found} in {root}"
            hint = "the lake was lost or is older than the ledger; restore it from its backup"
            raise StoreError(f"{message}, expected version {released[name]} of the last release: {hint}")
        if table is not None and newest > released.get(name, 0):
            with single_writer(root, name):
                table.restore(released.get(name, 0), **_commit_options())
            table = open_table(root, name)
        if table is not None and name in TABLES:  # an older version of Engang created it
            _add_missing_columns(root, name, table, TABLES[name])


def ensure_columns(root: Place, name: str, columns: tuple[Column, ...]) -> None:
    """Create a kind's table, or add the columns that it lacks; `StoreError` for one that it has with another type."""
    _create_or_check(root, name, frame_schema(columns))
    _add_missing_columns(root, name, open_table(root, name), columns)


def _add_missing_columns(root: Place, name: str, table: DeltaTable, columns: tuple[Column, ...]) -> None:
    """Add the columns that a table lacks; the rows that it has are null there."""
    stored = {field.name for field in table.schema().fields}
    missing = frame_schema(tuple(column for column in columns if column.name not in stored))
    if missing:
        wanted = Schema.from_arrow(pl.DataFrame(schema=missing).to_arrow().schema)
        with single_writer(root, name):
            table.alter.add_columns(wanted.fields, **_commit_options())


def append(root: Place, name: str, frame: pl.DataFrame, columns: tuple[Column, ...] | None = None) -> None:
    """Append rows to a table in one commit. A kind's table needs `columns`; it is created and gains columns as needed.

    Raises `StoreError` if the store refuses them, or has one of the columns with another type.
    """
    if frame.height:
        schema = frame_schema(columns or TABLES[name])
        rows = frame.select(schema.names())
        try:
            _append(root, name, rows)
        except DeltaError as error:
            raise StoreError(f"lake: {name} took no rows ({error}); run it again") from error


def _append(root: Place, name: str, rows: pl.DataFrame) -> None:
    """Append rows to a table, with the columns that it lacks; retry if another writer creates it or adds some."""
    # Several intake workers append at once. Plain appends never conflict in Delta; the commit that creates a table or
    # adds a column does, and one of two such commits fails. At the next attempt the table is as the other one left it.
    for remaining in reversed(range(APPEND_ATTEMPTS)):
        try:
            if name not in TABLES:
                _create_or_check(root, name, rows.schema)
            elif isinstance(root, Path) and _append_to_folder(root, name, rows):
                return
            writer = WRITER if name in TABLES else writer_of(rows)
            _write(root, name, rows, mode="append", schema_mode="merge", writer_properties=writer)
        except CommitFailedError:
            if not remaining:
                raise
        else:
            return


def _append_to_folder(root: Path, name: str, rows: pl.DataFrame) -> bool:
    """Append rows to a table in a folder and return true; do nothing where either has other columns than declared."""
    with store_errors(root, name):
        table, declared = open_table(root, name), frame_schema(TABLES[name])
        # Delta's own writer converts what is of another type, and adds columns to what an older version created.
        if rows.schema != declared or {field.name for field in table.schema().fields} != set(declared):
            return False
        append_files(root / name, table, rows, commit_signature())
    return True


def _create_or_check(root: Place, name: str, schema: pl.Schema) -> None:
    """Create a kind's table if it is missing; raise `StoreError` for a column that it has with another type."""
    if not exists(root, name):
        _create(root, name, schema)
        return
    for column, stored in scan(root, name).collect_schema().items():
        if schema.get(column, stored) != stored:
            message = f"found {schema[column]} in the kind's file, expected {stored} as in the rows already stored"
            raise StoreError(f"lake: {name}.{column}: {message}; give the changed field another name")


def scan(root: Place, name: str, version: int | None = None, partitions: list[str] | None = None) -> pl.LazyFrame:
    """Return a table lazily, retired rows included; only these partitions if given.

    Raises `StoreError` if a file that would be read is missing or truncated.
    """
    table = open_table(root, name, version)
    refuse_damage(root, name, table, partitions)
    frame = pl.scan_delta(table)
    if name in TABLES:
        stored = frame.collect_schema()
        lacking = frame_schema(tuple(column for column in TABLES[name] if column.name not in stored))
        frame = frame.with_columns(pl.lit(None, dtype).alias(column) for column, dtype in lacking.items())
    return frame if partitions is None else frame.filter(pl.col("partition").is_in(partitions))


def merge_small_files(root: Place, name: str) -> int:
    """Rewrite the many small files of an append-only table as few larger ones; return how many were replaced.

    Its rows stay the same. Replaced files are deleted a week later.
    """
    # Others may append and read meanwhile: an append does not conflict with this commit, and who reads an older version
    # finds its files until the vacuum of a week later (Delta's default). That is a full one: it takes the files of
    # writers that died before a commit named them (`infra.lake.files.uncommitted`) as well.
    table = _find_table(root, name)
    if table is None:
        return 0
    small = pl.DataFrame(table.get_add_actions(flatten=True)).filter(pl.col("size_bytes") < SMALL_FILE)
    many = small.group_by(pl.col("partition.partition").alias("partition")).len().filter(pl.col("len") >= MANY_FILES)
    if many.is_empty():
        return 0
    with single_writer(root, name):
        chosen = [("partition", "in", many["partition"].sort().to_list())]
        metrics = table.optimize.compact(chosen, max_concurrent_tasks=2, writer_properties=WRITER, **_commit_options())
        table.vacuum(dry_run=False, full=True, **_commit_options())
    return int(metrics["numFilesRemoved"])


def overwrite(
    root: Place, name: str, partitions: list[str], frame: pl.DataFrame, columns: tuple[Column, ...] | None = None
) -> None:
    """Replace all rows of these partitions of a table. A kind's table needs `columns`."""
    predicate = " OR ".join(f"partition = '{p}'" for p in partitions)  # our own YYYY-MM, never delivered text
    if frame.height:
        rows = frame.select(frame_schema(columns or TABLES[name]).names())
        merge: Literal["merge"] | None = None if columns is None else "merge"
        options = {"mode": "overwrite", "predicate": predicate, "schema_mode": merge, "writer_properties": WRITER}
        with single_writer(root, name):
            _write(root, name, rows, **options)
    else:
        with single_writer(root, name):
            open_table(root, name).delete(predicate, **_commit_options())


def delete_submission(root: Place, name: str, submission: str) -> None:
    """Delete the rows of a submission from a table; its older versions still have them until `remove_old_files`."""
    table = _find_table(root, name)
    if table is not None:
        with single_writer(root, name):  # the id is our own hexadecimal, never delivered text
            table.delete(f"submission_id = '{submission}'", writer_properties=WRITER, **_commit_options())


def remove_old_files(root: Place, name: str) -> None:
    """Delete the files that the newest version of a table does not have: older versions cannot be read any more."""
    # Only files that a commit removed are deleted, so what another writer has written and not committed yet stays.
    table = _find_table(root, name)
    if table is not None:
        with single_writer(root, name):
            table.vacuum(0, dry_run=False, enforce_retention_duration=False, **_commit_options())


def files(root: Place, name: str, version: int, partitions: list[str] | None = None) -> list[str]:
    """Return the Parquet files of a table's version, for engines that read files (DuckDB)."""
    table = open_table(root, name, version)
    return table.file_uris([("partition", "in", partitions)] if partitions else None)


def data_files(root: Place, name: str, version: int) -> set[str]:
    """Return the Parquet files of a table's version, as keys within the lake."""
    adds = pl.DataFrame(open_table(root, name, version).get_add_actions(flatten=True))
    return {f"{name}/{unquote(path)}" for path in adds["path"]}


def oldest_columns(root: Place, name: str, version: int) -> set[str]:
    """Return the columns of the oldest file of a table in a folder: files that were written later have no fewer."""
    table = open_table(root, name, version)
    adds = pl.DataFrame(table.get_add_actions(flatten=True)).sort("modification_time").head(1)
    oldest = [uri for uri in table.file_uris() if any(uri.endswith(path) for path in adds["path"])]
    names = {field.name for field in table.schema().fields}
    return {*pl.read_parquet_schema(oldest[0]), "partition"} & names if oldest else names


def dataset(root: Place, name: str, version: int) -> "Dataset":
    """Return a table's version as a pyarrow dataset, for engines that cannot read S3 (DuckDB without extensions)."""
    return open_table(root, name, version).to_pyarrow_dataset()


def damaged_files(root: Place, name: str, version: int | None = None) -> list[DamagedFile]:
    """Return the files of a table's version (the newest by default) that are missing or not as long as written."""
    if version is None and not exists(root, name):
        return []
    return all_damage(root, name, open_table(root, name, version))


def list_partitions(root: Place, name: str, version: int) -> list[str]:
    """Return the partitions (months) of a table's version, sorted."""
    return sorted({str(p["partition"]) for p in open_table(root, name, version).partitions()})
