from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contract import Format
from transforms.numbers import decimals_written, number, number_problem

POINT = Format(type="csv")
COMMA = Format(type="csv", decimal=",", thousands=" ")
GERMAN = Format(type="csv", decimal=",", thousands=".")
SWISS = Format(type="csv", decimal=".", thousands="'")


def read(text: str | None, fmt: Format) -> tuple[Decimal | None, str | None, int | None]:
    cell = pl.col("text")
    row = pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(
        value=number(cell, fmt), problem=number_problem(cell, fmt), places=decimals_written(cell, fmt)
    )
    assert row.schema == {"value": pl.Decimal(38, 9), "problem": pl.String, "places": pl.Int16}
    return row.row(0)


@pytest.mark.parametrize(
    ("text", "fmt", "value", "places"),
    [
        ("1234", POINT, "1234", 0),
        ("0012", POINT, "12", 0),
        ("0" * 40 + "7", POINT, "7", 0),
        ("+1.50", POINT, "1.5", 2),
        ("-0", POINT, "0", 0),
        ("\u22121.5", POINT, "-1.5", 1),
        ("1,5", COMMA, "1.5", 1),
        ("1 234 567,89", COMMA, "1234567.89", 2),
        ("1\u00a0234", COMMA, "1234", 0),
        ("1\u202f234\u2009567", COMMA, "1234567", 0),
        ("\u22121\u00a0234,5", COMMA, "-1234.5", 1),
        ("1234567,89", COMMA, "1234567.89", 2),
        ("1.234.567,89", GERMAN, "1234567.89", 2),
        ("1'234.5", SWISS, "1234.5", 1),
        ("\u00a0\u202f\u2009\t 12 \r\n\u00a0", POINT, "12", 0),
        ("9" * 28 + "." + "9" * 9, POINT, "9" * 28 + "." + "9" * 9, 9),
        ("-" + "9" * 28 + "." + "9" * 9, POINT, "-" + "9" * 28 + "." + "9" * 9, 9),
        ("1" + " 000" * 9, COMMA, "1" + "000" * 9, 0),
        ("1234567890123456789,01", COMMA, "1234567890123456789.01", 2),
    ],
)
def test_reads_what_is_declared(text: str, fmt: Format, value: str, places: int) -> None:
    assert read(text, fmt) == (Decimal(value), None, places)


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        *((text, POINT) for text in ("", " ", "-", "+", ".", "NaN", "nan", "inf", "-Infinity", "1e3", "1E400", "0x1")),
        *((text, POINT) for text in ("--1", "+-1", "1-", "1.", ".5", "1.2.3", "1,2,3", "1,5", "1 234", "1_000")),
        *((text, POINT) for text in ("\u0661\u0662", "\uff11", "12 NOK", "1\n2", "1\x00")),
        *((text, COMMA) for text in ("1.5", "1 23", "12 34", "1234 567", "1  234", "1 234 56", "1,234 567", " 123 4")),
        *((text, GERMAN) for text in ("1.5", "1.23", "1,234.5", "1 234")),
        ("9," * 40_000, COMMA),
    ],
)
def test_anything_else_is_no_number(text: str, fmt: Format) -> None:
    assert read(text, fmt) == (None, "not-a-number", None)


@pytest.mark.parametrize(
    ("text", "fmt"),
    [
        ("1" * 29, POINT),
        ("1.0123456789", POINT),
        ("12" + " 000" * 9, COMMA),
        ("1" + " 000" * 10, COMMA),
        ("1" * 40_000, POINT),
        ("0." + "1" * 40_000, POINT),
    ],
)
def test_more_digits_than_a_value_holds_are_out_of_range_and_never_rounded(text: str, fmt: Format) -> None:
    assert read(text, fmt) == (None, "out-of-range", None)


def test_null_is_neither_a_number_nor_a_problem() -> None:
    assert read(None, POINT) == (None, None, None)


def test_a_tenth_and_two_tenths_are_three_tenths() -> None:
    total = pl.DataFrame({"text": ["0,1", "0,2"]}).select(number(pl.col("text"), COMMA).sum()).item()
    assert total == Decimal("0.3")


def grouped(digits: str, separator: str) -> str:
    head = len(digits) % 3 or 3
    return separator.join([digits[:head], *(digits[i : i + 3] for i in range(head, len(digits), 3))])


@given(
    sign=st.sampled_from(["", "+", "-", "\u2212"]),
    digits=st.from_regex(r"[0-9]{1,28}", fullmatch=True),
    places=st.from_regex(r"[0-9]{0,9}", fullmatch=True),
    fmt=st.sampled_from([POINT, COMMA, GERMAN, SWISS]),
    group=st.booleans(),
)
def test_equals_python_decimals(sign: str, digits: str, places: str, fmt: Format, *, group: bool) -> None:
    head = grouped(digits, fmt.thousands) if group and fmt.thousands else digits
    text = sign + head + (fmt.decimal + places if places else "")
    expected = Decimal(sign.replace("\u2212", "-") + digits + "." + places)
    assert read(text, fmt) == (expected, None, len(places))


@given(text=st.text(alphabet="0123456789+-\u2212.,' \u00a0eEn\u0661", max_size=12))
def test_never_reads_what_python_does_not(text: str) -> None:
    value, problem, _ = read(text, POINT)
    assert (value is None) == (problem is not None)
    if value is not None:
        assert value == Decimal(text.strip().replace("\u2212", "-"))
