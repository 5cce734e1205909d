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

FIELD = {"name": "a", "start": 1, "length": 4}


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
        ({"type": "xml"}, "XML needs `rows`, the path of the rows"),
        ({"type": "json", "lines": False}, "JSON needs `rows`, the path of the rows"),
        ({"type": "json", "lines": True, "rows": "a"}, "lines is for JSON without `rows`"),
        ({"type": "csv", "lines": True}, "lines is for JSON without `rows`"),
        ({"type": "fixed_width"}, "fixed_width, and no other type, needs `fields`, each of another name"),
        ({"type": "csv", "fields": [FIELD]}, "fixed_width, and no other type, needs `fields`"),
        ({"type": "fixed_width", "fields": [FIELD, FIELD]}, "needs `fields`, each of another name"),
        ({"type": "fixed_width", "fields": [{**FIELD, "start": 0}]}, "greater than or equal to 1"),
        ({"type": "fixed_width", "fields": [{**FIELD, "decimals": 10}]}, "less than or equal to 9"),
        ({"type": "xlsx", "sheets": ["a"], "sheet": "b"}, "sheets has at least one name, or a pattern, and is in the"),
        ({"type": "xlsx", "sheets": []}, "sheets has at least one name, or a pattern"),
        ({"type": "xlsx", "sheets": ""}, "sheets has at least one name, or a pattern"),
        ({"type": "xlsx", "sheet_column": "n"}, "sheet_column is for several `sheets`"),
        ({"type": "csv", "header_rows": [2, 1]}, "header_rows are in order, at least one, and in the place of header"),
        ({"type": "csv", "header_rows": [1, 1]}, "header_rows are in order"),
        ({"type": "csv", "header_rows": []}, "header_rows are in order, at least one"),
        ({"type": "csv", "header_rows": [1, 2], "header_row": 2}, "in the place of header_row"),
        ({"type": "csv", "header_rows": [0]}, "greater than or equal to 1"),
        ({"type": "csv", "skip_footer": -1}, "greater than or equal to 0"),
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


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        ({"column": "a", "pad": 33}, "pad: give one width of at most 32, or one for each column"),
        ({"column": "a", "pad": -1}, "pad: give one width of at most 32"),
        ({"columns": ["a", "b"], "pad": [2]}, "or one for each column"),
        ({"value": "a", "pad": [2]}, "or one for each column"),
        ({"column": "a", "map_default": "x"}, "map_default and unmapped are for a `map`"),
        ({"column": "a", "unmapped": "keep"}, "map_default and unmapped are for a `map`"),
        ({"column": "a", "map": {"x": "y"}, "map_default": "z", "unmapped": "keep"}, "give map_default or unmapped"),
    ],
)
def test_what_is_done_with_a_text_fits_its_source(declared: dict[str, Any], problem: str) -> None:
    refused(Take, declared, problem)


@pytest.mark.parametrize(
    ("declared", "widths"),
    [
        ({"column": "a", "pad": 4}, (4,)),
        ({"column": "a"}, (0,)),
        ({"columns": ["a", "b"], "pad": 4}, (4, 4)),
        ({"columns": ["a", "b"], "pad": [2, 0]}, (2, 0)),
        ({"value": "a", "pad": 4}, ()),
        ({"column": "a", "pad": 32}, (32,)),
    ],
)
def test_each_column_has_a_width(declared: dict[str, Any], widths: tuple[int, ...]) -> None:
    assert Take.model_validate(declared).widths() == widths


def test_a_time_zone_is_one_that_there_is_and_of_times() -> None:
    refused(ReportVersion, {"column": "v", "type": "datetime", "time_zone": "Europe/Olso"}, "Europe/Olso")
    refused(ReportVersion, {"column": "v", "time_zone": "Europe/Oslo"}, "time_zone is for `type: datetime`")
    zoned = ReportVersion.model_validate({"column": "v", "type": "datetime", "time_zone": "Europe/Oslo"})
    assert zoned.time_zone == "Europe/Oslo"


def test_the_columns_that_the_names_of_sheets_give() -> None:
    pattern = r"(?<year>[0-9]{4}) (?P<part>[a-z]+) (?:no) (unnamed) (?<year>x)"
    form = Format(type="xlsx", sheets=pattern, sheet_column="name")
    assert form.sheet_groups() == ["year", "part"]
    assert form.sheet_columns() == ["name", "year", "part"]
    assert Format(type="xlsx", sheets=("(?<a>b)",)).sheet_groups() == [], "names, and no pattern"
    assert Format(type="xlsx").sheet_columns() == []


def test_the_last_row_that_names_columns() -> None:
    assert Format(type="csv").last_header_row() == 1
    assert Format(type="csv", header_row=3).last_header_row() == 3
    assert Format(type="csv", header_rows=(2, 5)).last_header_row() == 5


def test_a_column_of_fixed_width_is_one_of_its_fields() -> None:
    form = Format.model_validate({"type": "fixed_width", "fields": [{"name": "amount", "start": 5, "length": 3}]})
    assert form.fields[0].end == 7
    assert form.problems(["amount"]) == []
    assert form.problems(["amuont", "zz"]) == [
        "column 'amuont' is none of format.fields; did you mean 'amount'?", "column 'zz' is none of format.fields",
    ]  # fmt: skip
    assert Format(type="csv").problems(["anything"]) == []


@pytest.mark.parametrize(
    ("column", "is_inside"),
    [("Form.Head.@year", True), ("Form[].x", True), ("Formal.x", False), ("Form", False), ("x.Form.y", False)],
)
def test_a_column_of_xml_is_in_the_document(column: str, *, is_inside: bool) -> None:
    problems = Format(type="xml", rows="Form.Row").problems([column])
    assert problems == ([] if is_inside else [f"column {column!r} is not in the document <Form>"])
