"""Exact conversion of values from one unit of measure into another, with the accuracy that they have afterwards.

A value is multiplied by a fraction in whole numbers. Where the result has more than the nine decimals of a value
(100 minutes are 1.666... hours), it is rounded to them, half to even, and its accuracy says so.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, VALUE_SCALE
from schemas.concepts import Conversion

GREATEST: Final = 10 ** (VALUE_DIGITS + VALUE_SCALE) - 1
"""The greatest value, in steps of its last decimal."""
_PRODUCT: Final = 2**126
"""What a product stays below: it is computed in 128 bits."""


def convert_values(figure: pl.Expr, measure: pl.Expr, conversions: Mapping[str, Conversion]) -> pl.Expr:
    """Return each figure in the unit that its measure is converted into; null where it is too large for a value."""
    steps = figure.to_physical()
    result = steps
    for name, conversion in conversions.items():
        result = pl.when(measure == name).then(_multiplied(steps, conversion.times, conversion.by)).otherwise(result)
    return result.reinterpret(dtype=VALUE)


def converted_measures(measure: pl.Expr, conversions: Mapping[str, Conversion]) -> pl.Expr:
    """Return each measure after conversion."""
    units = {name: conversion.to for name, conversion in conversions.items()}
    return measure.replace(list(units), list(units.values()))


def converted_accuracy(
    decimals: pl.Expr, figure: pl.Expr, measure: pl.Expr, conversions: Mapping[str, Conversion]
) -> pl.Expr:
    """Return the accuracy of each converted figure: never finer than that of the figure, null for exact."""
    steps, result = figure.to_physical(), decimals
    for name, conversion in conversions.items():
        coarser = (decimals + decimals_shift(conversion.factor())).clip(upper_bound=VALUE_SCALE)
        if conversion.by != 1:
            by = pl.lit(conversion.by, dtype=pl.Int128)
            rounded = (_product(steps, conversion.times) % by != 0).fill_null(value=False)
            coarser = pl.when(rounded).then(pl.coalesce(coarser, VALUE_SCALE)).otherwise(coarser)
        result = pl.when(measure == name).then(coarser).otherwise(result)
    return result


def decimals_shift(factor: Fraction) -> int:
    """Return by how much decimals grow: the greatest s for which an interval of 10^-s is as wide as the factor."""
    shift = 0
    while Fraction(10) ** -shift < factor:
        shift -= 1
    while Fraction(10) ** -(shift + 1) >= factor:
        shift += 1
    return shift


def _multiplied(steps: pl.Expr, times: int, by: int) -> pl.Expr:
    """Return steps times a fraction, rounded half to even; null where the result, or the product, is too large."""
    product = _product(steps, times)
    if by != 1:
        divisor = pl.lit(by, dtype=pl.Int128)
        whole, rest = product // divisor, product % divisor
        up = (rest * 2 > divisor) | ((rest * 2 == divisor) & (whole % 2 != 0))
        product = whole + up.cast(pl.Int128)
    return pl.when(product.abs() <= pl.lit(GREATEST, dtype=pl.Int128)).then(product)


def _product(steps: pl.Expr, times: int) -> pl.Expr:
    fits = steps.abs() <= pl.lit(_PRODUCT // times, dtype=pl.Int128)
    return pl.when(fits).then(steps * pl.lit(times, dtype=pl.Int128))
