"""The CSV files of a package described by CSV on the Web (W3C): `csv-metadata.json`."""

from typing import Any, Final

import polars as pl

from schemas.claims import Column
from schemas.package_content import CSV_FORM, PackageContent
from schemas.package_tables import PackageTable

CSVW_CONTEXT: Final = "http://www.w3.org/ns/csvw"
_DATATYPES: Final = {pl.String: "string", pl.Date: "date", pl.Boolean: "boolean", pl.Float64: "double"}


def csvw_metadata(content: PackageContent) -> dict[str, Any]:
    """Return the metadata of all tables that have a CSV: types and meanings of columns, keys and references."""
    written = {table.name: file.path for table in content.tables if (file := content.file_of(table.name, CSV_FORM))}
    return {
        "@context": [CSVW_CONTEXT, {"@language": "en"}],
        "dc:title": f"{content.publication.title}: release {content.release}",
        "tables": [_table(table, written) for table in content.tables if table.name in written],
    }


def csvw_datatype(dtype: pl.DataType | type[pl.DataType]) -> str:
    """Return the datatype of a column."""
    if isinstance(dtype, pl.List):
        return "json"
    if isinstance(dtype, pl.Datetime):
        return "dateTime"
    if isinstance(dtype, pl.Decimal):
        return "decimal"
    return next((name for known, name in _DATATYPES.items() if dtype == known), "integer")


def _table(table: PackageTable, written: dict[str, str]) -> dict[str, Any]:
    schema: dict[str, Any] = {"columns": [_column(column) for column in table.columns]}
    if table.key:
        schema["primaryKey"] = list(table.key)
    keys = [
        {"columnReference": column, "reference": {"resource": written[other], "columnReference": column}}
        for column, other in table.refers.items()
        if other in written
    ]
    if keys:
        schema["foreignKeys"] = keys
    return {"url": written[table.name], "dc:description": table.means, "tableSchema": schema}


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "titles": column.name,
        "dc:description": column.doc,
        "datatype": csvw_datatype(column.dtype),
        "required": not column.nullable,
    }
