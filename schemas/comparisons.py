"""Field types of a kind, and the comparisons that can be made of two values of a type.

The terms come from record linkage: a comparison has levels, from the most alike to the least.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Final, Literal

import polars as pl
from pydantic import Field

from schemas.claims import VALUE
from schemas.contract_parts import Strict

Dtype = pl.DataType | type[pl.DataType]
DTYPES: Final[dict[str, Dtype]] = {
    "text": pl.String,
    "code": pl.String,
    "list": pl.List(pl.String),
    "integer": pl.Int64,
    "number": VALUE,
    "boolean": pl.Boolean,
    "date": pl.Date,
    "datetime": pl.Datetime("us"),
}
"""Field type -> its dtype in tables."""

Share = Annotated[float, Field(gt=0, le=1)]
Distance = Annotated[float, Field(ge=0)]


class Exact(Strict):
    """Equal or not."""

    by: Literal["exact"]
    """Selects this comparison."""


class Similarity(Strict):
    """Similarity of two texts, from 0 to 1 (Jaro-Winkler): equal, then at least each level."""

    by: Literal["similarity"]
    """Selects this comparison."""
    levels: tuple[Share, ...] = (0.92, 0.8)
    """Comparison levels, see above."""


class Edits(Strict):
    """Edit distance of two texts (Damerau-Levenshtein): equal, then at most each level."""

    by: Literal["edits"]
    """Selects this comparison."""
    levels: tuple[Distance, ...] = (1, 2)
    """Comparison levels, see above."""


class Days(Strict):
    """Days between two dates: equal, then at most each level."""

    by: Literal["days"]
    """Selects this comparison."""
    levels: tuple[Distance, ...]
    """Comparison levels, see above."""


class Minutes(Strict):
    """Minutes between two times: equal, then at most each level."""

    by: Literal["minutes"]
    """Selects this comparison."""
    levels: tuple[Distance, ...]
    """Comparison levels, see above."""


class Difference(Strict):
    """Difference of two numbers, in the field's own unit: equal, then at most each level."""

    by: Literal["difference"]
    """Selects this comparison."""
    levels: tuple[Distance, ...]
    """Comparison levels, see above."""


class Proportion(Strict):
    """Difference of two numbers as a share of the greater: equal, then at most each level (0.1 is 10 %)."""

    by: Literal["proportion"]
    """Selects this comparison."""
    levels: tuple[Share, ...]
    """Comparison levels, see above."""


class Words(Strict):
    """Words shared by two free texts: the sum of their weights, at least each level.

    A word weighs log2(texts / texts that contain it), as the model counted them, so common words weigh little. Levels
    are bits, highest first.
    """

    by: Literal["words"]
    """Selects this comparison."""
    levels: tuple[Distance, ...]
    """Comparison levels, see above."""


class Cosine(Strict):
    """Likeness of two free texts by their words, from 0 to 1: the cosine of their word weights, at least each level.

    Words weigh as in `words`. Rare words that only one of the two has count against it, so two articles of one series
    are less alike than two names of one article (TF-IDF; Salton and Buckley 1988, Cohen et al. 2003).
    """

    by: Literal["cosine"]
    """Selects this comparison."""
    levels: tuple[Share, ...] = (0.9, 0.75, 0.6, 0.45, 0.3, 0.15)
    """Comparison levels, see above."""


class Kilometres(Strict):
    """Distance of two places on the globe: this field is the latitude, `longitude` the other one."""

    by: Literal["kilometres"]
    """Selects this comparison."""
    longitude: str
    """The field that holds the longitude."""
    levels: tuple[Distance, ...]
    """Comparison levels, see above."""


class Code(Strict):
    """Equal codes, then codes with a common prefix: each level is its number of characters, highest first."""

    by: Literal["code"]
    """Selects this comparison."""
    prefixes: tuple[Annotated[int, Field(ge=1)], ...] = ()
    """Lengths of common prefixes, longest first."""


class Overlap(Strict):
    """How many elements two lists share: at least each level, highest first."""

    by: Literal["overlap"]
    """Selects this comparison."""
    levels: tuple[Annotated[int, Field(ge=1)], ...] = (1,)
    """Comparison levels, see above."""


class Phonetic(Strict):
    """Equal, or alike in sound: names that an English or a Nordic ear confuses have one key (`transforms.linkage`)."""

    by: Literal["phonetic"]
    """Selects this comparison."""


class Email(Strict):
    """E-mail addresses: equal, the same mailbox at another provider, mailboxes at least as similar as each level."""

    by: Literal["email"]
    """Selects this comparison."""
    levels: tuple[Share, ...] = (0.92,)
    """Comparison levels, see above."""


class Telephone(Strict):
    """Telephone numbers, by their digits alone: equal, the last digits equal, one digit wrong.

    Equal last digits are one number of which one report leaves out the country or area. A wrong digit is also one that
    is missing or exchanged with its neighbour.
    """

    by: Literal["telephone"]
    """Selects this comparison."""
    digits: tuple[Annotated[int, Field(ge=4, le=15)], ...] = (8,)
    """Numbers of last digits that are compared, highest first."""


