"""A package described by the Data Package standard (Frictionless): `datapackage.json`."""

from typing import Any, Final

import polars as pl

from schemas.claims import Column
from schemas.package_content import CSV_FORM, LICENCE_ADDRESSES, MEDIA_TYPES, PARQUET_FORM, PackageContent, PackageFile
from schemas.package_tables import PackageTable

PROFILE: Final = "https://datapackage.org/profiles/2.0/datapackage.json"
NO_LIST: Final = "any"
"""The type of a list in Parquet, which has lists of its own: the standard knows lists as JSON texts."""
_FIELD_TYPES: Final = {pl.String: "string", pl.Date: "date", pl.Boolean: "boolean"}


def data_package(content: PackageContent) -> dict[str, Any]:
    """Return the descriptor: each table as CSV, where it has one, and as Parquet, with the meaning of each column."""
    publication = content.publication
    described: dict[str, Any] = {
        "$schema": PROFILE,
        "name": f"engang-release-{content.release}",
        "id": content.digest,
        "title": f"{publication.title}: release {content.release}",
        "version": content.version,
        "created": f"{content.published_at.isoformat(timespec='seconds')}Z",
        "description": "Each item once, with every report behind it. `observations` has the figures, `sources` the "
        "claims behind them.",
        "contributors": [{"title": publication.publisher, "roles": ["publisher"]}] if publication.publisher else [],
        "licenses": _licences(content),
        "resources": [resource for table in content.tables for resource in _resources(content, table)],
        "engang": {"release": content.release, "digest": content.digest, "counts": content.counts},
    }
    return {name: value for name, value in described.items() if value != []}


def _licences(content: PackageContent) -> list[dict[str, str]]:
    name = content.publication.licence
    if name is None:
        return []
    address = LICENCE_ADDRESSES.get(name)
    return [{"name": name, **({"path": address} if address else {})}]


def _resources(content: PackageContent, table: PackageTable) -> list[dict[str, Any]]:
    files = {form: content.file_of(table.name, form) for form in (CSV_FORM, PARQUET_FORM)}
    names = {CSV_FORM: table.name, PARQUET_FORM: f"{table.name}-parquet"}
    listed = {other.name for other in content.tables if content.file_of(other.name, CSV_FORM)}
    return [
        {
            "name": names[form],
            "title": table.name,
            "description": table.means,
            "path": file.path,
            "format": form,
            "mediatype": MEDIA_TYPES[form],
            **({"encoding": "utf-8"} if form == CSV_FORM else {}),
            "bytes": file.bytes,
            "hash": f"sha256:{file.sha256}",
            "schema": _schema(table, file, listed),
        }
        for form, file in files.items()
        if file is not None
    ]


def _schema(table: PackageTable, file: PackageFile, listed: set[str]) -> dict[str, Any]:
    """Return the schema of a table; listed: the tables that a foreign key may name."""
    fields = [_field(column, file.form) for column in table.columns]
    keys = [
        {"fields": [column], "reference": {"resource": other, "fields": [column]}}
        for column, other in table.refers.items()
        if file.form == CSV_FORM and other in listed
    ]
    return {
        "fields": fields,
        "missingValues": [""],
        **({"primaryKey": list(table.key)} if table.key else {}),
        **({"foreignKeys": keys} if keys else {}),
    }


def _field(column: Column, form: str) -> dict[str, Any]:
    constraints: dict[str, Any] = {} if column.nullable else {"required": True}
    if column.values:
        constraints["enum"] = list(column.values)
    field = {"name": column.name, "type": field_type(column.dtype, form), "description": column.doc}
    return {**field, **({"constraints": constraints} if constraints else {})}


def field_type(dtype: pl.DataType | type[pl.DataType], form: str) -> str:
    """Return the type of a column in the words of Table Schema."""
    if isinstance(dtype, pl.List):
        return "array" if form == CSV_FORM else NO_LIST
    if isinstance(dtype, pl.Decimal) or dtype == pl.Float64:
        return "number"
    if isinstance(dtype, pl.Datetime):
        return "datetime"
    return next((name for known, name in _FIELD_TYPES.items() if dtype == known), "integer")
