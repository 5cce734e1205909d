"""The hours of a duty, with their uncertainty, its entry in a register, and what is unknown."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from schemas.contract import Contract, read_contract
from schemas.contract_duty import Hours, RegisterId
from schemas.errors import ContractError
from tests.support.paths import ROOT

LONN = (ROOT / "schemas" / "contracts" / "demo-lonn.yml").read_text(encoding="utf-8")


def stating(*lines: str, basis: str = "A law") -> Contract:
    """Return a contract with this legal basis that states its hours, its entry and so on by these lines only."""
    stated = [line for line in LONN.splitlines() if not line.startswith(("hours_per_report:", "legal_basis:"))]
    return read_contract("\n".join([*stated, f"legal_basis: {basis}", *lines]))


def test_low_and_high_are_the_value_where_nothing_is_stated() -> None:
    hours = Hours(value=Decimal("1.5"))
    assert (hours.least(), hours.most(), hours.basis) == (Decimal("1.5"), Decimal("1.5"), None)
    wide = Hours(value=Decimal(2), low=Decimal(1), high=Decimal(4), basis="surveyed")
    assert (wide.least(), wide.most()) == (Decimal(1), Decimal(4))


@pytest.mark.parametrize("bounds", [{"low": 3}, {"high": 1}, {"low": -1}, {"basis": "guessed"}])
def test_bounds_that_do_not_hold_the_value_are_refused(bounds: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Hours.model_validate({"value": 2, **bounds})


def test_an_entry_has_a_register_and_a_number() -> None:
    assert RegisterId(scheme="Oppgaveregisteret", id="1234").id == "1234"


@pytest.mark.parametrize("key", ["register", "register_id"])
def test_the_entry_is_the_key_register_and_its_former_name_is_read(key: str) -> None:
    contract = stating(key + ": {scheme: Oppgaveregisteret, id: 77}")
    assert contract.register_id == RegisterId(scheme="Oppgaveregisteret", id="77")
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
    assert contract.digest() == stating().digest(), "it changes nothing of the reading"


def test_both_names_of_the_entry_are_one_too_many() -> None:
    with pytest.raises(ContractError, match="register_id"):
        stating("register: {scheme: A, id: 1}", "register_id: {scheme: A, id: 1}")


@pytest.mark.parametrize(
    ("lines", "basis", "expected"),
    [
        ((), "A law", (None, None)),
        (("hours_per_report: 2",), "A law", (2, 2)),
        (("hours_per_report: 2",), "FILL IN", (None, None)),
        (("hours: {value: 2}",), "A law", (None, None)),
        (("hours: {value: 2, source: a survey}", "hours_per_report: 3"), "A law", (None, None)),
        (("hours: {value: 2, low: 1, high: 4, basis: measured}",), "FILL IN", (1, 4)),
        (("hours: {value: 0, basis: measured}",), "A law", (0, 0)),
    ],
)
def test_hours_without_a_basis_are_unknown(
    lines: tuple[str, ...], basis: str, expected: tuple[float | None, float | None]
) -> None:
    assert stating(*lines, basis=basis).hours_range() == expected


def test_hours_are_written_with_their_range_and_basis() -> None:
    assert str(Hours(value=Decimal(2), low=Decimal("1.5"), basis="surveyed")) == "1.5 to 2 (surveyed)"
    assert str(stating("hours_per_report: 2").known_hours()) == "2 (declared)"


@pytest.mark.parametrize("given", ["all", "none", "[Skatteetaten]"])
def test_who_may_be_shown_what_is_reported(given: str) -> None:
    assert stating(f"may_share: {given}").may_share == (("Skatteetaten",) if given[0] == "[" else given)
    assert stating().may_share is None
    with pytest.raises(ContractError, match="may_share"):
        stating("may_share: some")
