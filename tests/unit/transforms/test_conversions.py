"""Conversions between measures: exact in whole numbers, rounded only where nine decimals do not suffice."""

from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest

from schemas.claims import VALUE
from schemas.concepts import Conversion
from transforms.conversions import convert_values, converted_accuracy, converted_measures, decimals_shift

HOURS = {"minutes": Conversion(to="hours", by=60), "days": Conversion(to="hours", times=24)}


def converted(value: str, measure: str, decimals: int | None = None) -> tuple[Decimal | None, int | None, str]:
    rows = pl.DataFrame(
        {"value": [Decimal(value)], "measure": [measure], "decimals": [decimals]},
        schema={"value": VALUE, "measure": pl.String, "decimals": pl.Int16},
    )
    value_of, measure_of, decimals_of = pl.col("value"), pl.col("measure"), pl.col("decimals")
    found = rows.select(
        convert_values(value_of, measure_of, HOURS).alias("value"),
        converted_accuracy(decimals_of, value_of, measure_of, HOURS).alias("decimals"),
        converted_measures(measure_of, HOURS).alias("measure"),
    )
    assert found.schema["value"] == VALUE
    row = found.row(0)
    return row[0], row[1], row[2]


@pytest.mark.parametrize(
    ("value", "measure", "decimals", "expected"),
    [
        ("90", "minutes", None, ("1.5", None)),
        ("90", "minutes", 0, ("1.5", 1)),
        ("2", "days", None, ("48", None)),
        ("2.5", "days", 1, ("60", -1)),
        ("7", "hours", 0, ("7", 0)),
        ("0", "minutes", None, ("0", None)),
        ("-90", "minutes", None, ("-1.5", None)),
        ("100", "minutes", None, ("1.666666667", 9)),
        ("-100", "minutes", None, ("-1.666666667", 9)),
        ("100", "minutes", 0, ("1.666666667", 1)),
        ("0.00000003", "minutes", None, ("0", 9)),
        ("0.00000009", "minutes", None, ("0.000000002", 9)),
        ("90", "minutes", 9, ("1.5", 9)),
    ],
)
def test_a_value_is_converted_with_its_accuracy(
    value: str, measure: str, decimals: int | None, expected: tuple[str, int | None]
) -> None:
    assert converted(value, measure, decimals) == (Decimal(expected[0]), expected[1], "hours")


def test_a_value_that_is_too_large_is_none() -> None:
    assert converted("9" * 28, "days")[0] is None
    assert converted("9" * 27 + "0", "minutes")[0] == Decimal("9" * 27 + "0") / 60
    assert converted("4" + "0" * 26, "days")[0] == Decimal("96" + "0" * 26)


def test_the_largest_fraction_that_can_be_declared_gives_a_value_or_none() -> None:
    huge = Conversion(to="x", times=10**36 - 1, by=10**18 - 3)
    rows = pl.DataFrame({"value": [Decimal(1), Decimal(0)]}, schema={"value": VALUE})
    found = rows.select(
        convert_values(pl.col("value"), pl.lit("m"), {"m": huge}),
        converted_accuracy(pl.lit(None, pl.Int16), pl.col("value"), pl.lit("m"), {"m": huge}).alias("decimals"),
    )
    assert found.rows() == [(None, None), (Decimal(0), None)]


@pytest.mark.parametrize(
    ("factor", "shift"),
    [(Fraction(1), 0), (Fraction(1000), -3), (Fraction(1, 1000), 3), (Fraction(60), -2), (Fraction(1, 60), 1),
     (Fraction(5, 18), 0), (Fraction(24), -2)],
)  # fmt: skip
def test_the_decimals_of_a_factor_never_claim_more_than_is_known(factor: Fraction, shift: int) -> None:
    assert decimals_shift(factor) == shift
