"""The vocabulary: the concepts, dimensions and measures that contracts report in, each declared once.

It is read from the YAML files of a folder (`schemas/vocabulary/`, and one of the installation's own). A contract may
bring what is new with it, under the same keys. `schemas.contract_terms` checks contracts against it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from schemas.contract_parts import Strict, Titles
from schemas.errors import ContractError
from schemas.strict_yaml import declaring_text, read_declared
from schemas.suggestions import did_you_mean
from schemas.unit_kinds import UnitKind

VOCABULARY_FOLDER: Final = Path(__file__).parent / "vocabulary"
CONCEPT_NAME: Final = r"^[a-z][a-z0-9_]*$"
ANY_CURRENCY: Final = "currency"
"""What a concept names as its measure if each currency is one: none of them is converted into another."""
TERM_KINDS: Final = ("concepts", "dimensions", "measures")
"""The keys of a vocabulary file, and of a contract that brings new terms."""


class Measure(Strict):
    """A unit of measure. One that has `of` is converted exactly into that one, and into all that have the same."""

    title: Titles
    """Its name."""
    of: str | None = None
    """The measure that this one is a multiple or a part of; that one has no `of` itself."""
    times: str = Field(default="1", pattern=r"^[1-9][0-9]{0,17}(/[1-9][0-9]{0,17})?$")
    """How many of `of` one of it is: a whole number, or a fraction of two (`1/60`)."""

    def factor(self) -> Fraction:
        """Return how many of its base one of it is; 1 for a base."""
        return Fraction(self.times)

    @model_validator(mode="after")
    def _has_base(self) -> Self:
        if self.of is None and self.times != "1":
            raise ValueError("times needs `of`: the measure that it counts")
        return self


class Dimension(Strict):
    """A dimension of breakdowns: the codes that it may have, or any text by declaration."""

    title: Titles
    """Its name."""
    codes: dict[str, Titles] = Field(default_factory=dict)
    """Code -> its name. A text that is none of them is rejected, unless the dimension is `open`."""
    open: bool = False
    """Whether any text is accepted: for names, and for code lists that are too large or not ours to keep."""
    total: str | None = None
    """The code of the whole, of which the other codes are the parts."""

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if not self.codes and not self.open:
            raise ValueError("give its codes, or `open: true` where any text is accepted")
        if self.total is not None and self.total not in self.codes:
            raise ValueError(f"total: {self.total!r} is none of its codes")
        return self


class Derivation(Strict):
    """A roll-up that gives items of the concept exactly. Give one of `sum_of`, `over`, `periods`, `units`."""

    sum_of: tuple[str, ...] = ()
    """Concepts that add up to this one, for the same unit, period and breakdown."""
    over: str | None = None
    """A dimension: the item of its `total`, or without it, is the sum of the items of its codes."""
    parts: tuple[str, ...] = ()
    """The codes of `over` that are summed; by default all but its total."""
    periods: Literal["month", "quarter"] | None = None
    """The periods of which a longer one is the sum."""
    units: UnitKind | None = None
    """The kind of the units of which a larger unit is the sum: its municipalities make a county."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(map(bool, (self.sum_of, self.over, self.periods, self.units))) != 1:
            raise ValueError("give exactly one of sum_of, over, periods, units")
        if self.parts and not self.over:
            raise ValueError("parts are codes of the dimension in `over`")
        return self


class Concept(Strict):
    """What is measured. Claims of one concept about the same unit, period and breakdown are about the same item."""

    title: Titles
    """Its name."""
    definition: str
    """What is counted, and what is not."""
    measures: tuple[str, ...] = Field(min_length=1)
    """The measures of its values, or `currency` for every currency. A claim in another measure is converted into the
    first of these that it is a multiple or a part of."""
    dimensions: tuple[str, ...] | Literal["any"] = ()
    """The dimensions that a breakdown of it may have, or `any` of the vocabulary."""
    derives: tuple[Derivation, ...] = ()
    """Roll-ups from which items of it follow exactly."""
    suppress_below: int | None = Field(default=None, ge=2)
    """The least count that may be published; a smaller one could point at persons."""
    family: str | None = Field(default=None, pattern=CONCEPT_NAME)
    """The name of a family of like concepts, which differ in date or scope: they are listed, never merged."""


