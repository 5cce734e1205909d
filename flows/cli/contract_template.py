"""A new contract to fill in: the keys that most contracts need, each with a comment."""

import re
from pathlib import Path
from typing import Final

from schemas.contract import CONTRACT_FOLDER, IDENTIFIER
from schemas.errors import UsageError

SAMPLE_BYTES: Final = 64 * 1024
CONTRACT_TEMPLATE: Final = """\
# {contract}: the format of a delivery and the meaning of its rows. Try it: `engang check FILE -c {contract}`.
contract: {contract}
version: 1
obligation: {contract}            # the reporting duty; several contracts may serve the same one
title: {{nb: FYLL INN, nn: FYLL INN, en: FILL IN}}
agency: FILL IN                   # who requires the report
legal_basis: FILL IN
rhythm: yearly                    # once, daily, weekly, monthly, quarterly, yearly, four-yearly, event
hours_per_report: null            # what one report costs its sender, if known
# due: {{after_period: {{months: 1, days: 15}}}}                    # or: on: {{month: 6, day: 1}}; senders: [a, b]
sender: {{default: someone}}      # who delivers; or: allowed: [a, b], or: allowed: any
format:
  type: csv                       # csv, json (with `rows: path.to.list`), xlsx (with `sheet`, `header_row`), parquet
  delimiter: "{delimiter}"
  encoding: utf-8                 # utf-8, latin-1, cp1252, utf-16
  decimal: ","
# Every column must be mapped below or listed here; any other column is reported as an error.
ignore: []
unit: {{column: {unit}, kind: municipality, by: code}}          # by: code, name or organisation_number
period: {{option: period, type: year}}                          # or: column: ...; type: year, quarter, month, day
breakdown: {{}}                                                  # e.g. sex: {{column: kjonn, map: {{"1": M, "2": F}}}}
repeat: error                     # the same key twice in one file: sum, error, warn, distinct
claims:
  - concept: fill_in
    column: {value}
    reported_by: {{option: sender}}
    unit_measure: {{value: persons}}
    missing: reject               # an empty cell: reject the row, or skip the claim
rules:
  - {{id: not-negative, check: range, column: {value}, min: 0, severity: critical}}
# Rows as delivered, and the claims they must give: the contract's own test.
examples:
  - name: one row
    options: {{period: "2024", sender: someone}}
    given: |
{given}
    claims:
      - {{row: 2, unit_code: "0301", value: "1"}}
"""


def write_contract(contract: str, example: Path | None, to: Path | None) -> Path:
    """Write `<contract>.yml`, with the columns of a CSV file if one is given, and return its path.

    `to` is its folder, by default that of the shipped contracts. Raises `UsageError` for an invalid name, a file that
    is no CSV with a header, or a contract that exists.
    """
    if not re.fullmatch(IDENTIFIER, contract):
        raise UsageError(f"{contract!r} is no name for a contract: expected small letters, digits, '.', '_' and '-'")
    path = (to or CONTRACT_FOLDER) / f"{contract}.yml"
    if path.exists():
        raise UsageError(f"{path} exists: edit it, or choose another name")
    delimiter, columns = _header(example) if example else (";", ["kommunenr", "antall"])
    unit, value = _quoted(columns[0]), _quoted(columns[-1])
    row = delimiter.join(["0301", *("x" for _ in columns[2:]), "1"])
    given = f"      {delimiter.join(columns)}\n      {row}"
    text = CONTRACT_TEMPLATE.format(contract=contract, delimiter=delimiter, unit=unit, value=value, given=given)
    if columns[1:-1]:
        text = text.replace("ignore: []", f"ignore: [{', '.join(map(_quoted, columns[1:-1]))}]")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _header(example: Path) -> tuple[str, list[str]]:
    """Return the delimiter and the column names of a CSV file."""
    try:
        with example.open("rb") as file:
            line = file.read(SAMPLE_BYTES).splitlines()[0]
    except (OSError, IndexError) as error:
        raise UsageError(f"{example}: expected a CSV file with a header ({error})") from error
    text = line.decode("utf-8-sig", errors="replace")
    delimiter = max(";\t,|", key=text.count)
    columns = [c.strip().strip('"') for c in text.split(delimiter)]
    if len(columns) < 2:  # noqa: PLR2004  a unit and a figure
        raise UsageError(f"{example}: expected a header of at least two columns, found {text[:80]!r}")
    return delimiter, [c for c in columns if c]


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
