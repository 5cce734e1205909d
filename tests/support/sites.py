"""A small home whose site has all kinds of pages, hostile texts, and secrets that no page may show."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Final

from flows.installation import Installation
from flows.release.build import night
from tests.support.prefill import IN_TIME, deliver
from tests.support.small_installation import open_small

HOSTILE: Final = '<script src="https://evil.example/x.js">alert("x")</script>'
SECRETS: Final = {"confidential": 27_182, "closed": 31_415, "personal": 16_180, "small": 14_142}
"""What each kind of withheld value is; all contradict what another contract states of the same item."""
HEAD: Final = """\
contract: {name}
version: 1
obligation: {name}
title: {{nb: '{nb}', nn: 'Skjema {name}', en: 'Form {name}'}}
agency: '{agency}'
legal_basis: LOV-1 {name}
rhythm: monthly
due: {{after_period: {{days: 15}}}}
sender: {{default: {name}}}
hours: {{value: {hours}, basis: surveyed}}
{more}
format: {{type: csv, delimiter: ";"}}
unit: {{column: nr, kind: municipality}}
period: {{column: month, type: month}}
repeat: error
claims:
  - {{concept: care_costs, column: costs, reported_by: {{option: sender}}, unit_measure: {{value: NOK}}, missing: skip}}
  - {{concept: care_residents, column: residents, reported_by: {{option: sender}}, unit_measure: {{value: persons}},
     missing: skip, confidential: {{column: secret, map: {{"": "false", x: "true"}}}}}}
  - {{concept: rare_cases, column: rare, reported_by: {{option: sender}}, unit_measure: {{value: number}},
     missing: skip}}
examples: [{{name: none, given: ''}}]
"""
TERMS: Final = """\
concepts:
  rare_cases:
    title: {nb: Tilfeller, nn: Tilfelle, en: Cases}
    definition: 'Cases <b>of something rare</b>'
    measures: [number]
    suppress_below: 50000
"""
COLUMNS: Final = "nr;month;costs;residents;rare;secret"


def _contract(name: str, nb: str, agency: str = "Etaten", hours: int = 2, more: str = "") -> str:
    return HEAD.format(name=name, nb=nb, agency=agency, hours=hours, more=more)


CONTRACTS: Final = {
    "helse": _contract("helse", f"Helse {HOSTILE}", agency=f"Etat {HOSTILE}", hours=3),
    "tilsyn": _contract("tilsyn", "Tilsyn"),
    "closed": _contract("closed", "Lukket", agency="Lukket etat", more=f"may_share: none\n{TERMS}"),
    "persons": _contract("persons", "Personer", more="personal: {residents: keep}"),
}


def make_home(folder: Path) -> Installation:
    """Make the home: two releases, the second of which changes a figure and adds some."""
    contracts = folder / "contracts"
    contracts.mkdir(parents=True)
    for name, text in CONTRACTS.items():
        (contracts / f"{name}.yml").write_text(text, encoding="utf-8")
    here = open_small(folder / "home", contracts)
    assert not here.broken_contracts
    secret = SECRETS
    _deliver(here, "helse", "1120;2025-01;1000;191;;", f"1121;2025-01;900;{secret['confidential']};;x")
    _deliver(here, "tilsyn", "1120;2025-01;1000;202;;", "1121;2025-01;900;5;;")
    assert night(here).published
    _deliver(
        here,
        "closed",
        f"1120;2025-02;{secret['closed']};;;",
        f"1120;2025-01;{secret['closed']};;;",
        f"1121;2025-02;{secret['closed']};;;",
    )
    _deliver(here, "persons", f"1120;2025-02;;{secret['personal']};;", f"1121;2025-02;;{secret['personal']};;")
    _deliver(
        here,
        "helse",
        f"1120;2025-02;4000;7;{secret['small']};",
        f"1121;2025-02;;;{secret['small']};",
        "1120;2025-01;1000;195;;",
        days=1,
    )
    _deliver(here, "tilsyn", f"1120;2025-02;4000;8;{secret['small'] + 1};")
    assert night(here).published
    return here


def _deliver(here: Installation, contract: str, *lines: str, days: int = 0) -> None:
    deliver(here, contract, "\n".join((COLUMNS, *lines, "")), at=IN_TIME + timedelta(days=days))


def links_of(page: str) -> list[str]:
    """Return every address that a page links to or loads."""
    return re.findall(r'(?:href|src)="([^"]*)"', page)
