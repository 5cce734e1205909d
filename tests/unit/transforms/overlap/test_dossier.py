"""The verdict on an obligation, each kind of it, and the bound of its agreement."""

import datetime as dt

import polars as pl
import pytest

from schemas.claims import empty, frame_schema
from schemas.overlap import DERIVABLE_FROM
from tests.support.overlap_statements import statements
from transforms.overlap.dossier import MOST_LISTED, Dossier, draw_verdict, lower_bound
from transforms.overlap.replacements import replacements

NO_EDGES = empty(DERIVABLE_FROM)
Rows = list[dict[str, object]]


def rows_of(obligation: str, values: list[int], **other: object) -> Rows:
    return [{"obligation": obligation, "unit": f"{i:04}", "value": value, **other} for i, value in enumerate(values)]


def dossier(rows: Rows, edges: pl.DataFrame = NO_EDGES, received: pl.DataFrame | None = None) -> Dossier:
    return draw_verdict(replacements(statements(rows), "a", edges, received), "a", (10.0, 20.0))


def loss(**counts: object) -> dict[str, object]:
    """Return what is lost with a column, where it is more than the opinion of another obligation."""
    nothing = dict.fromkeys(("items", "differing", "more_accurate", "earlier", "second_opinions"), 0)
    return {"concept": "beds", "breakdown": "{}", **nothing, **counts}


def test_exact_where_another_obligation_has_every_value() -> None:
    found = dossier([*rows_of("a", [*range(30)]), *rows_of("b", [*range(30)])])
    assert (found.verdict, found.items, found.covered, found.agreeing) == ("droppable_exact", 30, 30, 30)
    assert found.bound_items == pytest.approx(0.05 ** (1 / 30))
    assert (found.hours_freed_low, found.hours_freed_high, found.lost) == (10.0, 20.0, ())


def test_within_tolerance_where_values_differ_by_a_percent_or_their_accuracy() -> None:
    found = dossier([*rows_of("a", [1000] * 30), *rows_of("b", [1009] * 30)])
    assert (found.verdict, found.agreeing, found.tolerated) == ("droppable_within_tolerance", 0, 30)
    found = dossier([*rows_of("a", [10] * 30), *rows_of("b", [12] * 30, half="5")])
    assert found.verdict == "droppable_within_tolerance"


def test_one_cell_that_differs_flips_the_verdict() -> None:
    found = dossier([*rows_of("a", [*range(100, 130)]), *rows_of("b", [*range(100, 129), 999])])
    assert (found.verdict, found.agreeing) == ("not_droppable", 29)
    assert found.lost == (loss(differing=1, second_opinions=30),)
    ((cell,), hours) = (found.differing_items, found.hours_freed_low)
    assert (cell["unit_code"], cell["own"], cell["other"], cell["by"], hours) == ("0029", 129, 999, ["b"], None)


def test_in_part_where_one_column_is_known_and_another_is_not() -> None:
    rows = [*rows_of("a", [*range(30)]), *rows_of("b", [*range(30)]), *rows_of("a", [5] * 30, concept="staff")]
    found = dossier(rows)
    assert (found.verdict, found.items, found.covered) == ("droppable_in_part", 60, 30)
    assert [column.concept for column in found.columns if column.agreeing == column.items] == ["beds"]
    assert found.lost == (loss(concept="staff", items=30),)
    assert (found.columns_known, found.columns_all) == (1, 2)
    assert (found.hours_low, found.hours_freed_low, found.hours_freed_high) == (10.0, 5.0, 10.0), "half of each report"


def test_few_items_prove_nothing() -> None:
    assert dossier([*rows_of("a", [1, 2]), *rows_of("b", [1, 2])]).verdict == "not_enough_history"


def test_a_withheld_value_is_covered_and_not_compared() -> None:
    withheld: Rows = [{**row, "value": None} for row in rows_of("b", [*range(30)])]
    found = dossier([*rows_of("a", [*range(30)]), *withheld])
    assert (found.covered, found.compared, found.verdict, found.bound_items) == (30, 0, "not_droppable", None)


