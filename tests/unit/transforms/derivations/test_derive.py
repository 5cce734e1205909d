"""Derivable items: periods that are reported, the accuracy of sums, and what no sum is made of."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import OBSERVATION, frame_schema
from schemas.concepts import load_vocabulary
from transforms.derivations.derive import derive
from transforms.derivations.roll_ups import ITEM_IDENTITY, deriving_concepts, rule_of
from transforms.derivations.wholes import WHOLES
from transforms.identity import item_id

VOCABULARY = load_vocabulary()
COLUMNS = (*ITEM_IDENTITY, "value", "decimals", "conf_status")


def derived(*items: tuple[dt.date, dt.date, object], concept: str = "births", **more: Any) -> list[tuple[Any, ...]]:
    """Return period, value, decimals and relation of what is derivable of items of a unit."""
    constants = {"concept": concept, "unit_id": "u", "breakdown": "{}", "unit_measure": "persons", "conf_status": "F"}
    rows = [
        {**constants, "period_start": start, "period_end": end, "value": Decimal(str(value)), "decimals": None, **more}
        for start, end, value in items
    ]
    schema = {name: dtype for name, dtype in frame_schema(OBSERVATION).items() if name in COLUMNS}
    frame = pl.DataFrame(rows, schema=schema).with_columns(item_id())
    found = derive(frame, VOCABULARY, pl.DataFrame(schema=WHOLES)).items.sort("period_start", "period_end")
    return found.select("period_start", "value", "decimals", "relation").rows()


def month(number: int) -> tuple[dt.date, dt.date]:
    return dt.date(2024, number, 1), dt.date(2024 + number // 12, number % 12 + 1, 1)


def test_months_make_a_year_and_each_longer_period_that_is_reported() -> None:
    months = [(*month(number), number) for number in range(1, 13)]
    year = (dt.date(2024, 1, 1), Decimal(78), None, "unreported")
    assert derived(*months) == [year]
    quarter = (dt.date(2024, 4, 1), dt.date(2024, 7, 1), 16)
    assert derived(*months, quarter) == [year, (dt.date(2024, 4, 1), Decimal(15), None, "conflict")]
    assert derived(*months[:-1]) == []


def test_a_sum_is_as_accurate_as_its_least_accurate_part_and_its_interval_is_that_of_all() -> None:
    half = (dt.date(2024, 1, 1), dt.date(2024, 3, 1))
    parts = [(*month(1), 100), (*month(2), 200)]
    assert derived(*parts, (*half, 390), decimals=-2)[0][1:] == (300, -2, "consistent")
    assert derived(*parts, (*half, 451), decimals=-2)[0][1:] == (300, -2, "conflict")
    assert derived(*parts, (*half, 300), decimals=-2)[0][1:] == (300, -2, "equal")


def test_a_sum_of_too_many_digits_is_none() -> None:
    months = [(*month(number), "9" * 28) for number in range(1, 13)]
    assert derived(*months) == []


def test_a_concept_without_roll_ups_has_none() -> None:
    assert derived(*[(*month(number), 1) for number in range(1, 13)], concept="schools") == []
    assert deriving_concepts(VOCABULARY, ["schools"]) == set()
    assert deriving_concepts(VOCABULARY, ["votes", "schools"]) == {"votes"}


@pytest.mark.parametrize(
    ("concept", "rules"),
    [
        ("staff_hours", ["over:sector=care+school", "periods:month"]),
        ("population", ["over:sex", "units:municipality"]),
    ],
)
def test_the_name_of_a_roll_up(concept: str, rules: list[str]) -> None:
    assert [rule_of(each) for each in VOCABULARY.concepts[concept].derives] == rules
