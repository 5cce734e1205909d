"""Texts as they are compared: folded (case, white space), then cleaned by the steps that a kind declares.

Nothing here changes what is published.
"""

from collections.abc import Callable, Iterable
from html.entities import html5
from typing import Final

import polars as pl

from schemas.kind import CleanStep

SPACE_RUNS: Final = r"\s{2,}|[^\S ]"
"""White space that folding replaces by one space."""
MODEL_NUMBER: Final = r"[\p{L}\p{N}]{2,}\p{N}[\p{L}\p{N}]*|[\p{L}\p{N}]\p{N}[\p{L}\p{N}]+|\p{N}[\p{L}\p{N}]{2,}"
"""A word of three or more characters with a digit in it."""
LETTERS: Final = {
    "ø": "o", "æ": "ae", "œ": "oe", "ß": "ss", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "\u0131": "i",
}  # fmt: skip
"""Letters that do not decompose into a letter and a mark."""
LEGAL_FORMS: Final = (
    r"a/?s", "asa", "ans", "da", "ba", "sa", "enk", "ks", "nuf", "iks", "kf", "sf", "aps", "ab", "oyj?", "ltd",
    "limited", "llc", "llp", "plc", "inc", "incorporated", "corp", "corporation", "co", "company", "gmbh", "ag", "kg",
    "sarl", "sas", "srl", "spa", "bv", "nv", "pty",
)  # fmt: skip
"""Legal forms at the end of a company's name, Nordic ones first."""
LEGAL_ENDING: Final = rf"(?:[\s,.]+(?:{'|'.join(LEGAL_FORMS)})\.?)+[\s,.]*$"
SOUNDS: Final = (
    (r"[^a-z ]", ""), (r"\bkn", "n"), (r"\bwr", "r"), (r"\b(?:ps|cz|z)", "s"), ("sch|skj|shj|sh|sj|kj|tj", "x"),
    ("ph", "f"), ("ck|qu|q", "k"), ("c([eiy])", "s$1"), ("ch|c", "k"), ("gh|gj", "g"), ("dt|th", "t"), ("w", "v"),
    ("z", "s"), ("[jy]", "i"), ("([bdfgklmnprstvx])h", "$1"), (r"\B[aeiouh]", ""),
)  # fmt: skip
"""Patterns and what they become, in order: spellings of one sound become one, vowels after the first letter go."""
CODE_POINTS: Final = (*range(0x20, 0x250), *range(0x2010, 0x2045), 0x20AC, 0x2122)
"""Characters that numeric HTML entities are read for."""


def fold(texts: pl.Series) -> pl.Expr:
    """Return the texts in lower case, in composed Unicode form, with single spaces."""
    column = pl.col(texts.name)
    ascii_ = column.str.len_bytes() == column.str.len_chars()  # normalising, the slowest step, would not change these
    present = texts.to_frame().select(ascii_=ascii_.all(), spaces=column.str.contains(SPACE_RUNS).any())
    if present.row(0) == (True, False):
        return column.str.to_lowercase()  # most fields: the check is cheaper than replacing nothing
    other = pl.when(~ascii_).then(column).str.to_lowercase()  # first: a lower case may consist of several characters
    composed = pl.coalesce(pl.when(ascii_).then(column), other.str.normalize("NFKC"))
    return composed.str.to_lowercase().str.replace_all(SPACE_RUNS, " ")


def clean_folded(folded: pl.Expr, steps: Iterable[CleanStep]) -> pl.Expr:
    """Return folded texts after these steps, with single spaces; an empty text is null."""
    for step in steps:
        folded = CLEANERS[step](folded)
    trimmed = folded.str.replace_all(SPACE_RUNS, " ").str.strip_chars()
    return pl.when(trimmed != "").then(trimmed)


def phonetic_key(folded: pl.Expr) -> pl.Expr:
    """Return how a folded text sounds, word by word: a key of consonants that similar names share."""
    key = _without_accents(folded)
    for pattern, sound in SOUNDS:
        key = key.str.replace_all(pattern, sound)
    doubles = [letter * 2 for letter in "abcdefghijklmnopqrstuvwxyz"]
    return key.str.replace_many(doubles, [pair[0] for pair in doubles])


def join_hyphens(folded: pl.Expr) -> pl.Expr:
    """Return texts with the parts of hyphenated words joined: `ps-lx350h` is `pslx350h`."""
    pattern = r"([\p{L}\p{N}])-([\p{L}\p{N}])"
    return folded.str.replace_all(pattern, "$1$2").str.replace_all(pattern, "$1$2")  # overlapping pairs take two


def model_numbers(folded: pl.Expr) -> pl.Expr:
    """Return the distinct model numbers of folded texts, as sorted lists."""
    return join_hyphens(folded).str.extract_all(MODEL_NUMBER).list.unique().list.sort()


def _without_entities(folded: pl.Expr) -> pl.Expr:
    entities = {f"&{name.lower()}": text.lower() for name, text in html5.items() if name.endswith(";")}
    for point in CODE_POINTS:
        character = chr(point).lower()
        entities |= {f"&#{point};": character, f"&#x{point:x};": character}
    plain = folded.str.replace_many([*entities], [*entities.values()])
    return plain.str.replace_all("<[^<>]{1,500}>", " ")


def _without_accents(folded: pl.Expr) -> pl.Expr:
    plain = folded.str.normalize("NFKD").str.replace_all(r"\p{M}+", "")
    return plain.str.replace_many([*LETTERS], [*LETTERS.values()])


def _without_spaces(folded: pl.Expr) -> pl.Expr:
    """Return texts without white space, composed again: a mark may have stood after a space."""
    return folded.str.replace_all(r"\s+", "").str.normalize("NFC")


def _without_punctuation(folded: pl.Expr) -> pl.Expr:
    return folded.str.replace_all("['`\u00b4\u2019]", "").str.replace_all(r"[^\p{L}\p{N}]+", " ")


CLEANERS: Final[dict[CleanStep, Callable[[pl.Expr], pl.Expr]]] = {
    "html": _without_entities,
    "accents": _without_accents,
    "punctuation": _without_punctuation,
    "spaces": _without_spaces,
    "digits": lambda folded: folded.str.replace_all("[^0-9]+", ""),
    "legal_forms": lambda folded: folded.str.replace(LEGAL_ENDING, ""),
    "phonetic": phonetic_key,
    "no_model_numbers": lambda folded: join_hyphens(folded).str.replace_all(MODEL_NUMBER, " "),
}
"""Step of a kind's `clean` -> what it does to a folded text."""
