"""JSON to the raw frame: a document that contains a list of rows, or lists in a list, or a document on each line.

A leaf is named by its path: `id.nr` in the document, `parties[].votes` in a row of the list `parties`; a key may hold
dots itself. Numbers keep the digits they were written with, in the contract's notation.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Self, TypeAlias

import polars as pl

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError
from schemas.reading_limits import ReadingLimits
from transforms.clean_text import clean
from transforms.parsing.raw_frame import (
    PARSER_REJECT,
    ParseResult,
    check_columns,
    check_shape,
    check_width,
    finish_parsing,
)
from transforms.parsing.real_numbers import plain_number
from transforms.parsing.text import decode, repair
from transforms.rejects import REJECTS_KEPT, count_reject, cut, reject_fields

_HINT: Final = "Compare the file with the contract's format.rows and columns."


_EACH: Final = "[]."
"""What separates the paths of lists that are in elements of lists: `regions[].years`."""
_Item: TypeAlias = tuple[int, dict[str, str], object]
"""A row's number, the cells of the elements above it, and the row, or the error that it has."""


class _Number(str):
    """The text of a JSON number: its decimal mark is a point, whatever the contract declares for texts."""

    __slots__ = ()


class _Twice(dict[str, object]):
    """An object in which a key occurs twice: nobody knows which of the two is meant."""

    key: str = ""


@dataclass
class _Node:
    """What the contract says of one path: a mapped leaf, ignored with all below it, or the parent of such paths."""

    path: str = ""
    column: bool = False
    ignored: bool = False
    children: dict[str, Self] = field(default_factory=dict)

    def below(self, name: str) -> Self:
        """Return the node at a path below this one; create it if it does not exist."""
        node = self
        for key in name.split(".") if name else ():
            path = f"{node.path}.{key}" if node.path else key
            node = node.children.setdefault(key, type(self)(path, ignored=node.ignored))
        return node

    def child(self, key: str) -> Self | None:
        """Return the node of a key as it is, as it looks, or with the dots in it taken as steps; None if unknown."""
        found = self.children.get(key) or self.children.get(clean(key))
        if found is None and "." in key:
            found = self
            for step in key.split("."):
                found = found.children.get(step) if found else None
        return found

    def columns(self) -> list[str]:
        """Return the mapped leaves at and below this node."""
        below = [name for child in self.children.values() for name in child.columns()]
        return [self.path, *below] if self.column else below


def read_json(data: bytes, contract: Contract, limits: ReadingLimits) -> ParseResult:
    """Return the rows of a JSON file as delivered. Raises `SubmissionError`, `UnreadError`."""
    form = contract.format
    text = repair(decode(data, form.encoding), form)
    whole, *levels = _trees(contract)
    shared: dict[str, str] = {}
    unknown: dict[str, None] = {}
    if form.lines:
        items = _lines(text)
    else:
        document = _document(text)
        items = _items(_rows(document, form), levels, form, unknown)
        if isinstance(document, dict):
            _take(document, whole, shared, unknown)
    check_shape(len(items), len(contract.file_columns()), limits)
    rows: list[tuple[int, dict[str, str]]] = []
    bad = _Rejected()
    for number, above, item in items:
        try:
            cells = _row(item, levels[-1], unknown)
            rows.append((number, above | cells if above else cells))
        except SubmissionError as error:
            bad.add(number, error)
    seen = dict.fromkeys(name for _, cells in rows for name in cells) if rows else levels[-1].columns()
    names = [*shared, *seen, *unknown]
    check_width(len(names), limits)
    warnings = check_columns(names, contract)
    raw = _frame(rows, shared, contract)
    nul = b"\\u0000" in data or b"\0" in data
    return finish_parsing(raw, [warnings, bad.frame()], nul=nul, rejected=bad.rows)


