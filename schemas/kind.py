"""The record kind: one YAML file that says what reports of a kind of thing hold and when two are the same item.

Strictly read, as contracts are: an unknown key, a field that is not declared, a level out of order is a
`ContractError` that names the file, the key and the nearest known one. The terms are record linkage's: a comparison
has levels, a blocking rule names what two records must have in common to be compared at all.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from schemas.claims import VALUE
from schemas.contract_parts import Strict, Titles
from schemas.strict_yaml import load_declared, read_declared

FOLDER: Final = Path(__file__).parent / "kinds"
NAME: Final = r"^[a-z][a-z0-9_]{0,47}$"
"""What names a kind or a field: it becomes a table's or a column's name, so nothing else may."""

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
"""Field type -> how it is kept."""

Share = Annotated[float, Field(gt=0, le=1)]
Distance = Annotated[float, Field(ge=0)]


class Exact(Strict):
    """Equal or not."""

    by: Literal["exact"]


class Similarity(Strict):
    """How alike two texts are, from 0 to 1 (Jaro-Winkler): the same, then at least each level."""

    by: Literal["similarity"]
    levels: tuple[Share, ...] = (0.92, 0.8)


class Edits(Strict):
    """How many edits apart two texts are (Damerau-Levenshtein): the same, then at most each level."""

    by: Literal["edits"]
    levels: tuple[Distance, ...] = (1, 2)


class Days(Strict):
    """How many days apart two dates are: the same, then at most each level."""

    by: Literal["days"]
    levels: tuple[Distance, ...]


class Minutes(Strict):
    """How many minutes apart two times are: the same, then at most each level."""

    by: Literal["minutes"]
    levels: tuple[Distance, ...]


class Difference(Strict):
    """How far apart two numbers are: the same, then at most each level, in the field's own unit."""

    by: Literal["difference"]
    levels: tuple[Distance, ...]


class Proportion(Strict):
    """How far apart two numbers are as a share of the greater: the same, then at most each level (0.1 is 10 %)."""

    by: Literal["proportion"]
    levels: tuple[Share, ...]


class Words(Strict):
    """What two free texts have in common: the sum of the weights of shared words, at least each level.

    A word weighs log2(texts / texts that hold it), as the model counted them: common words say little. Levels are bits,
    highest first.
    """

    by: Literal["words"]
    levels: tuple[Distance, ...]


class Kilometres(Strict):
    """How far apart two places are on the globe: this field is the latitude, `longitude` the other one."""

    by: Literal["kilometres"]
    longitude: str
    levels: tuple[Distance, ...]


class Code(Strict):
    """Equal codes, then codes that begin alike: each level is a number of characters, highest first."""

    by: Literal["code"]
    prefixes: tuple[Annotated[int, Field(ge=1)], ...] = ()


class Overlap(Strict):
    """How many elements two lists share: at least each level, highest first."""

    by: Literal["overlap"]
    levels: tuple[Annotated[int, Field(ge=1)], ...] = (1,)


Compare = Annotated[
    Exact | Similarity | Edits | Days | Minutes | Difference | Proportion | Words | Kilometres | Code | Overlap,
    Field(discriminator="by"),
]
RISING: Final = (Edits, Days, Minutes, Difference, Proportion, Kilometres)
"""Comparisons whose levels are distances, nearest first; those of the others are likenesses, highest first."""
FITS: Final = {
    "similarity": ("text", "code"), "edits": ("text", "code"), "code": ("code", "text"), "days": ("date", "datetime"),
    "minutes": ("datetime",), "difference": ("integer", "number"), "proportion": ("integer", "number"),
    "words": ("text",), "kilometres": ("number",), "overlap": ("list",), "exact": tuple(DTYPES),
}  # fmt: skip
"""Comparison -> the field types it can compare."""


