"""Reading numbers as a contract declares them written: exact decimals out of text, or null, never a guess.

A number is an optional sign, digits that may be grouped by three with the declared separator, and digits after the
declared mark; white space around it is no part of it. Nothing else is one: no exponents, no NaN, no digits but 0-9.
Polars' own cast takes `1e3` and rounds the tenth decimal away without a word, so the text is checked before it is cast.
"""

import re
from typing import Final

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, VALUE_SCALE
from schemas.contract import Format

SIGN: Final = "[+\u2212-]?"
SPACES: Final = (" ", "\u00a0", "\u202f", "\u2009")
"""What a declared thousands space may be: space, NBSP, narrow NBSP, thin space."""


def _separators(fmt: Format) -> tuple[str, ...]:
    if fmt.thousands is None:
        return ()
    return SPACES if fmt.thousands == " " else (fmt.thousands,)


def _shape(fmt: Format) -> str:
    """Return the regular expression of a whole number of any size."""
    digits, mark = "[0-9]+", re.escape(fmt.decimal)
    if fmt.thousands is not None:
        digits += f"|[0-9]{{1,3}}(?:[{''.join(_separators(fmt))}][0-9]{{3}})+"
    return f"^{SIGN}(?:{digits})(?:{mark}[0-9]+)?$"


def _bounded_shape(fmt: Format) -> str:
    """Return the regular expression of a whole number that fits `VALUE`."""
    digits, mark = f"0*[0-9]{{1,{VALUE_DIGITS}}}", re.escape(fmt.decimal)
    if fmt.thousands is not None:
        group = f"(?:[{''.join(_separators(fmt))}][0-9]{{3}})"
        groups, first = divmod(VALUE_DIGITS, 3)
        digits += f"|[0-9]{{1,3}}{group}{{1,{groups - 1}}}|[0-9]{{1,{first}}}{group}{{{groups}}}"
    return f"^{SIGN}(?:{digits})(?:{mark}[0-9]{{1,{VALUE_SCALE}}})?$"


def _plain(text: pl.Expr, fmt: Format) -> pl.Expr:
    """Return a number's text as Polars casts it: ASCII minus, no separators, a point as mark."""
    change = {"\u2212": "-"} | dict.fromkeys(_separators(fmt), "")
    if fmt.decimal != ".":
        change[fmt.decimal] = "."
    if len(change) > 1:
        return text.str.replace_many(list(change), list(change.values()))
    return text.str.replace("\u2212", "-", literal=True)


def number(text: pl.Expr, fmt: Format) -> pl.Expr:
    """Return the exact number that each text says as Decimal(38, 9); null where it says none or one too big."""
    bare = text.str.strip_chars()
    fits = bare.str.contains(_bounded_shape(fmt))
    return pl.when(fits).then(_plain(bare, fmt).cast(VALUE, strict=False))


def number_problem(text: pl.Expr, fmt: Format) -> pl.Expr:
    """Return why each text is no number: null where it is one (or is null), else a code of `REASONS`."""
    bare = text.str.strip_chars()
    return (
        pl.when(bare.str.contains(_bounded_shape(fmt)) | bare.is_null())
        .then(pl.lit(None, dtype=pl.String))
        .when(bare.str.contains(_shape(fmt)))
        .then(pl.lit("out-of-range"))
        .otherwise(pl.lit("not-a-number"))
    )


def decimals_written(text: pl.Expr, fmt: Format) -> pl.Expr:
    """Return the places after the mark as Int16, trailing zeros counted; null where the text is no number."""
    bare = text.str.strip_chars()
    after = bare.str.len_bytes() - bare.str.find(fmt.decimal, literal=True) - 1
    places = after.fill_null(0).cast(pl.Int16, strict=False)
    return pl.when(bare.str.contains(_bounded_shape(fmt))).then(places)