@dataclass
class _Rejected:
    """The rows that cannot be read: the first errors, and how many more there are of each column and reason."""

    rows: int = 0
    errors: list[tuple[int, SubmissionError]] = field(default_factory=list)
    more: dict[tuple[str | None, str], int] = field(default_factory=dict)

    def add(self, row: int, error: SubmissionError) -> None:
        """Add the error of one row."""
        self.rows += 1
        if len(self.errors) < REJECTS_KEPT:
            self.errors.append((row, error))
        else:
            key = error.column, error.code
            self.more[key] = self.more.get(key, 0) + 1

    def frame(self) -> pl.DataFrame:
        """Return the rejects."""
        listed = [reject_fields(error, number) for number, error in self.errors]
        counted = [count_reject(column, code, more) for (column, code), more in self.more.items()]
        return pl.DataFrame([*listed, *counted], schema=PARSER_REJECT)


def _document(text: str) -> object:
    expected = "a JSON document"
    try:
        found: object = json.loads(
            text, parse_int=_Number, parse_float=_Number, parse_constant=str, object_pairs_hook=_object
        )
    except json.JSONDecodeError as error:
        if not text.strip():
            raise SubmissionError("empty-file", "nothing", expected, "Was the right file delivered?") from None
        raise SubmissionError("unreadable", str(error), expected, "Was it cut short?") from error
    except RecursionError:
        raise SubmissionError("unreadable", "hundreds of levels", "a document less deeply nested", _HINT) from None
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    twice, seen = _Twice(fields), set[str]()
    for key, _ in pairs:
        if key in seen:
            twice.key = key
            break
        seen.add(key)
    return twice


def _checked(item: dict[str, object]) -> dict[str, object]:
    """Return an object whose keys are read; raise `SubmissionError` if it has one of them twice."""
    if isinstance(item, _Twice):
        hint = "It cannot be known which of the two is meant: deliver one."
        raise SubmissionError(
            "unreadable", cut(f"key {_visible(item.key)!r} twice in one object"), "each key once", hint
        )
    return item


def _visible(text: str) -> str:
    """Return a text for a message; halves of surrogate pairs, which no text can hold, as their escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _trees(contract: Contract) -> list[_Node]:
    """Return the nodes of the document and of an element of each list, that of the rows last."""
    nodes = _bare_trees(contract.format, rest=contract.ignore == "rest")
    names = [(name, False) for name in contract.ignored_columns()]
    names += [(name, True) for name in contract.file_columns()]
    for name, mapped in sorted(names):
        owner = next((n for n in reversed(nodes) if not n.path or f"{name}.".startswith(f"{n.path}.")), nodes[0])
        node = owner.below(name[len(owner.path) + 1 :] if owner.path else name)
        node.column, node.ignored = mapped, node.ignored or not mapped
    return nodes


def _bare_trees(form: Format, *, rest: bool) -> list[_Node]:
    """Return the nodes without the contract's columns. rest: whether all that it does not name is ignored."""
    if form.lines:
        return [_Node(ignored=rest), _Node(ignored=rest)]
    lists = (form.rows or "").split(_EACH)
    prefixes = [_EACH.join(lists[: i + 1]) + "[]" for i in range(len(lists))]
    nodes = [_Node(ignored=rest), *(_Node(prefix, ignored=rest) for prefix in prefixes)]
    for node, path in zip(nodes, lists, strict=False):
        node.below(path).ignored = True
    return nodes


def _rows(document: object, form: Format) -> list[object]:
    path = (form.rows or "").split(_EACH)[0]
    found = _below(document, path)
    if not isinstance(found, list):
        what = "nothing" if found is None else _kind(found)
        raise SubmissionError("unreadable", what, f"a list of rows at {path!r}", _HINT)
    return found


