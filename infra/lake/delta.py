"""The lake: Delta tables, one writer, releases that are visible all at once.

A release names, for each table, the Delta version that belongs to it. The writer appends row versions; a row that a
later release replaces stays where it is and its item is listed in `retired`, until its partition is compacted. So a
night writes what changed, not the month around it. A row is live when no later release retired its item:

    live(table) = rows whose `release` >= the greatest `retired.release` of their item

Versions written after the last release belong to nobody: the next writer restores the tables first. The tables of
record kinds stand in `infra.lake.kind_tables`; one that nothing was written to is not there and reads as empty.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Literal
from urllib.parse import unquote

import polars as pl
from deltalake import ColumnProperties, CommitProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from infra.lake.access import alone, options_of, reaching, uri_of
from infra.storage.places import Place, fit_for_a_lake
from schemas.claims import CLAIM, PUBLISHED, Column, frame_schema
from schemas.errors import StoreError

BATCH: Final = Column("batch", pl.String, "The commit it came in; a claim counts if the ledger names its batch")
RETIRED: Final = (
    Column("item_id", pl.String, "The item"),
    Column("release", pl.Int32, "The release that replaced its rows"),
    Column("partition", pl.String, "Month of period_start"),
)
TABLES: Final = {"claims": (*CLAIM, BATCH), **PUBLISHED, "retired": RETIRED}
VERSIONED: Final = (*PUBLISHED, "retired")
"""The tables whose versions a release names."""
REPLACED: Final = ("observations", "sources", "conflicts")
"""The tables in which a later release replaces an item's rows."""
RUN: Final = "engang.run"
"""Under what a commit bears the run that made it."""
TRIES: Final = 5
"""How often rows are written to a kind's table that others make or widen at the same time."""
COMPACT_ROWS: Final = 50_000
COMPACT_SHARE: Final = 0.1
COMPACT_BATCH: Final = 500_000
"""A partition is rewritten when it is small, or this share of it is retired: the work stays in proportion to change."""
MANY_FILES: Final = 100
SMALL_FILE: Final = 2**24
"""So many files of fewer bytes than this in a partition are put together: each commit reads the list of all files."""
UNLIKE: Final = (
    "item_id", "claim_id", "slot_id", "original", "value", "value_after", "value_before", "report_id", "report_key",
    "content", "part_values", "a", "b", "weight",
)  # fmt: skip
"""Columns whose values rarely repeat: a dictionary of them costs half the time of writing, and saves nothing."""
SOUGHT: Final = ("item_id", "report_id")
"""Only ids are looked for, so only they have statistics: least and greatest of each group of rows."""
UNSTATED: Final = ColumnProperties(dictionary_enabled=True, statistics_enabled="NONE")
FOLDER: Final = "file://"
SAMPLE: Final = 10_000
"""Rows of a kind's table by which its columns are judged: unlike where a third of the values is of its own."""


def _writer(unlike: Iterable[str]) -> WriterProperties:
    plain = {
        name: ColumnProperties(dictionary_enabled=False, statistics_enabled="CHUNK" if name in SOUGHT else "NONE")
        for name in unlike
    }
    return WriterProperties(
        compression="LZ4_RAW",
        max_row_group_size=32 * 1024,  # items are in order: one is found in one small group
        default_column_properties=UNSTATED,
        column_properties=plain,
    )


def _unlike(rows: pl.DataFrame) -> set[str]:
    """Return the columns whose values rarely repeat, as Parquet names them: those of `UNLIKE`, and by a sample."""
    found = set(UNLIKE) & set(rows.columns)
    for column in rows.head(SAMPLE):
        listed = column.dtype == pl.List
        values = (column.explode() if listed else column).drop_nulls()
        if 3 * values.n_unique() > values.len():
            found.add(f"{column.name}.list.item" if listed else column.name)
    return found


WRITER: Final = _writer(UNLIKE)