class FieldSpec(Strict):
    """One field of the kind's records."""

    type: Literal["text", "code", "list", "integer", "number", "boolean", "date", "datetime"]
    role: Literal["identity", "comparison", "attribute", "text"]
    """identity: equal values are the same item, without a model. comparison: two records are compared by it.
    attribute: published only. text: published, every version of it; it may be compared too."""
    doc: str
    compare: Compare | None = None
    term_frequency: bool = False
    """Whether agreeing on a rare value says more than on a common one."""
    survives: Literal["most", "first", "last", "longest", "greatest", "least"] = "most"
    """Whose value is published: that of most reports, of the one reported first or last, the longest, ..."""
    parts: Literal["first", "sum", "greatest", "least", "all"] = "first"
    """What a report of several rows says: the first value that is not empty (rows in the order of their values, so that
    the file's own order says nothing), their sum, ...; of lists, all elements."""
    tolerance: Distance = 0
    """Numbers (in the field's own unit) and times (minutes) this near each other do not count as a conflict."""

    def dtype(self) -> Dtype:
        """Return how the field is kept."""
        return DTYPES[self.type]

    def published_dtype(self) -> Dtype:
        """Return how the field is published: a text keeps all its versions."""
        return pl.List(pl.String) if self.role == "text" else self.dtype()

    @model_validator(mode="after")
    def _sound(self) -> Self:
        numbers, compared = ("integer", "number"), self.compare
        checks = {
            "a field of role comparison says `compare`, one of role text may, and no other does": self.role
            in ({"comparison"} if compared is None else {"identity", "attribute"}),
            f"parts: {self.parts} is for numbers": self.parts not in {"first", "all"} and self.type not in numbers,
            "parts: all is for lists": self.parts == "all" and self.type != "list",
            f"survives: {self.survives} is for numbers and times": self.survives in {"greatest", "least"}
            and self.type in {"text", "code", "list"},
            "a field of role text is of type text": self.role == "text" and self.type != "text",
        }
        problems = [told for told, wrong in checks.items() if wrong]
        problems += [] if compared is None else _unfit(compared, self.type)
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _unfit(compare: Compare, type_: str) -> Iterator[str]:
    """Say why a comparison cannot compare fields of a type, or is none."""
    if type_ not in FITS[compare.by]:
        yield f"{compare.by!r} cannot compare {type_}: expected {', '.join(FITS[compare.by])}"
    if not _ordered(compare):
        yield "the levels of a comparison go from the nearest to the farthest, each once"


def _ordered(compare: Compare) -> bool:
    levels = getattr(compare, "levels", getattr(compare, "prefixes", ()))
    rising = isinstance(compare, RISING)
    return all((a < b) if rising else (a > b) for a, b in pairwise(levels))


class Key(Strict):
    """One part of a blocking rule: a field's value, or what is left of it when it is made coarser."""

    field: str
    prefix: Annotated[int, Field(ge=1)] | None = None
    """The first characters of a text."""
    unit: Literal["day", "month", "year"] | None = None
    """A date or time, to the day, month or year."""
    width: Annotated[float, Field(gt=0)] | None = None
    """A number, to a multiple of this."""
    longest_word: Annotated[int, Field(ge=1, le=9)] | None = None
    """The text's longest word (1), its second longest (2), ..."""

    def fits(self) -> tuple[tuple[str, ...], str]:
        """Return the field types it can be made of, and what it is."""
        if self.prefix is not None or self.longest_word is not None:
            return ("text", "code"), "a prefix or word"
        if self.unit is not None:
            return ("date", "datetime"), "a day, month or year"
        return (("integer", "number"), "a width") if self.width is not None else (tuple(DTYPES), "a value")

    def in_words(self) -> str:
        """Return what it is made of: `day`, `first 4 of place`, `month of day`, `longest word of story`, ..."""
        if self.prefix is not None:
            return f"first {self.prefix} of {self.field}"
        if self.unit is not None:
            return f"{self.unit} of {self.field}"
        if self.width is not None:
            return f"{self.field} by {self.width:g}"
        if self.longest_word is not None:
            return f"longest word{f' ({self.longest_word})' if self.longest_word > 1 else ''} of {self.field}"
        return self.field

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if sum(x is not None for x in (self.prefix, self.unit, self.width, self.longest_word)) > 1:
            raise ValueError("give at most one of prefix, unit, width, longest_word")
        return self

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_a_field(cls, given: object) -> object:
        return {"field": given} if isinstance(given, str) else given


class Thresholds(Strict):
    """How probable a match must be, from 0 to 1, to be made by itself and to be shown to a person."""

    automatic: Annotated[float, Field(gt=0, lt=1)] | Literal["best_f1"] = "best_f1"
    """`best_f1`: where the trained model itself expects the best F1."""
    review: Annotated[float, Field(gt=0, lt=1)]


