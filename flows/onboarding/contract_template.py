"""A new contract to fill in: the keys that most contracts need, each with a comment."""

from pathlib import Path
from typing import Final

from flows.onboarding.contract_draft import new_contract_path

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
  delimiter: ";"
  encoding: utf-8                 # utf-8, latin-1, cp1252, utf-16
  decimal: ","
# Every column must be mapped below or listed here; any other column is reported as an error.
ignore: []
unit: {{column: kommunenr, kind: municipality, by: code}}          # by: code, name or organisation_number
period: {{option: period, type: year}}                          # or: column: ...; type: year, quarter, month, day
breakdown: {{}}                                                  # e.g. sex: {{column: kjonn, map: {{"1": M, "2": F}}}}
repeat: error                     # the same key twice in one file: sum, error, warn, distinct
claims:
  - concept: population           # `engang concepts` lists them; a new one goes under `concepts:` below
    column: antall
    reported_by: {{option: sender}}
    unit_measure: {{value: persons}}
    missing: reject               # an empty cell: reject the row, or skip the claim
rules:
  - {{id: not-negative, check: range, column: antall, min: 0, severity: critical}}
# Rows as delivered, and the claims they must give: the contract's own test.
examples:
  - name: one row
    options: {{period: "2024", sender: someone}}
    given: |
      kommunenr;antall
      0301;1
    claims:
      - {{row: 2, unit_code: "0301", value: "1"}}
"""


def write_template(contract: str, to: Path | None) -> Path:
    """Write `<contract>.yml` and return its path. to: its folder, by default that of the contracts.

    Raises `UsageError` for an invalid name, or a contract that exists.
    """
    path = new_contract_path(contract, to)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(CONTRACT_TEMPLATE.format(contract=contract), encoding="utf-8")
    return path