def _items(outer: list[object], levels: list[_Node], form: Format, unknown: dict[str, None]) -> list[_Item]:
    """Return the number of each row, the cells of the elements of the lists above it, and the row.

    An element above that cannot be read is a row itself: it is rejected as one.
    """
    found: list[tuple[dict[str, str], object]] = [({}, item) for item in outer]
    for node, path in zip(levels, (form.rows or "").split(_EACH)[1:], strict=False):
        inner: list[tuple[dict[str, str], object]] = []
        for above, item in found:
            try:
                cells = above | _row(item, node, unknown)
                below = _below(item, path)
            except SubmissionError as error:
                below = error
            if isinstance(below, list):
                inner += [(cells, each) for each in below]
            elif below is not None:
                inner.append((above, below))
        found = inner
    return [(number, above, item) for number, (above, item) in enumerate(found, start=1)]


def _lines(text: str) -> list[_Item]:
    """Return the number and the document of each line that is not empty; one that is none is rejected as a row."""
    found: list[_Item] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append((number, {}, _document(line)))
            except SubmissionError as error:
                found.append((number, {}, error))
    return found


def _below(document: object, path: str) -> object:
    """Return what is at a path; a key may hold dots itself."""
    if not path:
        return document
    if not isinstance(document, dict):
        return None
    steps = path.split(".")
    for count in range(1, len(steps) + 1):
        key = ".".join(steps[:count])
        if key in document:
            return _below(_checked(document)[key], ".".join(steps[count:]))
    return None


def _row(item: object, node: _Node, unknown: dict[str, None]) -> dict[str, str]:
    if isinstance(item, SubmissionError):
        raise item
    if not isinstance(item, dict):
        raise SubmissionError("unreadable", _kind(item), "an object", _HINT)
    cells: dict[str, str] = {}
    _take(item, node, cells, unknown)
    return cells


def _take(item: dict[str, object], node: _Node, cells: dict[str, str], unknown: dict[str, None]) -> None:
    """Add the mapped leaves of one object to `cells`, and paths that the contract does not name to `unknown`."""
    for key, value in _checked(item).items():
        child = node.child(key)
        if child is None:
            if not node.ignored:
                path = f"{node.path}.{key}" if node.path else key
                unknown[path if path.isascii() else _visible(path)] = None
        elif child.column:
            if child.path in cells:
                hint = "It cannot be known which of the two is meant: deliver one."
                raise SubmissionError("unreadable", f"{child.path!r} twice", "each key once", hint, column=child.path)
            cells[child.path] = _text(value, child.path)
        else:
            _descend(value, child, cells, unknown)


def _descend(value: object, child: _Node, cells: dict[str, str], unknown: dict[str, None]) -> None:
    if isinstance(value, dict) and child.children:
        _take(value, child, cells, unknown)
    elif value is None:
        cells.update(dict.fromkeys(child.columns(), ""))
    elif not child.ignored:
        unknown[child.path] = None


def _text(value: object, path: str) -> str:
    if isinstance(value, str):
        if not value.isascii():
            _check_pairs(value, path)
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise SubmissionError("unreadable", _kind(value), "a text, a number, true, false or null", _HINT, column=path)


def _check_pairs(value: str, path: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        hint = "Deliver the letter itself, or both halves of its escape."
        raise SubmissionError("unreadable", "half a surrogate pair", "text", hint, column=path) from error


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", bool: "true or false"}.get(type(value), "a text or number")


def _frame(rows: list[tuple[int, dict[str, str]]], shared: dict[str, str], contract: Contract) -> pl.DataFrame:
    names = contract.file_columns()
    texts = {name: list(_texts(rows, shared, name, contract.format)) for name in names}
    schema = {"row": pl.Int32, **dict.fromkeys(names, pl.String)}
    return pl.DataFrame({"row": [number for number, _ in rows], **texts}, schema=schema)


def _texts(rows: list[tuple[int, dict[str, str]]], shared: dict[str, str], name: str, form: Format) -> Iterator[str]:
    common = shared.get(name, "")
    for _, cells in rows:
        text = cells.get(name, common)
        yield plain_number(text, form) if type(text) is _Number else text
