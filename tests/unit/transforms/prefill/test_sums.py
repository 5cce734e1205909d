"""Values that follow by roll-ups: exact sums of what is known, and what a stated value does to them."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import BOUND
from schemas.concepts import Concept, Derivation, Vocabulary
from schemas.contract_parts import Titles
from transforms.derivations.wholes import WHOLES
from transforms.identity import item_id
from transforms.prefill.known import KNOWN_ITEM
from transforms.prefill.sums import with_sums

TITLE = Titles(nb="a", nn="a", en="a")
PLACE = {"unit_id": "u", "unit_kind": "municipality", "unit_code": "1", "unit_name": "U"}
START, END = dt.date(2024, 1, 1), dt.date(2025, 1, 1)


def concept(*parts: str) -> Concept:
    derives = (Derivation(sum_of=parts),) if parts else ()
    return Concept(title=TITLE, definition="a", measures=("NOK",), derives=derives)


VOCABULARY = Vocabulary({"all": concept("a", "b"), "a": concept(), "b": concept()})


def known(name: str, value: object, half: object = 0, state: str = "known", **differs: Any) -> dict[str, Any]:
    """Return what is known of the item of a concept."""
    number = None if value is None else Decimal(str(value))
    ends = (None, None) if number is None else (number - Decimal(str(half)), number + Decimal(str(half)))
    return {
        **dict.fromkeys(KNOWN_ITEM), **PLACE, "concept": name, "breakdown": "{}", "unit_measure": "NOK",
        "period_start": START, "period_end": END, "state": state, "value": number, "lower": ends[0], "upper": ends[1],
        "obligations": [f"of {name}"], "senders": [f"by {name}"], "reported_by": name,
        "received_at": dt.datetime(2025, 1, 1), **differs,
    }  # fmt: skip


def summed(
    *rows: dict[str, Any], own: tuple[int, int] | None = None, places: pl.DataFrame | None = None
) -> dict[str, dict[str, Any]]:
    """Return what is known with sums, by concept. own: the interval of the obligation's own statement of the whole."""
    frame = pl.DataFrame(list(rows), schema=KNOWN_ITEM).with_columns(item_id())
    whole = pl.DataFrame([known("all", None)], schema=KNOWN_ITEM).select(item_id()).item()
    stated = [] if own is None else [{"item_id": whole, "lower": own[0], "upper": own[1]}]
    bounds = pl.DataFrame(stated, schema={"item_id": pl.String, "lower": pl.Int64, "upper": pl.Int64})
    bounds = bounds.cast({"lower": BOUND, "upper": BOUND})
    where = pl.DataFrame([{**PLACE, "period_start": START}]) if places is None else places
    found = with_sums(frame, bounds, where, VOCABULARY, pl.DataFrame(schema=WHOLES))
    assert found.schema == KNOWN_ITEM
    assert found["item_id"].is_sorted()
    return {row["concept"]: row for row in found.to_dicts()}


def test_an_item_that_nobody_states_is_the_sum_of_its_parts() -> None:
    later = dt.datetime(2025, 6, 1)
    whole = summed(known("a", 3, 1), known("b", 4, "0.5", received_at=later))["all"]
    assert (whole["state"], whole["value"], whole["rule"], whole["parts"]) == ("derived", 7, "sum_of:a+b", 2)
    assert (whole["lower"], whole["upper"]) == (Decimal("5.5"), Decimal("8.5"))
    assert (whole["obligations"], whole["senders"]) == (["of a", "of b"], ["by a", "by b"])
    assert (whole["received_at"], whole["reported_by"]) == (later, None)
    assert {name: whole[name] for name in PLACE} == PLACE


@pytest.mark.parametrize("state", ["withheld", "personal", "suppressed", "conflict"])
def test_a_part_that_may_not_be_shown_gives_no_sum(state: str) -> None:
    assert "all" not in summed(known("a", 3), known("b", 4, state=state))
    assert "all" not in summed(known("a", 3))


@pytest.mark.parametrize(
    ("value", "half", "state", "expected"),
    [
        (7, 0, "known", "known"), (8, 0, "known", "conflict"), (6, 0, "known", "conflict"), (8, 1, "known", "known"),
        (9, 1, "known", "conflict"), (6, 1, "known", "known"), (9, 0, "withheld", "withheld"),
        (None, 0, "withheld", "withheld"), (None, 0, "conflict", "conflict"), (9, 0, "derived", "derived"),
    ],
)  # fmt: skip
def test_a_stated_value_stays_unless_its_sum_contradicts_it(
    value: int | None, half: int, state: str, expected: str
) -> None:
    whole = summed(known("a", 3), known("b", 4), known("all", value, half, state))["all"]
    assert whole["state"] == expected
    assert (whole["value"] is not None) is (expected in {"known", "derived"})
    assert whole["rule"] is None


@pytest.mark.parametrize(
    ("own", "expected"),
    [((7, 7), "derived"), ((8, 9), "conflict"), ((5, 6), "conflict"), ((5, 7), "derived"), ((7, 9), "derived")],
)
def test_the_own_statement_contradicts_a_sum_where_they_have_no_number_in_common(
    own: tuple[int, int], expected: str
) -> None:
    whole = summed(known("a", 3), known("b", 4), own=own)["all"]
    assert whole["state"] == expected
    assert (whole["value"], whole["rule"]) == ((7, "sum_of:a+b") if expected == "derived" else (None, None))


def test_a_sum_of_another_unit_or_period_than_is_asked_for_is_left_out() -> None:
    rows = known("a", 3), known("b", 4)
    other = pl.DataFrame([{**PLACE, "unit_id": "v", "period_start": START}])
    assert set(summed(*rows, places=other)) == {"a", "b"}
    later = pl.DataFrame([{**PLACE, "period_start": END}])
    assert set(summed(*rows, places=later)) == {"a", "b"}