class Kind(Strict):
    """One record kind, whole."""

    kind: str = Field(pattern=NAME)
    version: int = Field(ge=1)
    title: Titles
    one_report_per_item: bool
    """Whether two reports by one reporter are two items, always."""
    personal: bool = False
    """Whether values are personal data: they are then shown to those who ask for a record, and in no log."""
    fields: dict[str, FieldSpec] = Field(min_length=1)
    blocking: tuple[tuple[Key, ...], ...] = ()
    """Two records are compared if all parts of one rule are equal in both, none of them null."""
    largest_block: int = Field(default=1000, ge=2)
    """A value that more records than this share is no blocking value: it is named and left out."""
    chance: Literal["random", "blocked"] = "random"
    """Where agreement by chance (u) is measured: among any two reports, or those that blocking brings together."""
    thresholds: Thresholds = Thresholds(review=0.05)

    def compared(self) -> dict[str, FieldSpec]:
        """Return the fields that records are compared by."""
        return {name: f for name, f in self.fields.items() if f.compare is not None}

    def identities(self) -> list[str]:
        """Return the fields of role identity."""
        return [name for name, f in self.fields.items() if f.role == "identity"]

    def rules(self) -> tuple[tuple[Key, ...], ...]:
        """Return the blocking rules, then one for each identity field: equal values bring two records together."""
        return (*self.blocking, *((Key(field=name),) for name in self.identities()))

    def match_digest(self) -> str:
        """Return 16 hex characters over what decides which records are compared and how: a model is trained for it."""
        told = self.model_dump(mode="json", exclude={"title", "version", "thresholds", "personal"})
        told["fields"] = {
            name: {"type": f.type, "compare": f.compare and f.compare.model_dump(mode="json"), "tf": f.term_frequency}
            for name, f in self.compared().items()
        }
        return _digest(told)

    def digest(self) -> str:
        """Return 16 hex characters over everything that decides what is published of the kind."""
        return _digest(self.model_dump(mode="json", exclude={"title"}))

    @model_validator(mode="after")
    def _hangs_together(self) -> Self:
        automatic = self.thresholds.automatic
        checks = {
            "records are compared, so at least one blocking rule is needed": self.compared() and not self.blocking,
            "thresholds: review is above automatic": automatic != "best_f1" and self.thresholds.review > automatic,
            f"kind {self.kind!r} bears the name of a table of our own: rename it": self.kind in RESERVED_KINDS
            or self.kind.endswith(SUFFIXES),
        }
        problems = [*_bad_names(self.fields), *self._misfits(), *(told for told, wrong in checks.items() if wrong)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _misfits(self) -> list[str]:
        """Return what is wrong with the fields that comparisons and blocking rules speak of."""
        longitudes = [f.compare.longitude for f in self.fields.values() if isinstance(f.compare, Kilometres)]
        found = [self._misfit(name, ("number",), "a longitude") for name in longitudes]
        found += [self._misfit(key.field, *key.fits()) for rule in self.blocking for key in rule]
        return [told for told in found if told]

    def _misfit(self, name: str, types: tuple[str, ...], what: str) -> str | None:
        """Return what is wrong with a field that is spoken of, if anything."""
        if name not in self.fields:
            near = difflib.get_close_matches(name, list(self.fields), n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return f"unknown field {name!r}{hint} Known: {', '.join(self.fields)}"
        found = self.fields[name].type
        return None if found in types else f"field {name!r} is {found}: {what} is {' or '.join(types)}"


def _bad_names(fields: Iterable[str]) -> Iterator[str]:
    for name in fields:
        if name in RESERVED_FIELDS:
            yield f"field {name!r} bears a name of our own: rename it"
        if not re.fullmatch(NAME, name):
            yield f"field {name!r} is no name: expected {NAME}"


SUFFIXES: Final = ("_sources", "_conflicts", "_changes", "_history", "_records", "_reports", "_edges", "_retired")
RESERVED_KINDS: Final = (
    "observations", "sources", "conflicts", "changes", "retired", "claims", "submissions", "rejects", "releases",
    "decisions", "runs", "models",
)  # fmt: skip
RESERVED_FIELDS: Final = (
    "submission_id", "contract", "obligation", "sender", "reported_by", "row", "rows", "row_keys", "column", "original",
    "reported_at", "version", "action", "confidential", "report_id", "report_key", "item_id", "claim_id", "part_values",
    "content", "precedence", "relation", "lead", "agreement", "conflicting", "reports", "reporters", "first_reported",
    "last_reported", "release", "partition", "batch", "before", "after", "option_period",
)  # fmt: skip


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


def read_kind(text: str, name: str = "kind") -> Kind:
    """Read one kind from YAML text; `name` is the file to name in errors. Raises `ContractError`."""
    return read_declared(text, name, Kind)


def load_kinds(folder: Path = FOLDER) -> dict[str, Kind]:
    """Load every kind of a folder by name. Raises `ContractError` for the first file that is wrong."""
    return load_declared(folder, read_kind, "kind")