def open_lake(root: Place) -> None:
    """Create the tables that every installation has, empty, if they are not there yet.

    Raises `UsageError` for a place whose path they cannot be read back from.
    """
    fit_for_a_lake(root)
    for name, columns in TABLES.items():
        if not exists(root, name):
            _create(root, name, frame_schema(columns))


def exists(root: Place, name: str) -> bool:
    """Tell whether a table is there: one of a record kind is when something was written to it."""
    with reaching(root, name):
        return DeltaTable.is_deltatable(uri_of(root, name), storage_options=options_of(root))


class _Table(DeltaTable):
    """A table in a folder names it as URLs do (`K%C3%A5re`): here it is what the files are opened by."""

    @property
    def table_uri(self) -> str:
        """Return where the table stands, unescaped."""
        uri = super().table_uri
        return unquote(uri) if uri.startswith(FOLDER) else uri

    def file_uris(self, *args: Any, **told: Any) -> list[str]:  # noqa: ANN401  as `DeltaTable` takes it
        """Return its files, unescaped."""
        kept, named = (uri.removeprefix(FOLDER) for uri in (super().table_uri, self.table_uri))
        return [named + uri.removeprefix(kept) for uri in super().file_uris(*args, **told)]


def _at(root: Place, name: str, version: int | None = None) -> DeltaTable:
    with reaching(root, name):
        return _Table(uri_of(root, name), version=version, storage_options=options_of(root))


def _found(root: Place, name: str) -> DeltaTable | None:
    """Return the newest version of a table if it is there; to ask first would be one more listing of S3 for each."""
    with reaching(root, name):
        try:
            return _Table(uri_of(root, name), storage_options=options_of(root))
        except TableNotFoundError:
            return None


def _write(root: Place, name: str, rows: pl.DataFrame, **told: Any) -> None:  # noqa: ANN401  as write_deltalake takes it
    with reaching(root, name):
        write_deltalake(uri_of(root, name), rows, storage_options=options_of(root), commit_properties=_sign(), **told)


_run: Final[ContextVar[str | None]] = ContextVar("run", default=None)


@contextmanager
def signed(run: str) -> Iterator[None]:
    """Let commits bear the run that makes them, in this context: of a run that lost its lock, none is published."""
    before = _run.set(run)
    try:
        yield
    finally:
        _run.reset(before)


def _sign() -> CommitProperties | None:
    run = _run.get()
    return None if run is None else CommitProperties(custom_metadata={RUN: run})


def _create(root: Place, name: str, schema: pl.Schema) -> None:
    _write(root, name, pl.DataFrame(schema=schema), partition_by=["partition"], mode="ignore")


def versions(root: Place, names: Iterable[str] = VERSIONED) -> dict[str, int]:
    """Return the newest Delta version of each of these tables that is there."""
    found = ((name, _found(root, name)) for name in names)
    return {name: table.version() for name, table in found if table is not None}


def own_versions(root: Place, names: Iterable[str], released: dict[str, int]) -> dict[str, int]:
    """Return `versions` if only the `signed` run wrote since they were restored to these; `StoreError` if not.

    A run whose session in the ledger broke has lost the publishing lock before it knows, and may write beside the next.
    """
    found = versions(root, names)
    for name, version in found.items():
        since = version - released.get(name, 0)
        for commit in _at(root, name, version).history(since) if since > 0 else []:  # the newest first
            if commit.get(RUN) != _run.get():
                told = f"lake: another run ({commit.get(RUN)}) wrote to the table {name} at the same time"
                raise StoreError(f"{told}; nothing was published: run it again when that one has ended")
            if commit.get("operation") == "RESTORE":
                break
    return found