def test_a_whole_is_known_by_the_sum_of_all_its_parts() -> None:
    counties = [f"{number:02}" for number in range(1, 31)]
    rows: Rows = [{"obligation": "a", "unit": c, "value": 3, "kind": "county"} for c in counties]
    parts: Rows = [{"obligation": "b", "unit": f"{c}0{part}", "value": part} for c in counties for part in (1, 2)]
    ids = dict(statements(rows + parts).select("unit_id", "item_id").iter_rows())
    pairs = [(ids[c], "units:municipality", ids[f"{c}0{part}"]) for c in counties for part in (1, 2)]
    edges = pl.DataFrame(pairs, schema=frame_schema(DERIVABLE_FROM), orient="row")
    found = dossier(rows + parts, edges)
    assert (found.verdict, found.covered, found.summed, found.second_opinions) == ("droppable_exact", 30, 30, 0)
    assert found.replaced_by == ({"obligation": "b", "items": 30, "agreeing": 30},)
    alone = dossier(rows + parts)
    assert (alone.covered, alone.verdict) == (0, "not_droppable"), "nothing says that beds add up"
    missing = dossier(rows + parts[:-1], edges)
    assert (missing.covered, missing.verdict) == (29, "not_droppable")
    withheld = dossier([*rows, {**parts[0], "value": None}, *parts[1:]], edges)
    assert (withheld.covered, withheld.verdict) == (29, "not_droppable")
    planted = dossier([*rows, {**parts[0], "value": 2}, *parts[1:]], edges)
    assert (planted.agreeing, planted.verdict) == (29, "not_droppable")
    own = dossier([*rows, *parts[1:], {**parts[0], "obligation": "a"}], edges)
    assert own.covered == 29, "a part that the obligation alone has is lost with it"


def test_accuracy_that_is_lost_is_no_exact_replacement() -> None:
    found = dossier([*rows_of("a", [*range(30)]), *rows_of("b", [*range(30)], half="5")])
    assert (found.verdict, found.agreeing, found.more_accurate) == ("droppable_within_tolerance", 30, 30)
    assert found.lost == (loss(more_accurate=30, second_opinions=30),)


def test_days_and_second_opinions_that_are_lost_are_counted() -> None:
    received = pl.DataFrame(
        {"submission_id": ["a 2024", "b 2024"], "received_at": [dt.datetime(2024, 2, 1), dt.datetime(2024, 2, 4, 12)]}
    )
    found = dossier([*rows_of("a", [*range(30)]), *rows_of("b", [*range(30)])], received=received)
    assert (found.verdict, found.earlier, found.days_earlier, found.second_opinions) == ("droppable_exact", 30, 3.5, 30)
    third = dossier([*rows_of("a", [1] * 30), *rows_of("b", [1] * 30), *rows_of("c", [1] * 30)])
    assert (third.second_opinions, third.earlier, third.days_earlier) == (0, 0, None)


def test_the_smaller_bound_is_that_of_units_where_errors_come_together() -> None:
    rows = [{"obligation": o, "unit": f"{u:02}", "value": 1 + (o == "b" and u == 0), "year": 2000 + y}
            for o in "ab" for u in range(10) for y in range(10)]  # fmt: skip
    found = dossier(rows)
    assert (found.agreeing, found.compared, found.units_agreeing, found.units) == (90, 100, 9, 10)
    assert found.bound == found.bound_units == pytest.approx(lower_bound(9, 10))


@pytest.mark.parametrize(("agreeing", "compared", "bound"), [(0, 10, 0.0), (10, 10, 0.7411344), (9, 10, 0.6058367)])
def test_the_bound_is_clopper_and_pearsons(agreeing: int, compared: int, bound: float) -> None:
    assert lower_bound(agreeing, compared) == pytest.approx(bound, abs=1e-6)


@pytest.mark.parametrize(
    ("own", "other", "half", "agreeing", "tolerated"),
    [
        (1000, 1000, "0", 1, 1), (1000, 1010, "0", 0, 1), (1000, 1011, "0", 0, 0), (990, 1000, "0", 0, 1),
        (989, 1000, "0", 0, 0), (-1000, -1010, "0", 0, 1), (-1000, 1000, "0", 0, 0), (0, 0, "0", 1, 1),
        (0, 1, "0", 0, 0), (0, 1, "1", 0, 1), (10, 12, "2", 0, 1), (10, 12, "1", 0, 0), (12, 10, "2", 0, 1),
        (12, 10, "1", 0, 0),
    ],
)  # fmt: skip
def test_a_value_is_within_tolerance_to_a_percent_of_the_greater_or_where_the_intervals_meet(
    own: int, other: int, half: str, agreeing: int, tolerated: int
) -> None:
    found = dossier([*rows_of("a", [own]), *rows_of("b", [other], half=half)])
    assert (found.compared, found.agreeing, found.tolerated) == (1, agreeing, tolerated)


