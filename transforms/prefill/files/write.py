"""The bytes of a draft: fixed width here, each other format in its module."""

from collections.abc import Callable
from typing import Final

from schemas.contract_parts import FixedField, Format
from schemas.errors import UsageError
from transforms.prefill.files.documents import json_bytes, xml_bytes
from transforms.prefill.files.layout import Layout
from transforms.prefill.files.tables import csv_bytes, encoded, parquet_bytes, sdmx_csv_bytes, workbook_bytes


def fixed_width_bytes(layout: Layout) -> bytes:
    """Return the draft as lines of fixed width: figures at the right of their fields, texts at the left."""
    form = layout.form
    width = max(field.end for field in form.fields)
    lines = []
    for row in layout.rows:
        line = [" "] * width
        for field in form.fields:
            text = field_text(row.get(field.name, ""), field, form, is_figure=field.name in layout.figures)
            if text is None:
                raise UsageError(f"field {field.name!r} has no room for a text of the draft")
            padded = text.rjust(field.length) if field.name in layout.figures else text.ljust(field.length)
            line[field.start - 1 : field.end] = padded
        lines.append("".join(line))
    return encoded("".join(f"{line}\r\n" for line in lines), layout)


def field_text(text: str, field: FixedField, form: Format, *, is_figure: bool) -> str | None:
    """Return a text as it stands in its field; None if it does not fit. A blank field stands for its `empty`."""
    if field.empty and text == field.empty:
        return ""
    if field.decimals and is_figure and text:
        whole, _, decimals = text.partition(form.decimal)
        if len(decimals) <= field.decimals:
            text = whole + decimals.ljust(field.decimals, "0")
    return text if len(text) <= field.length else None


_WRITERS: Final[dict[str, Callable[[Layout], bytes]]] = {
    "csv": csv_bytes,
    "sdmx_csv": sdmx_csv_bytes,
    "xlsx": workbook_bytes,
    "parquet": parquet_bytes,
    "json": json_bytes,
    "xml": xml_bytes,
    "fixed_width": fixed_width_bytes,
}


def draft_bytes(layout: Layout) -> bytes:
    """Return the bytes of a draft in the contract's format; `UsageError` for a format that nobody writes any more."""
    write = _WRITERS.get(layout.form.type)
    if write is None:
        raise UsageError(f"no draft is written as {layout.form.type}: {', '.join(_WRITERS)} are")
    return write(layout)
