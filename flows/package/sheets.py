"""What the workbook of a package holds: its cover, its notes, and the first rows of each table."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from infra.package.workbook import WORKBOOK_ROWS, WorkbookSheet
from schemas.package_content import PackageContent
from schemas.package_tables import PackageTable
from transforms.package.citation import citation_line

_NOTES = ("table", "column", "null", "values", "means")


def cover_lines(content: PackageContent) -> list[tuple[str, str]]:
    """Return the lines of the cover: what this is, how it is cited, which sheets there are and what they lack."""
    publication = content.publication
    stated = {
        "Title": publication.title,
        "Release": str(content.release),
        "Published": f"{content.published_at.isoformat(timespec='seconds')}Z",
        "Digest": content.digest,
        "Publisher": publication.publisher,
        "Contact": publication.contact,
        "Licence": publication.licence,
        "Cite as": citation_line(content),
        "Exact data": "parquet/ and engang.duckdb have every row and every digit: this workbook is for reading",
        "Notes": "The sheet Notes has the meaning of each column",
        "Texts": "Days before 1900 and numbers of more than 15 digits are texts: no spreadsheet has them",
    }
    lines = [(name, text) for name, text in stated.items() if text is not None]
    return [*lines, ("", ""), ("Sheet", "One row is"), *((t.name, _about(content, t)) for t in content.tables)]


def list_sheets(content: PackageContent, parquet: Path) -> Iterator[WorkbookSheet]:
    """Yield the sheets, in bounded memory: the notes, then each table."""
    yield WorkbookSheet("Notes", [(name, "") for name in _NOTES], _notes(content))
    for table in content.tables:
        names = [column.name for column in table.columns]
        rows = (
            pl.scan_parquet(parquet / f"{table.name}.parquet", glob=False).select(names).head(WORKBOOK_ROWS).collect()
        )
        note = _bounded(content.rows[table.name])
        yield WorkbookSheet(table.name, [(column.name, column.doc) for column in table.columns], rows, note)


def _about(content: PackageContent, table: PackageTable) -> str:
    rows = content.rows[table.name]
    return f"{table.means} ({_bounded(rows) or f'{rows} rows'})"


def _bounded(rows: int) -> str | None:
    if rows <= WORKBOOK_ROWS:
        return None
    return f"The first {WORKBOOK_ROWS} of {rows} rows: all of them are in parquet/ and engang.duckdb"


def _notes(content: PackageContent) -> pl.DataFrame:
    rows = [
        (table.name, column.name, "yes" if column.nullable else "", ", ".join(column.values or ()), column.doc)
        for table in content.tables
        for column in table.columns
    ]
    return pl.DataFrame(rows, dict.fromkeys(_NOTES, pl.String), orient="row")
