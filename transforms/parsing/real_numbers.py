"""Real numbers to text: numbers of JSON, XLSX and Parquet in the notation that the contract declares for texts.

A number has no marks of its own: 1.234 is one and a bit, whatever the contract's decimal and thousands marks are. So a
reader writes it with the contract's decimal mark, without thousands marks and without an exponent, and every later step
reads it as it reads a text.
"""

from decimal import Decimal, InvalidOperation
from typing import Final

import polars as pl

from schemas.contract import Format
from transforms.numbers import DOUBLE_DIGITS

_MOST_ZEROS: Final = 100
"""Exponents beyond it are left as they are written: no value has so many digits."""


def plain_number(text: str, form: Format) -> str:
    """Return the text of a number without exponent, with the contract's decimal mark."""
    if not text.isdecimal() and ("e" in text or "E" in text):
        text = _without_exponent(text)
    return text if form.decimal == "." else text.replace(".", form.decimal)


def _without_exponent(text: str) -> str:
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits is one of JSON, and none of a decimal
        return text
    exponent = number.as_tuple().exponent
    is_short = isinstance(exponent, int) and abs(number.adjusted()) <= _MOST_ZEROS and abs(exponent) <= _MOST_ZEROS
    return f"{number:f}" if is_short else text


def float_texts(numbers: pl.Series, form: Format) -> pl.Series:
    """Return floats as texts: 15 significant digits, no exponent, no `.0`, the contract's decimal mark."""
    texts = numbers.cast(pl.Float64).round_sig_figs(DOUBLE_DIGITS).cast(pl.String).str.strip_suffix(".0")
    exponents = texts.filter(texts.str.contains("e", literal=True).fill_null(False)).unique()
    if exponents.len():
        plain = [plain_number(text, form).removesuffix(".0") for text in exponents]
        texts = texts.replace(exponents, pl.Series(plain, dtype=pl.String))
    return texts if form.decimal == "." else texts.str.replace(".", form.decimal, literal=True)
