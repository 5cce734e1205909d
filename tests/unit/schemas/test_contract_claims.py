"""What a claim and columns that become rows declare: the texts that they may hold, and what follows from them."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.contract_claims import ClaimSpec, Unpivot

CLAIM = {"concept": "beds", "column": "n", "reported_by": {"option": "sender"}, "unit_measure": {"value": "beds"}}


def claim(**keys: Any) -> ClaimSpec:
    return ClaimSpec.model_validate({**CLAIM, **keys})


@pytest.mark.parametrize(
    ("tolerance", "millionths"),
    [("1%", 10_000), ("0.25 %", 2_500), ("99.9999%", 999_999), ("0.0001%", 1), ("0%", None), ("0.0000 %", None)],
)
def test_a_tolerance_is_read_as_millionths(tolerance: str, millionths: int | None) -> None:
    assert claim(tolerance=tolerance).tolerated() == millionths
    assert claim().tolerated() is None


@pytest.mark.parametrize("tolerance", ["1", "100%", "-1%", "0,5%", "0.00001%", "%", "1  %", ".5%", "1%%"])
def test_a_tolerance_is_a_share_in_percent(tolerance: str) -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        claim(tolerance=tolerance)


def test_conditions_are_lists_of_texts() -> None:
    assert claim().conditions() == {}
    given = claim(when={"what": "beds", "part": ["a", "b"], "code": 7})
    assert given.conditions() == {"what": ("beds",), "part": ("a", "b"), "code": ("7",)}


@pytest.mark.parametrize(
    ("keys", "problems"),
    [
        ({}, []),
        ({"flags": {"*": "E", "(r)": "B"}}, []),
        ({"flags": {"*": "X"}}, ["flags: 'X' is none of A, B, "]),
        ({"flags": {"": "E"}}, ["flags: '' is empty or a number"]),
        ({"flags": {" 1 2": "E"}}, ["flags: ' 1 2' is empty or a number"]),
        ({"flags": {"1*": "E"}}, []),
        ({"precedence": 3}, []),
        ({"precedence": {"value": "3"}}, []),
        ({"precedence": {"value": "first"}}, ["precedence: 'first' is no whole number"]),
        ({"precedence": {"column": "c", "map": {"a": "1", "b": "12345"}}}, ["precedence: '12345' is no whole number"]),
        ({"precedence": {"column": "c", "map": {"a": "1"}, "map_default": "-1"}}, ["precedence: '-1' is no whole "]),
        ({"precedence": {"column": "c"}}, ["precedence: '' is no whole number"]),
        ({"precedence": {"option": "sender", "map": {"a": "1"}, "map_default": "9999"}}, []),
    ],
)
def test_the_texts_of_a_claim_are_what_they_stand_for(keys: dict[str, Any], problems: list[str]) -> None:
    found = claim(**keys).problems()
    assert len(found) == len(problems)
    assert all(text.startswith(start) for text, start in zip(found, problems, strict=True))


@pytest.mark.parametrize(
    ("key", "value"),
    [("scale", 0), ("scale", -1), ("decimals", "many"), ("missing", "keep"), ("concept", "Beds"), ("concept", "")],
)
def test_a_value_that_cannot_be_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValidationError, match=key):
        claim(**{key: value})


def test_every_source_of_a_claim_is_one_of_its_takes() -> None:
    full = claim(
        decimals={"column": "d"}, obs_status={"column": "s"}, confidential={"column": "c"},
        precedence={"column": "r"}, breakdown={"sex": {"column": "x"}},
    )  # fmt: skip
    assert [take.column or take.option or take.value for take in full.takes()] == [
        "sender", "beds", "d", "s", "c", "r", "x",
    ]  # fmt: skip
    assert len(claim(decimals=2, precedence=1).takes()) == 2


def test_two_claims_of_a_column_read_its_cell_alike() -> None:
    forms = [
        claim(), claim(missing_values=["-"]), claim(missing_values=[]), claim(missing_pattern="<.*"),
        claim(flags={"*": "E"}), claim(flags={"*": "B"}),
    ]  # fmt: skip
    assert len({form.cell_form() for form in forms}) == len(forms)
    assert claim().cell_form() == claim(concept="rooms", scale=1000, flags={}).cell_form()


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({}, "give columns or pattern"),
        ({"columns": []}, "give columns or pattern"),
        ({"columns": {}}, "give columns or pattern"),
        ({"columns": ["a"], "name": "n", "value": "n"}, "value: 'n' is the name of another new column"),
        ({"pattern": "(?<value>.*)"}, "value: 'value' is the name of another new column"),
        ({"pattern": "("}, r"'\(' is not a regular expression: "),
        ({"pattern": "(?=a)"}, "is not a regular expression: "),
    ],
)
def test_columns_that_become_rows_in_no_way(declared: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Unpivot.model_validate(declared)


@pytest.mark.parametrize(
    ("declared", "made", "listed"),
    [
        ({"columns": ["a", "b"]}, ["value"], ["a", "b"]),
        ({"columns": ["a"], "name": "n", "value": "v"}, ["n", "v"], ["a"]),
        ({"pattern": "POP(?<year>[0-9]{4})(?P<sex>[FM])"}, ["year", "sex", "value"], []),
        ({"columns": {"a": {"year": "1"}, "b": {"year": "2", "sex": "F"}}}, ["year", "sex", "value"], ["a", "b"]),
        ({"columns": {"a": {"year": "1"}}, "pattern": "(?<year>x)", "name": "n"}, ["n", "year", "value"], ["a"]),
    ],
)
def test_the_columns_that_rows_get(declared: dict[str, Any], made: list[str], listed: list[str]) -> None:
    found = Unpivot.model_validate(declared)
    assert (found.made(), found.listed()) == (made, listed)
