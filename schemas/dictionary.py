"""The data dictionary, made from the column declarations: for `release.json` and for schemas/README.md."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import polars as pl
from polars.datatypes import DataTypeClass

from schemas.claims import EXPORTED_SUBMISSION, PUBLISHED_TABLES, REASONS, REJECT, Column
from schemas.description_tables import DESCRIPTION_TABLES
from schemas.kind import FieldSpec, Kind
from schemas.overlap import MEASURED_TABLES, OVERLAP_TABLES
from schemas.record_tables import published_kind_tables

FIELD_DOC: Final = "Each field of the kind, by its own name; of an item a text is the list of its versions"
ANY_KIND: Final = Kind.model_construct(
    kind="KIND", fields={"FIELD": FieldSpec(type="text", role="attribute", doc=FIELD_DOC)}
)
"""The placeholder for every kind in schemas/README.md; the fields of a kind are in its own file."""


def dictionary(kinds: Iterable[Kind] = ()) -> dict[str, list[dict[str, Any]]]:
    """Return the columns of each table of an export: published, of overlap, describing it, of kinds, submissions.

    Of each column: column, type, nullable, values, means.
    """
    tables = {**PUBLISHED_TABLES, **MEASURED_TABLES, **DESCRIPTION_TABLES, "submissions": EXPORTED_SUBMISSION}
    for kind in kinds:
        tables |= published_kind_tables(kind)
    return {name: [_entry(column) for column in columns] for name, columns in tables.items()}


def columns_table() -> str:
    """Return the chapter of columns: the published tables, those of overlap, the rejects and the reasons, as Markdown.

    The tables of one placeholder kind represent those of every kind.
    """
    computed = {name: columns for name, columns in OVERLAP_TABLES.items() if name not in MEASURED_TABLES}
    others = {**computed, "rejects": REJECT}
    tables = dictionary([ANY_KIND]) | {name: [_entry(column) for column in columns] for name, columns in others.items()}
    lines = [line for name, entries in tables.items() for line in _table(name, entries)]
    reasons = [f"| `{code}` | {meaning} |" for code, meaning in REASONS.items()]
    return "\n".join([*lines, "### Reasons", "", "| reason | means |", "| --- | --- |", *reasons, "", ""])


def _entry(column: Column) -> dict[str, Any]:
    return {
        "column": column.name,
        "type": "its own" if column.name in ANY_KIND.fields else _type_name(column.dtype),
        "nullable": column.nullable,
        "values": column.values,
        "means": column.doc,
    }


def _type_name(dtype: pl.DataType | DataTypeClass) -> str:
    """Return a dtype in its usual notation: Decimal(38, 9), List(String), Datetime, String."""
    if isinstance(dtype, pl.List):
        return f"List({_type_name(dtype.inner)})"
    return f"Decimal({dtype.precision}, {dtype.scale})" if isinstance(dtype, pl.Decimal) else str(dtype.base_type())


def _table(name: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    yield from (f"### {name}", "", "| column | type | null | means |", "| --- | --- | --- | --- |")
    for entry in entries:
        values = entry["values"] if entry["column"] != "reason" else None  # reasons have their own table
        means = entry["means"] + (f": {', '.join(f'`{v}`' for v in values)}" if values else "")
        yield f"| `{entry['column']}` | {entry['type']} | {'yes' if entry['nullable'] else ''} | {means} |"
    yield ""
