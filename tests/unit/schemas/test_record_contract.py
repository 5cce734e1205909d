"""A contract of records against its kind: each key of a field fits the field's type, or the error says which it is."""

from typing import Any

import pytest

from schemas.contract import Contract
from schemas.errors import ContractError
from schemas.kind import Kind, OneReport
from schemas.record_contract import check_one_report, check_records

TITLE = {"nb": "Uhell", "nn": "Uhell", "en": "Mishap"}
TYPES = ("text", "code", "list", "integer", "number", "boolean", "date", "datetime")
KIND = Kind.model_validate(
    {
        "kind": "mishap", "version": 1, "title": TITLE, "one_report_per_item": True,
        "fields": {f"a_{name}": {"type": name, "role": "attribute", "doc": "x"} for name in TYPES},
        "thresholds": {"review": 0.5},
    }
)  # fmt: skip
KINDS = {"mishap": KIND}


def contract(kind: str = "mishap", **fields: dict[str, Any]) -> Contract:
    return Contract.model_validate(
        {
            "contract": "form", "version": 1, "obligation": "form", "title": TITLE, "agency": "A", "legal_basis": "B",
            "rhythm": "once", "hours_per_report": None, "format": {"type": "csv"},
            "record": {"kind": kind, "report_key": ["id"], "fields": fields or {"a_text": {"column": "t"}}},
            "examples": [{"name": "none", "given": ""}],
        }
    )  # fmt: skip


def problems(**fields: dict[str, Any]) -> list[str]:
    """Return the lines of the error, without the place of those of a single field."""
    with pytest.raises(ContractError) as caught:
        check_records(contract(**fields), KINDS)
    return [line.removeprefix("form.yml: record.fields.") for line in str(caught.value).splitlines()]


def test_a_contract_that_fits_is_accepted() -> None:
    check_records(contract(**{f"a_{name}": {"column": "c"} for name in TYPES}), KINDS)


def test_a_contract_of_claims_needs_no_kind() -> None:
    claims = contract().model_copy(update={"record": None})
    check_records(claims, {})


def test_an_unknown_kind_is_named_with_the_nearest() -> None:
    with pytest.raises(ContractError) as caught:
        check_records(contract("mishpa"), KINDS)
    assert str(caught.value) == "form.yml: record.kind: unknown kind 'mishpa'; did you mean 'mishap'?"
    with pytest.raises(ContractError, match=r"unknown kind 'zzz'$"):
        check_records(contract("zzz"), KINDS)


def test_an_unknown_field_is_named_with_the_known_ones() -> None:
    known = "a_text, a_code, a_list, a_integer, a_number, a_boolean, a_date, a_datetime"
    unknown = "unknown field 'a_txt'; did you mean 'a_text'?"
    assert problems(a_txt={"column": "t"}) == [f"a_txt: {unknown} Known: {known}"]


@pytest.mark.parametrize(
    ("key", "value", "types"),
    [
        ("format", "%d.%m.%Y", ("date", "datetime")),
        ("scale", 1000, ("number", "integer")),
        ("decimals", 2, ("number",)),
        ("separator", ",", ("list",)),
    ],
)
def test_a_key_is_for_some_types_alone(key: str, value: object, types: tuple[str, ...]) -> None:
    for name in TYPES:
        field = {f"a_{name}": {"column": "c", key: value}}
        if name in types:
            check_records(contract(**field), KINDS)
        else:
            place = f"a_{name}: {key} does not apply to a field of type {name}"
            assert problems(**field) == [f"{place}: it is for {', '.join(types)}"]


def test_several_columns_and_flags_are_for_some_types_alone() -> None:
    columns = ("text", "code", "list", "date", "datetime")
    check_records(contract(**{f"a_{name}": {"columns": ["b", "c"]} for name in columns}), KINDS)
    check_records(contract(a_list={"flags": {"b": "B"}}), KINDS)
    expected = "it is for text, code, list, date, datetime"
    assert problems(a_number={"columns": ["b", "c"]}) == [
        f"a_number: columns does not apply to a field of type number: {expected}"
    ]
    assert problems(a_text={"flags": {"b": "B"}}) == [
        "a_text: flags does not apply to a field of type text: it is for list"
    ]


def test_a_century_is_for_dates_alone() -> None:
    short = {"column": "c", "format": "%d%m%y", "century": 1930}
    check_records(contract(a_date=short, a_datetime=short), KINDS)
    assert problems(a_code=short) == [
        "a_code: century does not apply to a field of type code: it is for date, datetime",
        "a_code: format does not apply to a field of type code: it is for date, datetime",
    ]


def test_a_map_to_truth_values() -> None:
    check_records(contract(a_boolean={"column": "c", "map": {"ja": "true", "nei": "false"}}), KINDS)
    check_records(contract(a_code={"column": "c", "map": {"ja": "yes"}}), KINDS)
    assert problems(a_boolean={"column": "c", "map": {"ja": "true", "nei": "no"}}) == [
        "a_boolean: 'no' is neither true nor false"
    ]
    assert problems(a_list={"flags": {"b": "B"}, "map": {"x": "yes"}}) == ["a_list: 'yes' is neither true nor false"]


def test_a_map_of_several_columns_is_for_lists() -> None:
    take = {"columns": ["b", "c"], "map": {"x": "X"}}
    check_records(contract(a_list=take), KINDS)
    assert problems(a_text=take) == ["a_text: a map is for one column, or for the elements of a list"]


@pytest.mark.parametrize("unreadable", ["warn", "empty"])
def test_a_required_value_cannot_be_left_empty(unreadable: str) -> None:
    take = {"column": "c", "required": True, "unreadable": unreadable}
    assert problems(a_date=take) == [
        f"a_date: a required value cannot be left empty, which unreadable: {unreadable} would do"
    ]
    check_records(contract(a_date={**take, "required": False}), KINDS)
    check_records(contract(a_date={**take, "unreadable": "reject"}), KINDS)


def test_a_separator_is_for_one_column() -> None:
    assert problems(a_list={"columns": ["b", "c"], "separator": ","}) == ["a_list: separator is for one column"]


def test_every_error_of_a_contract_is_listed() -> None:
    found = problems(a_text={"column": "t", "scale": 2}, a_date={"column": "d", "decimals": 1, "separator": ","})
    assert [line.split(" does")[0] for line in found] == ["a_text: scale", "a_date: decimals", "a_date: separator"]


def test_the_contracts_that_a_kind_names_exist() -> None:
    known = {"form": contract(), "other": contract("event")}
    once = KIND.model_copy(update={"one_report_per_item": OneReport(contracts=("form",))})
    check_one_report([KIND, once], known)
    wrong = KIND.model_copy(update={"one_report_per_item": OneReport(contracts=("form", "from"))})
    with pytest.raises(ContractError) as caught:
        check_one_report([wrong], known)
    assert str(caught.value) == (
        "mishap.yml: one_report_per_item.contracts: unknown contract 'from'; did you mean 'form'? "
        "Contracts of this kind: form"
    )
    of_another = KIND.model_copy(update={"one_report_per_item": OneReport(contracts=("other",))})
    with pytest.raises(ContractError, match="unknown contract 'other'"):
        check_one_report([of_another], known)
    check_one_report([wrong], {})  # a kind that no contract uses
    check_one_report([wrong.model_copy(update={"one_report_per_item": OneReport(reporters=("x",))})], known)