def restore(root: Place, released: dict[str, int], names: Iterable[str] = VERSIONED) -> None:
    """Put the tables back to the versions of the last release (0, the empty table, where there is none).

    Raises `StoreError` where the lake has not what the release names: it was lost, or is older than the ledger.
    """
    for name in names:
        table = _found(root, name)
        if (found := -1 if table is None else table.version()) < released.get(name, -1):
            told = f"lake: of the table {name} found {f'version {found}' if table else 'nothing'} in {root}"
            hint = "the lake was lost or is older than the ledger; put it back from its backup"
            raise StoreError(f"{told}, expected version {released[name]} of the last release: {hint}")
        if table is not None and found > released.get(name, 0):
            with alone(root, name):
                table.restore(released.get(name, 0), commit_properties=_sign())


def append(root: Place, name: str, frame: pl.DataFrame, columns: tuple[Column, ...] | None = None) -> None:
    """Add rows to a table in one commit; a kind's table has its columns told, is made if need be, and may gain columns.

    Raises `StoreError` if the store does not take them, or keeps one of the columns as something else.
    """
    if frame.height:
        schema = frame_schema(columns or TABLES[name])
        rows = frame.select(schema.names())
        try:
            if name in TABLES:
                _write(root, name, rows, mode="append", writer_properties=WRITER)
            else:
                _append_fitting(root, name, rows)
        except DeltaError as error:
            raise StoreError(f"lake: {name} took no rows ({error}); run it again") from error


def _append_fitting(root: Place, name: str, rows: pl.DataFrame) -> None:
    """Add rows to a kind's table; where another writer makes or widens it meanwhile, once more."""
    for left in reversed(range(TRIES)):
        try:
            _fit(root, name, rows.schema)
            _write(root, name, rows, mode="append", schema_mode="merge", writer_properties=_writer(_unlike(rows)))
        except CommitFailedError:
            if not left:
                raise
        else:
            return


def _fit(root: Place, name: str, schema: pl.Schema) -> None:
    """Make a kind's table if it is not there; raise `StoreError` for a column that it keeps as another type."""
    if not exists(root, name):
        _create(root, name, schema)
        return
    for column, kept in scan(root, name).collect_schema().items():
        if schema.get(column, kept) != kept:
            told = f"found {schema[column]} in the kind's file, expected {kept} as it was when rows were kept"
            raise StoreError(f"lake: {name}.{column}: {told}; give the changed field another name")


def scan(root: Place, name: str, version: int | None = None, partitions: list[str] | None = None) -> pl.LazyFrame:
    """Return a table as it stands in the lake, retired rows included, lazily; only these partitions if given."""
    frame = pl.scan_delta(_at(root, name, version))
    return frame if partitions is None else frame.filter(pl.col("partition").is_in(partitions))


def live(root: Place, name: str, released: dict[str, int], partitions: list[str] | None = None) -> pl.LazyFrame:
    """Return the rows of a published table that belong to a release, lazily."""
    rows = scan(root, name, released[name], partitions)
    return rows if name not in REPLACED else without_retired(rows, retired(root, released, partitions))


def retired(root: Place, released: dict[str, int], partitions: list[str] | None = None) -> pl.DataFrame:
    """Return the items with retired rows: item_id, _until (the release that replaced them last), partition."""
    found = scan(root, "retired", released["retired"], partitions)
    return found.group_by("item_id", "partition").agg(pl.col("release").max().alias("_until")).collect()


def without_retired(rows: pl.LazyFrame, gone: pl.DataFrame) -> pl.LazyFrame:
    """Return the rows that no later release replaced."""
    if not gone.height:
        return rows
    marked = rows.join(gone.lazy().select("item_id", "_until"), on="item_id", how="left")
    return marked.filter(pl.col("release") >= pl.col("_until").fill_null(0)).drop("_until")


