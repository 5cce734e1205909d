"""Who agrees with a row and who contradicts it; of values that are withheld, nothing is derived."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.claims import BOUND
from transforms.receipts.opinions import observation_opinions, record_opinions

CLAIM = pl.Schema({
    "row": pl.Int32, "position": pl.Int16, "item_id": pl.String, "contract": pl.String, "sender": pl.String,
    "reported_by": pl.String, "lower": BOUND, "upper": BOUND,
})  # fmt: skip
STATEMENT = pl.Schema({name: CLAIM[name] for name in CLAIM if name not in {"row", "position"}})
REPORT = pl.Schema({
    "report_id": pl.String, "item_id": pl.String, "confidential": pl.Boolean, "contract": pl.String,
    "sender": pl.String, "reported_by": pl.String,
})  # fmt: skip
CONFLICT = pl.Schema({"item_id": pl.String, "field": pl.String, "report_id": pl.String, "value": pl.String})


def opinion(own: tuple[Any, Any], other: tuple[Any, Any], sender: str = "b") -> list[str | None]:
    ends = [None if end is None else Decimal(end) for end in (*own, *other)]
    claims = pl.DataFrame([(2, 0, "i", "c", "a", "a", *ends[:2])], CLAIM, orient="row")
    stated = [("i", "c", "a", "a", *ends[:2]), ("i", "c", sender, sender, *ends[2:]), ("j", "c", "x", "x", *ends[2:])]
    found = observation_opinions(claims, pl.DataFrame(stated, STATEMENT, orient="row"))
    assert all(row[:2] == (2, 0) for row in found.rows())
    return found["opinion"].to_list()


@pytest.mark.parametrize(
    ("own", "other", "expected"),
    [
        ((5, 5), (5, 5), "agrees"),
        ((5, 5), (6, 6), "contradicts"),
        ((4, 6), (5, 5), "agrees"),
        ((4, 6), (5, 7), "contradicts"),  # equally accurate and not equal
        ((4, 6), (7, 7), "contradicts"),
        ((4, 6), (None, None), None),
        ((None, None), (5, 5), None),
    ],
)
def test_two_figures_agree_by_their_intervals(
    own: tuple[Any, Any], other: tuple[Any, Any], expected: str | None
) -> None:
    assert opinion(own, other) == [expected]


def test_nobody_is_another_opinion_on_his_own_statement() -> None:
    assert opinion((5, 5), (6, 6), sender="a") == []


def test_a_sum_of_lines_is_compared_as_one_statement() -> None:
    claims = pl.DataFrame([(row, 0, "i", "c", "a", "a", None, None) for row in (2, 3)], CLAIM, orient="row")
    ends = (Decimal(9), Decimal(9))
    stated = pl.DataFrame([("i", "c", "a", "a", *ends), ("i", "c", "b", "b", *ends)], STATEMENT, orient="row")
    found = observation_opinions(claims, stated).select("row", "sender", "opinion")
    assert found.rows() == [(2, "b", "agrees"), (3, "b", "agrees")]


def test_reports_contradict_in_a_field_that_both_state_otherwise() -> None:
    reports = [(f"r{n}", "i", n == 4, "c", f"s{n}", f"s{n}") for n in range(5)]
    fields = [("i", "speed", "r0", "40"), ("i", "speed", "r1", "40"), ("i", "speed", "r2", "50")]
    others = pl.DataFrame(reports, REPORT, orient="row")
    found = record_opinions(others.head(1), others, pl.DataFrame(fields, CONFLICT, orient="row"))
    opinions = dict(found.select("sender", "opinion").iter_rows())
    assert opinions == {"s1": "agrees", "s2": "contradicts", "s3": "agrees", "s4": None}
    assert found["report_id"].unique().to_list() == ["r0"]
