"""A contract that is wrong, changed under its version, or fails its examples reads nothing; the others are used."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from polars.exceptions import PanicException

from flows.contracts import example_tests
from flows.contracts.example_tests import read_contract_examples
from flows.contracts.gate import draft_reasons, unusable_contracts, unusable_reasons, usable_contract
from flows.installation import Installation
from schemas.contract import Contract
from schemas.errors import ContractError, UsageError
from tests.support.backfill_installation import FILES, V2, changed, opened, put_in_force, submit
from transforms.examples import example_results

SCALED, NEW_EXAMPLE = V2[1:]


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return opened(tmp_path / "home")


def rewritten(home: Installation, *changes: tuple[str, str]) -> Installation:
    """Change the contract `folketall` in place and open the installation again."""
    return put_in_force(home, changed(home, *changes))


def test_a_good_contract_is_used(home: Installation) -> None:
    assert usable_contract(home, "folketall").contract == "folketall"
    assert home.usable == {"folketall"}
    assert unusable_contracts(home) == []
    assert list(unusable_reasons(home)) == []


def test_a_folder_of_kinds_without_any_is_named(home: Installation, tmp_path: Path) -> None:
    settings = replace(home.settings, kinds=tmp_path)
    assert [text for text in unusable_reasons(replace(home, settings=settings)) if "no record kind" in text] == [
        f"ENGANG_KINDS: {tmp_path} holds no record kind: expected files NAME.yml"
    ]


def test_an_unknown_contract_is_wrong_use(home: Installation) -> None:
    with pytest.raises(UsageError, match="did you mean 'folketall'"):
        usable_contract(home, "folketal")


def test_a_wrong_file_costs_its_own_contract_only(home: Installation) -> None:
    home = rewritten(home, ("rhythm: daily", "rythm: daily"))
    with pytest.raises(ContractError, match=r"'folketall' cannot be used: folketall.yml: .*did you mean 'rhythm'"):
        usable_contract(home, "folketall")
    assert list(home.contracts) == ["betaling"]
    assert usable_contract(home, "betaling").contract == "betaling"
    lines: list[str] = []
    assert unusable_contracts(home, lines.append) == ["folketall"]
    assert lines[0].startswith("no delivery is read by it: contract 'folketall' cannot be used")
    assert [problem.split(":")[0] for problem in unusable_reasons(home)] == ["contract 'folketall' cannot be used"]


def test_a_contract_of_no_kind_is_wrong(home: Installation) -> None:
    assert home.settings.contracts is not None
    text = (
        "contract: r\nversion: 1\nobligation: r\ntitle: {nb: r, nn: r, en: r}\nagency: r\nlegal_basis: r\n"
        "rhythm: once\nhours_per_report: null\nsender: {default: a}\nformat: {type: csv}\n"
        'examples: [{name: none, given: ""}]\n'
        "record: {kind: incidnt, reported_by: {option: sender}, report_key: [nr], fields: {place: {column: sted}}}\n"
    )
    (home.settings.contracts / "r.yml").write_text(text, encoding="utf-8")
    again = Installation(home.settings, home.engine)
    assert "did you mean 'incident'" in again.broken_contracts["r"]
    assert sorted(again.contracts) == ["betaling", "folketall"]


def test_a_change_under_the_same_version_is_an_error_once_something_counts(home: Installation) -> None:
    changed_home = rewritten(home, SCALED, NEW_EXAMPLE)
    assert usable_contract(changed_home, "folketall")  # nothing was read by the old text
    home = rewritten(home, ("antall, max", "antall, max"))
    submit(home, {"a.csv": FILES["a.csv"]})
    home = rewritten(home, SCALED, NEW_EXAMPLE)
    advice = "its version is still 1.*Raise `version` to 2, then `engang backfill --contract folketall`"
    with pytest.raises(ContractError, match=advice):
        usable_contract(home, "folketall")
    assert [problem for problem in unusable_reasons(home) if "still 1" in problem]
    with pytest.raises(ContractError, match="still 1"):
        submit(home, {"b.csv": FILES["b.csv"]})
    home = rewritten(home, *V2)
    assert usable_contract(home, "folketall").version == 2


def test_what_does_not_change_the_reading_needs_no_version(home: Installation) -> None:
    submit(home, {"a.csv": FILES["a.csv"]})
    home = rewritten(home, ("legal_basis: none, a test", "legal_basis: another"), ("name: One row", "name: A row"))
    assert usable_contract(home, "folketall").version == 1
    assert list(unusable_reasons(home)) == []


def test_a_contract_by_which_all_was_rejected_may_change(home: Installation) -> None:
    submit(home, {"bad.csv": FILES["bad.csv"]})
    home = rewritten(home, SCALED, NEW_EXAMPLE)
    assert usable_contract(home, "folketall").version == 1


def test_a_failing_example_is_an_error(home: Installation) -> None:
    home = rewritten(home, ("value: 709037", "value: 777"))
    failure = "fails its own example 'One row': claim 1 .row 2.: value: .*`engang contracts test folketall` shows all"
    with pytest.raises(ContractError, match=failure):
        usable_contract(home, "folketall")
    assert unusable_contracts(home) == ["folketall"]
    assert [problem for problem in unusable_reasons(home) if "fails its own example" in problem]


def test_an_error_that_nobody_foresaw_costs_its_own_contract_only(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(contract: Contract, *_: object) -> object:
        if contract.contract == "folketall":
            raise PanicException("quotes 4711")
        return []

    monkeypatch.setattr(example_results, "read_examples", broken)
    lines: list[str] = []
    assert unusable_contracts(home, lines.append) == ["folketall"]
    assert "fails its own example 'One row': it cannot be read: PanicException: unforeseen, at test_gate" in lines[0]
    assert "4711" not in lines[0]


def test_a_draft_reads_deliveries_and_is_named(home: Installation) -> None:
    draft = rewritten(home, ("agency: A test's agency", "agency: FILL IN"))
    assert usable_contract(draft, "folketall").agency == "FILL IN"
    submit(draft, {"b.csv": FILES["b.csv"]})
    assert unusable_contracts(draft) == []
    (reason,) = draft_reasons(draft)
    assert "'folketall' is a draft: 1 answer is open (agency)" in reason


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    calls: list[str] = []

    def _read(installation: Installation, contract: object) -> object:
        calls.append("read")
        return read_contract_examples(installation, contract)  # type: ignore[arg-type]

    monkeypatch.setattr(example_tests, "read_contract_examples", _read)
    return lambda: len(calls)


def test_examples_are_read_once(home: Installation, counted: Callable[[], int]) -> None:
    usable_contract(home, "folketall")
    usable_contract(Installation(home.settings, home.engine), "folketall")
    assert counted() == 1
    usable_contract(rewritten(home, ("name: One row", "name: A row")), "folketall")
    assert counted() == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"folketall": 1}', '{"folketall": {"key": "x"}}'])
def test_damaged_results_are_read_anew(home: Installation, counted: Callable[[], int], damage: str) -> None:
    usable_contract(home, "folketall")
    (home.settings.home / "contract-tests.json").write_text(damage, encoding="utf-8")
    usable_contract(Installation(home.settings, home.engine), "folketall")
    assert counted() == 2
    stored = json.loads((home.settings.home / "contract-tests.json").read_text(encoding="utf-8"))
    assert stored["folketall"]["failed"] == {}


def test_preset_contracts_are_of_their_time(home: Installation) -> None:
    wrong = rewritten(home, ("value: 709037", "value: 777"))
    preset = wrong.with_presets(contracts=dict(wrong.contracts))
    assert usable_contract(preset, "folketall")
    assert list(unusable_reasons(preset)) == []


def test_shipped_contracts_are_tested_with_the_units_of_the_demo(home: Installation, tmp_path: Path) -> None:
    lists = tmp_path / "codelists"
    lists.mkdir()
    (lists / "units.csv").write_text("kind,code,name,valid_from,valid_to\nmunicipality,9001,A,1900-01-01,\n")
    settings = replace(home.settings, contracts=None, codelists=lists)
    assert usable_contract(Installation(settings, home.engine), "demo-omsorg").contract == "demo-omsorg"