class Conversion(Strict):
    """The measure that a value is converted into, and by which fraction."""

    to: str
    """The concept's measure."""
    times: int = Field(default=1, ge=1)
    """The numerator."""
    by: int = Field(default=1, ge=1)
    """The denominator."""

    def factor(self) -> Fraction:
        """Return the fraction by which a value is multiplied."""
        return Fraction(self.times, self.by)


class Terms(Strict):
    """What the vocabulary adds to a contract when it is loaded, so that reading a delivery needs nothing else."""

    codes: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Dimension -> its codes, where texts are taken as delivered."""
    measures: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Concept -> the measures that its claims may have, where they are taken as delivered."""
    conversions: dict[str, dict[str, Conversion]] = Field(default_factory=dict)
    """Concept -> measure -> what its values are converted into."""


class VocabularyFile(Strict):
    """One file of the vocabulary."""

    concepts: dict[str, Concept] = Field(default_factory=dict)
    """Name -> concept."""
    dimensions: dict[str, Dimension] = Field(default_factory=dict)
    """Name -> dimension."""
    measures: dict[str, Measure] = Field(default_factory=dict)
    """Name -> unit of measure."""
    currencies: dict[str, Titles] = Field(default_factory=dict)
    """ISO 4217 code -> its name. Each is a measure."""


@dataclass(frozen=True)
class Vocabulary:
    """Every term, by name, and who declares it: owners has (`concepts`, name) -> a file or a contract."""

    concepts: Mapping[str, Concept] = field(default_factory=dict)
    dimensions: Mapping[str, Dimension] = field(default_factory=dict)
    measures: Mapping[str, Measure] = field(default_factory=dict)
    currencies: frozenset[str] = frozenset()
    owners: Mapping[tuple[str, str], str] = field(default_factory=dict)
    _accepted: dict[str, Mapping[str, Conversion | None]] = field(default_factory=dict, repr=False, compare=False)

    def plus(self, other: "Vocabulary") -> "Vocabulary":
        """Return this vocabulary with the terms of another one, which take precedence."""
        return Vocabulary(
            {**self.concepts, **other.concepts},
            {**self.dimensions, **other.dimensions},
            {**self.measures, **other.measures},
            self.currencies | other.currencies,
            {**self.owners, **other.owners},
        )

    def without(self, owners: Collection[str]) -> "Vocabulary":
        """Return this vocabulary without the terms that these files or contracts declare."""
        if not owners:
            return self
        concepts, dimensions, measures = (
            {name: term for name, term in getattr(self, kind).items() if self.owners[kind, name] not in owners}
            for kind in TERM_KINDS
        )
        stated = {term: owner for term, owner in self.owners.items() if owner not in owners}
        return Vocabulary(concepts, dimensions, measures, self.currencies, stated)

    def unknown(self, kind: str, name: str) -> str:
        """Return the problem of a name that is no term of this kind (one of `TERM_KINDS`), with the nearest one."""
        hint = did_you_mean(name, getattr(self, kind))
        what = f"no {kind.removesuffix('s')} {name!r} in the vocabulary"
        return f"{what}; {hint or 'declare it there, or in the contract under `' + kind + '`'}"

    def accepted(self, concept: str) -> Mapping[str, Conversion | None]:
        """Return the measures that claims of a concept may have: its own (None), and those converted into one of them.

        A measure is converted into the first of the concept's that has the same base.
        """
        if concept not in self._accepted:
            own: dict[str, Conversion | None] = {}
            for name in self.concepts[concept].measures:
                own |= dict.fromkeys(sorted(self.currencies) if name == ANY_CURRENCY else [name])
            bases: dict[str, str] = {}
            for name in own:
                bases.setdefault(self.measures[name].of or name, name)
            found = {name: self._conversion(name, to) for base, to in bases.items() for name in self._related[base]}
            self._accepted[concept] = own | {name: each for name, each in found.items() if name not in own}
        return self._accepted[concept]

    @cached_property
    def _related(self) -> dict[str, list[str]]:
        """The measures that can be converted into each other, by their base."""
        found: dict[str, list[str]] = {}
        for name, measure in self.measures.items():
            found.setdefault(measure.of or name, []).append(name)
        return found

    def _conversion(self, measure: str, to: str) -> Conversion:
        factor = self.measures[measure].factor() / self.measures[to].factor()
        return Conversion(to=to, times=factor.numerator, by=factor.denominator)

    def problems(self) -> Iterator[tuple[tuple[str, str], str]]:
        """Yield what is wrong with a term because of another one: its kind and name, and the problem."""
        for name, measure in self.measures.items():
            yield from ((("measures", name), problem) for problem in self._of_measure(measure))
        for name, concept in self.concepts.items():
            yield from ((("concepts", name), problem) for problem in self._of_concept(concept))

    def _of_measure(self, measure: Measure) -> Iterator[str]:
        if measure.of is None:
            return
        if measure.of not in self.measures:
            yield f"of: {self.unknown('measures', measure.of)}"
        elif (base := self.measures[measure.of].of) is not None:
            yield f"of: {measure.of!r} is a part or a multiple itself: give {base!r}"

    def _of_concept(self, concept: Concept) -> Iterator[str]:
        yield from self._of_concept_measures(concept)
        for name in concept.dimensions if concept.dimensions != "any" else ():
            if name not in self.dimensions:
                yield f"dimensions: {self.unknown('dimensions', name)}"
        for derivation in concept.derives:
            yield from (f"derives: {problem}" for problem in self._of_derivation(derivation))

    def _of_concept_measures(self, concept: Concept) -> Iterator[str]:
        for name in concept.measures:
            if name not in self.measures and name != ANY_CURRENCY:
                yield f"measures: {self.unknown('measures', name)}"
        bases = [self.measures[name].of or name for name in concept.measures if name in self.measures]
        for base in dict.fromkeys(base for base in bases if bases.count(base) > 1):
            yield f"measures: several of base {base!r}: name one, the others are converted into it"

    def _of_derivation(self, derivation: Derivation) -> Iterator[str]:
        yield from (self.unknown("concepts", name) for name in derivation.sum_of if name not in self.concepts)
        if derivation.over is None:
            return
        if derivation.over not in self.dimensions:
            yield self.unknown("dimensions", derivation.over)
            return
        codes = self.dimensions[derivation.over].codes
        for code in derivation.parts:
            if code not in codes:
                yield f"{code!r} is no code of {derivation.over!r}; {did_you_mean(code, codes)}".rstrip("; ")


