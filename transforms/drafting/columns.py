"""What each column of a table of records holds, by its values and, where those leave a choice, its name."""

import re
from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

ColumnContent = Literal[
    "key", "reporter", "unused", "email", "telephone", "date", "number", "category", "code", "name", "text", "long_text"
]
"""What a column holds. unused: constant, hardly filled, or nothing that records are compared by."""
EMAIL: Final = r"^[^@\s]+@[^@\s]+\.[^@\s]+$"
DATE: Final = r"^(\d{4}-\d\d-\d\d|(18|19|20)\d{6}|\d{1,2}[./-]\d{1,2}[./-]\d{4})$"
TELEPHONE: Final = r"^\+?[0-9()\s./-]{6,22}(\s?(x|ext)\.?\s?\d+)?$"
NUMBER: Final = r"^-?\d+([.,]\d+)?$"
KEY_NAMES: Final = re.compile(r"^(.*[_ ])?(id|key|nr|no|num|number|nummer|rec|record)([_ ].*)?$", re.IGNORECASE)
REPORTER_NAMES: Final = re.compile(
    r"^(source|kilde|register|reporter|reported_by|system|list|liste|provider|origin|dataset)$", re.IGNORECASE
)
TELEPHONE_NAMES: Final = re.compile(r"tel|phone|mobil|fax|tlf", re.IGNORECASE)
NUMBER_NAMES: Final = re.compile(
    r"price|pris|amount|belop|beløp|cost|sum|weight|vekt|capacity|areal|area|size|length|hours|lat|lon", re.IGNORECASE
)
GIVEN_NAMES: Final = re.compile(r"^(given|first|fore|for)[_ ]?(name|navn)$", re.IGNORECASE)
SURNAMES: Final = re.compile(r"^(sur|last|family|etter)[_ ]?(name|navn)$", re.IGNORECASE)
LEAST_FILLED: Final = 0.05
"""Columns that are filled less are not used."""
MOST: Final = 0.8
"""Share of the values that show what a column holds."""
MAX_CATEGORIES: Final = 20
CATEGORY_SHARE: Final = 0.01
"""A column of so few distinct values, or of so small a share of them, is a category."""
MAX_REPORTERS: Final = 200
WORDS_OF_TEXT: Final = 2.3
WORDS_OF_LONG_TEXT: Final = 12.0
"""Mean words from which a text is compared by its words, and from which every version of it is published."""
MEAN_DIGITS: Final = 6


@dataclass(frozen=True)
class ColumnProfile:
    """One column: what it holds, and the figures that show it.

    filled: share of records with a value. distinct: share of the values that differ. words: mean words of a value.
    """

    name: str
    content: ColumnContent
    filled: float
    distinct: float
    words: float


def text_columns(table: pl.DataFrame) -> pl.DataFrame:
    """Return the table as text, trimmed, an empty cell null; columns that are no text or number are left out."""
    flat = [name for name, dtype in table.schema.items() if not dtype.is_nested() and dtype != pl.Binary]
    texts = (pl.col(name).cast(pl.String).str.strip_chars().alias(name) for name in flat)
    trimmed = table.select(texts)
    return trimmed.with_columns(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in flat)


def profile_columns(texts: pl.DataFrame) -> list[ColumnProfile]:
    """Return what each column of a table of texts (`text_columns`) holds; one key and one reporter at most."""
    profiles = [_profile(texts[name]) for name in texts.columns]
    for content in ("key", "reporter"):
        several = [profile for profile in profiles if profile.content == content]
        pattern = KEY_NAMES if content == "key" else REPORTER_NAMES
        chosen = next((p for p in several if pattern.match(p.name)), several[0] if several else None)
        profiles = [
            _profile(texts[p.name], special=False) if p.content == content and p is not chosen else p for p in profiles
        ]
    return profiles


def _profile(column: pl.Series, *, special: bool = True) -> ColumnProfile:
    """Return the profile of a column; special: it may be the key or the reporter."""
    values = column.drop_nulls()
    filled, count = values.len() / max(column.len(), 1), values.n_unique()
    words = values.str.count_matches(r"[\p{L}\p{N}]+").mean()
    mean_words = words if isinstance(words, float) else 0.0
    content = _key_or_reporter(column, count) if special and filled == 1 else None
    if content is None:
        unused = filled < LEAST_FILLED or count <= 1
        content = "unused" if unused else _content(column.name, values, mean_words)
    return ColumnProfile(column.name, content, filled, count / max(values.len(), 1), mean_words)


def _key_or_reporter(column: pl.Series, count: int) -> ColumnContent | None:
    """Return whether a column that every record fills with one of `count` values is the key or the reporter."""
    if count == column.len():
        return "key"
    return "reporter" if 1 < count <= MAX_REPORTERS and REPORTER_NAMES.match(column.name) else None


def _content(name: str, values: pl.Series, words: float) -> ColumnContent:
    """Return what a column that is filled holds."""
    if _share(values, EMAIL) >= MOST:
        return "email"
    if _share(values, DATE) >= MOST:
        return "date"
    if _is_telephone(name, values):
        return "telephone"
    if _share(values, NUMBER) >= MOST:
        return "number" if _is_quantity(name, values) else _category_or(values, "code")
    return "long_text" if words >= WORDS_OF_LONG_TEXT else _category_or(values, _short_text(values, words))


def _short_text(values: pl.Series, words: float) -> ColumnContent:
    if words >= WORDS_OF_TEXT:
        return "text"
    return "code" if _share(values, r"\d") >= MOST else "name"


def _share(values: pl.Series, pattern: str) -> float:
    share = values.str.contains(pattern).mean()
    return share if isinstance(share, float) else 0.0


def _is_telephone(name: str, values: pl.Series) -> bool:
    digits = values.str.replace_all(r"\D", "").str.len_bytes().mean()
    long = isinstance(digits, float) and digits >= MEAN_DIGITS
    marked = _share(values, r"[-/() +]") >= MOST
    return long and _share(values, TELEPHONE) >= MOST and (marked or bool(TELEPHONE_NAMES.search(name)))


def _is_quantity(name: str, values: pl.Series) -> bool:
    """Return whether numbers are quantities, of which near ones are alike; else they are codes."""
    zeros = _share(values, r"^0\d")
    decimals = _share(values, r"[.,]\d*[1-9]")
    return zeros == 0 and (decimals > 1 - MOST or bool(NUMBER_NAMES.search(name)))


def _category_or(values: pl.Series, other: ColumnContent) -> ColumnContent:
    """Return `category` for few distinct values that repeat, else the other content."""
    count = values.n_unique()
    few = count <= MAX_CATEGORIES or count <= CATEGORY_SHARE * values.len()
    return "category" if few and count * 2 <= values.len() else other
