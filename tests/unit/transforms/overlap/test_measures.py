"""The rows of the tables of overlap: hours, scopes, redundancy, and what their digest covers."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from tests.support.overlap_statements import statements
from transforms.overlap.content import latest_scopes, table_lanes
from transforms.overlap.counts import add_counts, count_statements, subtracted
from transforms.overlap.measures import (
    HOURS,
    agencies_of_obligations,
    burden_rows,
    coverage_rows,
    hours_of_obligations,
    overlap_rows,
    redundancy_rows,
    scope_counts,
    set_counts,
    with_hours,
)
from transforms.overlap.pairs import burden_of, overlap_of

Rows = list[dict[str, object]]


def stated(obligation: str, unit: str, value: object, **differs: object) -> dict[str, object]:
    return {"obligation": obligation, "unit": unit, "value": value, **differs}


def contracts(*rows: tuple[str, str, str | None, str | None, str | None]) -> pl.DataFrame:
    """Return rows of the table `obligations`: obligation, agency, least and most hours, their basis."""
    full = [
        {
            "obligation": name, "contract": f"{name}{number}", "agency": agency, "hours_basis": basis,
            "hours_low": low and Decimal(low), "hours_high": high and Decimal(high),
        }
        for number, (name, agency, low, high, basis) in enumerate(rows)
    ]  # fmt: skip
    types = {"hours_low": pl.Decimal(38, 9), "hours_high": pl.Decimal(38, 9), "hours_basis": pl.String}
    return pl.DataFrame(full, schema_overrides=types)


def test_the_hours_of_an_obligation_are_the_least_and_the_most_of_its_contracts() -> None:
    found = hours_of_obligations(
        contracts(
            ("b", "x", "2", "3", "measured"), ("b", "x", "1", "9", "declared"), ("a", "x", None, None, None),
            ("c", "x", None, "4", "declared"), ("c", "x", None, None, "declared"),
        )
    )  # fmt: skip
    assert found.schema == pl.Schema(HOURS)
    assert found.rows() == [
        ("a", None, None, None), ("b", 1.0, 9.0, "declared, measured"), ("c", None, 4.0, "declared"),
    ]  # fmt: skip


def test_the_agency_of_an_obligation_is_that_of_its_first_contract() -> None:
    rows = contracts(("b", "x", None, None, None), ("a", "y", None, None, None), ("b", "z", None, None, None))
    for each in (rows, rows.reverse()):
        assert agencies_of_obligations(each).sort("obligation").rows() == [("a", "y"), ("b", "x")]


KNOWN = pl.DataFrame([("a", 2.0, 4.0, "declared"), ("b", None, None, None)], schema=HOURS, orient="row")


def test_hours_are_those_of_one_report_times_the_reports() -> None:
    rows = [stated("a", "u", 1), stated("a", "v", 1), stated("b", "u", 1), stated("a", "u", 5, concept="staff")]
    found = {row["obligation"]: row for row in burden_of(statements(rows), KNOWN).to_dicts()}
    assert (found["a"]["reports"], found["a"]["figures"], found["a"]["figures_elsewhere"]) == (2, 3, 1)
    assert (found["a"]["hours_low"], found["a"]["hours_high"]) == (4.0, 8.0)
    assert (found["a"]["hours_elsewhere_low"], found["a"]["hours_elsewhere_high"]) == (1.0, 2.0)
    assert (found["a"]["elsewhere"], found["a"]["hours_basis"]) == (["b"], "declared")
    assert (found["b"]["hours_low"], found["b"]["reports_elsewhere"]) == (None, 1)


@pytest.mark.parametrize(("elsewhere", "figures", "share"), [(1, 3, "0.333333"), (2, 3, "0.666667"), (1, 2, "0.5")])
def test_a_share_of_a_report_is_rounded_to_the_nearest(elsewhere: int, figures: int, share: str) -> None:
    rows = [stated("a", "u", 1, concept=f"c{n}") for n in range(figures)]
    rows += [stated("b", "u", 1, concept=f"c{n}") for n in range(elsewhere)]
    found = burden_of(statements(rows), KNOWN).filter(obligation="a")["reports_elsewhere"].item()
    assert abs(found - Decimal(share)) < Decimal("0.000001")
    assert found != Decimal(0)


def test_expected_are_the_items_of_either_where_both_report() -> None:
    rows = [
        stated("a", "u", 1), stated("b", "u", 1), stated("a", "u", 2, concept="staff"),
        stated("b", "u", 3, concept="rooms"),
        stated("a", "v", 1), stated("b", "w", 1),
    ]  # fmt: skip
    found = overlap_of(statements(rows)).filter(concept="beds").row(0, named=True)
    assert (found["items"], found["agreeing"], found["expected"]) == (1, 1, 1)
    both = [*rows, stated("a", "w", 9)]
    found = overlap_of(statements(both)).filter(concept="beds").row(0, named=True)
    assert (found["items"], found["agreeing"], found["conflicting"], found["expected"]) == (2, 1, 1, 2)


SETS = [
    stated("a", "u", 1), stated("b", "u", 1), stated("a", "v", 1), stated("c", "w", 1), stated("b", "w", 1),
    stated("d", "x", 1),
]  # fmt: skip
AGENCIES = pl.DataFrame({"obligation": ["a", "b", "c"], "agency": ["one", "one", "two"]})


def test_the_items_and_figures_of_all_and_of_each_agency() -> None:
    coverage = coverage_rows(count_statements(statements(SETS)).sets)
    assert scope_counts(coverage, AGENCIES).rows() == [
        ("agency", "one", 3, 4, 3), ("agency", "two", 1, 1, 1), ("all", "all", 4, 6, 4),
    ]  # fmt: skip
    assert coverage_rows(set_counts(coverage)).equals(coverage)


def test_redundancy_is_the_share_of_figures_that_is_superfluous() -> None:
    scopes = pl.DataFrame(
        [("all", "all", 4, 6, 4), ("unit", "u", 2, 2, 0), ("unit", "none", 0, 0, 0)],
        schema=["scope", "name", "items", "figures", "figures_elsewhere"], orient="row",
    )  # fmt: skip
    costs = pl.DataFrame(
        {"scope": ["all"], "name": ["all"], "reports": [3], "reports_unknown": [1], "hours_low": [2.0]}
    )
    found = redundancy_rows(scopes, costs).select("name", "redundancy", "reports", "reports_unknown", "hours_low")
    assert found.rows() == [("all", 1 - 4 / 6, 3, 1, 2.0), ("u", 0.0, 0, 0, None), ("none", None, 0, 0, None)]


def test_counts_are_added_and_subtracted_and_what_is_nothing_is_left_out() -> None:
    one, other = count_statements(statements(SETS[:2])), count_statements(statements(SETS[2:]))
    whole = add_counts([one, other])
    assert whole.sets["items"].sum() == 4
    back = add_counts([whole, subtracted(other)])
    assert all(getattr(back, name).equals(getattr(add_counts([one]), name)) for name in ("sets", "pairs", "reports"))
    assert add_counts([one, subtracted(one)]).pairs.is_empty()


def test_rows_of_many_months_are_by_month() -> None:
    rows = [stated(name, "u", 1, year=2024, month=month) for name in "ab" for month in (1, 2)]
    counts = count_statements(statements(rows))
    found = overlap_rows(counts.pairs, counts.reports)
    assert found.select("period_start", "items", "expected").rows() == [
        (dt.date(2024, 1, 1), 1, 1), (dt.date(2024, 2, 1), 1, 1),
    ]  # fmt: skip
    burden = burden_rows(counts.reports, found, KNOWN)
    assert burden.select("obligation", "partition", "reports").rows() == [
        ("a", "2024-01", 1), ("a", "2024-02", 1), ("b", "2024-01", 1), ("b", "2024-02", 1),
    ]  # fmt: skip
    assert with_hours(burden.drop("hours_low", "hours_high", "hours_elsewhere_low", "hours_elsewhere_high",
                                  "hours_basis"), KNOWN).equals(burden)  # fmt: skip


def redundancy(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    full = [(release, scope, name, 1, figures, 0, 0.5) for scope, name, figures, release in rows]
    names = ["release", "scope", "name", "items", "figures", "figures_elsewhere", "redundancy"]
    return pl.DataFrame(full, schema=names, orient="row")


def test_the_newest_row_of_each_scope_is_what_holds() -> None:
    rows = redundancy(("unit", "u", 5, 3), ("unit", "u", 4, 1), ("sender", "u", 7, 2), ("unit", "u", 6, 2))
    assert latest_scopes(rows).select("scope", "name", "figures").rows() == [("sender", "u", 7), ("unit", "u", 5)]


@pytest.mark.parametrize(
    ("rows", "covered"),
    [
        ([("agency", "x", 9, 1)], False), ([("all", "all", 9, 1)], False), ([("unit", "x", 0, 1)], False),
        ([("unit", "x", 1, 1)], True), ([("sender", "x", 1, 1)], True),
    ],
)  # fmt: skip
def test_the_digest_covers_what_units_and_senders_report(rows: list[tuple[str, str, int, int]], covered: bool) -> None:
    known = redundancy(("unit", "u", 5, 1))
    nothing, more = table_lanes("redundancy", known), table_lanes("redundancy", redundancy(("unit", "u", 5, 1), *rows))
    assert (nothing != more) is covered
    assert table_lanes("redundancy", redundancy(("all", "all", 9, 1))) == (0, 0, 0, 0)


def changed(rows: pl.DataFrame, **values: Any) -> pl.DataFrame:
    return rows.with_columns(**{name: pl.lit(value, rows.schema[name]) for name, value in values.items()})


def test_the_digest_covers_counts_and_no_hours_whatever_the_order_of_rows() -> None:
    burden = burden_of(statements(SETS), KNOWN)
    lanes = table_lanes("burden", burden)
    assert table_lanes("burden", burden.reverse()) == lanes
    assert table_lanes("burden", changed(burden, hours_low=99.0)) == lanes
    assert table_lanes("burden", changed(burden, reports=99)) != lanes
    coverage = coverage_rows(count_statements(statements(SETS)).sets)
    assert table_lanes("coverage", coverage) != table_lanes("coverage", changed(coverage, items=99))
    assert table_lanes("coverage", coverage.clear()) == (0, 0, 0, 0)
