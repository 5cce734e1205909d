"""Overlap and burden: counted by hand on small releases, and against a plain reading of their definition."""

from collections import Counter
from itertools import combinations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from tests.support.overlap_statements import statements
from transforms.overlap.pairs import burden_of, overlap_of

HOURS = pl.DataFrame({"obligation": ["a", "b"], "low": [2.0, None], "high": [4.0, None], "basis": ["declared", None]})


def test_overlap_counts_equal_consistent_and_conflicting_items() -> None:
    found = overlap_of(
        statements(
            [
                {"obligation": "a", "unit": "1", "value": 10}, {"obligation": "b", "unit": "1", "value": 10},
                {"obligation": "a", "unit": "2", "value": 10, "half": "5"},
                {"obligation": "b", "unit": "2", "value": 12},
                {"obligation": "a", "unit": "3", "value": 10}, {"obligation": "b", "unit": "3", "value": 99},
                {"obligation": "a", "unit": "4", "value": 10}, {"obligation": "b", "unit": "4", "value": None},
                {"obligation": "a", "unit": "5", "value": 10}, {"obligation": "b", "unit": "6", "value": 10},
            ]
        )
    )  # fmt: skip
    (row,) = found.to_dicts()
    assert (row["obligation_a"], row["obligation_b"], row["concept"]) == ("a", "b", "beds")
    assert (row["items"], row["agreeing"], row["consistent"], row["conflicting"]) == (4, 1, 1, 1)


def test_a_reporter_of_one_obligation_that_differs_makes_the_pair_conflict() -> None:
    rows: list[dict[str, object]] = [
        {"obligation": "a", "unit": "1", "value": 10, "reporter": "x"},
        {"obligation": "a", "unit": "1", "value": 11, "reporter": "y"},
        {"obligation": "b", "unit": "1", "value": 10},
    ]
    (row,) = overlap_of(statements(rows)).to_dicts()
    assert (row["items"], row["agreeing"], row["consistent"], row["conflicting"]) == (1, 0, 0, 1)


def test_burden_divides_the_hours_of_a_report_among_its_figures() -> None:
    rows: list[dict[str, object]] = [
        {"obligation": "a", "unit": "1", "value": 10},
        {"obligation": "a", "unit": "1", "value": 3, "concept": "staff"},
        {"obligation": "a", "unit": "2", "value": 10},
        {"obligation": "b", "unit": "1", "value": 10},
    ]
    first, second = burden_of(statements(rows), HOURS).to_dicts()
    assert (first["reports"], first["figures"], first["figures_elsewhere"]) == (2, 3, 1)
    assert (first["hours_low"], first["hours_high"]) == (4.0, 8.0)
    assert (first["hours_elsewhere_low"], first["hours_elsewhere_high"]) == (1.0, 2.0)
    assert (second["reports"], second["figures_elsewhere"]) == (1, 1)
    assert second["hours_low"] is None, "hours that nobody knows are not zero"


OBLIGATIONS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("12345"), st.integers(0, 2)),
    unique_by=lambda row: row[:2],
    min_size=1,
)


@given(OBLIGATIONS)
def test_overlap_is_what_pairs_of_obligations_share(rows: list[tuple[str, str, int]]) -> None:
    values = {(obligation, unit): value for obligation, unit, value in rows}
    items, equal = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for one, other in combinations("abc", 2):
        for unit in "12345":
            if (one, unit) in values and (other, unit) in values:
                items[one, other] += 1
                equal[one, other] += values[one, unit] == values[other, unit]
    found = overlap_of(statements([{"obligation": o, "unit": u, "value": v} for o, u, v in rows]))
    pairs = {(row["obligation_a"], row["obligation_b"]): row for row in found.to_dicts()}
    assert {pair: row["items"] for pair, row in pairs.items()} == dict(items)
    assert all(row["agreeing"] == equal[pair] for pair, row in pairs.items())
    assert all(row["agreeing"] + row["consistent"] + row["conflicting"] == row["items"] for row in pairs.values())