@pytest.mark.parametrize(
    ("count", "other", "verdict"),
    [
        (20, 0, "droppable_exact"), (19, 0, "not_enough_history"), (20, 1, "droppable_within_tolerance"),
        (19, 1, "not_enough_history"), (19, 500, "not_droppable"), (1, 500, "not_droppable"),
    ],
)  # fmt: skip
def test_twenty_items_are_the_fewest_that_prove_anything(count: int, other: int, verdict: str) -> None:
    values = [1000 + n for n in range(count)]
    found = dossier([*rows_of("a", values), *rows_of("b", [value + other for value in values])])
    assert found.verdict == verdict


def test_an_obligation_without_items_has_no_history() -> None:
    found = dossier(rows_of("b", [1]))
    assert (found.verdict, found.items, found.columns, found.bound) == ("not_enough_history", 0, (), None)
    assert (found.hours_low, found.hours_freed_low) == (10.0, None)


@pytest.mark.parametrize(
    ("hours", "earlier", "days"),
    [(24, 1, 1.0), (23, 0, None), (36, 1, 1.5), (32, 1, 1.33), (-24, 0, None), (0, 0, None)],
)
def test_a_day_is_the_least_by_which_something_is_earlier(hours: int, earlier: int, days: float | None) -> None:
    at = dt.datetime(2024, 2, 1)
    received = pl.DataFrame(
        {"submission_id": ["a 2024", "b 2024"], "received_at": [at, at + dt.timedelta(hours=hours)]}
    )
    found = dossier([*rows_of("a", [1]), *rows_of("b", [1])], received=received)
    assert (found.earlier, found.days_earlier) == (earlier, days)


def test_items_that_differ_are_listed_most_difference_first_and_no_more_than_the_limit() -> None:
    rows = [*rows_of("a", [100, 100, 100, 100]), *rows_of("b", [103, 100, 95, 103])]
    found = dossier(rows).differing_items
    assert [(cell["unit_code"], cell["other"]) for cell in found] == [("0002", 95), ("0000", 103), ("0003", 103)]
    many = [value * 10 for value in range(1, MOST_LISTED + 2)]
    found = dossier([*rows_of("a", many), *rows_of("b", [value + value // 10 for value in many])]).differing_items
    assert len(found) == MOST_LISTED
    assert found[0]["own"] == many[-1]


def test_who_has_the_items_is_listed_by_how_many() -> None:
    rows = [*rows_of("a", [1, 2, 3]), *rows_of("b", [1]), *rows_of("c", [1, 9]), *rows_of("d", [1])]
    assert dossier(rows).replaced_by == (
        {"obligation": "c", "items": 2, "agreeing": 1}, {"obligation": "b", "items": 1, "agreeing": 1},
        {"obligation": "d", "items": 1, "agreeing": 1},
    )  # fmt: skip


def test_own_checks_are_items_that_several_reporters_state() -> None:
    rows = [*rows_of("a", [1, 2]), *rows_of("a", [1, 5], reporter="x"), *rows_of("a", [7], concept="staff")]
    found = dossier(rows)
    assert (found.own_checks, found.own_checks_agreeing) == (2, 1)
    assert [(column.concept, column.own_checks) for column in found.columns] == [("beds", 2), ("staff", 0)]


def test_items_that_nobody_else_has_count_without_being_listed() -> None:
    alone = pl.DataFrame(
        {"concept": ["beds", "staff"], "breakdown": "{}", "items": [5, 7], "own_checks": [1, 0]},
        schema_overrides={"items": pl.UInt32, "own_checks": pl.UInt32},
    )
    made = replacements(statements([*rows_of("a", [1]), *rows_of("b", [1])]), "a", NO_EDGES, None)
    found = draw_verdict(made, "a", (None, 8.0), alone)
    assert (found.items, found.covered, found.own_checks, found.own_checks_agreeing) == (13, 1, 1, 1)
    assert [(each["concept"], each["items"]) for each in found.lost] == [("beds", 5), ("staff", 7)]
    assert (found.hours_low, found.hours_high, found.verdict) == (None, 8.0, "not_droppable")


def test_the_part_that_is_freed_is_of_all_reports_that_there_are() -> None:
    rows = [*rows_of("a", [*range(30)]), *rows_of("b", [*range(30)]), *rows_of("a", [5] * 30, concept="staff")]
    made = replacements(statements(rows), "a", NO_EDGES, None)
    found = draw_verdict(made, "a", (10.0, None), reports=60.0)
    assert (found.verdict, found.hours_freed_low, found.hours_freed_high) == ("droppable_in_part", 2.5, None)
    assert found.as_dict()["columns"][0]["known_elsewhere"] is True
