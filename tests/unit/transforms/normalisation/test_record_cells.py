"""The typed fields of records: each type of value, and which problem a text that cannot be read has."""

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from schemas.contract import Contract
from schemas.kind import Kind
from transforms.normalisation.problems import Problem
from transforms.normalisation.record_cells import read_record_cells

TITLE = {"nb": "U", "nn": "U", "en": "M"}
Found = tuple[list[Any], list[tuple[int, str, str]]]


def cells(
    take: dict[str, Any],
    field_type: str,
    rows: list[dict[str, str]],
    *,
    role: str = "attribute",
    **contract: Any,
) -> tuple[pl.DataFrame, list[Problem]]:
    kind = Kind.model_validate(
        {
            "kind": "mishap", "version": 1, "title": TITLE, "one_report_per_item": True,
            "fields": {"f": {"type": field_type, "role": role, "doc": "x"}}, "thresholds": {"review": 0.5},
        }
    )  # fmt: skip
    declared = Contract.model_validate(
        {
            "contract": "form", "version": 1, "obligation": "form", "title": TITLE, "agency": "A", "legal_basis": "B",
            "rhythm": "once", "hours_per_report": None, "sender": {"allowed": "any"},
            "format": {"type": "csv", **contract.pop("form", {})},
            "record": {"kind": "mishap", "report_key": ["id"], "fields": {"f": take}},
            "examples": [{"name": "none", "given": ""}], **contract,
        }
    )  # fmt: skip
    record = declared.record
    assert record is not None
    batch = pl.DataFrame(
        [{"submission_id": "s", "row": n, "sender": "x", "received_at": dt.datetime(2024, 1, 1), "id": str(n), **row}
         for n, row in enumerate(rows, start=2)],
    ).with_columns(pl.lit(None, pl.String).alias("option_period"))  # fmt: skip
    return read_record_cells(batch, declared, record, kind)


def read(take: dict[str, Any], field_type: str, *texts: str, **options: Any) -> Found:
    """Return the values of a field read from column `c`, and its problems: row, reason, severity."""
    return read_rows({"column": "c", **take}, field_type, [{"c": text} for text in texts], **options)


def read_rows(take: dict[str, Any], field_type: str, rows: list[dict[str, str]], **options: Any) -> Found:
    frame, rejects = listed(take, field_type, rows, **options)
    return frame["_field_f"].to_list(), rejects.select("row", "reason", "severity").rows()


