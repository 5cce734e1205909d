"""A contract of records drafted from the table of a delivery: which column is which field of a kind, and the key."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import polars as pl

from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.drafting.columns import KEY_NAMES
from transforms.drafting.contract.contract_draft import ContractDraft, head_of
from transforms.drafting.contract.draft_terms import plain_name
from transforms.drafting.contract.evidence import format_evidence
from transforms.drafting.table.file_table import DraftSource
from transforms.drafting.table.value_forms import NumberForm, find_number_form, number_pattern, period_form

LIKE_NAME: Final = 0.75
"""Likeness of two names from which a column is taken for a field."""
LIKE_FIELD: Final = (
    "its name is like the field's. If it holds something else, take this line out and put the column under `ignore:`"
)
MOST_KEY_COLUMNS: Final = 3
MOST_TRIED: Final = 10
"""Columns, those with the most different texts, of which several together are tried as a key."""
NUMBERS: Final = ("number", "integer")


@dataclass(frozen=True)
class RecordColumns:
    """Which columns a contract of records uses. fields: field -> column; why: field -> the evidence."""

    kind: str
    fields: Mapping[str, str]
    key: tuple[str, ...]
    reporter: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)


def match_columns(texts: pl.DataFrame, kind: Kind) -> RecordColumns:
    """Return which columns of a table are fields of a kind, by their names; `UsageError` if none is, or no key is."""
    free = {plain_name(name): name for name in texts.columns}
    fields: dict[str, str] = {}
    why: dict[str, str] = {}
    for name in kind.fields:
        if name in free:
            fields[name], why[name] = free.pop(name), "it has the field's name"
    for name in (n for n in kind.fields if n not in fields):
        near = difflib.get_close_matches(name, list(free), n=1, cutoff=LIKE_NAME)
        if near:
            fields[name], why[name] = free.pop(near[0]), LIKE_FIELD
    if not fields:
        raise UsageError(f"no column has a name like a field of kind {kind.kind}: {', '.join(kind.fields)}")
    types = {name: kind.fields[name].type for name in fields}
    return RecordColumns(kind.kind, fields, find_report_key(texts), None, types, why)


def find_report_key(texts: pl.DataFrame) -> tuple[str, ...]:
    """Return the fewest columns without empty cells of which no two rows have the same texts; `UsageError` if none."""
    filled = [name for name in texts.columns if (texts[name] != "").all()]
    ordered = sorted(filled, key=lambda name: not KEY_NAMES.match(name))
    various = sorted(ordered, key=lambda name: -texts[name].n_unique())[:MOST_TRIED]
    for count in range(1, MOST_KEY_COLUMNS + 1):
        for names in combinations([n for n in ordered if count == 1 or n in various], count):
            if texts.select(names).n_unique() == texts.height:
                return names
    raise UsageError(
        f"a record needs a key, and rows repeat in any {MOST_KEY_COLUMNS} columns: add one that numbers the rows"
    )


def draft_records(source: DraftSource, texts: pl.DataFrame, columns: RecordColumns) -> ContractDraft:
    """Return the contract that makes a record of each row."""
    numbers = find_number_form(texts.select(n for f, n in columns.fields.items() if columns.types.get(f) in NUMBERS))
    form = dict(source.form)
    if form["type"] not in {"json", "parquet"}:
        form |= {"decimal": numbers.decimal} if numbers.decimal != "." else {}
        form |= {"thousands": numbers.thousands} if numbers.thousands else {}
    used = {*columns.fields.values(), *columns.key, *([columns.reporter] if columns.reporter else [])}
    reporter = {"option": "sender"} if columns.reporter is None else {"column": columns.reporter}
    takes = {f: _take(texts[n], columns.types.get(f, "text"), numbers) for f, n in columns.fields.items()}
    record = {"kind": columns.kind, "reported_by": reporter, "report_key": list(columns.key), "fields": takes}
    declared = head_of(source.name) | {
        "format": form, "ignore": [n for n in texts.columns if n not in used] + source.unmapped, "record": record,
    }  # fmt: skip
    evidence = format_evidence(source)
    evidence["record"] = [f"no two rows have the same {', '.join(columns.key)}"]
    evidence |= {f"record.fields.{name}": [why] for name, why in columns.why.items()}
    return ContractDraft(declared, evidence)


def _take(texts: pl.Series, kind: str, numbers: NumberForm) -> dict[str, Any]:
    """Return where a field comes from; a text that its type does not read costs a warning, not the row."""
    take: dict[str, Any] = {"column": texts.name}
    stated = texts.filter(texts != "")
    if kind in NUMBERS:
        return take | ({} if stated.str.contains(number_pattern(numbers)).all() else {"unreadable": "warn"})
    if kind == "date":
        form = period_form("date", stated)
        if form is None or form["type"] != "day":
            return take | {"unreadable": "warn"}
        return take | ({"format": form["format"]} if "format" in form else {})
    return take | ({"unreadable": "warn"} if kind in {"datetime", "boolean"} else {})
