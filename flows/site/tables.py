"""The tables of a release as files of its site, which its explorer and any tool read: Parquet, exact, for everybody."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.package.rows import PackageRows
from flows.releases import read_table
from infra.ledger.releases import Release
from infra.package.parquet_file import write_table_file
from schemas.claims import Column
from schemas.package_tables import COMMON_TABLES, PackageTable
from transforms.numbers import decimal_text
from transforms.package.disclosure import Disclosure, disclosure_of

EXPLORED: Final = (
    "observations", "conflicts", "obligations", "concepts", "dimensions", "units", "overlap", "burden", "redundancy",
    "coverage", "suspected", "releases",
)  # fmt: skip
"""The tables of a site. Claims, history and records are in packages only: no page lists them."""
DATA_FOLDER: Final = "data"
EXPLORED_GROUP_ROWS: Final = 10_000
"""Rows of a group of the files: what a browser fetches at least."""
INLINE_BYTES: Final = 2 * 2**20
"""The largest file that can be explored where pages are read from a folder: it is there as a script too."""
FIRST_ROWS: Final = 5
"""Rows of each table that the page itself has."""
EXACT_SUFFIX: Final = "_text"
"""How the column is called that has a decimal as text: a browser reads the decimal itself as a binary number."""


@dataclass(frozen=True)
class SiteTable:
    """A table of a site: its name, its columns as published, rows and bytes of its file, and its first rows.

    is_inline: whether it can be explored without a server. first: the columns with decimals as text.
    """

    name: str
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    is_inline: bool
    first: pl.DataFrame


def write_site_tables(installation: Installation, release: Release, folder: Path) -> tuple[SiteTable, ...]:
    """Write the tables of a release that everybody may see to the folder `data` of a folder; return what was written.

    They have no value that a package has not, and no row of personal data.
    """
    rows = PackageRows(installation, release)
    disclosure = disclosure_of(installation.contracts.values(), installation.vocabulary.concepts)
    hidden = _hidden(installation, release, disclosure)
    (folder / DATA_FOLDER).mkdir()
    tables = {table.name: table for table in COMMON_TABLES}
    return tuple(_write_table(rows, tables[name], hidden, folder / DATA_FOLDER) for name in EXPLORED)


@dataclass(frozen=True)
class _Hidden:
    """Items that are personal data, and the reporting units of which there are only such; None if there are none."""

    items: pl.Series
    units: pl.Series


def _hidden(installation: Installation, release: Release, disclosure: Disclosure) -> _Hidden | None:
    if not disclosure.personal:
        return None
    items = read_table(installation, "observations", release).select("item_id", "concept", "unit_id")
    contracts = {contract for contract, _ in disclosure.personal}
    claims = read_table(installation, "sources", release).select("item_id", "contract")
    own = claims.filter(pl.col("contract").is_in(contracts)).join(items, on="item_id").filter(disclosure.is_personal())
    ids = own.select("item_id").unique().collect()["item_id"]
    is_hidden = pl.col("item_id").is_in(ids.implode())
    units = items.group_by("unit_id").agg(only=is_hidden.all()).filter("only").select("unit_id").collect()
    return _Hidden(ids, units["unit_id"])


def _write_table(rows: PackageRows, table: PackageTable, hidden: _Hidden | None, folder: Path) -> SiteTable:
    exact = tuple(_exact_column(column) for column in table.columns if column.dtype.is_decimal())
    written = replace(table, columns=(*table.columns, *exact))
    file = folder / f"{table.name}.parquet"
    metadata = {"engang.release": str(rows.release["release"]), "engang.digest": rows.release["digest"]}
    frames = (_with_texts(frame) for frame in _shown(rows.frames(table), table, hidden))
    count = write_table_file(file, written, frames, metadata, EXPLORED_GROUP_ROWS)
    size = file.stat().st_size
    is_inline = size <= INLINE_BYTES
    if is_inline:
        text = json.dumps(base64.b64encode(file.read_bytes()).decode())
        script = f"(window.engangTables ??= {{}}).{table.name} = {text};\n"
        file.with_suffix(".js").write_text(script, encoding="utf-8")
    first = pl.read_parquet(file, n_rows=FIRST_ROWS)
    texts = (pl.col(column.name).alias(column.name.removesuffix(EXACT_SUFFIX)) for column in exact)
    first = first.with_columns(texts).select(column.name for column in table.columns)
    return SiteTable(table.name, table.columns, count, size, is_inline, first)


def _exact_column(column: Column) -> Column:
    doc = f"`{column.name}` exactly, as text"
    return Column(f"{column.name}{EXACT_SUFFIX}", pl.String, doc, nullable=column.nullable)


def _with_texts(frame: pl.DataFrame) -> pl.DataFrame:
    names = [name for name, dtype in frame.schema.items() if dtype.is_decimal()]
    return frame.with_columns(decimal_text(pl.col(name)).alias(f"{name}{EXACT_SUFFIX}") for name in names)


def _shown(frames: Iterator[pl.DataFrame], table: PackageTable, hidden: _Hidden | None) -> Iterator[pl.DataFrame]:
    """Yield the rows without those of personal data."""
    names = {column.name for column in table.columns}
    for frame in frames:
        if hidden is None:
            yield frame
        elif "item_id" in names:
            yield frame.filter(~pl.col("item_id").is_in(hidden.items.implode()))
        elif table.name == "redundancy":
            yield frame.filter((pl.col("scope") != "unit") | ~pl.col("name").is_in(hidden.units.implode()))
        else:
            yield frame
