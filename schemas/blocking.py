"""Blocking in a kind: what two records must share to be compared at all.

A part of a blocking rule reads one value of a record, or several: any rare word of a name, the bins next to a number.
Two records share a part of several values if they share any of them.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from schemas.comparisons import DTYPES
from schemas.contract_parts import Strict

RARE_LIMIT: Final = 30
"""Records that may share a rare word, unless the kind gives another number."""
QGRAM_LENGTH: Final = 4
"""Characters of a q-gram, unless the kind gives another number."""
NEW_KEYS: Final = ("rare", "length", "most", "near", "other")
"""Keys of a part that digests leave out where they are not set: they are newer than some pinned models."""
RARE_NAMES: Final = {"word": "rare word", "model_number": "rare model number"}
UNIT_DOC: Final = "a day, month or year"


class Key(Strict):
    """One part of a blocking rule: a field's value, a coarser form of it, or several values of which one is enough."""

    field: str
    """The field. A key that is only a text names a field."""
    prefix: Annotated[int, Field(ge=1)] | None = None
    """The first characters of a text."""
    unit: Literal["day", "month", "year"] | None = None
    """A date or time, to the day, month or year."""
    width: Annotated[float, Field(gt=0)] | None = None
    """A number, to a multiple of this."""
    longest_word: Annotated[int, Field(ge=1, le=9)] | None = None
    """The text's longest word (1), its second longest (2), ..."""
    rare: Literal["word", "qgram", "model_number"] | None = None
    """Any word, any run of `length` characters, or any model number (a word with a digit in it) of a text, as long as
    the block has at most `most` records. What is rare follows from all standing reports, whatever their order."""
    length: Annotated[int, Field(ge=2, le=12)] | None = None
    """With `rare: qgram`: how many characters; default 4."""
    most: Annotated[int, Field(ge=2)] | None = None
    """With `rare`: how many records may share the block; default 30."""
    near: Annotated[int, Field(ge=1, le=31)] | None = None
    """With `unit` or `width`: also days, months, years or bins that are at most this many steps away."""
    other: str | None = None
    """Also the value of this other field: the surname of one record may be the given name of the other."""

    @property
    def is_list(self) -> bool:
        """Whether a record may have several values of this part."""
        return self.rare is not None or self.near is not None or self.other is not None

    @property
    def limit(self) -> int | None:
        """How many records may share a block of its rule; None: as the kind declares for all rules."""
        return None if self.rare is None else self.most or RARE_LIMIT

    def fields(self) -> tuple[str, ...]:
        """Return the fields that it reads."""
        return (self.field,) if self.other is None else (self.field, self.other)

    def fits(self) -> tuple[tuple[str, ...], str]:
        """Return the field types that it applies to, and what it is."""
        if self.prefix is not None or self.longest_word is not None:
            return ("text", "code"), "a prefix or word"
        if self.rare is not None or self.other is not None:
            return ("text", "code"), "a rare part, or the value of another field,"
        if self.unit is not None:
            return ("date", "datetime"), UNIT_DOC
        return (("integer", "number"), "a width") if self.width is not None else (tuple(DTYPES), "a value")

    def in_words(self) -> str:
        """Return its description: `day`, `first 4 of place`, `month of day`, `rare word of story`, ..."""
        near = "" if self.near is None else f" or {self.near} next to it"
        if self.prefix is not None:
            return f"first {self.prefix} of {' or '.join(self.fields())}"
        if self.unit is not None:
            return f"{self.unit} of {self.field}{near}"
        if self.width is not None:
            return f"{self.field} by {self.width:g}{near}"
        if self.longest_word is not None:
            return f"longest word{f' ({self.longest_word})' if self.longest_word > 1 else ''} of {self.field}"
        if self.rare is not None:
            return f"{RARE_NAMES.get(self.rare, f'rare {self.length or QGRAM_LENGTH} characters')} of {self.field}"
        return " or ".join(self.fields())

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        forms = (self.prefix, self.unit, self.width, self.longest_word, self.rare)
        checks = {
            "give at most one of prefix, unit, width, longest_word, rare": sum(x is not None for x in forms) > 1,
            "length is for `rare: qgram`": self.length is not None and self.rare != "qgram",
            "most is for `rare`": self.most is not None and self.rare is None,
            "near is for `unit` or `width`": self.near is not None and self.unit is None and self.width is None,
            "other is for whole values and prefixes": self.other is not None
            and any(x is not None for x in forms if x is not self.prefix),
        }
        problems = [problem for problem, wrong in checks.items() if wrong]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_a_field(cls, given: object) -> object:
        return {"field": given} if isinstance(given, str) else given


BlockingRule = tuple[Key, ...]
"""A blocking rule: two records are compared if they share all of its parts."""


def rule_in_words(rule: BlockingRule) -> str:
    """Return a blocking rule as text."""
    return " + ".join(key.in_words() for key in rule)


def rule_has_lists(rule: BlockingRule) -> bool:
    """Return whether a record may have several values of the rule, and be in several of its blocks."""
    return any(key.is_list for key in rule)


def rule_limit(rule: BlockingRule, largest: int) -> int:
    """Return how many records may share a block of the rule: the least of its parts, and the kind's largest block."""
    return min(largest, *(key.limit or largest for key in rule)) if rule else largest
