"""Confidential values are withheld, and nobody's mark withholds what another one states freely."""

from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import CLAIM, frame_schema
from transforms.observations.consolidate import ConsolidatedClaims, consolidate, lane_sums

CLAIM_VALUES: dict[str, Any] = {
    "contract": "c", "obligation": "o", "reported_by": "r", "row": 2, "column": "x", "original": "1",
    "action": "append", "confidential": False, "concept": "n", "unit_id": "u", "period_start": date(2024, 1, 1),
    "period_end": date(2025, 1, 1), "breakdown": "{}", "unit_measure": "persons", "value": 1, "obs_status": "A",
    "unit_kind": "other", "unit_name": "U", "additive": False, "position": 0, "lead": True, "item_id": "i",
    "partition": "2024-01",
}  # fmt: skip
SECRET = {"confidential": True, "original": "31415", "value": 31415}


def consolidated(*rows: dict[str, Any]) -> ConsolidatedClaims:
    """Consolidate claims, each of a sender and a submission of its own."""
    full = []
    for n, row in enumerate(rows):
        own = {"sender": f"s{n}", "reported_by": f"s{n}", "submission_id": f"f{n}", "arrival": n, "stream": n}
        filled = {**CLAIM_VALUES, **own, **row}
        full.append({**filled, "value": Decimal(filled["value"])})
    schema = {**frame_schema(CLAIM), "arrival": pl.UInt32, "stream": pl.UInt32}
    return consolidate(pl.DataFrame(full, schema=schema, strict=False))


def fact(*rows: dict[str, Any]) -> tuple[Any, ...]:
    names = ["value", "decimals", "obs_status", "conf_status", "agreement"]
    (found,) = consolidated(*rows).observations.select(names).rows()
    return found


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([SECRET], (None, None, "Q", "C", "single")),
        ([{"value": 7}], (7, None, "A", "F", "single")),
        ([SECRET, {"value": 31415}], (31415, None, "A", "F", "complete")),
        ([SECRET, {"value": 31415}, {"value": 31415}], (31415, None, "A", "F", "complete")),
        ([SECRET, SECRET], (None, None, "Q", "C", "complete")),
        ([SECRET, {"value": 31000, "decimals": -3}], (None, None, "Q", "C", "consistent")),
        ([{**SECRET, "decimals": 0}, {"value": 31415}], (31415, None, "A", "F", "consistent")),
        ([SECRET, {"value": 5}], (None, None, "Q", "F", "conflict")),
        ([{**SECRET, "precedence": 1}, {"value": 5, "precedence": 2}], (None, None, "Q", "C", "conflict")),
        ([{**SECRET, "precedence": 2}, {"value": 5, "precedence": 1}], (5, None, "A", "F", "conflict")),
    ],
)
def test_a_value_is_published_if_a_free_claim_states_it(rows: list[dict[str, Any]], expected: tuple[Any, ...]) -> None:
    assert fact(*rows) == expected


def test_no_published_table_holds_a_confidential_value() -> None:
    tables = consolidated({**SECRET, "decimals": 0}, {"value": 5})
    for table in (tables.observations, tables.sources, tables.conflicts):
        assert "31415" not in table.write_csv()
    assert tables.sources.filter("confidential")["claim_id"].to_list() == ["f0-2-0"]
    hidden = tables.conflicts.filter(sender="s0").select("value", "decimals", "lower", "upper")
    assert hidden.row(0) == (None, None, None, None)


def test_a_sum_with_a_confidential_line_is_confidential() -> None:
    line = {"additive": True, "sender": "s", "reported_by": "s", "submission_id": "f", "arrival": 0, "stream": 0}
    assert fact({**line, "value": 2}, {**line, **SECRET, "row": 3})[:4] == (None, None, "Q", "C")
    tables = consolidated({**line, "value": 2}, {**line, **SECRET, "row": 3})
    assert sorted(tables.sources["value"].to_list(), key=str) == [2, None]


def test_the_mark_changes_the_digest() -> None:
    free, secret = (consolidated({"value": 5, "confidential": mark}) for mark in (False, True))
    assert lane_sums(free.observations, free.sources) != lane_sums(secret.observations, secret.sources)
