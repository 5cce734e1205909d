"""Personal data on its way: a pseudonym in every table, the text itself in the landing zone only."""

from pathlib import Path

import pytest

from tests.support.cli_runner import engang

pytestmark = pytest.mark.usefixtures("unchecked")

CONTRACT = """
contract: {name}
version: 1
obligation: {name}
title: {{nb: C, nn: C, en: C}}
agency: A
legal_basis: none
rhythm: yearly
hours_per_report: null
sender: {{default: s}}
format: {{type: csv}}
unit: {{column: who, kind: other, by: name, provisional: true{personal}}}
period: {{column: year, type: year}}
repeat: error
claims:
  - {{concept: population, column: n, reported_by: {{option: sender}}, unit_measure: {{value: persons}}}}
examples:
  - name: one
    given: |
      who;year;n
      A;2024;5
    claims:
      - {{row: 2, value: 5}}
"""
PERSON = "15876500520"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    contracts = tmp_path / "contracts"
    contracts.mkdir()
    (contracts / "a.yml").write_text(CONTRACT.format(name="a", personal=", personal: pseudonymise"))
    (contracts / "b.yml").write_text(CONTRACT.format(name="b", personal=", personal: pseudonymise"))
    (contracts / "plain.yml").write_text(CONTRACT.format(name="plain", personal=""))
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(contracts))
    (tmp_path / "x.csv").write_text(f"who;year;n\n{PERSON};2024;5\n")
    (tmp_path / "y.csv").write_text(f"who;year;n\n{PERSON[:6]} {PERSON[6:]};2024;5\n")
    return tmp_path


def test_a_pseudonym_joins_contracts_and_nothing_else_holds_the_number(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = engang("submit", home / "x.csv", "-c", "a")
    assert (refused.code, "ENGANG_PSEUDONYM_KEY" in refused.err) == (2, True)
    monkeypatch.setenv("ENGANG_PSEUDONYM_KEY", "k" * 32)
    assert engang("submit", home / "x.csv", "-c", "a").code == 0
    assert engang("submit", home / "y.csv", "-c", "b").code == 0
    assert engang("nightly").code == 0
    assert engang("query", "SELECT reports, agreement FROM observations", "-f", "csv").out == (
        "reports,agreement\n2,complete\n"
    )
    assert engang("verify").code == 0
    holding = [file.relative_to(home / "home").parts[0] for file in (home / "home").rglob("*") if file.is_file()
               and PERSON.encode() in file.read_bytes()]  # fmt: skip
    assert set(holding) == {"landing"}


def test_a_row_with_a_person_number_elsewhere_is_rejected_and_quotes_nothing(home: Path) -> None:
    (checked,) = engang("check", home / "x.csv", "-c", "plain", "--json").json
    (reject,) = checked["rejects"]
    assert (checked["claims"], checked["rejected"], reject["reason"]) == (0, 1, "person-number")
    assert (reject["column"], reject["row"], reject["severity"]) == ("who", 2, "critical")
    assert PERSON not in str(reject)


def test_what_is_published_holds_no_person_number_and_status_raises_the_alarm(home: Path) -> None:
    (home / "z.csv").write_text(f"who;year;n\nKari;2024;5\n{PERSON};2024;7\nOla;2024;{PERSON}\n")
    assert engang("submit", home / "z.csv", "-c", "plain").code == 1
    assert engang("nightly").code == 0
    assert engang("query", "SELECT unit_name, value FROM observations", "-f", "csv").out == (
        "unit_name,value\nKari,5\n"
    )
    status = engang("status", "--json")
    (alarm,) = [problem for problem in status.json["problems"] if "person number" in problem]
    assert "plain" in alarm
    assert "n, who" in alarm
    assert status.code == 1
    holding = [file.relative_to(home / "home").parts[0] for file in (home / "home").rglob("*") if file.is_file()
               and PERSON.encode() in file.read_bytes()]  # fmt: skip
    assert set(holding) == {"landing"}
