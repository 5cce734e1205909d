from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.claims import VALUE
from schemas.contract import Format
from transforms.numbers import decimal_text, decimals_written, number, number_problem, without_noise

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


def test_columns_without_any_text_and_short_ones_stay_as_they_are() -> None:
    texts = {"a": [None, None], "b": ["0.30000000000000004", None], "c": ["1.5", ""]}
    frame = pl.DataFrame(texts, dict.fromkeys(texts, pl.String))
    cleaned = without_noise(frame, ["a", "b", "c", "b"], POINT)
    assert cleaned.to_dict(as_series=False) == {"a": [None, None], "b": ["0.3", None], "c": ["1.5", ""]}
    assert without_noise(frame.clear(), ["a"], POINT).equals(frame.clear())
    assert without_noise(frame, [], POINT).equals(frame)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.30000000000000004", "0.3"),  # 17 digits
        ("-0.30000000000000004", "-0.3"),
        ("0.300000000000000041", "0.300000000000000041"),  # 18 digits
        ("0.3000000000000004", "0.3"),  # 16 digits
        ("0.1234567890123456", "0.1234567890123456"),  # 15 of them are too many for a value
        ("1234567.0999999999", "1234567.1"),
        ("12345678901234.999", "12345678901234.999"),  # no more decimals than a value has
        ("0.123456789012345", "0.123456789012345"),  # 15 digits are no noise
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),  # more than a double prints
        ("3.0000000000000001", "3"),
        ("x0.30000000000000004", "x0.30000000000000004"),
    ],
)
def test_noise_is_what_a_binary_number_adds(text: str, expected: str) -> None:
    assert without_noise(pl.DataFrame({"a": [text]}), ["a"], POINT)["a"].to_list() == [expected]


@pytest.mark.parametrize(
    ("value", "text"),
    [("12.5", "12.5"), ("3", "3"), ("0", "0"), ("100", "100"), ("-0.000000001", "-0.000000001"), ("1230.10", "1230.1")],
)
def test_a_value_is_told_without_trailing_zeros(value: str, text: str) -> None:
    frame = pl.DataFrame({"v": [Decimal(value)]}, {"v": VALUE})
    assert frame.select(decimal_text(pl.col("v"))).item() == text
