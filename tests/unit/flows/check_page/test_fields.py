"""What the form of a contract asks for, and what it finds wrong."""

import re
from typing import get_args

import pytest

from flows.check_page.fields import EXAMPLES, SUFFIXES, field_problems, fields_of
from schemas.contract import Contract, read_contract
from schemas.contract_parts import FileType
from schemas.contract_place import PeriodType
from tests.support.check_page import ASKING, PLAIN
from transforms.prefill.texts.period_texts import period_asked

DAYS = {"year": 365, "half_year": 181, "quarter": 90, "month": 31, "week": 7, "day": 1, "school_year": 365}


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
    ("declared", "example", "days"),
    [
        *((f"type: {kind}", EXAMPLES[kind], days) for kind, days in DAYS.items()),
        ('type: month, format: "%m.%Y"', "01.2025", 31),
        ('type: month, format: "%b %y", century: 2000', "Jan 25", 31),
        ('type: day, format: "%d/%m/%Y"', "31/01/2025", 1),
        ('type: year, starts: "07-01"', "2025", 365),
        ('type: year, as_of: "07-01"', "2025", 1),
    ],
)
def test_the_period_is_shown_as_the_contract_reads_it(declared: str, example: str, days: int) -> None:
    text = ASKING.replace('type: month, format: "%m.%Y"', declared)
    shown = fields_of(contract(text)).period_example
    assert shown == example
    start, end = period_asked(shown, contract(text).place()[1], contract(text).format)
    assert (end - start).days == days


def test_every_type_of_period_has_an_example() -> None:
    assert EXAMPLES.keys() == set(get_args(PeriodType)) == DAYS.keys()


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
