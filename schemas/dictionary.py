"""The data dictionary: what release.json and README say of the tables, both made from `schemas.claims`.

`python -m schemas.dictionary` brings README.md up to date; a test says when that is due.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
from polars.datatypes import DataTypeClass

from schemas.claims import PUBLISHED, REASONS, REJECT, Column
from schemas.kind import FieldSpec, Kind
from schemas.record_tables import published

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- columns: made by `python -m schemas.dictionary`, not by hand -->\n"
END: Final = "<!-- end of columns -->\n"
FIELD: Final = "Each field of the kind, by its own name; of an item a text is the list of its versions"
ANY: Final = Kind.model_construct(kind="KIND", fields={"FIELD": FieldSpec(type="text", role="attribute", doc=FIELD)})
"""What stands for every kind in README: the kinds' own files say which fields they have."""


def dictionary(kinds: Iterable[Kind] = ()) -> dict[str, list[dict[str, Any]]]:
    """Return the columns of each published table, those of these record kinds included.

    Of each column: column, type, nullable, values, means.
    """
    tables = dict(PUBLISHED)
    for kind in kinds:
        tables |= published(kind)
    return {name: [_entry(column) for column in columns] for name, columns in tables.items()}


def columns_table() -> str:
    """Return README's chapter of columns: the published tables, the rejects and the reasons, as Markdown.

    The tables of any record kind stand for those of all.
    """
    tables = dictionary([ANY]) | {"rejects": [_entry(column) for column in REJECT]}
    lines = [line for name, entries in tables.items() for line in _table(name, entries)]
    reasons = [f"| `{code}` | {meaning} |" for code, meaning in REASONS.items()]
    return "\n".join([*lines, "### Reasons", "", "| reason | means |", "| --- | --- |", *reasons, "", ""])


def renewed(readme: str) -> str:
    """Return README's text with its chapter of columns as it should be; `ValueError` if its marks are not there."""
    head, rest = readme.split(BEGIN)
    return head + BEGIN + "\n" + columns_table() + END + rest.split(END)[1]


def _entry(column: Column) -> dict[str, Any]:
    return {
        "column": column.name,
        "type": "its own" if column.name in ANY.fields else _type_name(column.dtype),
        "nullable": column.nullable,
        "values": column.values,
        "means": column.doc,
    }


def _type_name(dtype: pl.DataType | DataTypeClass) -> str:
    """Return a dtype as a reader knows it: Decimal(38, 9), List(String), Datetime, String."""
    if isinstance(dtype, pl.List):
        return f"List({_type_name(dtype.inner)})"
    return f"Decimal({dtype.precision}, {dtype.scale})" if isinstance(dtype, pl.Decimal) else str(dtype.base_type())


def _table(name: str, entries: list[dict[str, Any]]) -> Iterator[str]:
    yield from (f"### {name}", "", "| column | type | null | means |", "| --- | --- | --- | --- |")
    for entry in entries:
        few = entry["values"] if entry["column"] != "reason" else None  # those have a table of their own
        means = entry["means"] + (f": {', '.join(f'`{v}`' for v in few)}" if few else "")
        yield f"| `{entry['column']}` | {entry['type']} | {'yes' if entry['nullable'] else ''} | {means} |"
    yield ""


if __name__ == "__main__":
    README.write_text(renewed(README.read_text(encoding="utf-8")), encoding="utf-8")
