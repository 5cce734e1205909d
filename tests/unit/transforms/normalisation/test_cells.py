"""Texts to typed cells, function by function, and what a reject says of a cell that cannot be read."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import polars as pl
import pytest

from schemas.claims import VALUE
from schemas.contract import Contract, Take, read_contract
from tests.support.small_contracts import CONTRACT_HEAD
from transforms.normalisation.cells import (
    accuracy,
    instant_problems,
    read_cells,
    report_columns,
    scale_value,
    text_problems,
    unknown_code,
)
from transforms.normalisation.problems import Problem, find_rejects
from transforms.normalisation.texts.dates import DateForm, read_date, read_datetime, sound_date
from transforms.normalisation.texts.take_text import apply_map, mapped_text
from transforms.register.build import build_register
from transforms.rejects import CODES_SHOWN

UNITS: Final = pl.DataFrame(
    [("county", "11", "Rogaland", date(1900, 1, 1), None)],
    {"kind": pl.String, "code": pl.String, "name": pl.String, "valid_from": pl.Date, "valid_to": pl.Date},
    orient="row",
)
CHANGES: Final = pl.DataFrame(
    schema={
        "kind": pl.String,
        **{
            f"{side}_{field}": UNITS.schema[field]
            for side in ("old", "new")
            for field in ("code", "name", "valid_from", "valid_to")
        },
    }
)
CONTRACT: Final = (
    CONTRACT_HEAD
    + """sender: {allowed: any}
format: {type: csv, decimal: ","}
unit: {column: unit, kind: county}
period: {column: when, type: year}
repeat: error
claims:
  - {concept: places, column: n, reported_by: {option: sender}, unit_measure: {value: places}}
