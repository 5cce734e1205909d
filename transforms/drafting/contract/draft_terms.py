"""The terms of a drafted contract: of the vocabulary where names, titles or codes show them, else new ones."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import polars as pl

from schemas.concepts import ANY_CURRENCY, Dimension, Vocabulary
from transforms.drafting.contract.concept_match import (
    EXPLAINED_CONCEPTS,
    contained_terms,
    terms_by_words,
    without_counting_words,
    words_of,
)

TERM_LENGTH: Final = 60
SUGGESTED_MEASURES: Final = (
    (re.compile(r"persons?|personer|folk|popul|antall_arb|innbygg|employ|ansatt", re.IGNORECASE), "persons"),
    (re.compile(r"stemme|votes?($|_)", re.IGNORECASE), "votes"),
    (re.compile(r"prosent|percent|pct|%|andel|share|rate", re.IGNORECASE), "percent"),
    (re.compile(r"usd|dollar", re.IGNORECASE), "USD"),
    (re.compile(r"nok|kr(oner)?($|_)|beløp|belop|beloep|budsjett|rekneskap|regnskap|payment|cost|price|avgift|skatt",
                re.IGNORECASE), "NOK"),
)  # fmt: skip
"""Names of columns and the measure that they suggest."""
PLAIN_MEASURE: Final = "number"
LEAST_CODES: Final = 2
MOST_CODES: Final = 60
"""Distinct texts of a column that are tried against the codes of the vocabulary."""
_ASCII: Final = str.maketrans("æøåÆØÅäöüé", "aoaAOAaoue")


class DraftTerms:
    """The terms that a draft uses. known, coded: sentences about those of the vocabulary, as evidence."""

    def __init__(self, contract: str, vocabulary: Vocabulary) -> None:
        """Take the name of the contract, with which new concepts begin."""
        self.contract = plain_name(contract)
        self.vocabulary = vocabulary
        self.concepts: dict[str, tuple[str, str]] = {}
        self.dimensions: dict[str, str] = {}
        self.used_dimensions: list[str] = []
        self.used_concepts: list[str] = []
        self.titled = terms_by_words(vocabulary.concepts)
        self.titled_dimensions = terms_by_words(vocabulary.dimensions)
        self.known: list[str] = []
        self.coded: list[str] = []

    def concept(self, column: str) -> str:
        """Return the concept of a column: the vocabulary's of that name, else a new one that begins as the contract."""
        known, measure = self._known_concept(column), self.measure(column)
        if known is not None and known not in self.used_concepts:
            self.used_concepts.append(known)
            self.known.append(self._evidence_of(column, known))
            return known
        name = _distinct(_joined(self.contract, plain_name(column)), self.concepts, self.vocabulary.concepts)
        self.concepts[name] = (column, measure)
        self.known += self._proposals(column, name)
        return name

    def _evidence_of(self, column: str, known: str) -> str:
        titles = self.vocabulary.concepts[known].title
        return (
            f"{column}: {known} is a concept of the vocabulary ({titles.nb}, {titles.en}), which other contracts may "
            f"report too. If the column counts something else, write a name of your own in the place of {known}, and "
            "declare it under `concepts:`"
        )

    def _proposals(self, column: str, name: str) -> Iterator[str]:
        """Yield a sentence for each concept of the vocabulary that a column's name mentions, though not alone."""
        for known in contained_terms(column, self.titled):
            title = self.vocabulary.concepts[known].title.nb
            use = f"if it counts that, write `concept: {known}` in the place of {name} and take {name} out below"
            unfit = self._unfit(column, known)
            yield (
                f"{column}: its name has the title of {known} in the vocabulary ({title}): {use}"
                + (f"; {known} {unfit}" if unfit else "")
            )

    def _known_concept(self, column: str) -> str | None:
        """Return the vocabulary's concept of a name or title, unless it has another measure or other dimensions."""
        words = words_of(column)
        name = self.titled.get(words)
        if name is None:
            name = self.titled.get(without_counting_words(words))
            name = None if name in EXPLAINED_CONCEPTS else name
        return name if name is not None and self._unfit(column, name) is None else None

    def _unfit(self, column: str, name: str) -> str | None:
        """Return why a concept is not what a column holds: its measures, or its dimensions; None if it may be."""
        suggested, concept = self._suggested(column), self.vocabulary.concepts[name]
        measures = set(concept.measures)
        if ANY_CURRENCY in measures and name not in EXPLAINED_CONCEPTS:
            measures |= self.vocabulary.currencies
        if suggested not in measures if suggested else ANY_CURRENCY in measures:
            return f"is measured in {', '.join(concept.measures)}"
        lacking = [] if concept.dimensions == "any" else set(self.used_dimensions) - set(concept.dimensions)
        return f"is not broken down by {', '.join(sorted(lacking))}" if lacking else None

    def measure(self, column: str) -> str:
        """Return the measure that a column's name suggests, else the first of the concept that has the name."""
        suggested, known = self._suggested(column), self._known_concept(column)
        return suggested or (self.vocabulary.concepts[known].measures[0] if known else PLAIN_MEASURE)

    def _suggested(self, column: str) -> str | None:
        found = (
            name for pattern, name in SUGGESTED_MEASURES if pattern.search(column) and name in self.vocabulary.measures
        )
        return next(found, None)

    def breakdown(self, texts: pl.Series) -> tuple[str, dict[str, Any]]:
        """Return the dimension of a column and the source of its codes: the vocabulary's if it has the texts."""
        name, codes = self._known_dimension(texts)
        take: dict[str, Any] = {"column": texts.name}
        if any(text != code for text, code in codes.items()):
            take["map"] = codes
        if codes:
            self.coded.append(f"{texts.name}: its texts are codes of {name} in the vocabulary, or their titles")
        elif name:
            self.coded.append(
                f"{texts.name}: {name} is a dimension of the vocabulary with this title. If the column holds something "
                f"else, write a name of your own in the place of {name}, and declare it under `dimensions:`"
            )
        dimension = name or self._new_dimension(texts.name)
        self.used_dimensions.append(dimension)
        return dimension, take

    def _known_dimension(self, texts: pl.Series) -> tuple[str | None, dict[str, str]]:
        """Return the dimension whose codes a column's texts are, else an open one of its name; and text -> code."""
        distinct = texts.unique().sort().head(MOST_CODES + 1).to_list()
        titled = self.titled_dimensions.get(words_of(texts.name))
        free = [name for name in self.vocabulary.dimensions if name not in self.used_dimensions]
        for name in sorted(free, key=lambda each: each != titled):
            codes = _codes_of(distinct, self.vocabulary.dimensions[name])
            if codes and (name == titled or len(codes) >= LEAST_CODES):
                return name, codes
        return (titled, {}) if titled in free and self.vocabulary.dimensions[str(titled)].open else (None, {})

    def _new_dimension(self, column: str) -> str:
        plain = plain_name(column)
        taken = plain in self.vocabulary.dimensions
        name = _distinct(_joined(self.contract, plain) if taken else plain, self.dimensions, self.vocabulary.dimensions)
        self.dimensions[name] = column
        return name

    def declared(self) -> dict[str, Any]:
        """Return the terms that the contract brings, as its last keys."""
        concepts = {
            name: {
                "title": _titles(column), "definition": f"FILL IN: what the column {column!r} counts.",
                "measures": [measure], **({"dimensions": "any"} if self.used_dimensions else {}),
            }
            for name, (column, measure) in self.concepts.items()
        }  # fmt: skip
        brought = {name: {"title": _titles(column), "open": True} for name, column in self.dimensions.items()}
        return ({"concepts": concepts} if concepts else {}) | ({"dimensions": brought} if brought else {})


