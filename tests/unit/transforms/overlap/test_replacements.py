"""What others know of each item of an obligation: as their own statement, as a sum of parts, or not at all."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from schemas.claims import empty, frame_schema
from schemas.overlap import DERIVABLE_FROM
from tests.support.overlap_statements import statements
from transforms.overlap.replacements import replacements

NO_EDGES = empty(DERIVABLE_FROM)


def stated(obligation: str, value: Any, unit: str = "u", **differs: Any) -> dict[str, Any]:
    return {"obligation": obligation, "unit": unit, "value": value, **differs}


def found(*rows: dict[str, Any], edges: pl.DataFrame = NO_EDGES, **more: Any) -> list[dict[str, Any]]:
    """Return what replaces the items of obligation `a`, by unit."""
    return replacements(statements(list(rows)), "a", edges, **more).sort("unit_id").to_dicts()


def only(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    (one,) = found(*rows, **more)
    return one


@pytest.mark.parametrize(
    ("others", "covered", "other", "by", "opinions"),
    [
        ([], False, None, None, 0),
        ([stated("b", 5)], True, 5, ["b"], 1),
        ([stated("b", 5), stated("c", 5)], True, 5, ["b", "c"], 2),
        ([stated("c", 5), stated("b", 5), stated("b", 5, reporter="x")], True, 5, ["b", "c"], 2),
        ([stated("b", 5), stated("c", 6)], True, None, ["b", "c"], 2),
        ([stated("b", None)], True, None, ["b"], 1),
        ([stated("b", 5), stated("c", None)], True, None, ["b", "c"], 2),
        ([stated("b", 5, unit="v")], False, None, None, 0),
    ],
)
def test_an_item_is_covered_by_whoever_else_states_it(
    others: list[dict[str, Any]], covered: bool, other: int | None, by: list[str] | None, opinions: int
) -> None:
    one = only(stated("a", 5), *others)
    assert (one["covered"], one["other"], one["by"], one["opinions"]) == (covered, other, by, opinions)
    assert (one["summed"], one["own"]) == (False, 5)


@pytest.mark.parametrize(
    ("rows", "own", "ends", "width", "checked"),
    [
        ([stated("a", 5, half="1")], 5, (4, 6), 2.0, False),
        ([stated("a", 5, half="1"), stated("a", 5, half="2", reporter="x")], 5, (4, 6), 2.0, True),
        ([stated("a", 5, half="1"), stated("a", 6, half="1", reporter="x")], None, (5, 6), 2.0, True),
        ([stated("a", 5, reporter="x"), stated("a", 5, reporter="x")], 5, (5, 5), 0.0, False),
        ([stated("a", 5), stated("a", None, reporter="x")], None, (5, 5), 0.0, False),
        ([stated("a", None)], None, (None, None), None, False),
    ],
)
def test_what_the_obligation_itself_states_of_an_item(
    rows: list[dict[str, Any]], own: int | None, ends: tuple[Any, Any], width: float | None, checked: bool
) -> None:
    one = only(*rows)
    assert (one["own"], (one["lower"], one["upper"]), one["width"], one["checked"]) == (own, ends, width, checked)


def test_the_widest_agreement_of_others_is_the_narrowest_interval() -> None:
    one = only(stated("a", 5), stated("b", 10, half="5"), stated("c", 10, half="2"))
    assert (one["other_lower"], one["other_upper"], one["other_width"]) == (8, 12, 4.0)


DAY = dt.datetime(2024, 2, 1)


def test_an_item_is_known_since_the_first_of_its_statements() -> None:
    received = pl.DataFrame(
        {
            "submission_id": ["a 2024", "b 2024", "c 2024"],
            "received_at": [DAY, DAY + dt.timedelta(days=3), DAY + dt.timedelta(days=1)],
        }
    )
    one = only(stated("a", 5), stated("b", 5), stated("c", 5), received=received)
    assert (one["first"], one["other_first"]) == (DAY, DAY + dt.timedelta(days=1))
    several = only(stated("a", 5), stated("a", 5, reporter="x"), stated("b", 5), received=received)
    assert several["first"] == DAY
    nobody = only(stated("a", 5), stated("b", 5))
    assert (nobody["first"], nobody["other_first"]) == (None, None)


def edges(*pairs: tuple[str, str, str]) -> pl.DataFrame:
    """Return edges of units of 2024: whole, rule, part."""
    rows = [(f"beds {{}} {whole} 2024 None", rule, f"beds {{}} {part} 2024 None") for whole, rule, part in pairs]
    return pl.DataFrame(rows, schema=frame_schema(DERIVABLE_FROM), orient="row")


PARTS = (stated("b", 2, unit="x", half="1"), stated("c", 3, unit="y", half="0.5"))
BOTH = edges(("u", "r", "x"), ("u", "r", "y"))


def test_an_item_is_known_as_the_exact_sum_of_parts_that_others_have() -> None:
    one = only(stated("a", 5), *PARTS, edges=BOTH)
    assert (one["covered"], one["summed"], one["other"], one["by"], one["opinions"]) == (True, True, 5, ["b", "c"], 0)
    assert (one["other_lower"], one["other_upper"], one["other_width"]) == (5, 5, 3.0)


@pytest.mark.parametrize(
    "parts",
    [
        PARTS[:1],
        (PARTS[0], stated("c", None, unit="y")),
        (*PARTS, stated("d", 4, unit="y")),
        (PARTS[0], stated("a", 3, unit="y")),
    ],
)
def test_a_sum_of_which_a_part_is_missing_withheld_contradicted_or_the_obligations_own_is_none(
    parts: tuple[dict[str, Any], ...],
) -> None:
    one = next(each for each in found(stated("a", 5), *parts, edges=BOTH) if each["unit_id"] == "u")
    assert (one["covered"], one["summed"], one["other"], one["by"]) == (False, False, None, None)


def test_what_others_state_comes_before_a_sum_and_of_sums_the_first_rule() -> None:
    direct = only(stated("a", 5), *PARTS, stated("d", 7), edges=BOTH)
    assert (direct["summed"], direct["other"], direct["by"]) == (False, 7, ["d"])
    withheld = only(stated("a", 5), *PARTS, stated("d", None), edges=BOTH)
    assert (withheld["summed"], withheld["other"], withheld["by"]) == (False, None, ["d"])
    two = edges(("u", "s", "z"), ("u", "r", "x"), ("u", "r", "y"))
    assert only(stated("a", 5), *PARTS, stated("e", 9, unit="z"), edges=two)["other"] == 5
    first = edges(("u", "q", "z"), ("u", "r", "x"), ("u", "r", "y"))
    assert only(stated("a", 5), *PARTS, stated("e", 9, unit="z"), edges=first)["other"] == 9


def test_a_sum_is_known_when_its_last_part_is() -> None:
    received = pl.DataFrame(
        {"submission_id": ["a 2024", "b 2024", "c 2024"], "received_at": [DAY, DAY, DAY + dt.timedelta(days=9)]}
    )
    one = only(stated("a", 5), *PARTS, edges=BOTH, received=received)
    assert one["other_first"] == DAY + dt.timedelta(days=9)


def test_the_figures_of_a_report_share_its_weight() -> None:
    rows = [stated("a", 1, concept=concept, reporter="r") for concept in ("beds", "staff", "rooms", "cars")]
    assert [each["weight"] for each in found(*rows)] == [0.25] * 4
    two = [stated("a", 1, unit=unit, reporter="r") for unit in "uv"]
    assert [each["weight"] for each in found(*two)] == [1.0, 1.0]


def test_an_item_that_a_reporter_states_twice_is_one_figure_of_its_report() -> None:
    rows = [stated("a", 1, reporter="r"), stated("a", 2, reporter="r"), stated("a", 1, concept="staff", reporter="r")]
    weights = {each["concept"]: each["weight"] for each in found(*rows)}
    assert weights == {"beds": 0.5, "staff": 0.5}
    both = {each["concept"]: each["weight"] for each in found(*rows, stated("a", 1, reporter="s"))}
    assert both == {"beds": 1.5, "staff": 0.5}


def test_figures_that_are_not_among_the_statements_share_the_weight_too() -> None:
    figures = pl.DataFrame({"reported_by": "r", "unit_id": "u", "period_start": dt.date(2024, 1, 1), "figures": 8})
    assert only(stated("a", 1, reporter="r"), figures=figures)["weight"] == 1 / 8
