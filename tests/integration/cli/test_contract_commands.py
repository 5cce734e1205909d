"""Contracts by the command: tested, drafted, compared; a wrong one costs its own obligation and shows in the status."""

import json
from dataclasses import astuple
from pathlib import Path

import pytest

from tests.support.cli_runner import Ran, Run, engang
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER

pytestmark = pytest.mark.usefixtures("unchecked")
GOOD = HEADER + "0301;01.01.2024;alle;709 037;\n1120;01.01.2024;alle;20 005;\n"
BAD = HEADER + "".join(f"9998;{day:02d}.01.2024;alle;{day};\n" for day in range(1, 8)) + "0301;01.01.2024;alle;x;\n"
PAID = "name,paid\nNordskjær Olje AS,0.1\n"


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    """Give a folder of contracts to be changed."""
    folder = tmp_path / "contracts"
    folder.mkdir()
    for path in CONTRACTS.glob("*.yml"):
        (folder / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    return folder


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, contracts: Path) -> Run:
    monkeypatch.setenv("ENGANG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ENGANG_CONTRACTS", str(contracts))
    for name in ("ENGANG_LEDGER", "ENGANG_CODELISTS", "ENGANG_KINDS"):
        monkeypatch.delenv(name, raising=False)
    return lambda *arguments: Ran(*astuple(engang(*arguments)))


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return written(tmp_path / "good.csv", GOOD)


