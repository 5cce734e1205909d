"""The first rows of a table as the document that they came from: JSON or XML, by the paths that name its columns.

A column of a row is `ROWS[].a.b` (in XML, `@x` is an attribute), any other one is of the document itself.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from xml.etree import ElementTree as ET

_Row = Mapping[str, str | int | None]


def json_example(rows: Iterable[_Row], path: str) -> str:
    """Return a JSON document with rows at a path; values that are null are left out."""
    rows = list(rows)
    inside = [_nested(_own(row, path)) for row in rows]
    if not path:
        return _lines(inside)
    document = _nested(_outer(rows[0], path))
    return _lines(document | _nested([(path.split("."), inside)]))


def xml_example(rows: Iterable[_Row], path: str) -> str:
    """Return an XML document with rows at a path; the first name of every path is that of its root."""
    rows = list(rows)
    first, *above = path.split(".")
    root = ET.Element(first)
    for names, value in _outer(rows[0], path):
        _place(root, names[1:], value)
    for row in rows:
        element = root
        if above:
            parent = _descend(root, above[:-1])
            element = ET.SubElement(parent, above[-1])
        for names, value in _own(row, path):
            _place(element, names, value)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _own(row: _Row, path: str) -> Iterator[tuple[list[str], Any]]:
    """Yield the names below a row, and the value, of each column of it."""
    prefix = f"{path}[]."
    for column, value in row.items():
        if value is not None and column.startswith(prefix):
            yield column.removeprefix(prefix).split("."), value


def _outer(row: _Row, path: str) -> Iterator[tuple[list[str], Any]]:
    for column, value in row.items():
        if value is not None and not column.startswith(f"{path}[]"):
            yield column.split("."), value


def _nested(values: Iterable[tuple[list[str], Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for (*above, last), value in values:
        place = found
        for name in above:
            place = place.setdefault(name, {})
        place[last] = value
    return found


def _lines(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _descend(element: ET.Element, names: list[str]) -> ET.Element:
    """Return the element at these names below one, which is made where there is none."""
    for name in names:
        below = element.find(name)
        element = ET.SubElement(element, name) if below is None else below
    return element


def _place(element: ET.Element, names: list[str], value: object) -> None:
    place = _descend(element, [name for name in names if not name.startswith("@")])
    if names and names[-1].startswith("@"):
        place.set(names[-1].removeprefix("@"), str(value))
    else:
        place.text = str(value)