def listed(
    take: dict[str, Any],
    field_type: str,
    rows: list[dict[str, str]],
    **options: Any,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the cells frame, and the rejects of all problems, by row."""
    frame, problems = cells(take, field_type, rows, **options)
    rejects = [frame.filter(problem.bad).select(problem.reject_columns()) for problem in problems]
    return frame, pl.concat(rejects).sort("row", maintain_order=True)


BAD = "critical"


@pytest.mark.parametrize("field_type", ["text", "code"])
def test_a_text_is_cleaned_and_an_empty_one_is_null(field_type: str) -> None:
    assert read({}, field_type, " Ås\u00a0by ", "", " ", "Ukjent") == (["Ås by", None, None, "Ukjent"], [])


def test_a_placeholder_as_an_identity_is_empty_with_a_warning() -> None:
    values, problems = read({}, "code", "17", "Ukjent", "-", "", role="identity")
    assert values == ["17", None, None, None]
    assert problems == [(3, "placeholder", "warning"), (4, "placeholder", "warning")]


def test_missing_values_are_empty_cells() -> None:
    take = {"missing_values": ["?", "i. o."], "required": True}
    values, problems = read(take, "text", "?", "i.\u00a0o.", "a?", "")
    assert values == [None, None, "a?", None]
    assert problems == [(row, "missing-value", BAD) for row in (2, 3, 5)]


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("12", 12, None), ("-3", -3, None), ("7.0", 7, None), ("", None, None), ("1.5", None, "not-a-number"),
        ("x", None, "not-a-number"), ("9223372036854775807", 2**63 - 1, None),
        ("9223372036854775808", None, "out-of-range"), ("1e3", None, "not-a-number"),
    ],
)  # fmt: skip
def test_integers(text: str, value: int | None, reason: str | None) -> None:
    assert read({}, "integer", text) == ([value], [(2, reason, BAD)] if reason else [])


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("1 234,5", "1234.5", None), ("0,123456789", "0.123456789", None), ("0,1234567891", None, "out-of-range"),
        ("9" * 28, "9" * 28, None), ("9" * 29, None, "out-of-range"), ("1.5", None, "not-a-number"),
        ("nan", None, "not-a-number"), ("", None, None),
    ],
)  # fmt: skip
def test_numbers_in_the_contracts_notation(text: str, value: str | None, reason: str | None) -> None:
    values, problems = read({}, "number", text, form={"decimal": ",", "thousands": " "})
    assert values == [None if value is None else Decimal(value)]
    assert problems == ([(2, reason, BAD)] if reason else [])


def test_a_number_that_is_rounded_may_have_more_decimals() -> None:
    values, problems = read({"decimals": 2}, "number", "0.1234567891234", "2.345", "-0.004", "1.0049999999999")
    assert values == [Decimal("0.12"), Decimal("2.34"), Decimal("0.00"), Decimal("1.00")]
    assert problems == []


@pytest.mark.parametrize(
    ("decimals", "text", "expected"),
    [
        (0, "0.5", "0"), (0, "0.50000000000000000001", "1"), (0, "1.5000000000", "2"), (2, "-0.0050000000001", "-0.01"),
        (8, "0.0000000050", "0"), (8, "0.0000000050001", "0.00000001"), (8, "0.00000000499999", "0"),
    ],
)  # fmt: skip
def test_a_number_is_rounded_by_all_its_decimals(decimals: int, text: str, expected: str) -> None:
    assert read({"decimals": decimals}, "number", text) == ([Decimal(expected)], [])


def test_a_time_of_a_zone_is_stored_in_utc() -> None:
    texts = ("2024-01-31T08:20:00", "2024-07-31T08:20:00", "2024-03-31T02:30:00")
    values, problems = read({"time_zone": "Europe/Oslo"}, "datetime", *texts)
    assert values == [dt.datetime(2024, 1, 31, 7, 20), dt.datetime(2024, 7, 31, 6, 20), None]
    assert [reason for _, reason, _ in problems] == ["not-a-date"], "an hour that the clock skips"


def test_a_scaled_number() -> None:
    values, problems = read({"scale": 1000}, "number", "1.5", "9" * 28)
    assert values == [Decimal(1500), None]
    assert problems == [(3, "out-of-range", BAD)]
    assert read({"scale": "0.5"}, "integer", "4", "3") == ([2, None], [(3, "out-of-range", BAD)])


def test_truth_values() -> None:
    values, problems = read({}, "boolean", "true", "false", "", "yes", "True")
    assert values == [True, False, None, None, None]
    assert problems == [(5, "unknown-code", BAD), (6, "unknown-code", BAD)]
    take = {"map": {"ja": "true", "nei": "false"}}
    assert read(take, "boolean", "ja", "nei", "", "true") == ([True, False, None, None], [(5, "unknown-code", BAD)])


def test_dates_and_times() -> None:
    values, problems = read({}, "date", "2024-02-29", "2023-02-29", "")
    assert (values, problems) == ([dt.date(2024, 2, 29), None, None], [(3, "not-a-date", BAD)])
    values, problems = read({"format": "%d.%m.%y %H:%M", "century": 1930}, "datetime", "1.2.29 03:04", "1.2.2029 03:04")
    assert (values, problems) == ([dt.datetime(2029, 2, 1, 3, 4), None], [(3, "not-a-date", BAD)])


@pytest.mark.parametrize(
    ("field_type", "take", "text", "expected"),
    [
        ("integer", {}, "x", "a whole number"),
        ("number", {}, "x", "a number with at most 28 digits and 9 decimals, decimal mark '.'"),
        ("boolean", {}, "x", "true or false"),
        ("date", {}, "x", "a date (%Y-%m-%d), 1000 to 2999"),
        ("date", {"format": "%d%m%y", "century": 1930}, "x", "a date (%d%m%y), 1930 to 2029"),
        ("datetime", {}, "x", "a date and time (as 2024-12-31T23:59:59), 1000 to 2999"),
        ("datetime", {"format": "%Y %H:%M"}, "x", "a date and time (%Y %H:%M), 1000 to 2999"),
    ],
)
def test_a_reject_says_what_was_expected(field_type: str, take: dict[str, Any], text: str, expected: str) -> None:
    _, rejects = listed({"column": "c", **take}, field_type, [{"c": text}])
    assert rejects.select("column", "found", "expected", "hint").rows() == [
        ("c", text, expected, "correct the cell and deliver again")
    ]


@pytest.mark.parametrize(("unreadable", "problems"), [("warn", [(2, "not-a-date", "warning")]), ("empty", [])])
def test_a_value_that_cannot_be_read_may_be_left_empty(unreadable: str, problems: list[Any]) -> None:
    assert read({"unreadable": unreadable}, "date", "soon", "2024-01-01") == ([None, dt.date(2024, 1, 1)], problems)


def test_a_code_that_is_not_in_the_map() -> None:
    values, problems = read({"map": {"a": "A"}}, "code", "a", "b", "")
    assert (values, problems) == (["A", None, None], [(3, "unknown-code", BAD)])
    values, problems = read({"map": {"1": "7"}}, "integer", "1", "2")
    assert (values, problems) == ([7, None], [(3, "unknown-code", BAD)])


def test_a_list_is_distinct_and_sorted() -> None:
    values, problems = read({"separator": ";"}, "list", "b; a;b;", "", ";", "c")
    assert (values, problems) == ([["a", "b"], None, None, ["c"]], [])
    assert read({}, "list", "b;a", "")[0] == [["b;a"], None]


def test_the_elements_of_a_list_are_mapped_one_by_one() -> None:
    values, problems = read({"separator": ",", "map": {"a": "A", "b": "B"}}, "list", "b, a", "a,x", "", "a,,b")
    assert values[0] == values[3] == ["A", "B"]
    assert problems == [(3, "unknown-code", BAD)]


def test_several_cells_are_elements_of_a_list_or_a_text() -> None:
    rows = [{"c": "b", "d": "a"}, {"c": "", "d": "a"}, {"c": "", "d": ""}]
    assert read_rows({"columns": ["c", "d"]}, "list", rows) == ([["a", "b"], ["a"], None], [])
    assert read_rows({"columns": ["c", "d"]}, "text", rows) == (["b a", "a", None], [])


def test_a_date_of_several_cells_is_empty_if_any_of_them_is() -> None:
    rows = [{"c": "2024", "d": "5"}, {"c": "2024", "d": ""}, {"c": "", "d": ""}, {"c": "2024", "d": "13"}]
    values, problems = read_rows(
        {"columns": ["c", "d"], "format": "%Y %m %d"}, "date", [{**r, "d": r["d"]} for r in rows]
    )
    assert values == [None] * 4
    rows = [{"c": row["c"], "d": row["d"] and f"{row['d']}-1"} for row in rows]
    values, problems = read_rows({"columns": ["c", "d"], "format": "%Y %m-%d"}, "date", rows)
    assert values == [dt.date(2024, 5, 1), None, None, None]
    assert problems == [(5, "not-a-date", BAD)]


def test_flags_add_their_elements() -> None:
    rows = [{"c": "ja", "d": "ja"}, {"c": "nei", "d": "ja"}, {"c": "", "d": ""}, {"c": "kanskje", "d": "ja"}]
    take = {"flags": {"c": "Fire", "d": "Flood"}, "map": {"ja": "true", "nei": "false"}}
    frame, rejects = listed(take, "list", rows)
    assert frame["_field_f"].to_list()[:3] == [["Fire", "Flood"], ["Flood"], None]
    assert rejects.select("row", "column", "reason", "found").rows() == [(5, "c", "unknown-code", "kanskje")]


def test_each_part_of_the_key_is_needed() -> None:
    _, rejects = listed(
        {"column": "c"}, "text", [{"id": "7", "c": "x"}, {"id": "", "c": "x"}, {"id": "Ukjent", "c": "x"}]
    )
    assert rejects.select("row", "column", "reason", "severity", "expected").rows() == [
        (3, "id", "missing-value", BAD, "the report's key"),
        (4, "id", "placeholder", BAD, "the report's own key"),
    ]


def test_rows_to_ignore_are_marked() -> None:
    ignore = [{"column": "c", "values": ["SUM"], "why": "a sum"}]
    frame, _ = listed({"column": "c"}, "text", [{"c": " SUM "}, {"c": "SUMS"}], ignore_rows=ignore)
    assert frame["_ignored"].to_list() == [True, False]
    assert frame["_action"].to_list() == ["append", "append"]


def test_the_text_as_delivered_is_kept_before_it_is_mapped() -> None:
    frame, _ = listed({"column": "c", "map": {"a": "A"}}, "code", [{"c": " a "}, {"c": ""}])
    assert frame["_text_f"].to_list() == ["a", ""]
    frame, _ = listed({"value": "A"}, "code", [{}])
    assert (frame["_text_f"].to_list(), frame["_field_f"].to_list()) == (["A"], ["A"])
