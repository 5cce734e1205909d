"""The example of a drafted contract: the first rows of the file, and what they give when they are read."""

import csv
import io
import re
from decimal import Decimal
from typing import Any, Final

from flows.installation import Installation
from schemas.contract import Contract
from schemas.errors import EngangError
from schemas.kind import Kind
from transforms.drafting.example_document import json_example, xml_example
from transforms.drafting.table.file_table import FileTable
from transforms.examples.example_results import read_example

EXAMPLE_ROWS: Final = 2
MANY_CLAIMS: Final = 12
"""Claims of one row from which the example has one row only."""
CLAIM_KEYS: Final = ("row", "column", "unit_code", "unit_name", "period_start", "breakdown", "value")
SHORT_KEYS: Final = ("row", "column", "period_start", "value")
"""What is stated of claims, and of claims if there are many: not the concept, about which a person decides."""
UNIT_KEYS: Final = ("unit_code", "unit_name")
"""What is not stated of claims about the sender itself: a person fills in who that is."""
REJECT_KEYS: Final = ("row", "column", "reason", "found")
FIELDS_SHOWN: Final = 6
PERIOD: Final = "2024"
_PLACEHOLDER: Final = {"name": "fill in", "given": ""}


def with_example(installation: Installation, declared: dict[str, Any], table: FileTable) -> dict[str, Any]:
    """Return a drafted contract with an example of the file's first rows; without expectations where none is made."""
    given = _given(declared, table)
    example = _PLACEHOLDER if given is None else example_of(installation, declared, given)
    return declared | {"examples": [example]}


def example_of(
    installation: Installation, declared: dict[str, Any], given: str | list[list[str | int | None]]
) -> dict[str, Any]:
    """Return an example of rows with what a drafted contract makes of them; one to fill in where that is nothing."""
    example: dict[str, Any] = {"name": "the first rows of the file that it was drafted from"}
    if "option" in declared.get("period", {}):
        example["options"] = {"period": PERIOD}
    example["given"] = given
    try:
        shown = _gives(installation, Contract.model_validate(declared | {"examples": [example]}))
    except EngangError:
        shown = {}
    return example | shown if shown else _PLACEHOLDER


def _gives(installation: Installation, contract: Contract) -> dict[str, Any]:
    """Return what the example of a contract gives, as the example states it."""
    kind = installation.kind(contract.record.kind) if contract.record else None
    register = None if kind else installation.register
    result = read_example(installation.completed(contract), contract.examples[0], kind, register)
    keys = _without_unit(_shown_keys(kind, len(result.made)), contract)
    shown: dict[str, Any] = {}
    if result.made:
        shown["records" if kind else "claims"] = [_expected(row, keys) for row in result.made]
    if result.rejects:
        shown["rejects"] = [_expected(row, REJECT_KEYS) for row in result.rejects]
    if result.ignored:
        shown["ignored"] = result.ignored
    return shown


def _without_unit(keys: tuple[str, ...], contract: Contract) -> tuple[str, ...]:
    """Return the keys without those of the unit where that is the sender, who is not known yet."""
    if contract.unit is None or contract.unit.option != "sender":
        return keys
    return tuple(key for key in keys if key not in UNIT_KEYS)


def _shown_keys(kind: Kind | None, made: int) -> tuple[str, ...]:
    """Return what is stated of each record of a kind or, without one, of each of so many claims."""
    if kind:
        return ("row", "report_key", *list(kind.fields)[:FIELDS_SHOWN])
    return SHORT_KEYS if made > MANY_CLAIMS else CLAIM_KEYS


def _given(declared: dict[str, Any], table: FileTable) -> str | list[list[str | int | None]] | None:
    """Return the first rows as an example gives them: text, or a table; None for files that no example is made of."""
    kind, form = table.form["type"], table.form
    rows = 1 if _many_claims(declared) else EXAMPLE_ROWS
    first = len(table.start)
    records = [*table.start, *table.records[first : first + rows], *[["-"]] * form.get("skip_footer", 0)]
    if kind == "csv" and form.get("quote", '"') is not None:
        return _as_text(records, form["delimiter"])
    if kind in {"xlsx", "xls", "xlsb", "ods"}:
        header = form["header_rows"][0] if "header_rows" in form else form.get("header_row", 1)
        return [[_cell(text) for text in record] for record in records[header - 1 :]]
    return _given_document(table, rows)


def _given_document(table: FileTable, rows: int) -> str | list[list[str | int | None]] | None:
    """Return the first rows of a file without lines or sheets: a document or, of Parquet, a table of texts."""
    texts = table.texts.head(rows)
    values = [{name: _cell(text or "") for name, text in row.items()} for row in texts.iter_rows(named=True)]
    match table.form["type"]:
        case "json":
            return json_example(values, table.form["rows"])
        case "xml":
            return xml_example(values, table.form["rows"])
        case "parquet":
            return [list(texts.columns), *([text or None for text in row] for row in texts.iter_rows())]
    return None


def _many_claims(declared: dict[str, Any]) -> bool:
    return "unpivot" in declared or len(declared.get("claims", ())) > MANY_CLAIMS


def _cell(text: str) -> str | int | None:
    """Return a cell of a workbook: a whole number as one, which is what the sheet has."""
    return int(text) if re.fullmatch("-?(0|[1-9][0-9]{0,14})", text) else text or None


def _as_text(records: list[list[str]], delimiter: str) -> str:
    content = io.StringIO()
    csv.writer(content, delimiter=delimiter, lineterminator="\n").writerows(records)
    return content.getvalue()


def _expected(row: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return a row as an example states it: numbers and dates as text, without what is null."""
    return {key: _plain(row[key]) for key in keys if row.get(key) not in (None, "{}")}


def _plain(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return text.rstrip("0").rstrip(".") if "." in text and text.replace(".", "").lstrip("-").isdigit() else text
