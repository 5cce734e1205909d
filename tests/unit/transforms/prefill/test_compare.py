"""Drafts of earlier periods compared with what was reported: what counts as filled, exact and within accuracy."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import BOUND, VALUE
from schemas.contract import Contract, read_contract
from tests.support.shaped_deliveries import END
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.overlap.dossier import lower_bound
from transforms.prefill.compare import DRAFT_COUNTS, compare_drafts, counts_of
from transforms.prefill.known import KNOWN_ITEM

FORM = """
format: {{type: csv}}
unit: {{column: u, kind: municipality}}
period: {{column: p, type: year}}
breakdown: {{}}
claims:
  - {{concept: costs, column: n, reported_by: {{option: sender}}, unit_measure: {{value: NOK}}{more}}}
"""


def form(more: str = "") -> Contract:
    return read_contract(CONTRACT_HEAD + "sender: {default: me}\n" + FORM.format(more=more) + END)


def compared(known: dict[str, Any] | None, own: dict[str, Any], contract: Contract) -> dict[str, bool]:
    """Return the Booleans of an item: as known (None: nobody else has it), and as reported."""
    own_row = {
        "item_id": "i", "concept": "costs", "breakdown": "{}", "unit_id": "u", "period_start": dt.date(2024, 1, 1),
        "value": 100, "lower": 100, "upper": 100, **own,
    }  # fmt: skip
    known_rows = (
        [] if known is None else [{"item_id": "i", "state": "known", "value": 100, "lower": 100, "upper": 100, **known}]
    )
    schema = {"value": VALUE, "lower": BOUND, "upper": BOUND}
    types = {name: schema.get(name, dtype) for name, dtype in KNOWN_ITEM.items()}
    rows = [{name: _exact(value) for name, value in row.items()} for row in known_rows]
    found = compare_drafts(
        pl.DataFrame(rows, schema={name: types[name] for name in ("item_id", "state", *schema)}),
        pl.DataFrame([{name: _exact(value) for name, value in own_row.items()}], schema_overrides=schema),
        contract,
    )
    return found.select(DRAFT_COUNTS).row(0, named=True)


def _exact(value: object) -> object:
    return Decimal(str(value)) if isinstance(value, int | float) else value


@pytest.mark.parametrize(
    ("known", "own", "true"),
    [
        (None, {}, []),
        ({}, {}, ["filled", "compared", "exact", "within"]),
        ({"state": "derived"}, {}, ["filled", "derived", "compared", "exact", "within"]),
        ({"state": "withheld"}, {}, []),
        ({"state": "conflict"}, {}, []),
        ({"value": 101, "lower": 101, "upper": 101}, {}, ["filled", "compared"]),
        ({}, {"lower": 99, "upper": 101}, ["filled", "compared", "exact", "within"]),
        ({}, {"value": 101, "lower": 100, "upper": 102}, ["filled", "compared", "within"]),
        ({}, {"value": 102, "lower": 101, "upper": 103}, ["filled", "compared"]),
        ({}, {"value": 98, "lower": 97, "upper": 99}, ["filled", "compared"]),
        ({}, {"value": 99, "lower": 98, "upper": 100}, ["filled", "compared", "within"]),
        ({}, {"value": None, "lower": None, "upper": None}, ["filled"]),
        ({"lower": 99, "upper": 101}, {}, []),
    ],
)
def test_what_a_draft_would_have_been_right_about(
    known: dict[str, Any] | None, own: dict[str, Any], true: list[str]
) -> None:
    found = compared(known, own, form())
    assert [name for name, value in found.items() if value] == ["cells", *true]


@pytest.mark.parametrize(
    ("more", "half", "filled"),
    [
        ("", "0", True), ("", "0.0001", False),
        (", scale: 1000", "500", True), (", scale: 1000", "500.0001", False),
        (", decimals: exact", "0.0001", False), (", decimals: exact, scale: 1000", "1", False),
        (", decimals: -2", "50", True), (", decimals: -2", "50.0001", False),
        (", decimals: 1", "0.05", True), (", decimals: 1", "0.0501", False),
        (", decimals: as_written", "0.5", True), (", decimals: as_written", "0.5001", False),
        (", decimals: {column: d}", "1000000", True),
    ],
)  # fmt: skip
def test_a_value_is_filled_in_where_it_is_no_less_exact_than_the_form(more: str, half: str, filled: bool) -> None:
    ends = {"lower": Decimal(100) - Decimal(half), "upper": Decimal(100) + Decimal(half)}
    assert compared(ends, {}, form(more))["filled"] is filled


def test_an_item_of_another_concept_or_breakdown_is_of_no_accuracy_of_the_form() -> None:
    ends = {"lower": 99, "upper": 101}
    contract = form(", scale: 1000")
    assert compared(ends, {}, contract)["filled"]
    assert not compared(ends, {"concept": "beds"}, contract)["filled"]
    assert not compared(ends, {"breakdown": '{"sex":"F"}'}, contract)["filled"]


def rows_of(*rows: tuple[str, str, int, str]) -> pl.DataFrame:
    """Return compared items: unit, concept, year, and how far each was right: letters of `filled` to `exact`."""
    return pl.DataFrame(
        [
            {
                "unit_id": unit, "concept": concept, "breakdown": "{}", "period_start": dt.date(year, 1, 1),
                "due": dt.date(year + 1, 2, 1), "cells": True, "filled": "f" in right, "derived": "d" in right,
                "compared": "c" in right, "exact": "e" in right, "within": "w" in right,
            }
            for unit, concept, year, right in rows
        ]
    )  # fmt: skip


def test_counts_are_by_period_by_column_and_of_all() -> None:
    found = counts_of(
        rows_of(
            ("u", "costs", 2024, "fcew"),
            ("u", "beds", 2023, "fdc"),
            ("v", "costs", 2023, "fcw"),
            ("w", "beds", 2023, ""),
        )
    )
    assert [(each["period"].year, each["due"].year, each["cells"], each["exact"]) for each in found["periods"]] == [
        (2023, 2024, 3, 0), (2024, 2025, 1, 1),
    ]  # fmt: skip
    assert [(each["concept"], each["cells"], each["filled"], each["within"]) for each in found["columns"]] == [
        ("beds", 2, 1, 0), ("costs", 2, 2, 2),
    ]  # fmt: skip
    assert {name: found[name] for name in DRAFT_COUNTS} == {
        "cells": 4, "filled": 3, "derived": 1, "compared": 3, "exact": 1, "within": 2,
    }  # fmt: skip
    assert (found["share_filled"], found["share_exact"]) == (3 / 4, 1 / 3)


def test_columns_and_periods_are_in_order() -> None:
    found = counts_of(rows_of(*(("u", concept, 2000 + ord(concept), "f") for concept in "gcafebd")))
    assert [each["concept"] for each in found["columns"]] == [*"abcdefg"]
    assert [each["period"].year for each in found["periods"]] == [2000 + ord(concept) for concept in "abcdefg"]


def test_a_unit_is_right_if_all_that_was_compared_of_it_is_and_the_smaller_bound_counts() -> None:
    right = [(unit, "costs", 2024, "fcew") for unit in "abcdefgh" for _ in range(3)]
    found = counts_of(rows_of(*right, ("h", "costs", 2024, "fc"), ("i", "costs", 2024, "")))
    assert found["bound_items"] == lower_bound(24, 25)
    assert found["bound_units"] == lower_bound(7, 8)
    assert found["bound"] == min(found["bound_items"], found["bound_units"]) == found["bound_units"]


def test_nothing_compared_has_no_share_and_no_bound() -> None:
    nothing = counts_of(None)
    assert nothing == counts_of(rows_of(("u", "costs", 2024, "")).clear())
    assert (nothing["cells"], nothing["share_filled"], nothing["bound"], nothing["periods"]) == (0, None, None, [])
    unknown = counts_of(rows_of(("u", "costs", 2024, "")))
    assert (unknown["cells"], unknown["share_filled"], unknown["share_exact"], unknown["bound"]) == (1, 0.0, None, None)
