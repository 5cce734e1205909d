"""JSON to the raw frame: a document that contains a list of rows.

A leaf is named by its path: `id.nr` in the document, `parties[].votes` in a row of the list `parties`. Numbers keep
the text they were written with.
"""

import json
from dataclasses import dataclass, field
from typing import Self

import polars as pl

from schemas.contract import Contract, Format
from schemas.errors import SubmissionError
from transforms.parsing.raw_frame import PARSER_REJECT, ParseResult, check_columns, finish_parsing
from transforms.parsing.text import decode, repair
from transforms.rejects import cut, reject_fields

_HINT = "Compare the file with the contract's format.rows and columns."


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

    def columns(self) -> list[str]:
        """Return the mapped leaves at and below this node."""
        below = [name for child in self.children.values() for name in child.columns()]
        return [self.path, *below] if self.column else below


def read_json(data: bytes, contract: Contract) -> ParseResult:
    """Return the rows of a JSON file as delivered. Raises `SubmissionError`."""
    form = contract.format
    document = _document(repair(decode(data, form.encoding), form))
    items = _rows(document, form)
    whole, row = _trees(contract)
    shared: dict[str, str] = {}
    unknown: dict[str, None] = {}
    if isinstance(document, dict):
        _take(document, whole, shared, unknown)
    rows, bad = [], []
    for number, item in enumerate(items, start=1):
        try:
            rows.append((number, _row(item, row, unknown)))
        except SubmissionError as error:
            bad.append((number, error))
    seen = dict.fromkeys(name for _, cells in rows for name in cells) if rows else row.columns()
    warnings = check_columns([*shared, *seen, *unknown], contract)
    nul = b"\\u0000" in data or b"\0" in data
    return finish_parsing(
        _frame(rows, shared, contract.columns()), [warnings, _rejects(bad)] if bad else [warnings], nul=nul
    )


def _document(text: str) -> object:
    expected = "a JSON document"
    try:
        found: object = json.loads(text, parse_int=str, parse_float=str, parse_constant=str, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        if not text.strip():
            raise SubmissionError("empty-file", "nothing", expected, "Was the right file delivered?") from None
        raise SubmissionError("unreadable", str(error), expected, "Was it cut short?") from error
    except RecursionError:
        raise SubmissionError("unreadable", "hundreds of levels", "a document less deeply nested", _HINT) from None
    return found


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        hint = "It cannot be known which of the two is meant: deliver one."
        raise SubmissionError("unreadable", cut(f"key {twice!r} twice in one object"), "each key once", hint)
    return fields


def _trees(contract: Contract) -> tuple[_Node, _Node]:
    """Return the nodes of the document and of one row."""
    prefix = f"{contract.format.rows}[]"
    document, row = _Node(), _Node(prefix)
    document.below(contract.format.rows or "").ignored = True
    names = [(name, False) for name in contract.ignore] + [(name, True) for name in contract.columns()]
    for name, mapped in sorted(names):
        in_row = name == prefix or name.startswith(f"{prefix}.")
        node = row.below(name[len(prefix) + 1 :]) if in_row else document.below(name)
        node.column, node.ignored = mapped, node.ignored or not mapped
    return document, row


def _rows(document: object, form: Format) -> list[object]:
    found = document
    for key in form.rows.split(".") if form.rows else ():
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, list):
        what = "nothing" if found is None else _kind(found)
        raise SubmissionError("unreadable", what, f"a list of rows at {form.rows!r}", _HINT)
    return found


def _row(item: object, node: _Node, unknown: dict[str, None]) -> dict[str, str]:
    if not isinstance(item, dict):
        raise SubmissionError("unreadable", cut(f"{_kind(item)}: {item}"), "an object", _HINT)
    cells: dict[str, str] = {}
    _take(item, node, cells, unknown)
    return cells


def _take(item: dict[str, object], node: _Node, cells: dict[str, str], unknown: dict[str, None]) -> None:
    """Add the mapped leaves of one object to `cells`, and paths that the contract does not name to `unknown`."""
    for key, value in item.items():
        child = node.children.get(key)
        if child is None:
            if not node.ignored:
                unknown[f"{node.path}.{key}" if node.path else key] = None
        elif child.column:
            cells[child.path] = _text(value, child.path)
        elif isinstance(value, dict) and child.children:
            _take(value, child, cells, unknown)
        elif value is None:
            cells.update(dict.fromkeys(child.columns(), ""))
        elif not child.ignored:
            unknown[child.path] = None


def _text(value: object, path: str) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    raise SubmissionError("unreadable", _kind(value), "a text, a number, true, false or null", _HINT, column=path)


def _kind(value: object) -> str:
    return {dict: "an object", list: "a list", bool: "true or false"}.get(type(value), "a text or number")


def _frame(rows: list[tuple[int, dict[str, str]]], shared: dict[str, str], names: list[str]) -> pl.DataFrame:
    texts = {name: [cells.get(name, shared.get(name, "")) for _, cells in rows] for name in names}
    schema = {"row": pl.Int32, **dict.fromkeys(names, pl.String)}
    try:
        return pl.DataFrame({"row": [number for number, _ in rows], **texts}, schema=schema)
    except UnicodeEncodeError as error:
        hint = "Deliver the letter itself, or both halves of its escape."
        raise SubmissionError("unreadable", "half a surrogate pair", "text", hint) from error


def _rejects(bad: list[tuple[int, SubmissionError]]) -> pl.DataFrame:
    return pl.DataFrame([reject_fields(error, number) for number, error in bad], schema=PARSER_REJECT)
