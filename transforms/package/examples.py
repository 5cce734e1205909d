"""Examples that go with each package: how its tables are read by DuckDB, Polars, pandas and R."""

from typing import Any, Final

from schemas.package_content import PackageContent
from transforms.package.citation import citation_line

PACKAGE_EXAMPLES: Final = (
    (
        "How much is reported twice?",
        """import duckdb

database = duckdb.connect("engang.duckdb", read_only=True)
print(database.sql("SELECT count(*) AS twice, (SELECT count(*) FROM observations) AS items FROM reported_twice"))""",
    ),
    (
        "A figure in every release, and the cells that it was read from",
        """item = database.sql("SELECT item_id FROM history ORDER BY item_id LIMIT 1").fetchall()[0][0]
print(database.sql("FROM history_of(?)", params=[item]))
print(database.sql("FROM claims_of(?)", params=[item]))
print(database.sql("SELECT concept, unit_name, value FROM item_at(1) LIMIT 5"))""",
    ),
    (
        "Each dimension of the breakdown as a column",
        """print(database.sql("FROM observations_wide LIMIT 5"))""",
    ),
    (
        "Polars: only the columns and rows that are asked for are read, from a URL too",
        """import polars as pl

observations = pl.scan_parquet("parquet/observations.parquet")
print(observations.group_by("concept", "agreement").len().sort(pl.all()).collect())""",
    ),
    (
        "Polars: what a column means stands in the file",
        """import pyarrow.parquet as pq

for column in pq.read_schema("parquet/observations.parquet"):
    print(column.name, "-", column.metadata[b"description"].decode())""",
    ),
    (
        "pandas: which obligations ask for the same items",
        """import pandas as pd

overlap = pd.read_parquet("parquet/overlap.parquet")
print(overlap.groupby(["obligation_a", "obligation_b"], as_index=False)["items"].sum())""",
    ),
)
"""Title and Python of each example; each runs in the folder of a package, after those before it."""
R_EXAMPLE: Final = """observations <- read.csv("csv/observations.csv", colClasses = "character", na.strings = "")
observations$value <- as.numeric(observations$value)
print(aggregate(reports ~ concept + agreement, observations, length))"""
"""R without any package; codes like 0301 stay texts."""
_R_ARROW: Final = """library(arrow)
observations <- read_parquet("parquet/observations.parquet")"""


def example_notebook() -> dict[str, Any]:
    """Return the examples as a Jupyter notebook."""
    cells: list[dict[str, Any]] = []
    for number, (title, code) in enumerate(PACKAGE_EXAMPLES):
        cells.append({"cell_type": "markdown", "id": f"title-{number}", "metadata": {}, "source": [f"## {title}"]})
        source = code.splitlines(keepends=True)
        cell = {"cell_type": "code", "id": f"code-{number}", "metadata": {}, "source": source}
        cells.append({**cell, "execution_count": None, "outputs": []})
    language = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": cells, "metadata": language, "nbformat": 4, "nbformat_minor": 5}


def read_me_text(content: PackageContent) -> str:
    """Return the README of a package: what it is, how it is cited, its tables, and the examples."""
    lines = [
        f"# {content.publication.title}: release {content.release}",
        "",
        "Each reported item once, with every report behind it. A withheld value is null: confidential, or reports",
        "contradict each other.",
        "",
        f"Cite as: {citation_line(content)}",
        "",
        "| file | holds |",
        "| --- | --- |",
        "| `parquet/` | every table, exact; what a column means stands in the file |",
        "| `engang.duckdb` | all tables in one file, with views and macros for analysts |",
        "| `csv/` | tables of up to a million rows; a text that a spreadsheet would run has an apostrophe before it |",
        "| `engang.xlsx` | the first rows of each table, for reading |",
        "| `sdmx/` | the observations as SDMX-CSV 2.0, exact texts: for programs, not for a spreadsheet |",
        "| `datapackage.json`, `csv-metadata.json` | the columns, as Data Package and CSV on the Web |",
        "| `datacontract.odcs.yaml`, `ro-crate-metadata.json` | the same as Open Data Contract and RO-Crate |",
        "| `dcat.jsonld` | a record for a data catalogue, if publisher, contact and address are stated |",
        "| `CITATION.cff`, `examples.ipynb` | how it is cited; the examples below as a notebook |",
        "",
        "| table | rows | one row is |",
        "| --- | ---: | --- |",
        *(f"| `{table.name}` | {content.rows[table.name]} | {table.means} |" for table in content.tables),
        "",
    ]
    for title, code in PACKAGE_EXAMPLES:
        lines += [f"## {title}", "", "```python", code, "```", ""]
    for title, code in (
        ("R", R_EXAMPLE),
        ("R with the package arrow: also of tables that are too long for CSV", _R_ARROW),
    ):
        lines += [f"## {title}", "", "```r", code, "```", ""]
    return "\n".join(lines)
