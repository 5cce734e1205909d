"""Drafts that are documents: JSON, JSON Lines and XML, in which some columns are of a row, others of all rows."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

import simplejson

from schemas.contract import Contract
from transforms.parsing.xml.plan import plan_of
from transforms.prefill.files.layout import Layout, plain_decimal
from transforms.prefill.files.tables import encoded
from transforms.prefill.texts.take_texts import Cells

_EACH: Final = "[]."
_Tree = dict[str, Any]


def json_bytes(layout: Layout) -> bytes:
    """Return the draft as JSON: figures as numbers, all else as text, what is empty as null."""
    form = layout.form
    if form.lines:
        lines = [_filled({}, layout.columns, row, "", layout) for row in layout.rows]
        return encoded("".join(f"{_dumps(line)}\n" for line in lines), layout)
    lists = (form.rows or "").split(_EACH)
    document = _level(layout, list(layout.rows), lists, 0)
    return encoded(_dumps(document, indent=1) + "\n", layout)


def document_columns(contract: Contract) -> list[str]:
    """Return the columns that a document has once, whatever its rows: all rows of a file share their texts."""
    form = contract.format
    if form.type == "xml":
        plan = plan_of(contract)
        return [plan.names[number] for number in plan.levels[0]] if len(plan.levels) > 1 else []
    if form.type == "json" and not form.lines:
        return [name for name in contract.file_columns() if _depth(name, (form.rows or "").split(_EACH)) == 0]
    return []


def _prefix(lists: Sequence[str], depth: int) -> str:
    """Return what the names of the columns of an element of the list at a depth begin with; 0 is the document."""
    return _EACH.join(lists[:depth]) + _EACH if depth else ""


def _depth(column: str, lists: Sequence[str]) -> int:
    return next(depth for depth in range(len(lists), -1, -1) if column.startswith(_prefix(lists, depth)))


def _level(layout: Layout, rows: list[Cells], lists: Sequence[str], depth: int) -> _Tree:
    """Return the element at a depth that holds these rows, all of which share its own texts."""
    columns = [name for name in layout.columns if _depth(name, lists) == depth]
    element = _filled({}, columns, rows[0], _prefix(lists, depth), layout)
    if depth < len(lists):
        below = [name for name in layout.columns if _depth(name, lists) == depth + 1]
        groups = [[row] for row in rows] if depth + 1 == len(lists) else _shared(rows, below)
        _put(element, lists[depth], [_level(layout, group, lists, depth + 1) for group in groups])
    return element


def _shared(rows: list[Cells], columns: Sequence[str]) -> list[list[Cells]]:
    """Return the rows in groups that share the texts of these columns."""

    def _texts(row: Cells) -> tuple[str, ...]:
        return tuple(row.get(column, "") for column in columns)

    return [list(group) for _, group in groupby(sorted(rows, key=_texts), key=_texts)]


def _filled(element: _Tree, columns: Sequence[str], row: Cells, prefix: str, layout: Layout) -> _Tree:
    for column in columns:
        text = row.get(column, "")
        is_number = text and column in layout.figures
        _put(element, column.removeprefix(prefix), plain_decimal(text, layout.form) if is_number else text or None)
    return element


def _put(element: _Tree, path: str, value: object) -> None:
    *above, last = path.split(".")
    for step in above:
        element = element.setdefault(step, {})
    element[last] = value


def _dumps(value: object, indent: int | None = None) -> str:
    return simplejson.dumps(value, ensure_ascii=False, use_decimal=True, indent=indent)


def xml_bytes(layout: Layout) -> bytes:
    """Return the draft as XML in UTF-8, its elements in the order in which the contract mentions them."""
    plan = plan_of(layout.contract)
    steps = (layout.form.rows or "").split(".")
    levels = [[plan.names[number] for number in numbers] for numbers in plan.levels]
    root = _element(list(layout.rows), steps, levels, 0)
    ET.indent(root)
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _element(rows: list[Cells], steps: Sequence[str], levels: Sequence[Sequence[str]], depth: int) -> ET.Element:
    """Return the element of a level that holds these rows."""
    element = ET.Element(steps[depth])
    inside = ".".join(steps[: depth + 1])
    inside = f"{inside}[]" if depth + 1 == len(steps) else inside
    for column in levels[depth]:
        _add(element, column.removeprefix(inside).removeprefix("."), rows[0].get(column, ""))
    if depth + 1 < len(steps):
        is_row = depth + 2 == len(steps)
        groups = [[row] for row in rows] if is_row else _shared(rows, levels[depth + 1])
        element.extend(_element(group, steps, levels, depth + 1) for group in groups)
    return element


def _add(element: ET.Element, path: str, text: str) -> None:
    """Put a text at a path below an element: in an element, or in an attribute (`Head.@year`)."""
    place, at, attribute = path.rpartition("@")
    place = place.removesuffix(".") if at else path
    for step in place.split(".") if place else ():
        found = element.find(step)
        element = ET.SubElement(element, step) if found is None else found
    if at:
        element.set(attribute, text)
    elif text:
        element.text = text
