"""The published tables as a data contract: `datacontract.odcs.yaml` (Open Data Contract Standard 3.1)."""

from typing import Any, Final

import polars as pl
import yaml
from polars.datatypes import DataTypeClass

from schemas.claims import Column
from schemas.package_content import PARQUET_FORM, PackageContent
from schemas.package_tables import PackageTable

ODCS_VERSION: Final = "v3.1.0"
_LOGICAL: Final = {pl.String: "string", pl.Date: "date", pl.Boolean: "boolean", pl.Float64: "number"}


def data_contract_text(content: PackageContent) -> str:
    """Return the contract: what every release's tables have, with the place of this release's files."""
    publication = content.publication
    described: dict[str, Any] = {
        "apiVersion": ODCS_VERSION,
        "kind": "DataContract",
        "id": "engang-release",
        "name": publication.title,
        "version": content.version,
        "status": "active",
        "description": {
            "purpose": "Each reported item once, with every report behind it",
            "limitations": "Values that are confidential or contradicted are withheld: null",
            "usage": "`observations` has the figures, `sources` the claims behind them, `history` all earlier values",
        },
        "schema": [_object(table) for table in content.tables],
    }
    if publication.address:
        location = f"{publication.address}/{content.release}/"
        described["servers"] = [{"server": "packages", "type": "custom", "description": location}]
    return yaml.safe_dump(described, sort_keys=False, allow_unicode=True)


def _object(table: PackageTable) -> dict[str, Any]:
    return {
        "name": table.name,
        "physicalName": f"{PARQUET_FORM}/{table.name}.parquet",
        "logicalType": "object",
        "physicalType": "file",
        "description": table.means,
        "properties": [_property(table, column) for column in table.columns],
    }


def _property(table: PackageTable, column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "logicalType": logical_type(column.dtype),
        "physicalType": str(column.dtype),
        "description": column.doc,
        "required": not column.nullable,
    }
    if column.name in table.key:
        described |= {"primaryKey": True, "primaryKeyPosition": table.key.index(column.name) + 1}
    if isinstance(column.dtype, pl.List):
        described["items"] = {"logicalType": logical_type(column.dtype.inner)}
    return described


def logical_type(dtype: pl.DataType | DataTypeClass) -> str:
    """Return the logical type of a column."""
    if isinstance(dtype, pl.List):
        return "array"
    if isinstance(dtype, pl.Decimal):
        return "number"
    if isinstance(dtype, pl.Datetime):
        return "timestamp"
    return next((name for known, name in _LOGICAL.items() if dtype == known), "integer")
