"""Every contract's own example rows give exactly the claims or records, rejects and ignored rows that it says."""

from functools import cache

import pytest

from infra.codelists import read_codelists
from infra.settings import read_settings
from schemas.contract import CONTRACT_FOLDER, Contract, Example, load_contracts
from schemas.kind import KIND_FOLDER, load_kinds
from schemas.record_contract import check_records
from transforms.examples.example_results import example_problems
from transforms.register.build import build_register
from transforms.register.lookup import Register

SETTINGS = read_settings()
CONTRACTS = load_contracts(SETTINGS.contracts or CONTRACT_FOLDER)
KINDS = load_kinds(SETTINGS.kinds or KIND_FOLDER)
CASES = [pytest.param(c, e, id=f"{c.contract}: {e.name}") for c in CONTRACTS.values() for e in c.examples]


@cache
def register() -> Register:
    return build_register(*read_codelists(SETTINGS.codelists))


@pytest.mark.parametrize(("contract", "example"), CASES)
def test_example_gives_what_the_contract_says(contract: Contract, example: Example) -> None:
    kind = KINDS[contract.record.kind] if contract.record else None
    assert example_problems(contract, example, kind, None if kind else register()) == []


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=list(CONTRACTS))
def test_examples_show_what_is_made_and_rejects(contract: Contract) -> None:
    assert any(e.records if contract.record else e.claims for e in contract.examples)
    assert any(e.rejects for e in contract.examples)
    if contract.ignore_rows:
        assert any(e.ignored for e in contract.examples)


@pytest.mark.parametrize("contract", [c for c in CONTRACTS.values() if c.record], ids=lambda c: c.contract)
def test_contract_fits_its_kind(contract: Contract) -> None:
    check_records(contract, KINDS)
