"""Which concept of the vocabulary the name of a column states, by the words of its id and titles."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

from schemas.concepts import Concept, Dimension

COUNTING_WORDS: Final = frozenset({"antall", "antal", "ant", "tal", "number", "count", "num", "of", "no"})
"""Words of a column's name that state only that things are counted: `antall_elever` are `elever`."""
EXPLAINED_CONCEPTS: Final = frozenset({"share", "rate", "score", "amount", "count", "persons", "places", "hours"})
"""Concepts that a breakdown explains: a column whose name holds one of their titles among other words is another."""
LEAST_LETTERS: Final = 4
"""Letters of a title that is looked for among the words of a longer name."""
PROPOSED: Final = 2
_LETTERS: Final = str.maketrans({"ø": "o", "æ": "a", "å": "a", "đ": "d", "ŋ": "n", "ß": "ss", "ö": "o", "ä": "a"})
_SPELT_OUT: Final = (("ae", "a"), ("oe", "o"), ("aa", "a"))
"""How æ, ø and å are written where they cannot be."""


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a name or title without case, accents and punctuation; æ, ø and å as a, o and a."""
    spaced = re.sub(r"(?<=[a-zæøå])(?=[A-ZÆØÅ])", " ", unicodedata.normalize("NFC", text))
    plain = unicodedata.normalize("NFKD", spaced.casefold().translate(_LETTERS))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    for pair, letter in _SPELT_OUT:
        plain = plain.replace(pair, letter)
    return tuple(re.findall(r"[^\W_]+", plain))


def terms_by_words(terms: Mapping[str, Concept] | Mapping[str, Dimension]) -> dict[tuple[str, ...], str]:
    """Return words -> term: those of its id, then those of its titles where only one term has them."""
    titles: dict[tuple[str, ...], set[str]] = {}
    for name, term in terms.items():
        for title in (term.title.nb, term.title.nn, term.title.en):
            titles.setdefault(words_of(title), set()).add(name)
    unique = {words: names.pop() for words, names in titles.items() if len(names) == 1}
    return unique | {words_of(name): name for name in terms}


def without_counting_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return words without those that state only that things are counted; all of them if there are no others."""
    return tuple(word for word in words if word not in COUNTING_WORDS) or words


def contained_terms(column: str, known: Mapping[tuple[str, ...], str]) -> list[str]:
    """Return the terms whose id or title stands whole among the words of a column's name, the longest first."""
    words = words_of(column)
    found = [(len("".join(part)), known[part]) for part in _parts(words) if part in known]
    longest_first = [name for length, name in sorted(found, reverse=True) if length >= LEAST_LETTERS]
    return [name for name in dict.fromkeys(longest_first) if name not in EXPLAINED_CONCEPTS][:PROPOSED]


def _parts(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield every run of words."""
    for first in range(len(words)):
        for end in range(first + 1, len(words) + 1):
            yield words[first:end]
