"""The data dictionary: what release.json and README say of the tables, both made from `schemas.claims`.

`python -m schemas.dictionary` brings README.md up to date; a test says when that is due.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl

from schemas.claims import PUBLISHED, REASONS, REJECT, Column

README: Final = Path(__file__).parent.parent / "README.md"
BEGIN: Final = "<!-- columns: made by `python -m schemas.dictionary`, not by hand -->\n"
END: Final = "<!-- end of columns -->\n"


def dictionary() -> dict[str, list[dict[str, Any]]]:
    """Return the columns of each published table: column, type, nullable, values, means."""
    return {name: [_entry(column) for column in columns] for name, columns in PUBLISHED.items()}


def columns_table() -> str:
    """Return README's chapter of columns: the published tables, the rejects and the reasons, as Markdown."""
    tables = dictionary() | {"rejects": [_entry(column) for column in REJECT]}
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
        "type": _type_name(column.dtype),
        "nullable": column.nullable,
        "values": column.values,
        "means": column.doc,
    }


def _type_name(dtype: pl.DataType | type[pl.DataType]) -> str:
    """Return a dtype as a reader knows it: Decimal(38, 9), Datetime, String."""
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