def compact(root: Place, touched: list[str]) -> list[str]:
    """Rewrite the touched partitions where enough is retired, dropping what is; return those rewritten."""
    now = versions(root)
    gone = retired(root, now, touched)
    if not gone.height:
        return []
    sizes = partition_rows(root, "observations")
    per = gone.group_by("partition").len().join(sizes, on="partition", how="left")
    worth = (pl.col("rows").fill_null(0) <= COMPACT_ROWS) | (pl.col("len") > COMPACT_SHARE * pl.col("rows"))
    chosen = per.filter(worth)["partition"].sort().to_list()
    told = per.filter(pl.col("partition").is_in(chosen)).sort("partition")
    for some in groups(told.select("partition", pl.col("rows").fill_null(0)).rows(), rows=COMPACT_BATCH):
        for name in REPLACED:
            kept = without_retired(scan(root, name, now[name], some), gone.filter(pl.col("partition").is_in(some)))
            overwrite(root, name, some, kept.sort("partition", "item_id").collect())
    if chosen:
        overwrite(root, "retired", chosen, pl.DataFrame(schema=frame_schema(RETIRED)))
    return chosen


def tidy(root: Place, name: str) -> int:
    """Put the many small files of a table that is only added to into few; return how many that took the place of.

    Its rows stay, and who adds to it or reads it meanwhile is not disturbed: what was replaced is deleted a week later.
    """
    table = _found(root, name)
    if table is None:
        return 0
    small = pl.DataFrame(table.get_add_actions(flatten=True)).filter(pl.col("size_bytes") < SMALL_FILE)
    many = small.group_by(pl.col("partition.partition").alias("partition")).len().filter(pl.col("len") >= MANY_FILES)
    if many.is_empty():
        return 0
    with alone(root, name):
        told = [("partition", "in", many["partition"].sort().to_list())]
        done = table.optimize.compact(told, max_concurrent_tasks=2, writer_properties=WRITER, commit_properties=_sign())
        table.vacuum(dry_run=False, commit_properties=_sign())
    return int(done["numFilesRemoved"])


def groups(sizes: Iterable[tuple[str, int]], rows: int, most: int | None = None) -> Iterator[list[str]]:
    """Yield partitions in groups of at most `rows` rows and `most` partitions; one that is larger stands alone."""
    group: list[str] = []
    held = 0
    for partition, size in sizes:
        if group and (held + size > rows or len(group) == most):
            yield group
            group, held = [], 0
        group.append(partition)
        held += size
    if group:
        yield group


def partition_rows(root: Place, name: str) -> pl.DataFrame:
    """Return how many rows, retired ones included, a table keeps in each partition: partition, rows."""
    adds = pl.DataFrame(_at(root, name).get_add_actions(flatten=True))
    adds = adds.select(pl.col("partition.partition").alias("partition"), pl.col("num_records").alias("rows"))
    return adds.group_by("partition").agg(pl.col("rows").sum())


def overwrite(
    root: Place, name: str, partitions: list[str], frame: pl.DataFrame, columns: tuple[Column, ...] | None = None
) -> None:
    """Put rows in the place of all that a table keeps in these partitions; a kind's table has its columns told."""
    predicate = " OR ".join(f"partition = '{p}'" for p in partitions)  # our own YYYY-MM, never delivered text
    if frame.height:
        rows = frame.select(frame_schema(columns or TABLES[name]).names())
        merge: Literal["merge"] | None = None if columns is None else "merge"
        told = {"mode": "overwrite", "predicate": predicate, "schema_mode": merge, "writer_properties": WRITER}
        with alone(root, name):
            _write(root, name, rows, **told)
    else:
        with alone(root, name):
            _at(root, name).delete(predicate, commit_properties=_sign())


def files(root: Place, name: str, version: int, partitions: list[str] | None = None) -> list[str]:
    """Return the Parquet files of a table's version, for engines that read files (DuckDB)."""
    table = _at(root, name, version)
    return table.file_uris([("partition", "in", partitions)] if partitions else None)


def dataset(root: Place, name: str, version: int) -> Any:  # noqa: ANN401  a pyarrow dataset, which has no types
    """Return a table's version for engines that read no files of S3 themselves (DuckDB without its extensions)."""
    return _at(root, name, version).to_pyarrow_dataset()


def partitions(root: Place, name: str, version: int) -> list[str]:
    """Return the months that a table's version holds rows of, sorted."""
    return sorted({str(p["partition"]) for p in _at(root, name, version).partitions()})
