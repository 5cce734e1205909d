"""The files of a package, written into a folder: tables in each form, and the metadata that describes them."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from flows.installation import Installation
from flows.package.rows import PackageRows
from flows.package.sheets import cover_lines, list_sheets
from flows.published_tables import kinds_of
from infra.ledger.releases import Release
from infra.package.csv_file import CSV_ROWS, write_csv_file
from infra.package.duckdb_file import write_duckdb_file
from infra.package.parquet_file import write_table_file
from infra.package.place import DESCRIPTOR
from infra.package.workbook import write_workbook
from schemas.package_content import CSV_FORM, PARQUET_FORM, PackageContent, PackageFile
from schemas.package_tables import PackageTable, package_tables
from transforms.observations.sdmx_csv import dimensions_of, sdmx_columns
from transforms.package.citation import citation_text
from transforms.package.crate import research_crate
from transforms.package.csvw import csvw_metadata
from transforms.package.data_contract import data_contract_text
from transforms.package.data_package import data_package
from transforms.package.dcat import catalogue_record, is_catalogued
from transforms.package.duckdb_sql import comment_sql, macro_sql, table_sql, view_sql
from transforms.package.examples import example_notebook, read_me_text
from transforms.package.people import csv_columns

DATABASE: Final = "engang.duckdb"
WORKBOOK_FILE: Final = "engang.xlsx"
SDMX: Final = "sdmx/observations.csv"
CITATION: Final = "CITATION.cff"
READ_ME: Final = "README.md"
NOTEBOOK: Final = "examples.ipynb"
CSVW: Final = "csv-metadata.json"
CATALOGUE: Final = "dcat.jsonld"
CRATE: Final = "ro-crate-metadata.json"
CONTRACT: Final = "datacontract.odcs.yaml"


def fill_package(
    installation: Installation, release: Release, folder: Path, progress: Callable[[str], None]
) -> PackageContent:
    """Write all files of a release's package into an empty folder; return what was written."""
    rows = PackageRows(installation, release)
    tables = package_tables(kinds_of(installation, release))
    for form in (PARQUET_FORM, CSV_FORM):
        (folder / form).mkdir()
    counts = {}
    for table in tables:
        progress(f"writing {table.name}")
        counts[table.name] = _write_rows(rows, table, folder)
    progress(f"writing {DATABASE}")
    dimensions = dimensions_of(pl.concat([pl.Series(dtype=pl.String), *rows.breakdowns]))
    write_duckdb_file(folder / DATABASE, _statements(tables, folder, dimensions))
    progress("writing the workbook")
    content = PackageContent(
        release=release["release"],
        published_at=release["published_at"],
        digest=release["digest"],
        counts=release["counts"],
        publication=installation.settings.publication,
        tables=tables,
        rows=counts,
        files=(),
    )
    observations, sdmx = folder / PARQUET_FORM / "observations.parquet", folder / SDMX
    sdmx.parent.mkdir()
    write_csv_file(observations, sdmx, sdmx_columns(dimensions))
    write_workbook(folder / WORKBOOK_FILE, cover_lines(content), list_sheets(content, folder / PARQUET_FORM))
    content = replace(content, files=tuple(_files(folder, counts)))
    _describe(content, folder)
    return content


def _write_rows(rows: PackageRows, table: PackageTable, folder: Path) -> int:
    """Write a table as Parquet, and as CSV if it is not too long for a spreadsheet; return the number of its rows."""
    release = rows.release
    parquet = folder / PARQUET_FORM / f"{table.name}.parquet"
    texts = {"release": release["release"], "digest": release["digest"], "table": table.name, "means": table.means}
    metadata = {f"engang.{name}": str(text) for name, text in texts.items()}
    metadata["engang.columns"] = json.dumps({c.name: c.doc for c in table.columns}, ensure_ascii=False)
    count = write_table_file(parquet, table, rows.frames(table), metadata)
    if count <= CSV_ROWS:
        write_csv_file(parquet, folder / CSV_FORM / f"{table.name}.csv", csv_columns(table.columns))
    return count


def _statements(tables: tuple[PackageTable, ...], folder: Path, dimensions: list[str]) -> Iterator[str]:
    for table in tables:
        yield table_sql(table, str(folder / PARQUET_FORM / f"{table.name}.parquet"))
        yield from comment_sql(table)
    yield from view_sql(dimensions)
    yield from macro_sql()


def _describe(content: PackageContent, folder: Path) -> None:
    texts = {READ_ME: read_me_text(content), CITATION: citation_text(content), CONTRACT: data_contract_text(content)}
    described = {CSVW: csvw_metadata(content), CRATE: research_crate(content), DESCRIPTOR: data_package(content)}
    if is_catalogued(content.publication):
        described[CATALOGUE] = catalogue_record(content)
    described[NOTEBOOK] = example_notebook()
    texts |= {name: json.dumps(value, ensure_ascii=False, indent=1) for name, value in described.items()}
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _files(folder: Path, counts: dict[str, int]) -> Iterator[PackageFile]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            form, is_table = path.suffix.removeprefix("."), path.parent.name in {PARQUET_FORM, CSV_FORM}
            table = path.stem if is_table else None
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            size, rows = path.stat().st_size, counts.get(table, 0) if table else 0
            yield PackageFile(path.relative_to(folder).as_posix(), form, size, digest, table, rows)
