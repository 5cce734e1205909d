"""A release read: SQL over its tables, the story of one item, its files."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import duckdb
import polars as pl

from flows.installation import Installation
from infra import lake, ledger
from schemas.claims import PUBLISHED
from schemas.errors import UsageError

LEDGER_TABLES: Final = ("submissions", "rejects", "releases")


def released(installation: Installation, number: int | None = None) -> ledger.Release:
    """Return release `number`, the current one by default; `UsageError` if there is none."""
    if number is None:
        current = ledger.current_release(installation.engine)
        if current is None:
            raise UsageError("nothing is released yet: `engang submit` some files, then `engang nightly`")
        return current
    for row in ledger.releases(installation.engine).filter(pl.col("release") == number).iter_rows(named=True):
        return cast("ledger.Release", row | {name: json.loads(row[name]) for name in ("tables", "counts")})
    raise UsageError(f"there is no release {number}: `engang releases` lists them")


def table(installation: Installation, name: str, release: ledger.Release) -> pl.LazyFrame:
    """Return one published table of a release, lazily: what belongs to it and nothing else."""
    return lake.live(installation.settings.lake, name, release["tables"])


def query(installation: Installation, sql: str, number: int | None = None) -> pl.DataFrame:
    """Run SQL (DuckDB) over a release's tables and the ledger's submissions, rejects and releases.

    The query sees these and nothing else of the machine. Raises `UsageError` with DuckDB's own words.
    """
    release = released(installation, number)
    root = installation.settings.lake
    connection = duckdb.connect()
    gone = lake.retired(root, release["tables"])
    connection.register("_retired", gone.select("item_id", "_until").to_arrow())
    for name in PUBLISHED:
        connection.sql(_view(root, name, release["tables"][name], retired=bool(gone.height)))
    for name in LEDGER_TABLES:
        if name in sql.lower():
            connection.register(name, _ledger_table(installation, name).to_arrow())
    connection.execute(f"SET allowed_directories = [{_quoted(str(root))}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    try:
        result = connection.sql(sql)
        found: pl.DataFrame = result.pl() if result is not None else pl.DataFrame()
    except duckdb.Error as error:
        raise UsageError(f"the query failed: {error}") from error
    return found


def _view(root: Path, name: str, version: int, *, retired: bool) -> str:
    found = lake.files(root, name, version)
    columns = ", ".join(f'"{c.name}"' for c in PUBLISHED[name])
    if not found:
        types = ", ".join(f'NULL::{_sql_type(c.dtype)} AS "{c.name}"' for c in PUBLISHED[name])
        return f"CREATE VIEW {name} AS SELECT {types} WHERE false"
    listed = ", ".join(_quoted(f) for f in found)
    source = f"read_parquet([{listed}], hive_partitioning = true, hive_types = {{'partition': VARCHAR}})"
    sql = f"SELECT {columns} FROM {source}"  # noqa: S608  our own file and column names
    if retired and name in lake.REPLACED:
        sql += " LEFT JOIN _retired USING (item_id) WHERE release >= coalesce(_until, 0)"
    return f"CREATE VIEW {name} AS {sql}"


def _sql_type(dtype: Any) -> str:  # noqa: ANN401  Polars types its dtypes as classes or instances
    if isinstance(dtype, pl.Decimal):
        return f"DECIMAL({dtype.precision}, {dtype.scale})"
    names = {pl.String: "VARCHAR", pl.Date: "DATE", pl.Boolean: "BOOLEAN", pl.Int16: "SMALLINT", pl.Int32: "INTEGER"}
    return names.get(dtype, "BIGINT" if dtype == pl.Int64 else "TIMESTAMP")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _ledger_table(installation: Installation, name: str) -> pl.DataFrame:
    if name == "submissions":
        return ledger.submissions(installation.engine)
    if name == "releases":
        return ledger.releases(installation.engine)
    return ledger.rejects(installation.engine)


@dataclass(frozen=True)
class Story:
    """All that is known of one item."""

    observation: dict[str, Any] | None
    claims: list[dict[str, Any]]
    """Every claim: what it says, where it stands, what became of it (`relation` or `bucket`), newest sources first."""
    why: str


def explain(installation: Installation, item_id: str, number: int | None = None) -> Story:
    """Return the story of an item: every claim, the cell it came from, what joins it, why this value is published.

    Raises `UsageError` if no release knows the item.
    """
    release = released(installation, number)
    mine = pl.col("item_id") == item_id
    sources = table(installation, "sources", release).filter(mine).collect()
    found = table(installation, "observations", release).filter(mine).collect()
    partition = found["partition"].to_list()
    claims = lake.scan(installation.settings.lake, "claims", partitions=partition or None).filter(mine).collect()
    if not claims.height:
        raise UsageError(f"no item {item_id!r}: ask `engang query` for the item_id of observations")
    return _story(installation, found, sources, claims)


def _story(installation: Installation, found: pl.DataFrame, sources: pl.DataFrame, claims: pl.DataFrame) -> Story:
    files = ledger.submissions(installation.engine, ids=claims["submission_id"].unique().to_list())
    told = claims.join(files.select("submission_id", "batch", "filename", "status"), on=["submission_id", "batch"])
    cell = ["submission_id", "row", "column", "reported_by"]
    told = told.join(sources.select(*cell, "relation", "chosen"), on=cell, how="left", nulls_equal=True)
    became = pl.when(pl.col("status") == "withdrawn").then(pl.lit("withdrawn")).otherwise(pl.lit("superseded"))
    told = told.with_columns(pl.coalesce("relation", became).alias("relation"), pl.col("chosen").fill_null(False))
    told = told.sort("chosen", "version", "submission_id", "row", descending=[True, True, False, False])
    names = [
        "relation", "chosen", "value", "decimals", "original", "filename", "row", "column", "sender", "reported_by",
        "contract", "submission_id", "version", "precedence",
    ]  # fmt: skip
    observation = found.row(0, named=True) if found.height else None
    return Story(observation, told.select(names).to_dicts(), _why(observation))


def _why(observation: dict[str, Any] | None) -> str:
    if observation is None:
        return "No claim counts any more: all were withdrawn or superseded, so no release holds the item."
    reports, reporters = observation["reports"], observation["reporters"]
    if observation["agreement"] == "single":
        return "One claim, so its value stands."
    if observation["agreement"] == "complete":
        return f"{reports} claims by {reporters} reporters say the same to the same accuracy: complete duplicates."
    if observation["agreement"] == "consistent":
        return f"{reports} claims by {reporters} reporters agree within their accuracy: the most accurate one stands."
    if observation["value"] is None:
        return f"{reports} claims by {reporters} reporters conflict and no contract declares precedence: withheld."
    return f"{reports} claims by {reporters} reporters conflict: the one that its contract ranks first stands."


def list_releases(installation: Installation) -> list[dict[str, Any]]:
    """Return every release: release, published_at, digest, counts."""
    rows = ledger.releases(installation.engine).iter_rows(named=True)
    return [
        {**{k: r[k] for k in ("release", "published_at", "digest")}, "counts": json.loads(r["counts"])} for r in rows
    ]


def registered_units(installation: Installation) -> pl.DataFrame:
    """Return the register's units, one row a validity: unit_id, kind, code, name, valid_from, valid_to."""
    return installation.register.units.sort("kind", "code", "valid_from")


def provisional_units(installation: Installation) -> pl.DataFrame:
    """Return the units known only by name, in no register: unit_id, kind, name."""
    return ledger.provisional_units(installation.engine)
