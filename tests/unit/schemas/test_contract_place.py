"""The unit and the period of a row: which keys fit together."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.contract_place import Period, Unit
from schemas.unit_kinds import UNIT_KINDS, kind_problem

YEAR = {"column": "p", "type": "year"}
UNIT = {"column": "u", "kind": "municipality"}


@pytest.mark.parametrize(
    ("model", "declared", "problem"),
    [
        (Period, {**YEAR, "type": "month", "starts": "07-01"}, "starts and as_of are for periods of type year"),
        (Period, {**YEAR, "type": "school_year", "as_of": "07-01"}, "starts and as_of are for periods of type year"),
        (Period, {**YEAR, "starts": "07-01", "as_of": "07-01"}, "give starts or as_of, not both"),
        (Period, {**YEAR, "year_of": "end"}, "year_of is for a year that `starts` on another day"),
        (Period, {**YEAR, "as_of": "07-01", "year_of": "end"}, "year_of is for a year that `starts`"),
        (Period, {**YEAR, "span": "-", "until": {"column": "q"}}, "give span or until, not both"),
        (Period, {**YEAR, "span": ""}, "at least 1 character"),
        (Period, {**YEAR, "span": "------"}, "at most 5 characters"),
        (Period, {**YEAR, "starts": "02-29"}, "02-29 is not a day of every year"),
        (Period, {**YEAR, "as_of": "02-29"}, "02-29 is not a day of every year"),
        (Period, {**YEAR, "as_of": "04-31"}, "day"),
        (Period, {**YEAR, "starts": "7-1"}, "String should match pattern"),
        (Period, {**YEAR, "starts": "13-01"}, "String should match pattern"),
        (Period, {**YEAR, "type": "decade"}, "Input should be 'year', 'half_year'"),
        (Unit, {**UNIT, "system": "ssb", "by": "name"}, "system is for `by: code`"),
        (Unit, {**UNIT, "system": "s/b"}, "String should match pattern"),
        (Unit, {**UNIT, "valid_on": "2023-02-29"}, "day"),
        (Unit, {**UNIT, "valid_on": "2023-2-1"}, "String should match pattern"),
        (Unit, {**UNIT, "ended": "ignore"}, "Input should be 'reject' or 'successor'"),
        (Unit, {**UNIT, "kind": "municipalty"}, "unknown kind 'municipalty'; did you mean 'municipality'?"),
        (Unit, {**UNIT, "kind": "Own kind"}, "kind 'Own kind' is no name: expected lower-case letters, digits and _"),
    ],
)
def test_keys_that_do_not_fit_together(model: type[BaseModel], declared: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem.replace("?", "[?]")):
        model.model_validate(declared)


@pytest.mark.parametrize(
    ("model", "declared"),
    [
        (Period, {**YEAR, "starts": "02-28", "year_of": "start"}),
        (Period, {**YEAR, "starts": "12-31"}),
        (Period, {**YEAR, "as_of": "01-01"}),
        (Period, {**YEAR, "span": "-"}),
        (Period, {**YEAR, "until": {"column": "q"}, "starts": "07-01"}),
        (Unit, {**UNIT, "system": "ssb.7459-X_1"}),
        (Unit, {**UNIT, "valid_on": "2024-02-29", "ended": "successor"}),
        (Unit, {**UNIT, "by": "organisation_number", "provisional": True}),
        (Unit, {**UNIT, "kind": {"column": "level", "map": {"k": "municipality"}}}),
    ],
)
def test_keys_that_fit_together(model: type[BaseModel], declared: dict[str, Any]) -> None:
    assert model.model_validate(declared)


@pytest.mark.parametrize("kind", [*UNIT_KINDS, "hospital", "x" * 32, "a1_b"])
def test_a_kind_is_one_that_is_known_or_of_ones_own(kind: str) -> None:
    assert kind_problem(kind) is None


@pytest.mark.parametrize("kind", ["", "1a", "_a", "Hospital", "æ", "x" * 33, "a-b", "a b", "a\n"])
def test_a_kind_of_ones_own_is_a_name(kind: str) -> None:
    assert kind_problem(kind) == f"kind {kind!r} is no name: expected lower-case letters, digits and _"


@pytest.mark.parametrize(("kind", "meant"), [("municipalities", "municipality"), ("schol", "school"), ("natoin", "na")])
def test_a_kind_that_is_nearly_a_known_one_is_a_slip(kind: str, meant: str) -> None:
    assert str(kind_problem(kind)).startswith(f"unknown kind {kind!r}; did you mean '{meant}")
