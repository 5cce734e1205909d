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


Compare = Annotated[
    Exact | Similarity | Edits | Days | Minutes | Difference | Proportion | Words | Kilometres | Code | Overlap,
    Field(discriminator="by"),
]
DISTANCES: Final = (Edits, Days, Minutes, Difference, Proportion, Kilometres)
"""Comparisons whose levels are distances, nearest first; those of the others are similarities, highest first."""
COMPARABLE_TYPES: Final = {
    "similarity": ("text", "code"), "edits": ("text", "code"), "code": ("code", "text"), "days": ("date", "datetime"),
    "minutes": ("datetime",), "difference": ("integer", "number"), "proportion": ("integer", "number"),
    "words": ("text",), "kilometres": ("number",), "overlap": ("list",), "exact": tuple(DTYPES),
}  # fmt: skip
"""Comparison -> the field types it can compare."""


def misfits(compare: Compare, type_: str) -> Iterator[str]:
    """Yield why a comparison cannot compare fields of a type, or is not valid."""
    if type_ not in COMPARABLE_TYPES[compare.by]:
        yield f"{compare.by!r} cannot compare {type_}: expected {', '.join(COMPARABLE_TYPES[compare.by])}"
    if not _ordered(compare):
        yield "the levels of a comparison go from the nearest to the farthest, each once"


def _ordered(compare: Compare) -> bool:
    levels = getattr(compare, "levels", getattr(compare, "prefixes", ()))
    rising = isinstance(compare, DISTANCES)
    return all((a < b) if rising else (a > b) for a, b in pairwise(levels))
