"""Texts that stand for nothing: placeholders where an identity should be, and the names of totals among units."""

from typing import Final

import polars as pl

WORDS: Final = (
    "n/a", "na", "nil", "none", "null", "nan", "unknown", "not known", "undefined", "tbd", "tba", "missing",
    "not available", "not applicable", "not given", "none given", "not stated", "no number", "no name", "blank",
    "ukjent", "ukjend", "ukj", "ikke kjent", "ikkje kjend", "ikke oppgitt", "ikkje oppgitt", "ikkje oppgjeve",
    "uoppgitt", "uo", "ikke relevant", "ikke aktuelt", "ikke angitt", "ikke registrert", "ikkje registrert",
    "ingen opplysning", "ingen opplysninger", "ingen data", "mangler", "manglar", "ingen", "uten", "uten navn",
    "uten nummer", "uten nr", "tom", "i/a", "i/t", "nn", "xx", "div/0",
)  # fmt: skip
"""Words that people and spreadsheets write where they do not know the value, without dots and without signs around."""
_AROUND: Final = " .:;,!?*#()[]{}<>/'\"_=+-\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
_SIGNS: Final = r"^[^\p{L}\p{N}]+$|^[xX]{3,}$|^0[0 .\-/]*0$|^9{6,}$"
"""Signs alone, and digits or letters that only fill the cell."""
_ERRORS: Final = ("ref", "verdi", "value", "name", "navn", "num")
"""Words of the errors of spreadsheets: #REF! is one, `ref` is not."""
TOTALS: Final = (
    "total", "totalt", "totals", "totale", "grand total", "subtotal", "sub total", "sum", "sum total", "summer",
    "delsum", "i alt", "ialt", "samlet", "samla", "alle", "all", "hele landet", "heile landet", "landet",
    "landet i alt", "total sum", "totalsum", "sum totalt", "sum alle", "hele norge", "heile noreg",
)  # fmt: skip
"""Names of rows that sum others."""
_TOTAL_OF: Final = "^(?:sum|totalt?|i alt|samlet|alle) "
_COMPANY: Final = r"\b(?:as|asa|ans|da|ab|se|sa|ba|ltd|limited|plc|inc|gmbh|holding|company|norge|norway)\b"
"""The companies of the world are many; some are called Total."""


def is_placeholder(text: pl.Expr) -> pl.Expr:
    """Return whether each text stands for no value; false for an empty one."""
    bare = text.str.to_lowercase().str.strip_chars(_AROUND).str.replace_all(".", "", literal=True)
    error = text.str.starts_with("#") & bare.is_in(_ERRORS)
    return (bare.is_in(WORDS) | error | text.str.contains(_SIGNS)).fill_null(False)


def is_total(name: pl.Expr) -> pl.Expr:
    """Return whether each normalised name is that of a total, alone or of something (`sum Rogaland`), no company's."""
    bare = name.str.strip_chars(" :.=*")
    return bare.is_in(TOTALS) | (bare.str.contains(_TOTAL_OF) & ~bare.str.contains(_COMPANY))
