"""Units of a draft: which one a person means, and the texts in which a contract reads it."""

import datetime as dt
from typing import Any

import polars as pl
import pytest

from schemas.contract import Unit
from schemas.errors import UsageError
from transforms.prefill.texts.unit_texts import stated_kinds, unit_asked, unit_texts
from transforms.register.build import build_register
from transforms.register.lookup import Register

START, END = dt.date(2024, 1, 1), dt.date(2025, 1, 1)
ROWS = [
    ("municipality", "0301", "Oslo", "1900-01-01", None),
    ("municipality", "1103", "Stavanger", "1900-01-01", None),
    ("municipality", "1567", "Rindal", "1900-01-01", "2019-01-01"),
    ("municipality", "5061", "Rindal", "2019-01-01", None),
    ("county", "03", "Oslo", "1900-01-01", None),
    ("municipality", "9999", "Gamle", "1900-01-01", "2024-01-01"),
    ("municipality", "8888", "Nye", "2024-01-02", None),
]


def register() -> Register:
    """Return a register of units, one of which has been renumbered."""
    schema = dict.fromkeys(("kind", "code", "name", "valid_from", "valid_to"), pl.String)
    days = pl.col("valid_from", "valid_to").str.to_date()
    units = pl.DataFrame(ROWS, schema, orient="row").with_columns(days)
    sides = ("code", "name", "valid_from", "valid_to")
    types = {f"{side}_{part}": units.schema[part] for side in ("old", "new") for part in sides}
    change = {
        "kind": "municipality", "old_code": "1567", "old_name": "Rindal", "new_code": "5061", "new_name": "Rindal",
        "old_valid_from": dt.date(1900, 1, 1), "old_valid_to": dt.date(2019, 1, 1),
        "new_valid_from": dt.date(2019, 1, 1), "new_valid_to": None,
    }  # fmt: skip
    return build_register(units, pl.DataFrame([change], schema={"kind": pl.String, **types}))


REGISTER = register()


def unit(**given: Any) -> Unit:
    return Unit.model_validate({"column": "u", "kind": "municipality", **given})


def asked(text: str, spec: Unit, start: dt.date = START) -> tuple[str, str | None, str]:
    """Return kind, code and name of the unit that a text means."""
    found = unit_asked(REGISTER, spec, text, start, END)
    return found["unit_kind"], found["unit_code"], found["unit_name"]


OSLO = ("municipality", "0301", "Oslo")


@pytest.mark.parametrize(
    ("text", "spec", "start", "expected"),
    [
        ("0301", {}, START, OSLO),
        ("Oslo", {"by": "name"}, START, OSLO),
        # a name is understood whatever the contract's cells hold
        ("oslo", {}, START, OSLO),
        ("03", {"kind": "county"}, START, ("county", "03", "Oslo")),
        ("1567", {}, dt.date(2018, 12, 31), ("municipality", "1567", "Rindal")),
        ("5061", {}, dt.date(2019, 1, 1), ("municipality", "5061", "Rindal")),
        ("9999", {}, dt.date(2023, 12, 31), ("municipality", "9999", "Gamle")),
        ("8888", {}, dt.date(2024, 1, 2), ("municipality", "8888", "Nye")),
    ],
)
def test_a_unit_is_asked_for_by_code_or_name(
    text: str, spec: dict[str, Any], start: dt.date, expected: tuple[str, str, str]
) -> None:
    assert asked(text, unit(**spec), start) == expected


def test_a_unit_is_asked_for_by_its_id_too() -> None:
    for row in REGISTER.units.filter(pl.col("valid_to").is_null(), pl.col("code") != "8888").to_dicts():
        found = unit_asked(REGISTER, unit(kind=row["kind"]), row["unit_id"], START, END)
        assert (found["unit_id"], found["unit_code"]) == (row["unit_id"], row["code"])


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("nowhere", START), ("", START), ("9999", START), ("8888", dt.date(2024, 1, 1)), ("03", START),
        ("0301", dt.date(1899, 12, 31)),
    ],
)  # fmt: skip
def test_what_is_no_unit_of_the_kind_on_the_day_is_refused(text: str, start: dt.date) -> None:
    with pytest.raises(UsageError, match=f"no unit '{text}' on {start}"):
        asked(text, unit(), start)