def written(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    return file


def changed(contracts: Path, old: str, new: str) -> None:
    """Change the contract `folketall`."""
    file = contracts / "folketall.yml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_examples_are_tested(run: Run, contracts: Path) -> None:
    tested = run("contracts", "test")
    assert (tested.code, tested.out.splitlines()[-1]) == (0, "2 examples of 2 contracts, 0 fail")
    changed(contracts, "value: 709037", "value: 777")
    failed = run("contracts", "test", "folketall")
    assert failed.code == 1
    assert "folketall: One row" in failed.out
    assert "claim 1 (row 2): value: found '709037.000000000', expected 777" in failed.out
    assert run("contracts", "test", "folketall", "--json").json["examples"][0]["problems"]
    assert run("contracts", "test", "betaling").code == 0
    changed(contracts, "    claims:\n      - {row: 2, value: 777}\n", "")
    assert "no example expects anything" in run("contracts", "test", "folketall").out


def test_a_contract_whose_example_fails_reads_nothing(run: Run, contracts: Path, good: Path) -> None:
    changed(contracts, "value: 709037", "value: 777")
    for command in ("check", "submit"):
        refused = run(command, good, "-c", "folketall", "-s", "kommunen")
        assert refused.code == 1
        assert "fails its own example 'One row'" in refused.err


def test_a_wrong_contract_costs_its_own_obligation(run: Run, contracts: Path, tmp_path: Path, good: Path) -> None:
    changed(contracts, "rhythm: daily", "rythm: daily")
    paid = written(tmp_path / "paid.csv", PAID)
    assert run("submit", paid, "-c", "betaling", "-p", "2024").code == 0
    arrived = tmp_path / "home" / "arrivals" / "kommunen" / "folketall" / "a.csv"
    arrived.parent.mkdir(parents=True)
    written(arrived, GOOD)
    refused = run("check", good, "-c", "folketall", "-s", "kommunen")
    assert (refused.code, "did you mean 'rhythm'" in refused.err) == (1, True)
    listed = run("contracts", "list")
    assert listed.code == 1
    assert "contract folketall cannot be used: folketall.yml" in listed.out
    assert [row["contract"] for row in run("contracts", "list", "--json").json] == ["betaling", "folketall"]
    night = run("nightly")
    assert night.code == 0
    assert "no delivery is read by it: contract 'folketall' cannot be used" in night.err
    assert run("query", "SELECT count(*) AS n FROM observations", "--format", "json").json == [{"n": 1}]
    status = run("status", "--at", "2024-02-01")
    assert status.code == 1
    assert "! contract 'folketall' cannot be used" in status.out


def test_a_change_without_a_version_is_named_until_it_has_one(run: Run, contracts: Path, good: Path) -> None:
    assert run("submit", good, "-c", "folketall", "-s", "kommunen").code == 0
    changed(contracts, "values: [Sum]", "values: [Sum, I alt]")
    refused = run("submit", good, "-c", "folketall", "-s", "kommunen")
    assert (refused.code, "Raise `version` to 2" in refused.err) == (1, True)
    assert "its version is still 1" in run("status", "--at", "2024-02-01").out
    changed(contracts, "version: 1", "version: 2")
    assert run("submit", good, "-c", "folketall", "-s", "kommunen").code == 0
    assert "its version is still" not in run("status", "--at", "2024-02-01").out


def test_the_same_fault_is_printed_once(run: Run, tmp_path: Path) -> None:
    file = written(tmp_path / "bad.csv", BAD)
    checked = run("check", file, "-c", "folketall", "-s", "kommunen")
    assert checked.code == 1
    (units,) = [line for line in checked.out.splitlines() if "unknown-unit" in line]
    assert units.split()[:3] == ["critical", "7", "kommune"]
    assert "2, 3, 4 ..." in units
    every = run("check", file, "-c", "folketall", "-s", "kommunen", "--all")
    assert every.out.count("unknown-unit") == 7
    submitted = run("submit", file, "-c", "folketall", "-s", "kommunen")
    assert submitted.out.count("unknown-unit") == 1
    submission = submitted.out.splitlines()[1].split()[0]
    assert run("rejects", submission).out.count("unknown-unit") == 1
    assert run("rejects", submission, "--all").out.count("unknown-unit") == 7


def test_many_faults_are_cut(run: Run, tmp_path: Path) -> None:
    rows = "".join(f"{code};01.01.2024;alle;1;\n" for code in range(8000, 8060))
    checked = run("check", written(tmp_path / "bad.csv", HEADER + rows), "-c", "folketall", "-s", "kommunen")
    assert checked.out.splitlines()[-1] == "and 35 more, of 35 other faults: --all lists every row"


def test_a_contract_is_drafted_and_reads_its_file(run: Run, tmp_path: Path, contracts: Path) -> None:
    file = written(tmp_path / "ny.csv", "kommunenr;år;antall\n0301;2024;1 000\n1120;2024;2 000\n1121;2024;..\n")
    drafted = run("contracts", "new", "ny", "--from", file)
    assert (drafted.code, drafted.err) == (0, "")
    assert f"{contracts / 'ny.yml'}: drafted from 3 rows of ny.csv" in drafted.out
    assert "codes of the register's municipality units" in drafted.out
    assert drafted.out.splitlines()[-1] == f"look at each guess, then: engang check {file} -c ny"
    assert run("check", file, "-c", "ny").code == 0
    assert run("contracts", "test", "ny").code == 0
    assert run("contracts", "new", "ny2", "--from", file, "--json").json["rows"] == 3


def filled_in(file: Path) -> None:
    """Fill in what a draft leaves open."""
    text = file.read_text(encoding="utf-8").replace("agency: FILL IN", "agency: NAV")
    text = text.replace("default: someone", "default: nav").replace("FILL IN: what", "What")
    file.write_text(text, encoding="utf-8")


def test_what_a_draft_leaves_open_is_named_until_it_is_filled_in(run: Run, tmp_path: Path, contracts: Path) -> None:
    file = written(tmp_path / "nav.csv", "aar;yrke;antall_soekende\n2023;A;1\n2024;A;2\n2024;B;*\n")
    drafted = run("contracts", "new", "nav", "--from", file)
    lines = (contracts / "nav.yml").read_text(encoding="utf-8").splitlines()
    number = {key: next(n for n, line in enumerate(lines, 1) if text in line)
              for key, text in {"agency": "agency: FILL IN", "sender.default": "default: someone",
                                "concepts.nav_antall_soekende.definition": "FILL IN: what"}.items()}  # fmt: skip
    tested, checked = run("contracts", "test", "nav"), run("check", file, "-c", "nav")
    submitted = run("submit", file, "-c", "nav")
    assert (tested.code, checked.code, submitted.code) == (0, 0, 0), "a draft reads deliveries"
    for printed in (drafted.out, tested.out, checked.out, submitted.out):
        assert [f"line {n}: {key}" in printed for key, n in number.items()] == [True] * 3
    assert run("nightly").code == 0
    assert "! contract 'nav' is a draft: 3 answers are open (agency, sender.default, concepts.nav" in run("status").out
    filled_in(contracts / "nav.yml")
    text = (contracts / "nav.yml").read_text(encoding="utf-8")
    (contracts / "nav.yml").write_text(text.replace("version: 1\n", "version: 2\n", 1), encoding="utf-8")
    assert run("contracts", "test", "nav").out == "1 examples of 1 contracts, 0 fail\n"
    assert "is a draft" not in run("status").out


def test_a_check_stores_nothing_and_counts_why_rows_are_ignored(run: Run, contracts: Path, tmp_path: Path) -> None:
    changed(contracts, "{value: persons}", '{value: persons}\n    missing: skip\n    missing_values: ["*"]')
    rows = "Sum;01.01.2024;alle;9;\n1121;01.01.2024;alle;;\n1121;01.01.2024;alle;*;\n1122;01.01.2024;alle;*;\n"
    file = written(tmp_path / "f.csv", GOOD + rows)
    head, row, *lines = run("check", file, "-c", "folketall", "-s", "kommunen").out.splitlines()
    assert (head.split()[0], row.split()[:2]) == ("filename", ["f.csv", "registered"])
    reasons = {
        "no figure: a missing value ('*') in antall": 2,
        "`ignore_rows` of column kommune ('Sum'): the sum of the rows above": 1,
        "no figure: its cells are empty (`missing: skip`)": 1,
    }
    shown = [f"{n} {'row is' if n == 1 else 'rows are'} ignored: {reason}" for reason, n in reasons.items()]
    counts = "6 delivered, 2 claims, 0 rejected, 4 ignored, 0 warnings"
    assert lines == [f"this is a check: nothing is stored; {counts}", *shown]
    (found,) = run("check", file, "-c", "folketall", "-s", "kommunen", "--json").json
    assert (found["stored"], found["ignored"], found["ignored_by"]) == (False, 4, reasons)
    assert set(shown) < set(run("submit", file, "-c", "folketall", "-s", "kommunen").out.splitlines())


def test_a_contract_to_fill_in_is_right(run: Run, contracts: Path) -> None:
    assert run("contracts", "new", "tom").out.strip() == str(contracts / "tom.yml")
    assert "tom" in run("contracts", "list").out
    tested = run("contracts", "test", "tom", "--json")
    assert (tested.code, tested.json["examples"][0]["problems"]) == (0, [])
    keys = ["title.nb", "title.nn", "title.en", "agency", "sender.default"]
    assert [each["key"] for each in tested.json["open_answers"]["tom"]] == keys
    again = run("contracts", "new", "tom")
    assert (again.code, "exists: edit it" in again.err) == (2, True)


def test_two_contracts_are_compared(run: Run, tmp_path: Path, good: Path) -> None:
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    scaled = text.replace("measure: {value: persons}\n", "measure: {value: persons}\n    scale: 10\n")
    new = written(tmp_path / "new.yml", scaled)
    same = run("contracts", "diff", "folketall", "folketall", good, "-s", "kommunen")
    assert same.code == 0
    differs = run("contracts", "diff", "folketall", new, good, "-s", "kommunen")
    assert differs.code == 1
    assert "good.csv: row 2 column antall: value '709037' -> '7090370'" in differs.out
    assert json.loads(run("contracts", "diff", "folketall", new, "--json").out)[0]["counts"]["changed"] == 1


def test_kinds_are_listed_and_shown(run: Run) -> None:
    kinds = {row["kind"]: row for row in run("kinds", "list", "--json").json}
    assert kinds["incident"]["version"] == 1
    shown = run("kinds", "show", "incident")
    assert shown.out.startswith("incident version 1: Unwanted incident")
    assert "occurred_on + municipality" in shown.out
    assert run("kinds", "show", "incident", "--json").json["fields"][0]["field"] == "occurred_on"
    wrong = run("kinds", "show", "incidnt")
    assert (wrong.code, "did you mean 'incident'" in wrong.err) == (2, True)
