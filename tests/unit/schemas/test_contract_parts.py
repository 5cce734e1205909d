"""The parts of all contracts: sources of texts, senders, formats of files and of dates."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.contract_parts import (
    HIGHEST_VERSION,
    Format,
    IgnoreRows,
    ReportVersion,
    Sender,
    Take,
    Titles,
    has_short_year,
    without_unset,
)
from schemas.contract_place import Period


def refused(model: type[BaseModel], declared: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        model.model_validate(declared)


def test_an_unknown_key_is_an_error_that_names_the_nearest() -> None:
    refused(Take, {"colum": "a"}, r"unknown key 'colum'; did you mean 'column'\? Known here: column, value, option")
    refused(Titles, {"nb": "a", "nn": "a", "en": "a", "qqqq": "a"}, r"unknown key 'qqqq'\. Known here: nb, nn, en")


def test_a_text_has_exactly_one_source() -> None:
    for declared in ({}, {"column": "a", "value": "b"}, {"value": "b", "option": "sender"}, {"map": {"a": "b"}}):
        refused(Take, declared, "give exactly one of column, columns, value, option")
    refused(Take, {"option": "receiver"}, "option")
    assert Take(column="a").source_columns() == ("a",)
    assert Take(value="a").source_columns() == ()
    assert Take(value="").source_columns() == ()  # an empty constant is a source too


def test_a_whole_number_of_the_yaml_is_a_text() -> None:
    assert Take.model_validate({"value": 2024, "map": {"1": 2}}).map == {"1": "2"}
    assert Take.model_validate({"value": 2024}).value == "2024"


def test_keys_that_are_not_set_are_left_out_at_every_depth() -> None:
    given = {"a": None, "b": [{"a": None, "c": None}, {"a": 0}], "d": {"a": ""}}
    assert without_unset(given, "a") == {"b": [{"c": None}, {"a": 0}], "d": {"a": ""}}
    assert without_unset("a", "a") == "a"
    assert given["a"] is None
    assert "a" in given


@pytest.mark.parametrize(
    ("form", "short"),
    [
        ("%y-%m", True), ("%d.%m.%Y", False), ("%D", True), ("%x", True), ("%g", True), ("%-y", True), ("%_y", True),
        ("%0y", True), ("%%y-%Y", False), ("%%%y", True), ("y", False), ("", False), (None, False), ("%Y%j", False),
    ],
)  # fmt: skip
def test_a_format_with_years_of_two_digits(form: str | None, short: bool) -> None:
    assert has_short_year(form) is short


@pytest.mark.parametrize(
    ("declared", "may", "known"),
    [
        ({"default": "oslo"}, ["oslo"], ("oslo",)),
        ({"allowed": ["oslo", "bergen"]}, ["bergen", "oslo"], ("oslo", "bergen")),
        ({"default": "nav", "allowed": ["oslo"]}, ["nav", "oslo"], ("oslo", "nav")),
        ({"default": "nav", "allowed": ["nav", "oslo"]}, ["nav", "oslo"], ("nav", "oslo")),
        ({"allowed": "any"}, ["bergen", "nav", "oslo"], ()),
        ({"default": "nav", "allowed": "any"}, ["bergen", "nav", "oslo"], ()),
        ({}, [], ()),
        ({"default": "nav", "allowed": []}, ["nav"], ("nav",)),
    ],
)
def test_who_may_deliver(declared: dict[str, Any], may: list[str], known: tuple[str, ...]) -> None:
    sender = Sender.model_validate(declared)
    assert [name for name in ("bergen", "nav", "oslo") if sender.may_deliver(name)] == may
    assert sender.known() == known


def test_the_default_sender_has_the_form_of_a_folder() -> None:
    refused(Sender, {"default": "../oslo"}, "String should match pattern")
    assert Sender(default="a" * 64).default == "a" * 64
    refused(Sender, {"default": "a" * 65}, "String should match pattern")


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"type": "json"}, "JSON needs `rows`, the path of the rows"),
        ({"type": "csv", "delimiter": ""}, "delimiter and quote are one ASCII character each"),
        ({"type": "csv", "delimiter": "§"}, "delimiter and quote are one ASCII character each"),
        ({"type": "csv", "quote": "''"}, "delimiter and quote are one ASCII character each"),
        ({"type": "csv", "quote": ""}, "delimiter and quote are one ASCII character each"),
        ({"type": "csv", "thousands": "."}, "thousands and decimal may not be the same character"),
        ({"type": "csv", "decimal": ",", "thousands": ","}, "thousands and decimal may not be the same character"),
        ({"type": "csv", "header_row": 0}, "header_row"),
        ({"type": "dbf"}, "'csv', 'json', 'xlsx', 'parquet'"),
    ],
)
def test_a_format_that_cannot_be(declared: dict[str, Any], problem: str) -> None:
    refused(Format, declared, problem)


def test_a_format_without_quotes() -> None:
    form = Format(type="csv", quote=None, delimiter="\t", decimal=",", thousands=".")
    assert (form.quote, form.header_row, form.encoding) == (None, 1, "utf-8")
    assert Format(type="json", rows="").rows == ""


@pytest.mark.parametrize("model", [Period, ReportVersion])
def test_a_century_begins_in_a_year_of_four_digits(model: type[BaseModel]) -> None:
    declared = {"column": "a", "type": "month" if model is Period else "datetime", "format": "%y"}
    for year in (1000, 2900):
        assert model.model_validate({**declared, "century": year}).model_dump()["century"] == year
    for year in (999, 2901):
        refused(model, {**declared, "century": year}, "century")


def test_a_version_has_a_limit() -> None:
    assert ReportVersion(column="v").max == HIGHEST_VERSION == 10**14 - 1
    assert ReportVersion(column="v", max=2**59).max == 2**59
    refused(ReportVersion, {"column": "v", "max": 2**59 + 1}, "less than or equal")
    refused(ReportVersion, {"column": "v", "max": -1}, "greater than or equal")


def test_what_is_ignored_has_a_reason() -> None:
    refused(IgnoreRows, {"column": "a", "values": ["x"]}, "why")
