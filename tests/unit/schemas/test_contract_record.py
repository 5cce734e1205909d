"""How rows become records: the source of each field, and the columns of the keys."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.contract_parts import Take
from schemas.contract_record import FieldTake, RecordSpec


def spec(**declared: object) -> RecordSpec:
    return RecordSpec.model_validate(
        {"kind": "mishap", "report_key": ["number"], "fields": {"place": {"column": "town"}}, **declared}
    )


@pytest.mark.parametrize(
    ("declared", "columns"),
    [
        ({"column": "a"}, ("a",)),
        ({"columns": ["a", "b"]}, ("a", "b")),
        ({"flags": {"fire": "Fire", "flood": "Flood"}}, ("fire", "flood")),
        ({"value": "x"}, ()),
        ({"option": "sender"}, ()),
    ],
)
def test_each_source_alone_is_enough(declared: dict[str, Any], columns: tuple[str, ...]) -> None:
    assert FieldTake.model_validate(declared).source_columns() == columns


@pytest.mark.parametrize(
    "declared",
    [
        {},
        {"columns": []},
        {"flags": {}},
        {"column": "a", "columns": ["b"]},
        {"columns": ["a"], "flags": {"b": "B"}},
        {"value": "x", "option": "period"},
        {"separator": ";"},
    ],
)
def test_two_sources_or_none_are_an_error(declared: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="give exactly one of column, columns, flags, value, option"):
        FieldTake.model_validate(declared)


def test_what_is_not_declared() -> None:
    take = FieldTake(column="a")
    assert (take.scale, take.decimals, take.required, take.unreadable) == (Decimal(1), None, False, "reject")


@pytest.mark.parametrize(
    ("name", "inside", "outside"),
    [
        ("decimals", (0, 8), (-1, 9)),
        ("century", (1000, 2900), (999, 2901)),
        ("scale", (Decimal("0.001"), Decimal(1000)), (0, -1)),
    ],
)
def test_limits_of_a_field(name: str, inside: tuple[Any, ...], outside: tuple[Any, ...]) -> None:
    found = [getattr(FieldTake.model_validate({"column": "a", name: value}), name) for value in inside]
    assert found == list(inside)
    for value in outside:
        with pytest.raises(ValidationError, match=name):
            FieldTake.model_validate({"column": "a", name: value})


def test_limits_of_a_record() -> None:
    assert [spec(precedence=n).precedence for n in (0, 32767)] == [0, 32767]
    for declared in ({"precedence": -1}, {"precedence": 32768}, {"report_key": []}, {"fields": {}}):
        with pytest.raises(ValidationError, match=next(iter(declared))):
            spec(**declared)


def test_a_report_is_the_senders_own_unless_it_is_declared() -> None:
    record = spec()
    assert (record.reported_by, record.report_key_of) == (Take(option="sender"), "sender")
    assert record.takes() == [Take(option="sender"), FieldTake(column="town")]


def test_the_sources_of_a_record_are_those_of_reporter_confidentiality_and_fields() -> None:
    record = spec(reported_by={"column": "who"}, confidential={"column": "secret", "map": {"j": "true"}})
    assert [take.column for take in record.takes()] == ["who", "secret", "town"]


def test_the_keys_of_a_record() -> None:
    assert spec().keys() == ["number"]
    assert spec(report_key=["year", "number"], row_key="id").keys() == ["year", "number", "id"]