def _codes_of(texts: list[str], dimension: Dimension) -> dict[str, str]:
    """Return text -> code if every text is a code of a dimension or the title of one in any language, else nothing."""
    if len(texts) > MOST_CODES or not dimension.codes:
        return {}
    known = {
        plain_name(title): code
        for code, titles in dimension.codes.items()
        for title in (titles.nb, titles.nn, titles.en)
    } | {plain_name(code): code for code in dimension.codes}
    found = {text: text if text in dimension.codes else known.get(plain_name(text)) for text in texts}
    return {text: code for text, code in found.items() if code} if all(found.values()) else {}


def _titles(column: str) -> dict[str, str]:
    text = column.strip() or "value"
    return {"nb": text, "nn": text, "en": text}


def plain_name(text: str) -> str:
    """Return a text as the name of a term: small letters, digits and underscores."""
    plain = re.sub(r"[^a-z0-9]+", "_", text.translate(_ASCII).lower()).strip("_")
    return plain if re.match("[a-z]", plain) else f"c_{plain}" if plain else "c"


def _joined(contract: str, plain: str) -> str:
    return (plain if plain.startswith(contract) else f"{contract}_{plain}")[:TERM_LENGTH].strip("_")


def _distinct(name: str, *taken: Iterable[str]) -> str:
    known = {each for names in taken for each in names}
    number = 2
    found = name
    while found in known:
        found = f"{name[: TERM_LENGTH - 4]}_{number}"
        number += 1
    return found
