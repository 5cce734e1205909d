"""Contracts of one obligation's figures in every format that a draft is written in, and others that know them."""

import datetime as dt
from dataclasses import replace
from pathlib import Path

from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.pipeline import nightly, receive

HEAD = """\
contract: {name}
version: 1
obligation: {name}
title: {{nb: Skjema {name}, nn: Skjema {name}, en: Form {name}}}
agency: {agency}
legal_basis: LOV-1
rhythm: monthly
due: {{after_period: {{days: 15}}}}
sender: {{default: {name}}}
{more}
"""
UNIT_BY_NAME = "unit: {{column: {unit}, kind: municipality, by: name}}\n"
SOURCE = """\
format: {type: csv, delimiter: ";"}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
breakdown: {stage: {column: stage}}
repeat: error
claims:
  - {concept: pupils, column: pupils, reported_by: {value: A}, unit_measure: {value: persons},
     confidential: {column: secret, map: {"": "false", x: "true"}}}
  - {concept: pupil_groups, column: groups, reported_by: {value: A}, unit_measure: {value: groups}, missing: skip}
examples: [{name: none, given: "nr;month;stage;pupils;groups;secret\\n1120;2025-01;primary;1;1;\\n",
            claims: [{row: 2, value: 1}, {row: 2, value: 1}]}]
"""
MONEY = """\
format: {type: csv, delimiter: ";"}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
repeat: error
claims:
  - {concept: care_costs, column: costs, reported_by: {value: B}, unit_measure: {value: NOK}, missing: skip}
  - {concept: care_residents, column: residents, reported_by: {value: B}, unit_measure: {value: persons},
     missing: skip}
examples: [{name: none, given: "nr;month;costs;residents\\n1120;2025-01;1;1\\n", claims: [{row: 2, value: 1},
            {row: 2, value: 1}]}]
"""
CLAIMS = """\
repeat: error
claims:
  - {{concept: pupils, column: "{p}pupils", reported_by: {{value: T}}, unit_measure: {{value: persons}},
     breakdown: {{stage: {{value: primary}}}}}}
  - {{concept: pupils, column: "{p}lower", reported_by: {{value: T}}, unit_measure: {{value: persons}},
     breakdown: {{stage: {{value: lower_secondary}}}}}}
  - {{concept: care_costs, column: "{p}costs", scale: 1000, reported_by: {{value: T}}, unit_measure: {{value: NOK}}}}
"""
FORMS = {
    "csv": """\
format: {type: csv, delimiter: ";", decimal: ",", encoding: cp1252, header_row: 3, skip_footer: 1}
unit: {column: Kommune, kind: municipality, by: name}
period: {column: Måned, type: month, format: "%m.%Y"}
"""
    + CLAIMS.format(p=""),
    "xlsx": """\
format: {type: xlsx, sheet: Skjema, header_row: 2}
unit: {column: Kommune, kind: municipality, by: name}
period: {column: Måned, type: month}
"""
    + CLAIMS.format(p=""),
    "json": """\
format: {type: json, rows: skjema.rader}
unit: {column: "skjema.rader[].kommune", kind: municipality}
period: {column: hode.måned, type: month}
"""
    + CLAIMS.format(p="skjema.rader[].tall."),
    "lines": """\
format: {type: json, lines: true}
unit: {column: id.nr, kind: municipality}
period: {column: måned, type: month}
"""
    + CLAIMS.format(p=""),
    "xml": """\
format: {type: xml, rows: Skjema.Kommune.Rad}
unit: {column: "Skjema.Kommune.@nr", kind: municipality}
period: {column: Skjema.Hode.Maaned, type: month}
"""
    + CLAIMS.format(p="Skjema.Kommune.Rad[]."),
    "fixed": """\
format:
  type: fixed_width
  encoding: latin-1
  fields:
    - {name: nr, start: 1, length: 4}
    - {name: month, start: 6, length: 7}
    - {name: pupils, start: 13, length: 6}
    - {name: lower, start: 19, length: 6}
    - {name: costs, start: 25, length: 12, decimals: 3}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
"""
    + CLAIMS.format(p=""),
    "parquet": """\
format: {type: parquet}
unit: {column: nr, kind: municipality}
period: {option: period, type: month, format: "%m.%Y"}
"""
    + CLAIMS.format(p=""),
    "sdmx": """\
format: {type: sdmx_csv}
unit: {column: REF_AREA, kind: municipality}
period: {column: TIME_PERIOD, type: month}
action: {column: ACTION, map: {I: append, D: withdraw}}
breakdown: {stage: {column: STAGE}}
repeat: error
claims:
  - {concept: pupils, column: OBS_VALUE, reported_by: {value: T}, unit_measure: {value: persons}}
""",
    "total": """\
format: {type: csv}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
repeat: error
claims:
  - {concept: pupils, column: pupils, reported_by: {value: T}, unit_measure: {value: persons}}
""",
    "wide": """\
format: {type: csv, delimiter: ","}
unpivot: {pattern: 'Elever \\((?<trinn>[a-z_]+)\\) (?<month>[0-9]{4}-[0-9]{2})', value: antall}
unit: {column: nr, kind: municipality}
period: {column: month, type: month}
breakdown: {stage: {column: trinn}}
repeat: error
claims:
  - {concept: pupils, column: antall, reported_by: {column: nr}, unit_measure: {value: persons}, missing: skip}
""",
}
"""Name -> the form: each asks for figures that `source` and `money` have, in a format of its own."""
PLACEHOLDER = "examples: [{name: none, given: ''}]\n"


def contract_text(name: str, form: str, *, agency: str = "", more: str = "") -> str:
    """Return the text of a contract."""
    text = HEAD.format(name=name, agency=agency or name.upper(), more=more) + form
    return text if "\nexamples:" in text else text + PLACEHOLDER


def write_forms(folder: Path, changes: dict[str, str] | None = None) -> Path:
    """Write all contracts to a folder. changes: name of a contract -> keys that it has besides."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, form in {"source": SOURCE, "money": MONEY, **FORMS}.items():
        text = contract_text(name, form, more=(changes or {}).get(name, ""))
        (folder / f"{name}.yml").write_text(text, encoding="utf-8")
    return folder


IN_TIME = dt.datetime(2025, 2, 10, 12, tzinfo=dt.UTC)
LATER = dt.datetime(2025, 5, 2, tzinfo=dt.UTC)
"""When deliveries are received: before and after the due dates of January and February 2025."""


def deliver(installation: Installation, contract: str, text: str, *, at: dt.datetime = IN_TIME) -> None:
    """Receive a delivery that was received at a time, in which nothing is wrong."""
    made = make_delivery(installation, f"{contract}.txt", text.encode(), contract, sender=None, period=None)
    delivery = replace(made, received_at=at)
    assert [r.rejected for batch in receive(installation, [delivery]) for r in batch] == [0]


def publish(installation: Installation) -> None:
    """Publish a release of all that was received."""
    assert nightly(installation, export="never").published
