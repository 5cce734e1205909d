"""The page of the explorer: tables to filter, sort and search; without scripts their list and first rows."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import polars as pl

from flows.site.blocks import CodeBlock, Explorer, PageLink, PageSection, PageTable, Paragraph, SitePage
from flows.site.find import page_path
from flows.site.tables import DATA_FOLDER, EXACT_SUFFIX, INLINE_BYTES, SiteTable
from flows.site.writer import SiteWriter
from schemas.claims import Column

SCRIPTS: Final = ("parquet-reader.js", "explorer.js")
HIDDEN_AT_FIRST: Final = frozenset(
    {
        *("item_id", "claim_id", "unit_id", "unit_kind", "unit_code", "decimals", "obs_status", "partition", "lower"),
        *("upper", "precedence", "submission_id", "series_a", "series_b", "declared_by", "digest", "hours_source"),
        *("register_scheme", "register_id"),
    }
)
"""Columns that a reader has to ask for, so that the others have room."""
KILOBYTE: Final = 1000
QUERY: Final = """\
engang query "SELECT * FROM observations WHERE agreement = 'conflict'" --release {n}"""
QUERY_FILE: Final = """\
SELECT unit_name, concept, value
FROM 'data/observations.parquet'
WHERE agreement = 'conflict';"""


def explorer_page(writer: SiteWriter, tables: Sequence[SiteTable]) -> SitePage:
    """Return the page of the explorer. tables: those of the site."""
    texts = writer.texts["explorer"]
    limit = texts["limit"].format(limit=writer.number(INLINE_BYTES / 2**20))
    explorer = Explorer(texts["without"], _stated(writer, tables), texts["script"])
    release = writer.content.release["release"]
    query = (
        Paragraph((texts["query_lead"],)),
        CodeBlock(texts["by_command"], QUERY.format(n=release)),
        CodeBlock("DuckDB", QUERY_FILE),
    )
    sections = (
        PageSection("explore", texts["explore"], (explorer,)),
        PageSection(
            "tables", texts["tables"], (Paragraph((f"{texts['tables_lead']} {limit}",)), _list(writer, tables))
        ),
        PageSection("query", texts["query"], query),
        *(_first_rows(writer, table) for table in tables),
    )
    return SitePage("explorer.html", texts["title"], texts["lead"], sections, scripts=SCRIPTS)


def _stated(writer: SiteWriter, tables: Sequence[SiteTable]) -> list[dict[str, Any]]:
    """Return what the script knows of each table before it reads it."""
    means = writer.texts["explorer"]["means"]
    return [
        {
            "name": table.name,
            "means": means[table.name],
            "rows": table.rows,
            "bytes": table.bytes,
            "inline": table.is_inline,
            "columns": [_stated_column(column) for column in table.columns],
        }
        for table in tables
    ]


def _stated_column(column: Column) -> dict[str, Any]:
    is_exact, shown = column.dtype.is_decimal(), column.name not in HIDDEN_AT_FIRST
    source = f"{column.name}{EXACT_SUFFIX}" if is_exact else column.name
    return {"name": column.name, "source": source, "kind": _kind(column), "shown": shown}


def _kind(column: Column) -> str:
    """Return how a column is compared: as exact numbers, as binary ones, or as texts."""
    if column.dtype.is_decimal() or column.dtype.is_integer():
        return "exact"
    if column.dtype.is_float():
        return "float"
    return "moment" if column.dtype == pl.Datetime else "text"


def _list(writer: SiteWriter, tables: Sequence[SiteTable]) -> PageTable:
    texts = writer.texts["explorer"]
    heads = (
        (texts["name"], False), (texts["holds"], False), (texts["rows"], True), (texts["size"], True),
        (texts["file"], False),
    )  # fmt: skip
    rows = tuple(
        (
            PageLink(table.name, page_path("dictionary", table.name)) if table.name != "releases" else table.name,
            texts["means"][table.name],
            writer.figure(table.rows),
            writer.figure(table.bytes / KILOBYTE, 1),
            PageLink(f"{table.name}.parquet", f"../{DATA_FOLDER}/{table.name}.parquet"),
        )
        for table in tables
    )
    return PageTable(texts["tables"], heads, rows)


def _first_rows(writer: SiteWriter, table: SiteTable) -> PageSection:
    title = writer.texts["explorer"]["first"].format(table=table.name)
    heads = tuple((column.name, _kind(column) in {"exact", "float"}) for column in table.columns)
    rows = tuple(tuple(_text(value) for value in row) for row in table.first.iter_rows())
    shown = PageTable(title, heads, rows, writer.left_out(len(rows), table.rows))
    return PageSection(
        f"table-{table.name}", title, (Paragraph((writer.texts["explorer"]["means"][table.name],)), shown)
    )


def _text(value: Any) -> str:  # noqa: ANN401  a cell of any table
    """Return a cell as its file has it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
