"""What is known of an item from others: which value, which state it has, and what hides it."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import BOUND, VALUE
from transforms.prefill.known import KNOWN_ITEM, known_values, without_hidden

AT = dt.datetime(2025, 2, 1)


def stated(obligation: str, value: object, half: str = "0", **differs: Any) -> dict[str, Any]:
    """Return a statement of item `i`, exact by default."""
    number = None if value is None else Decimal(str(value))
    ends = (None, None) if number is None else (number - Decimal(half), number + Decimal(half))
    return {
        "item_id": "i", "obligation": obligation, "sender": f"{obligation} sender", "reported_by": obligation,
        "submission_id": f"{obligation} file", "value": number, "lower": ends[0], "upper": ends[1], "personal": False,
        "received_at": AT, **differs,
    }  # fmt: skip


def known(*rows: dict[str, Any], least: int | None = None) -> list[dict[str, Any]]:
    """Return what is known of items `i` and `j` for the obligation `own`."""
    statements = pl.DataFrame(
        list(rows),
        schema={
            **dict.fromkeys(("item_id", "obligation", "sender", "reported_by", "submission_id"), pl.String),
            "value": VALUE, "lower": BOUND, "upper": BOUND, "personal": pl.Boolean, "received_at": pl.Datetime("us"),
        },
    )  # fmt: skip
    items = pl.DataFrame(
        {
            "item_id": ["i", "j"], "concept": ["costs", "beds"], "breakdown": "{}", "unit_measure": "NOK",
            "unit_id": "u", "unit_kind": "municipality", "unit_code": "1", "unit_name": "U",
            "period_start": dt.date(2024, 1, 1), "period_end": dt.date(2025, 1, 1),
        }
    )  # fmt: skip
    found = known_values(statements, items, "own", {} if least is None else {"costs": least})
    assert found.schema == KNOWN_ITEM
    return found.to_dicts()


def state(*rows: dict[str, Any], least: int | None = None) -> str:
    """Return the state of the one item, which has a value if and only if it is known."""
    (found,) = known(*rows, least=least)
    shown = {name for name in KNOWN_ITEM.names()[11:] if found[name] is not None}
    assert bool(shown) is (found["state"] == "known")
    return str(found["state"])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([stated("a", 5)], "known"),
        ([stated("a", 5), stated("b", 5)], "known"),
        ([stated("a", 5), stated("b", 6)], "conflict"),
        ([stated("a", None)], "withheld"),
        ([stated("a", 5), stated("b", None)], "withheld"),
        ([stated("a", 5, personal=True)], "personal"),
        ([stated("a", 5), stated("b", 5, personal=True)], "personal"),
        ([stated("a", None, personal=True)], "personal"),
        # what is hidden comes before the conflict that it would be in
        ([stated("a", 5), stated("b", 6), stated("c", None)], "withheld"),
        ([stated("a", 5), stated("b", 6, personal=True)], "personal"),
        # intervals that touch have a number in common, those that do not are a conflict
        ([stated("a", 100, "50"), stated("b", 150)], "known"),
        ([stated("a", 100, "50"), stated("b", 151)], "conflict"),
        ([stated("a", 100, "50"), stated("b", 50)], "known"),
        ([stated("a", 100, "50"), stated("b", 49)], "conflict"),
        # of one accuracy two values are two, though their intervals meet
        ([stated("a", 100, "50"), stated("b", 120, "50")], "conflict"),
        ([stated("a", 100, "50"), stated("b", 120, "40")], "known"),
        ([stated("a", 100, "50"), stated("b", 120, "50"), stated("c", 110)], "conflict"),
        # the obligation's own statement contradicts
        ([stated("a", 5), stated("own", 6)], "conflict"),
        ([stated("a", 5), stated("own", 5)], "known"),
        ([stated("a", 100, "50"), stated("own", 151)], "conflict"),
        ([stated("a", 100, "50"), stated("own", 150)], "known"),
        ([stated("a", 5), stated("own", None)], "known"),
        ([stated("a", 100, "50"), stated("own", 40, "9")], "conflict"),
        ([stated("a", 100, "50"), stated("own", 40, "10")], "known"),
        ([stated("a", 100, "50"), stated("own", 40, "10"), stated("own", 40, "30", reported_by="x")], "known"),
        ([stated("a", 100, "50"), stated("own", 40, "9"), stated("own", 40, "30", reported_by="x")], "conflict"),
        ([stated("a", 20, "10"), stated("own", 40, "9"), stated("own", 40, "30", reported_by="x")], "conflict"),
    ],
)
def test_the_state_of_an_item_by_what_is_stated_of_it(rows: list[dict[str, Any]], expected: str) -> None:
    assert state(*rows) == expected
    assert state(*reversed(rows)) == expected


@pytest.mark.parametrize(
    ("value", "least", "expected"),
    [
        (4, 5, "suppressed"), (5, 5, "known"), (-4, 5, "suppressed"), (-5, 5, "known"), (0, 2, "suppressed"),
        (4, None, "known"),
    ],
)  # fmt: skip
def test_a_count_below_the_least_is_too_small_whatever_its_sign(value: int, least: int | None, expected: str) -> None:
    assert state(stated("a", value), least=least) == expected


def test_too_small_comes_before_a_conflict_and_the_smallest_statement_decides() -> None:
    assert state(stated("a", 4), stated("b", 9), least=5) == "suppressed"
    assert state(stated("a", 9), stated("b", 4), least=5) == "suppressed"
    assert state(stated("a", 5), stated("b", 9), least=5) == "conflict"


SENDERS = ("b sender", "c sender", *(f"s{n}" for n in range(9)))


def test_the_most_accurate_statement_gives_the_value_and_all_are_sources() -> None:
    rows = [
        stated("a", 100, "50", sender="z"), stated("b", 120, "5", received_at=AT + dt.timedelta(days=1)),
        stated("c", 120, "5"), *(stated("c", 120, "5", sender=f"s{n}", submission_id="z") for n in range(9)),
    ]  # fmt: skip
    (found,) = known(*rows)
    assert (found["value"], found["lower"], found["upper"]) == (120, 115, 125)
    assert (found["obligations"], found["senders"]) == (["a", "b", "c"], [*SENDERS, "z"])
    # of two of one accuracy the first by the name of its obligation
    assert (found["reported_by"], found["received_at"]) == ("b", AT + dt.timedelta(days=1))
    assert (found["rule"], found["parts"]) == (None, None)


def test_of_one_obligation_the_first_reporter_and_then_the_first_file_is_named() -> None:
    late = AT + dt.timedelta(hours=1)
    rows = [
        stated("a", 5, reported_by="y"), stated("a", 5, reported_by="x", submission_id="2", received_at=late),
        stated("a", 5, reported_by="x", submission_id="1"),
    ]  # fmt: skip
    (found,) = known(*rows)
    assert (found["reported_by"], found["received_at"], found["obligations"]) == ("x", AT, ["a"])


def test_the_own_statement_is_no_source_and_items_of_nobody_are_left_out() -> None:
    assert known(stated("own", 5)) == []
    found = known(stated("a", 5), stated("own", 5), stated("b", 7, item_id="j"), stated("a", 1, item_id="gone"))
    assert [(each["item_id"], each["value"], each["obligations"]) for each in found] == [
        ("i", 5, ["a"]),
        ("j", 7, ["b"]),
    ]


def test_a_limit_is_of_its_own_concept() -> None:
    found = known(stated("a", 4), stated("a", 4, item_id="j"), least=5)
    assert [each["state"] for each in found] == ["suppressed", "known"]


def test_hiding_leaves_what_an_item_is_and_why_it_has_no_value() -> None:
    full = pl.DataFrame(
        {
            "item_id": ["b", "a", "c"],
            "concept": "costs",
            "state": ["withheld", "derived", "known"],
            "value": 5,
            "parts": 2,
        },
        schema_overrides={"value": VALUE},
    )
    rows = pl.concat([pl.DataFrame(schema=KNOWN_ITEM), full.cast({"parts": pl.UInt32})], how="diagonal")
    found = without_hidden(rows).select("item_id", "concept", "state", "value", "parts").rows()
    assert found == [
        ("a", "costs", "derived", 5, 2),
        ("b", "costs", "withheld", None, None),
        ("c", "costs", "known", 5, 2),
    ]
