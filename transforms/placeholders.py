"""Texts that stand for nothing: placeholders where an identity should be, and the names of totals among units."""

from typing import Final

import polars as pl

WORDS: Final = (
    "n/a", "na", "n.a.", "nil", "none", "null", "nan", "unknown", "not known", "undefined", "tbd", "tba", "missing",
    "ukjent", "ukjend", "ukj", "ukj.", "ikke kjent", "ikkje kjend", "ikke oppgitt", "ikkje oppgitt", "uoppgitt",
    "ikke relevant", "ikke aktuelt", "mangler", "manglar", "ingen", "uten", "blank", "tom", "i/a", "n.n.", "nn", "xx",
)  # fmt: skip
"""Words that people write where they do not know the value."""
_SIGNS: Final = r"^[-\u2010-\u2015\u2212_.?*/# ]+$|^[xX]{3,}$|^0{2,}$|^9{6,}$"
"""Signs alone, and digits or letters that only fill the cell."""
TOTALS: Final = (
    "total", "totalt", "totals", "totale", "grand total", "subtotal", "sub total", "sum", "sum total", "summer",
    "delsum", "i alt", "ialt", "samlet", "samla", "alle", "all", "hele landet", "heile landet", "landet",
    "landet i alt", "total sum",
)  # fmt: skip
"""Names of rows that sum others."""


def is_placeholder(text: pl.Expr) -> pl.Expr:
    """Return whether each text stands for no value; false for an empty one."""
    return (text.str.to_lowercase().is_in(WORDS) | text.str.contains(_SIGNS)).fill_null(False)
