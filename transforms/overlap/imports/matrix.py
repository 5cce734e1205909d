"""A matrix of requirements and items: CSV, a line for each requirement, a column for each item."""

import io
import re
from typing import Any, Final

import polars as pl

from schemas.errors import UsageError
from transforms.overlap.imports.declared import declared_frame

OWN_COLUMNS: Final = ("agency", "title", "legal_basis", "purpose", "reporters", "rhythm", "alternative_to")
"""Columns that are no items; the first of all names the requirement, whatever its own name is."""
ASKED_NOT: Final = ("", "0", "no", "nei", "nej", "false", "-")
"""Cells of an item that is not asked for; any other text asks for it."""
_NAME: Final = r"[\w.-]{1,60}"


def read_matrix(data: bytes, scheme: str) -> pl.DataFrame:
    """Return the requirements of a matrix as obligations, named by the scheme. Raises `UsageError`."""
    first = data.decode("utf-8-sig", "replace").splitlines()[:1]
    delimiter = max(";,\t", key=(first or [""])[0].count)
    try:
        table = pl.read_csv(io.BytesIO(data), separator=delimiter, infer_schema=False).fill_null("")
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"no matrix of requirements and items ({str(error).splitlines()[0]})") from error
    key, *others = table.columns
    items = [name for name in others if name not in OWN_COLUMNS]
    odd = table.filter(~pl.col(key).str.contains(f"^{_NAME}$") | pl.col(key).str.to_lowercase().is_duplicated())
    if not items or odd.height:
        found = repr(odd[key][0]) if odd.height else "no column of an item"
        raise UsageError(f"the first column of a matrix names each requirement once, and others are items: {found}")
    asked = [pl.when(~pl.col(n).str.strip_chars().str.to_lowercase().is_in(ASKED_NOT)).then(pl.lit(n)) for n in items]
    rows = table.select(
        key, *(n for n in others if n in OWN_COLUMNS), pl.concat_list(asked).list.drop_nulls().alias("")
    )
    return declared_frame([_row(row, key) for row in rows.to_dicts()], scheme)


def _row(row: dict[str, Any], key: str) -> dict[str, Any]:
    name, stated = row[key], {column: text for column in OWN_COLUMNS if (text := row.get(column))}
    return {"register_id": re.sub(r"\s", "", name), "title": name, "agency": "unknown", **stated, "items": row[""]}