def test_a_name_of_several_kinds_asks_which() -> None:
    spec = unit(kind={"column": "k", "map": {"K": "municipality", "F": "county"}}, by="name")
    with pytest.raises(UsageError, match=r"'Oslo' could be several units: give one of .+, .+"):
        asked("Oslo", spec)
    assert asked("0301", spec) == OSLO
    anything = unit(kind={"column": "k"}, by="name")
    assert asked("Stavanger", anything)[1] == "1103"


@pytest.mark.parametrize(
    ("kind", "kinds"),
    [
        ("county", ["county"]),
        ({"column": "k", "map": {"K": "municipality"}}, ["municipality"]),
        ({"column": "k"}, None),
        ({"value": "school"}, ["school"]),
    ],
)
def test_the_kinds_that_rows_may_be_about(kind: object, kinds: list[str] | None) -> None:
    assert stated_kinds(unit(kind=kind)) == kinds


def test_a_unit_in_no_register_is_provisional_where_the_contract_says_so() -> None:
    spec = unit(kind="organisation", by="name", provisional=True)
    found = unit_asked(REGISTER, spec, "  Fjord  Skole", START, END)
    assert found == {
        "unit_id": "provisional:organisation:fjord skole", "unit_kind": "organisation", "unit_code": None,
        "unit_name": "  Fjord  Skole",
    }  # fmt: skip
    named = unit_asked(REGISTER, spec, "provisional:school:a:b", START, END)
    assert (named["unit_id"], named["unit_kind"], named["unit_name"]) == ("provisional:school:a:b", "school", "a:b")
    assert unit_texts(REGISTER, spec, {**named, "period_start": START}, END) == ["a:b"]
    with pytest.raises(UsageError):
        unit_asked(REGISTER, unit(kind="organisation", by="name"), "Fjord Skole", START, END)


def texts(code: str, spec: Unit, start: dt.date = START, until: dt.date = END) -> list[str]:
    """Return the texts of the unit that has a code at the start."""
    known = REGISTER.units.filter(pl.col("code") == code).row(0, named=True)
    item = {
        "unit_id": known["unit_id"], "unit_kind": known["kind"], "unit_code": code, "unit_name": known["name"],
        "period_start": start,
    }  # fmt: skip
    return unit_texts(REGISTER, spec, item, until)


@pytest.mark.parametrize(
    ("code", "spec", "start", "expected"),
    [
        ("0301", {}, START, ["0301"]),
        ("1567", {}, dt.date(2018, 1, 1), ["1567"]),
        # the same unit has the code of the period, not that of the item
        ("1567", {}, dt.date(2020, 1, 1), ["5061"]),
        ("5061", {"valid_on": "2018-06-01"}, START, ["1567"]),
        ("5061", {"valid_on": "2019-01-01"}, dt.date(2010, 1, 1), ["5061"]),
        ("5061", {"valid_on": "2018-12-31"}, START, ["1567"]),
        ("9999", {}, START, []),
    ],
)
def test_a_unit_is_written_with_the_code_of_the_day_that_counts(
    code: str, spec: dict[str, Any], start: dt.date, expected: list[str]
) -> None:
    until = dt.date(start.year, 12, 31)
    assert texts(code, unit(**spec), start, until) == expected


def test_the_plainest_name_comes_first_and_each_is_read_as_the_unit() -> None:
    found = texts("1103", unit(by="name"))
    assert found[0] == "Stavanger"
    assert len(found) == len(set(found))
    assert all(asked(text, unit(by="name")) == ("municipality", "1103", "Stavanger") for text in found)


def test_a_unit_that_does_not_live_to_the_end_of_the_period_has_no_text() -> None:
    assert texts("9999", unit(), dt.date(2023, 6, 1), dt.date(2024, 1, 1)) == ["9999"]
    assert texts("9999", unit(), dt.date(2023, 6, 1), dt.date(2024, 1, 2)) == []
    assert texts("0301", unit(by="organisation_number")) == []
