"""Real numbers as texts: no exponent, no marks of their own, and no more digits than a double has."""

import polars as pl
import pytest

from schemas.contract import Format
from transforms.parsing.real_numbers import float_texts, plain_number

POINT, COMMA = Format(type="csv"), Format(type="csv", decimal=",")


@pytest.mark.parametrize(
    ("text", "point", "comma"),
    [
        ("12", "12", "12"), ("1.5", "1.5", "1,5"), ("-0.25", "-0.25", "-0,25"), ("1e3", "1000", "1000"),
        ("1E3", "1000", "1000"), ("1.5e-3", "0.0015", "0,0015"), ("-2E+2", "-200", "-200"),
        ("1e100", "1" + "0" * 100, "1" + "0" * 100), ("1e101", "1e101", "1e101"), ("1.5e101", "1.5e101", "1,5e101"),
        ("1e-100", "0." + "0" * 99 + "1", "0," + "0" * 99 + "1"), ("1e-101", "1e-101", "1e-101"),
        # the digits after the mark count too: 100 of them at most
        ("1.5e-99", "0." + "0" * 98 + "15", "0," + "0" * 98 + "15"), ("1.5e-100", "1.5e-100", "1,5e-100"),
        ("1e9999999999999999999", "1e9999999999999999999", "1e9999999999999999999"),
        ("1.5E-99999999999999999999", "1.5E-99999999999999999999", "1,5E-99999999999999999999"),
        ("Infinity", "Infinity", "Infinity"), ("NaN", "NaN", "NaN"),
    ],
)  # fmt: skip
def test_a_number_is_written_without_exponent_and_with_the_decimal_mark(text: str, point: str, comma: str) -> None:
    assert (plain_number(text, POINT), plain_number(text, COMMA)) == (point, comma)


@pytest.mark.parametrize(
    ("number", "point", "comma"),
    [
        (1.0, "1", "1"), (1.5, "1.5", "1,5"), (0.1 + 0.2, "0.3", "0,3"), (-1234567.25, "-1234567.25", "-1234567,25"),
        (1e16, "10000000000000000", "10000000000000000"), (1e-7, "0.0000001", "0,0000001"), (0.0, "0", "0"),
        (123456789012345.6, "123456789012346", "123456789012346"), (None, None, None),
        (1e20, "1" + "0" * 20, "1" + "0" * 20),
    ],
)  # fmt: skip
def test_a_float_has_fifteen_digits_and_no_end_of_zeros(
    number: float | None, point: str | None, comma: str | None
) -> None:
    numbers = pl.Series("n", [number, 2.0], dtype=pl.Float64)
    assert float_texts(numbers, POINT).to_list() == [point, "2"]
    assert float_texts(numbers, COMMA).to_list() == [comma, "2"]


def test_floats_of_one_column_are_read_each_by_itself() -> None:
    numbers = pl.Series("n", [1e16, 1e-7, 1e16, 5.0, None])
    assert float_texts(numbers, POINT).to_list() == ["1" + "0" * 16, "0.0000001", "1" + "0" * 16, "5", None]
    assert float_texts(numbers.clear(), COMMA).to_list() == []