class DateParts(Strict):
    """Dates by part: equal, day and month exchanged, one digit wrong, two of three parts equal, the year equal.

    A text or code is read as eight digits, the year first, or as `31.1.2024`.
    """

    by: Literal["date_parts"]
    """Selects this comparison."""
    years: Annotated[int, Field(ge=1)] | None = None
    """Then, years of birth that are at most so far from each other: parent and child are farther."""


class ModelNumbers(Strict):
    """Model numbers in a text: one shared, then one that begins with the other.

    They are its words of three or more characters with a digit in them, without hyphens. A text without one has no
    value.
    """

    by: Literal["model_numbers"]
    """Selects this comparison."""


class Names(Strict):
    """A given name and a surname: the two fields of a comparison of several fields.

    Equal, exchanged, run together (or divided in another place), both at least as similar as each level (Jaro-Winkler,
    also exchanged), one of them equal while the other is missing, one of them equal.
    """

    by: Literal["names"]
    """Selects this comparison."""
    levels: tuple[Share, ...] = (0.92, 0.8)
    """Comparison levels, see above."""
    alone: Literal["given"] | None = None
    """Which of the two counts where it alone is equal: either, or `given`. A surname alone is that of a household. Then
    an initial of the given name, with the same surname, is a level of its own."""


class Contact(Strict):
    """Where a person is reached: an address in parts and a telephone number, which a household has in common.

    They are one piece of evidence. Levels: one of the two the same; the number but for one digit, or the addresses
    alike to the first level (Jaro-Winkler); the addresses alike to the other levels.
    """

    by: Literal["contact"]
    """Selects this comparison."""
    telephone: str
    """The field of the telephone number, one of the comparison's; the others are parts of the address, in order."""
    levels: tuple[Share, ...] = Field((0.95, 0.85), min_length=1)
    """Comparison levels, see above."""


OneCompare = Annotated[
    Exact | Similarity | Edits | Days | Minutes | Difference | Proportion | Words | Cosine | Kilometres | Code
    | Overlap | Phonetic | Email | Telephone | DateParts | ModelNumbers,
    Field(discriminator="by"),
]  # fmt: skip


class FirstOf(Strict):
    """Several comparisons of one field that count once: equal, then the levels of each in the order listed.

    A pair is at the first level that it reaches.
    """

    by: Literal["first_of"]
    """Selects this comparison."""
    of: tuple[OneCompare, ...] = Field(min_length=2)
    """The comparisons, strongest evidence first."""


Compare = Annotated[
    Exact | Similarity | Edits | Days | Minutes | Difference | Proportion | Words | Cosine | Kilometres | Code
    | Overlap | Phonetic | Email | Telephone | DateParts | ModelNumbers | Names | Contact | FirstOf,
    Field(discriminator="by"),
]  # fmt: skip
DISTANCES: Final = (Edits, Days, Minutes, Difference, Proportion, Kilometres)
"""Comparisons whose levels are distances, nearest first; those of the others are similarities, highest first."""
COMPARABLE_TYPES: Final = {
    "similarity": ("text", "code"), "edits": ("text", "code"), "code": ("code", "text"), "days": ("date", "datetime"),
    "minutes": ("datetime",), "difference": ("integer", "number"), "proportion": ("integer", "number"),
    "words": ("text",), "cosine": ("text",), "kilometres": ("number",), "overlap": ("list",), "exact": tuple(DTYPES),
    "phonetic": ("text", "code"), "email": ("text", "code"), "telephone": ("text", "code"),
    "date_parts": ("date", "text", "code"), "model_numbers": ("text", "code"), "names": (), "contact": (),
    "first_of": tuple(DTYPES),
}  # fmt: skip
"""Comparison -> the field types it can compare."""


def misfits(compare: Compare, type_: str) -> Iterator[str]:
    """Yield why a comparison cannot compare fields of a type, or is not valid."""
    if isinstance(compare, FirstOf):
        for part in compare.of:
            yield from misfits(part, type_)
        if any(part.by == "kilometres" for part in compare.of):
            yield "'first_of' compares one field, and 'kilometres' two"
        return
    if compare.by in {"names", "contact"}:
        count = "two" if compare.by == "names" else "several"
        yield f"{compare.by!r} compares {count} fields: declare it under `comparisons`"
        return
    if type_ not in COMPARABLE_TYPES[compare.by]:
        yield f"{compare.by!r} cannot compare {type_}: expected {', '.join(COMPARABLE_TYPES[compare.by])}"
    if not levels_in_order(compare):
        yield "the levels of a comparison go from the nearest to the farthest, each once"


def parts_of(compare: Compare | None) -> tuple[Compare, ...]:
    """Return the comparisons that one consists of: those of `first_of`, else itself."""
    if compare is None:
        return ()
    return compare.of if isinstance(compare, FirstOf) else (compare,)


def counts_words(compare: Compare | None) -> bool:
    """Return whether a comparison weighs words."""
    return any(isinstance(part, Words | Cosine) for part in parts_of(compare))


def levels_in_order(compare: Compare) -> bool:
    """Return whether the levels of a comparison go from the nearest to the farthest, each once."""
    levels = getattr(compare, "levels", getattr(compare, "prefixes", getattr(compare, "digits", ())))
    rising = isinstance(compare, DISTANCES)
    return all((a < b) if rising else (a > b) for a, b in pairwise(levels))