examples: [{name: none, given: ""}]
"""
)


def contract(*lines: str, **instead: str) -> Contract:
    """Return the contract with more lines, and other values of keys."""
    text = CONTRACT + "\n".join(lines)
    for key, value in instead.items():
        (old,) = [line for line in CONTRACT.splitlines() if line.startswith(f"{key}:")]
        text = text.replace(old, f"{key}: {value}")
    return read_contract(text)


def evaluated(expression: pl.Expr, *texts: str | None) -> list[Any]:
    return pl.DataFrame({"x": texts}, {"x": pl.String}).select(expression.alias("y"))["y"].to_list()


def rejects(problems: list[Problem], **columns: list[Any]) -> list[tuple[Any, ...]]:
    """Return row, reason, found, expected and hint of the rejects of a frame with these columns."""
    height = len(next(iter(columns.values())))
    frame = pl.DataFrame(
        {"submission_id": ["s"] * height, "row": pl.Series(range(2, 2 + height), dtype=pl.Int32), **columns}
    )
    return find_rejects(frame, problems).rejects.select("row", "reason", "found", "expected", "hint").rows()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31", date(2024, 1, 31)),
        ("2024-01-31 00:00:00", date(2024, 1, 31)),
        ("2024-01-31T00:00:00", date(2024, 1, 31)),
        ("2024-01-31 00:00:01", None),
        ("2024-02-30", None),
        ("1000-01-01", date(1000, 1, 1)),
        ("0999-12-31", None),
        ("2999-12-31", date(2999, 12, 31)),
        ("3000-01-01", None),
        ("", None),
    ],
)
def test_a_date_is_a_day_of_a_year_that_people_write(text: str, expected: date | None) -> None:
    assert evaluated(read_date(pl.col("x"), DateForm(None)), text) == [expected]
    assert evaluated(read_date(pl.col("x"), DateForm("%Y-%m-%d")), text) == [expected]


def test_a_date_in_another_form_has_no_time_of_day() -> None:
    form = read_date(pl.col("x"), DateForm("%d.%m.%Y"))
    assert evaluated(form, "31.01.2024", "31.01.2024 00:00:00", "2024-01-31") == [date(2024, 1, 31), None, None]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31T06:07:08", datetime(2024, 1, 31, 6, 7, 8)),
        ("2024-01-31 06:07:08", datetime(2024, 1, 31, 6, 7, 8)),
        ("2024-01-31T06:07:08.25", datetime(2024, 1, 31, 6, 7, 8, 250_000)),
        ("2024-01-31", None),
        ("0999-01-31T06:07:08", None),
    ],
)
def test_a_time_may_be_parted_from_its_date_by_a_blank(text: str, expected: datetime | None) -> None:
    assert evaluated(read_datetime(pl.col("x"), DateForm(None)), text) == [expected]


def test_a_year_of_other_than_four_digits_is_a_slip() -> None:
    dates = pl.DataFrame({"d": [date(999, 12, 31), date(1000, 1, 1), date(2999, 12, 31), date(3000, 1, 1)]})
    assert dates.select(sound_date(pl.col("d")))["d"].is_null().to_list() == [True, False, False, True]


GREATEST: Final = "9999999999999999999999999999.999999999"


@pytest.mark.parametrize(
    ("value", "times", "by", "expected"),
    [
        ("1.5", 1000, 1, "1500"),
        ("-1.5", 1000, 1, "-1500"),
        ("0.000000001", 1, 2, None),  # half of the last decimal
        ("0.000000002", 1, 2, "0.000000001"),
        ("3", 3, 2, "4.5"),
        (GREATEST, 1, 1, GREATEST),
        (f"-{GREATEST}", 1, 1, f"-{GREATEST}"),
        (GREATEST, 2, 1, None),
        (f"-{GREATEST}", 2, 1, None),
        ("4999999999999999999999999999.999999999", 2, 1, "9999999999999999999999999999.999999998"),
        ("5000000000000000000000000000", 2, 1, None),
    ],
)
def test_a_scale_is_exact_or_null(value: str, times: int, by: int, expected: str | None) -> None:
    frame = pl.DataFrame({"v": [Decimal(value)]}, {"v": VALUE})
    assert frame.select(scale_value(pl.col("v"), times, by)).item() == (expected and Decimal(expected))


def test_an_accuracy_is_a_whole_number_that_fits() -> None:
    texts = ("2", "-3", "32767", "32768", "1.5", "exact", "")
    assert evaluated(accuracy(pl.col("x")), *texts) == [2, -3, 32767, None, None, None, None]


def test_a_map_knows_cleaned_codes_and_nothing_else() -> None:
    take = Take(column="x", map={" m\u00a0l": "men ", "k": "women"})
    assert evaluated(apply_map(pl.col("x"), take), "m l", "k", "x", None) == ["men", "women", None, None]
    assert evaluated(mapped_text(take), "k") == ["women"]
    assert evaluated(apply_map(pl.col("x"), Take(column="x")), "m l", "x") == ["m l", "x"]
    assert evaluated(mapped_text(Take(value=" a\u00a0b ")), "m") == ["a b"]


@pytest.mark.parametrize("option", ["sender", "period"])
def test_an_option_is_a_text_of_its_own(option: str) -> None:
    frame = pl.DataFrame({"sender": ["s"], "option_period": ["p"]})
    assert frame.select(mapped_text(Take(option=option)).alias("y")).item() == option[0]


@pytest.mark.parametrize("count", [1, CODES_SHOWN, CODES_SHOWN + 1])
def test_an_unknown_code_is_told_with_the_codes_that_fit_a_line(count: int) -> None:
    codes = [f"c{n:02}" for n in range(count)]
    shown = "one of " + ", ".join(codes[:CODES_SHOWN]) + (" …" if count > CODES_SHOWN else "")
    found = rejects([unknown_code(pl.col("x"), "x", codes)], x=["c00", "?", ""])
    assert found == [(3, "unknown-code", "?", shown, "use a known code, or add this one to the contract's map")]


@pytest.mark.parametrize(
    ("take", "optional", "expected"),
    [
        (Take(column="x"), False, [(3, "missing-value")]),
        (Take(column="x"), True, []),
        (Take(column="x", map={"a": "A"}), False, [(3, "missing-value"), (4, "unknown-code")]),
        (Take(column="x", map={"a": "A"}), True, [(4, "unknown-code")]),
        (Take(column="x", map={"a": "A", "": "none"}), False, [(4, "unknown-code")]),
        (Take(value="x"), False, []),
    ],
)
def test_a_text_is_missing_or_unknown(take: Take, optional: bool, expected: list[tuple[int, str]]) -> None:
    assert [one[:2] for one in rejects(text_problems(take, optional=optional), x=["a", "", "b"])] == expected


def test_a_row_is_ignored_if_its_one_figure_is_stated_to_be_missing() -> None:
    marked = read_contract(CONTRACT.replace("column: n,", "column: n, missing_values: ['..'],"))
    read, said = cells(marked, ("11", "2024", ".."), ("11", "2024", "1"))
    assert (read["_ignored"].to_list(), said) == ([True, False], [])


def test_a_version_is_an_integer_within_its_limit_or_a_time() -> None:
    whole = contract("report_version: {column: unit, type: integer, max: 100}")
    texts = ["7", "-100", "100", "101", "-101", "1e3", "1.0", ""]
    frame = pl.DataFrame({"unit": texts})
    assert frame.select(report_columns(whole))["_version"].to_list() == [7, -100, 100, None, None, None, None, None]
    expected, hint = "a whole number of at most 100", "correct it, or state the limit as `max`"
    assert rejects(instant_problems(whole), unit=texts) == [
        (5, "out-of-range", "101", expected, hint), (6, "out-of-range", "-101", expected, hint),
        (7, "not-a-number", "1e3", expected, hint), (8, "not-a-number", "1.0", expected, hint),
    ]  # fmt: skip
    timed = contract("report_version: {column: unit, type: datetime}")
    times = pl.DataFrame({"unit": ["2024-01-31T06:07:08", "x", ""]})
    assert times.select(report_columns(timed))["_version"].is_null().to_list() == [False, True, True]
    (found,) = rejects(instant_problems(timed), unit=times["unit"].to_list())
    assert found == (3, "not-a-date", "x", "a date and time (as 2024-12-31T23:59:59), 1000 to 2999", "correct it")
    plain = times.select(report_columns(contract())).row(0, named=True)
    assert plain == {"_version": None, "_reported_at": None, "_action": "append"}


def cells(given: Contract, *rows: tuple[str, str, str]) -> tuple[pl.DataFrame, list[tuple[Any, ...]]]:
    """Return the cells of rows (unit, when, n) of a contract, and what their rejects say."""
    frame = pl.DataFrame(rows, ["unit", "when", "n"], orient="row").with_columns(
        submission_id=pl.lit("s"), row=pl.int_range(2, 2 + len(rows), dtype=pl.Int32), sender=pl.lit("me"),
        option_period=pl.lit(None, pl.String),
    )  # fmt: skip
    read, problems = read_cells(frame, given, build_register(UNITS, CHANGES))
    return read.sort("row"), find_rejects(read, problems).rejects.select(
        "row", "reason", "found", "expected", "hint"
    ).rows()


@pytest.mark.parametrize(
    ("period", "text", "start", "end"),
    [
        ("year", "2024", date(2024, 1, 1), date(2025, 1, 1)),
        ("year", "24", None, None),
        ("year", "0000", None, None),
        ("year", "2024-01", None, None),
        ("quarter", "2024-Q1", date(2024, 1, 1), date(2024, 4, 1)),
        ("quarter", "2024k4", date(2024, 10, 1), date(2025, 1, 1)),
        ("quarter", "2024Q5", None, None),
        ("month", "2024-02", date(2024, 2, 1), date(2024, 3, 1)),
        ("month", "2024-13", None, None),
        ("month", "9999-12", None, None),
        ("day", "2024-02-29", date(2024, 2, 29), date(2024, 3, 1)),
        ("day", "2023-02-29", None, None),
    ],
)
def test_a_period_is_its_first_day_and_the_day_after_it(
    period: str, text: str, start: date | None, end: date | None
) -> None:
    read, said = cells(contract(period=f"{{column: when, type: {period}}}"), ("11", text, "1"))
    assert read.select("_start", "_end").row(0) == (start, end)
    assert [one[:3] for one in said] == ([] if start else [(2, "not-a-date", text)])


def test_a_reject_says_what_was_expected_and_what_to_do() -> None:
    _, said = cells(contract(), ("11", "x", "1"), ("99", "2024", "1"), ("11", "2024", "1.5"), ("", "", ""))
    unit = (
        "a unit of the register: county by code",
        "no unit is written nearly so: correct the code or name, or the register",
    )
    number = ("a number with at most 28 digits and 9 decimals, decimal mark ','", "correct the number")
    dated = ("a year (YYYY), 1000 to 2999", "write the period as the contract declares it")
    assert said == [
        (2, "not-a-date", "x", *dated),
        (3, "unknown-unit", "99", *unit),
        (4, "not-a-number", "1.5", *number),
        (5, "missing-value", "", "a number", "give the number, or leave the row out"),
        (5, "missing-value", "", "a text", "fill in the cell and deliver again"),
        (5, "missing-value", "", "a text", "fill in the cell and deliver again"),
    ]  # fmt: skip


def test_a_span_runs_from_one_period_to_the_end_of_another_and_never_backwards() -> None:
    spans = contract(period="{column: when, type: month, until: {column: n}}")
    read, said = cells(spans, ("11", "2024-01", "2024-03"), ("11", "2024-03", "2024-03"), ("11", "2024-04", "2024-03"))
    assert read.select("_start", "_end").rows() == [
        (date(2024, 1, 1), date(2024, 4, 1)), (date(2024, 3, 1), date(2024, 4, 1)), (None, None),
    ]  # fmt: skip
    assert [one[:3] for one in said if one[1] == "not-a-date"] == [(4, "not-a-date", "2024-04 … 2024-03")]


def test_the_cell_as_delivered_is_kept_beside_its_value() -> None:
    read, _ = cells(contract(), ("\u00a011 ", "2024", " 1\u00a0234,50"))
    row = read.row(0, named=True)
    assert (row["unit"], row["_unit_name"], row["_original_0"]) == ("11", "Rogaland", " 1\u00a0234,50")
    assert row["_ignored"] is False
