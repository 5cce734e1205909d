"""Which item a value is compared with, and when it differs too much."""

from datetime import date
from decimal import Decimal
from typing import Any, Final

import polars as pl
import pytest

from schemas.claims import IDENTITY, VALUE
from schemas.contract import Contract, read_contract
from tests.support.small_contracts import CONTRACT_HEAD
from transforms import identity
from transforms.normalisation.previous_period import change_rules, change_warnings, previous_items

CONTRACT: Final = (
    CONTRACT_HEAD
    + """sender: {default: a, allowed: [a]}
format: {type: csv}
unit: {column: unit, kind: county}
period: {column: when, type: year}
repeat: error
claims:
  - {concept: places, column: n, reported_by: {option: sender}, unit_measure: {value: places}}
  - {concept: beds, column: m, reported_by: {option: sender}, unit_measure: {value: beds}}
rules:
  - {id: steady, check: change, concept: places, max_share: 0.5}
examples: [{name: none, given: ""}]
"""
)


def contract(period: str = "year") -> Contract:
    return read_contract(CONTRACT.replace("type: year", f"type: {period}"))


def claims(*rows: tuple[str, date, date, str]) -> pl.DataFrame:
    """Return claims, each a concept, the period's first day and the day after it, and a value."""
    full: list[dict[str, Any]] = [
        {
            "submission_id": "s", "row": n, "column": "n", "concept": concept, "unit_id": "u", "period_start": start,
            "period_end": end, "breakdown": "{}", "unit_measure": "places", "value": Decimal(value),
        }
        for n, (concept, start, end, value) in enumerate(rows, start=2)
    ]  # fmt: skip
    return pl.DataFrame(full, schema_overrides={"value": VALUE, "row": pl.Int32}).with_columns(identity.item_id())


def item(concept: str, start: date, end: date) -> str:
    (found,) = (
        claims((concept, start, end, "1")).select(*(c.name for c in IDENTITY)).select(identity.item_id())["item_id"]
    )
    return str(found)


@pytest.mark.parametrize(
    ("period", "start", "end", "before"),
    [
        ("year", date(2024, 1, 1), date(2025, 1, 1), date(2023, 1, 1)),
        ("quarter", date(2024, 1, 1), date(2024, 4, 1), date(2023, 10, 1)),
        ("month", date(2024, 3, 1), date(2024, 4, 1), date(2024, 2, 1)),
        ("month", date(2024, 1, 1), date(2024, 4, 1), date(2023, 10, 1)),  # a span of three months
        ("month", date(2023, 11, 1), date(2024, 2, 1), date(2023, 8, 1)),
        ("day", date(2024, 3, 1), date(2024, 3, 2), date(2024, 2, 29)),
        ("day", date(2024, 3, 1), date(2024, 3, 8), date(2024, 2, 23)),
    ],
)
def test_the_period_before_is_as_long_and_ends_where_this_one_starts(
    period: str, start: date, end: date, before: date
) -> None:
    found = previous_items(claims(("places", start, end, "1"), ("beds", start, end, "1")), contract(period))
    assert found.select("concept", "previous_id", "previous_partition").rows() == [
        ("places", item("places", before, start), f"{before:%Y-%m}")
    ]


Y2023, Y2024, Y2025 = (date(year, 1, 1) for year in (2023, 2024, 2025))


def warned(*own: tuple[str, date, date, str], before: str | None) -> list[tuple[int, str]]:
    """Return row and `found` of the warnings for claims of 2024, with what is known of 2023."""
    values = [] if before is None else [(item("places", Y2023, Y2024), Decimal(before))]
    known = pl.DataFrame(values, {"item_id": pl.String, "value": VALUE}, orient="row")
    found = change_warnings(previous_items(claims(*own), contract()), known, contract())
    assert set(found["severity"]) <= {"warning"}
    return found.select("row", "found").rows()


@pytest.mark.parametrize(
    ("value", "before", "found"),
    [
        ("10", None, None), ("10", "10", None), ("15", "10", None), ("15.1", "10", "15.1 after 10"), ("5", "10", None),
        ("4.9", "10", "4.9 after 10"), ("-5", "-10", None), ("-4.9", "-10", "-4.9 after -10"),
    ],
)  # fmt: skip
def test_a_value_that_differs_too_much_from_the_one_before_is_a_warning(
    value: str, before: str | None, found: str | None
) -> None:
    assert warned(("places", Y2024, Y2025, value), before=before) == ([] if found is None else [(2, found)])


def test_a_value_that_the_same_submission_states_takes_precedence() -> None:
    both = (("places", Y2024, Y2025, "100"), ("places", Y2023, Y2024, "90"))
    assert warned(*both, before="10") == []
    assert warned(*both[::-1], before="10") == []
    assert warned(("places", Y2024, Y2025, "100"), ("places", Y2023, Y2024, "9"), before="90") == [(2, "100 after 9")]


def test_only_rules_of_change_compare() -> None:
    assert [rule.id for rule in change_rules(contract())] == ["steady"]
    plain = CONTRACT.replace("  - {id: steady, check: change, concept: places, max_share: 0.5}\n", "")
    assert change_rules(read_contract(plain.replace("rules:\n", ""))) == []