def load_vocabulary(folder: Path | None = None) -> Vocabulary:
    """Return the shipped vocabulary, with the terms of a folder of the installation's own, which take precedence.

    Raises `ContractError` for a file that is wrong, and for a term that two files of a folder declare.
    """
    vocabulary = Vocabulary()
    for each in (VOCABULARY_FOLDER, folder):
        if each is not None:
            vocabulary = vocabulary.plus(_read_folder(each))
    wrong = [f"{vocabulary.owners[term]}: {'.'.join(term)}: {problem}" for term, problem in vocabulary.problems()]
    if wrong:
        raise ContractError("\n".join(wrong))
    return vocabulary


def _read_folder(folder: Path) -> Vocabulary:
    if not folder.is_dir():
        raise ContractError(f"{folder}: expected a folder of vocabulary files: check ENGANG_VOCABULARY")
    vocabulary = Vocabulary()
    for path in sorted(folder.glob("*.yml")):
        found = terms_of(read_declared(declaring_text(path), path.name, VocabularyFile), path.name)
        for (kind, name), owner in found.owners.items():
            if (kind, name) in vocabulary.owners:
                other = vocabulary.owners[kind, name]
                raise ContractError(f"{owner}: {kind}.{name}: declared twice: {other} declares it too")
        vocabulary = vocabulary.plus(found)
    return vocabulary


def terms_of(file: VocabularyFile, owner: str) -> Vocabulary:
    """Return the terms that a file declares, as a vocabulary of their own."""
    currencies = {code: Measure(title=title) for code, title in file.currencies.items()}
    measures = {**currencies, **file.measures}
    declared: dict[str, Iterable[str]] = {
        "concepts": file.concepts, "dimensions": file.dimensions, "measures": measures,
    }  # fmt: skip
    owners = {(kind, name): owner for kind, terms in declared.items() for name in terms}
    return Vocabulary(file.concepts, file.dimensions, measures, frozenset(currencies), owners)
