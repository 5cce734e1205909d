"""Reading numbers in the notation that a contract declares: exact decimals from text, or null, never a guess.

A number is an optional sign, digits that may be grouped by three with the declared separator, and digits after the
declared mark; surrounding white space is ignored. Nothing else is a number: no exponents, no NaN, no digits but 0-9.
Polars' own cast accepts `1e3` and silently rounds the tenth decimal away, so the text is checked before it is cast.
"""

import re
from typing import TYPE_CHECKING, Final

import polars as pl

from schemas.claims import VALUE, VALUE_DIGITS, VALUE_SCALE

if TYPE_CHECKING:
    from schemas.contract import Format

DOUBLE_DIGITS: Final = 15
"""The decimal digits that a binary number of 64 bits keeps; those after them are noise."""
SIGN: Final = "[+\u2212-]?"
THOUSANDS_SPACES: Final = (" ", "\u00a0", "\u202f", "\u2009")
"""The characters accepted as a declared thousands space: space, NBSP, narrow NBSP, thin space."""


def _separators(fmt: "Format") -> tuple[str, ...]:
    if fmt.thousands is None:
        return ()
    return THOUSANDS_SPACES if fmt.thousands == " " else (fmt.thousands,)


def _shape(fmt: "Format") -> str:
    """Return the regular expression of a whole number of any size."""
    digits, mark = "[0-9]+", re.escape(fmt.decimal)
    if fmt.thousands is not None:
        digits += f"|[0-9]{{1,3}}(?:[{''.join(_separators(fmt))}][0-9]{{3}})+"
    return f"^{SIGN}(?:{digits})(?:{mark}[0-9]+)?$"


def _bounded_shape(fmt: "Format") -> str:
    """Return the regular expression of a whole number that fits `VALUE`."""
    digits, mark = f"0*[0-9]{{1,{VALUE_DIGITS}}}", re.escape(fmt.decimal)
    if fmt.thousands is not None:
        group = f"(?:[{''.join(_separators(fmt))}][0-9]{{3}})"
        groups, first = divmod(VALUE_DIGITS, 3)
        digits += f"|[0-9]{{1,3}}{group}{{1,{groups - 1}}}|[0-9]{{1,{first}}}{group}{{{groups}}}"
    return f"^{SIGN}(?:{digits})(?:{mark}[0-9]{{1,{VALUE_SCALE}}})?$"


def _plain(text: pl.Expr, fmt: "Format") -> pl.Expr:
    """Return a number's text as Polars casts it: ASCII minus, no separators, a point as mark."""
    replacements = {"\u2212": "-"} | dict.fromkeys(_separators(fmt), "")
    if fmt.decimal != ".":
        replacements[fmt.decimal] = "."
    if fmt.thousands is not None:
        return text.str.replace_many(list(replacements), list(replacements.values()))
    for mark, plain in replacements.items():  # a number has each at most once: half the cost of `replace_many`
        text = text.str.replace(mark, plain, literal=True)
    return text


def number(text: pl.Expr, fmt: "Format") -> pl.Expr:
    """Return the number that each text denotes, exact, as Decimal(38, 9); null where it is none or out of range."""
    bare = text.str.strip_chars()
    fits = bare.str.contains(_bounded_shape(fmt))
    return pl.when(fits).then(_plain(bare, fmt).cast(VALUE, strict=False))


def number_problem(text: pl.Expr, fmt: "Format") -> pl.Expr:
    """Return why each text is not a number, a code of `REASONS`; null where it is one (or the text is null)."""
    bare = text.str.strip_chars()
    return (
        pl.when(bare.str.contains(_bounded_shape(fmt)) | bare.is_null())
        .then(pl.lit(None, dtype=pl.String))
        .when(bare.str.contains(_shape(fmt)))
        .then(pl.lit("out-of-range"))
        .otherwise(pl.lit("not-a-number"))
    )


def without_noise(frame: pl.DataFrame, columns: list[str], fmt: "Format") -> pl.DataFrame:
    """Return the frame with the noise of binary numbers removed from columns of numbers: 0.30000000000000004 is 0.3.

    Only a text of 16 or 17 digits and more decimals than a value may have is looked at; it is replaced if it has few
    enough when it is cut to the 15 digits that such a number keeps.
    """
    columns = list(dict.fromkeys(columns))
    if not columns or not frame.height:
        return frame
    longest = frame.select(pl.col(columns).str.len_bytes().max()).row(0, named=True)
    long = [name for name, size in longest.items() if size is not None and size > DOUBLE_DIGITS]
    return frame.with_columns(_noiseless(pl.col(name), fmt).alias(name) for name in long)


def _noiseless(text: pl.Expr, fmt: "Format") -> pl.Expr:
    mark = re.escape(fmt.decimal)
    digits = text.str.replace_all("[^0-9]", "").str.strip_chars_start("0").str.len_bytes()
    noisy = text.str.contains(f"^-?[0-9]+{mark}[0-9]{{{VALUE_SCALE + 1},}}$") & digits.is_between(16, 17)
    number_ = text.str.replace(fmt.decimal, ".", literal=True).cast(pl.Float64, strict=False)
    short = number_.round_sig_figs(DOUBLE_DIGITS).cast(pl.String).str.strip_suffix(".0")
    fits = short.str.contains(rf"^-?[0-9]+(?:\.[0-9]{{1,{VALUE_SCALE}}})?$")
    return pl.when(noisy & fits).then(short.str.replace(".", fmt.decimal, literal=True)).otherwise(text)


def decimals_written(text: pl.Expr, fmt: "Format") -> pl.Expr:
    """Return the places after the mark as Int16, trailing zeros included; null where the text is not a number."""
    bare = text.str.strip_chars()
    after = bare.str.len_bytes() - bare.str.find(fmt.decimal, literal=True) - 1
    places = after.fill_null(0).cast(pl.Int16, strict=False)
    return pl.when(bare.str.contains(_bounded_shape(fmt))).then(places)


def decimal_text(value: pl.Expr) -> pl.Expr:
    """Return Decimals as text without trailing zeros: 12.500000000 is `12.5`, 3.000000000 is `3`."""
    return value.cast(pl.String).str.strip_chars_end("0").str.strip_chars_end(".")
