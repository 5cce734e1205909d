"""Overlap of reporters, and the hours of the reports of each agency, sender and unit."""

import polars as pl
import pytest

from tests.support.overlap_statements import statements
from transforms.overlap.counts import MOST_REPORTERS, count_statements
from transforms.overlap.measures import agency_reports, reporter_rows, scope_hours, scope_reports
from transforms.overlap.pairs import burden_of

HOURS = pl.DataFrame(
    {"obligation": ["a", "b"], "low": [2.0, None], "high": [4.0, None], "basis": ["declared", None]},
    schema={"obligation": pl.String, "low": pl.Float64, "high": pl.Float64, "basis": pl.String},
)
AGENCIES = pl.DataFrame({"obligation": ["a", "b"], "agency": ["Tilsynet", "Tilsynet"]})
ROWS: list[dict[str, object]] = [
    {"obligation": "a", "unit": "x", "value": 5},
    {"obligation": "a", "unit": "x", "value": 6, "concept": "staff"},
    {"obligation": "b", "unit": "x", "value": 5, "reporter": "agency"},
    {"obligation": "a", "unit": "y", "value": 7},
]


def test_hours_of_a_scope_are_those_that_are_known() -> None:
    stated = statements(ROWS)
    reports = pl.concat(
        [scope_reports(count_statements(stated).reports), agency_reports(burden_of(stated, HOURS), AGENCIES)]
    )
    found = scope_hours(reports, HOURS).sort("scope", "name")
    columns = ("scope", "name", "reports", "reports_unknown", "hours_low", "hours_high", "hours_elsewhere_high")
    assert found.select(columns).rows() == [
        ("agency", "Tilsynet", 3, 1, 4.0, 8.0, 2.0),
        ("all", "all", 3, 1, 4.0, 8.0, 2.0),
        ("sender", "agency", 1, 1, None, None, None),
        ("sender", "x", 1, 0, 2.0, 4.0, 2.0),
        ("sender", "y", 1, 0, 2.0, 4.0, 0.0),
        ("unit", "x", 2, 1, 2.0, 4.0, 2.0),
        ("unit", "y", 1, 0, 2.0, 4.0, 0.0),
    ]


@pytest.mark.parametrize("obligation", ["a", "b"])
def test_two_reporters_overlap_under_one_obligation_or_two(obligation: str) -> None:
    rows = [*ROWS[:1], {"obligation": obligation, "unit": "x", "value": 9, "half": "5", "reporter": "agency"}]
    (found,) = reporter_rows(count_statements(statements(rows)).reporter_pairs).to_dicts()
    shown = ("reporter_a", "reporter_b", "concept", "items", "agreeing", "consistent", "conflicting")
    assert tuple(found[name] for name in shown) == ("agency", "x", "beds", 1, 0, 1, 0)


def test_an_item_of_many_reporters_is_not_compared_in_pairs() -> None:
    rows = [{"obligation": "a", "unit": "x", "value": 5, "reporter": f"r{at}"} for at in range(MOST_REPORTERS + 1)]
    assert count_statements(statements(rows)).reporter_pairs.is_empty()
    assert count_statements(statements(rows[1:])).reporter_pairs.height == MOST_REPORTERS * (MOST_REPORTERS - 1) // 2
