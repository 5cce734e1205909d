"""Conversion is exact: a fraction in whole numbers, the way back gives the value, and the accuracy never grows."""

from decimal import Decimal
from fractions import Fraction

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.claims import VALUE, VALUE_SCALE
from schemas.concepts import Conversion, load_vocabulary
from transforms.conversions import convert_values, converted_accuracy

VOCABULARY = load_vocabulary()
BASES = sorted({measure.of for measure in VOCABULARY.measures.values() if measure.of is not None})
PAIRS = [
    (one, two)
    for base in BASES
    for one in (base, *(name for name, measure in VOCABULARY.measures.items() if measure.of == base))
    for two in (base, *(name for name, measure in VOCABULARY.measures.items() if measure.of == base))
    if one != two
]
HALF = Fraction(1, 2 * 10**VALUE_SCALE)
VALUES = st.decimals(min_value=-(10**12), max_value=10**12, places=VALUE_SCALE, allow_nan=False)


def conversion(one: str, two: str) -> Conversion:
    factor = VOCABULARY.measures[one].factor() / VOCABULARY.measures[two].factor()
    return Conversion(to=two, times=factor.numerator, by=factor.denominator)


def convert(value: Decimal, by: Conversion, decimals: int | None = None) -> tuple[Fraction | None, int | None]:
    rows = pl.DataFrame(
        {"value": [value], "decimals": [decimals], "measure": ["m"]},
        schema={"value": VALUE, "decimals": pl.Int16, "measure": pl.String},
    )
    figure, measure = pl.col("value"), pl.col("measure")
    found, accuracy = rows.select(
        convert_values(figure, measure, {"m": by}).alias("value"),
        converted_accuracy(pl.col("decimals"), figure, measure, {"m": by}),
    ).row(0)
    return None if found is None else Fraction(found), accuracy


@given(VALUES, st.sampled_from(PAIRS))
def test_the_result_is_the_fraction_or_the_nearest_value(value: Decimal, pair: tuple[str, str]) -> None:
    by = conversion(*pair)
    found, accuracy = convert(value, by)
    exact = Fraction(value) * by.factor()
    assert found is not None
    assert found == exact if accuracy is None else abs(found - exact) <= HALF


@given(VALUES, st.sampled_from(PAIRS))
def test_the_way_back_gives_the_value_where_nothing_was_rounded(value: Decimal, pair: tuple[str, str]) -> None:
    there, accuracy = convert(value, conversion(*pair))
    assert there is not None
    if accuracy is None:
        text = Decimal(there.numerator) / Decimal(there.denominator)
        assert convert(text, conversion(pair[1], pair[0])) == (Fraction(value), None)


@given(VALUES, st.sampled_from(PAIRS), st.integers(-6, 9))
def test_the_interval_after_conversion_holds_the_one_before(
    value: Decimal, pair: tuple[str, str], decimals: int
) -> None:
    by = conversion(*pair)
    found, accuracy = convert(value, by, decimals)
    assert found is not None
    assert accuracy is not None
    exact, half = Fraction(value) * by.factor(), Fraction(10) ** -decimals / 2 * by.factor()
    reach = Fraction(10) ** -accuracy / 2 + HALF
    assert found - reach <= exact - half
    assert exact + half <= found + reach
