"""What the form of a contract asks for, and what it finds wrong."""

import re
from typing import get_args

import pytest

from flows.check_page.fields import SUFFIXES, field_problems, fields_of
from schemas.contract import Contract, read_contract
from schemas.contract_parts import FileType
from tests.support.check_page import ASKING, PLAIN


def contract(text: str = PLAIN) -> Contract:
    return read_contract(text, "visits.yml")


def problems(text: str, *, file: bool = True, period: str = "", sender: str = "") -> dict[str, str]:
    return field_problems(contract(text), {"period": period, "sender": sender}, has_file=file)


def test_only_what_the_contract_needs_is_asked_for() -> None:
    plain, asking = fields_of(contract()), fields_of(contract(ASKING))
    assert (plain.asks_period, plain.asks_sender, plain.sender) == (False, False, "biblioteket")
    assert (asking.asks_period, asking.asks_sender, asking.senders) == (True, True, ("filialen", "biblioteket"))
    assert asking.period_example == "01.2025"
    assert {".csv", ".zip"} <= set(plain.suffixes)


@pytest.mark.parametrize(
    ("kind", "example"), [("year", "2025"), ("quarter", "2025-Q1"), ("month", "2025-01"), ("day", "2025-01-31")]
)
def test_the_period_is_shown_as_the_contract_reads_it(kind: str, example: str) -> None:
    text = ASKING.replace('type: month, format: "%m.%Y"', f"type: {kind}")
    assert fields_of(contract(text)).period_example == example


def test_what_is_missing_or_wrong_is_found() -> None:
    assert problems(PLAIN) == {}
    assert problems(PLAIN, file=False) == {"file": "no_file"}
    assert problems(ASKING) == {"period": "no_period"}
    assert problems(ASKING, period="01.2024", sender="filialen") == {}
    assert problems(ASKING, period="1" * 65, sender="Kari Nordmann") == {"period": "too_long", "sender": "sender_name"}
    assert problems(ASKING, period="01.2024", sender="another") == {"sender": "sender_may_not"}


def test_a_contract_that_anybody_may_deliver_asks_who() -> None:
    text = PLAIN.replace("sender: {default: biblioteket}", "sender: {allowed: any}")
    assert fields_of(contract(text)).asks_sender
    assert problems(text) == {"sender": "no_sender"}
    assert problems(text, sender="another") == {}


@pytest.mark.parametrize("form", get_args(FileType))
def test_a_browser_offers_files_of_every_format(form: str) -> None:
    fields = SUFFIXES.get(form, (f".{form}",))
    assert all(re.fullmatch(r"\.[a-z]{2,7}", suffix) for suffix in fields)
