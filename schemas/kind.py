"""The record kind: one YAML file that declares the fields of a kind's reports and when two are the same item.

It is read strictly, like contracts: an unknown key, an undeclared field or a level out of order is a `ContractError`
that names the file, the key and the nearest known one. The terms come from record linkage: a comparison has levels; a
blocking rule states what two records must have in common to be compared at all.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from schemas.comparisons import DTYPES, Compare, Distance, Dtype, Kilometres, misfits
from schemas.contract_parts import Personal, Strict, Titles, without_unset
from schemas.strict_yaml import load_declared, read_declared
from schemas.suggestions import did_you_mean

KIND_FOLDER: Final = Path(__file__).parent / "kinds"
NAME_PATTERN: Final = r"^[a-z][a-z0-9_]{0,47}$"
"""The pattern of kind and field names: they become names of tables and columns."""


class FieldSpec(Strict):
    """One field of the kind's records."""

    type: Literal["text", "code", "list", "integer", "number", "boolean", "date", "datetime"]
    """Type of the values."""
    role: Literal["identity", "comparison", "attribute", "text"]
    """identity: equal values are the same item, without a model. comparison: two records are compared by it.
    attribute: published only. text: published, every version of it; it may be compared too."""
    doc: str
    """What the field holds."""
    compare: Compare | None = None
    """How two values are compared."""
    term_frequency: bool = False
    """Whether agreement on a rare value weighs more than on a common one."""
    survives: Literal["most", "first", "last", "longest", "greatest", "least"] = "most"
    """Which value is published: that of most reports, the one reported first or last, the longest, ..."""
    parts: Literal["first", "sum", "greatest", "least", "all"] = "first"
    """The value of a report with several rows: the first that is not empty (rows in the order of their values, so that
    the order in the file does not matter), their sum, ...; of lists, all elements."""
    tolerance: Distance = 0
    """Numbers (in the field's own unit) and times (minutes) that differ by no more than this are not a conflict."""

    personal: Personal | None = None
    """Whether the field holds personal data: the columns it is read from are pseudonymised, dropped, or kept."""

    def dtype(self) -> Dtype:
        """Return the dtype of the field."""
        return DTYPES[self.type]

    def published_dtype(self) -> Dtype:
        """Return the dtype of the published field: a text has all its versions."""
        return pl.List(pl.String) if self.role == "text" else self.dtype()

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        numbers, compared = ("integer", "number"), self.compare
        checks = {
            "a field of role comparison has `compare`, one of role text may, and no other does": self.role
            in ({"comparison"} if compared is None else {"identity", "attribute"}),
            f"parts: {self.parts} is for numbers": self.parts not in {"first", "all"} and self.type not in numbers,
            "parts: all is for lists": self.parts == "all" and self.type != "list",
            f"survives: {self.survives} is for numbers and times": self.survives in {"greatest", "least"}
            and self.type in {"text", "code", "list"},
            "a field of role text is of type text": self.role == "text" and self.type != "text",
        }
        problems = [problem for problem, wrong in checks.items() if wrong]
        problems += [] if compared is None else misfits(compared, self.type)
        if problems:
            raise ValueError("; ".join(problems))
        return self


class Key(Strict):
    """One part of a blocking rule: a field's value, or a coarser form of it."""

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

    def fits(self) -> tuple[tuple[str, ...], str]:
        """Return the field types that it applies to, and what it is."""
        if self.prefix is not None or self.longest_word is not None:
            return ("text", "code"), "a prefix or word"
        if self.unit is not None:
            return ("date", "datetime"), "a day, month or year"
        return (("integer", "number"), "a width") if self.width is not None else (tuple(DTYPES), "a value")

    def in_words(self) -> str:
        """Return its description: `day`, `first 4 of place`, `month of day`, `longest word of story`, ..."""
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
    """Match probabilities, from 0 to 1, from which a pair is joined automatically or listed for clerical review."""

    automatic: Annotated[float, Field(gt=0, lt=1)] | Literal["best_f1"] = "best_f1"
    """From this match probability on, a pair is joined; `best_f1`: where the trained model expects the best F1."""
    review: Annotated[float, Field(gt=0, lt=1)]
    """From this match probability on, a pair is listed for clerical review."""


class Kind(Strict):
    """One record kind."""

    kind: str = Field(pattern=NAME_PATTERN)
    """Name of the kind and of its published table."""
    version: int = Field(ge=1)
    """Raise it when the kind changes."""
    title: Titles
    """Title of the kind."""
    one_report_per_item: bool
    """Whether two reports by one reporter are always two items."""
    personal: bool = False
    """Whether values are personal data: they are then shown only to users who ask for a record, and never logged."""
    fields: dict[str, FieldSpec] = Field(min_length=1)
    """Fields by name."""
    blocking: tuple[tuple[Key, ...], ...] = ()
    """Two records are compared if all parts of one rule are equal in both, none of them null."""
    largest_block: int = Field(default=1000, ge=2)
    """A value shared by more records than this is not used for blocking, and is reported."""
    chance: Literal["random", "blocked"] = "random"
    """Where chance agreement (u) is measured: among random pairs of reports, or pairs that blocking yields."""
    thresholds: Thresholds = Thresholds(review=0.05)
    """Match probabilities from which pairs are joined or reviewed."""

    def compared(self) -> dict[str, FieldSpec]:
        """Return the fields by which records are compared."""
        return {name: f for name, f in self.fields.items() if f.compare is not None}

    def identities(self) -> list[str]:
        """Return the fields of role identity."""
        return [name for name, f in self.fields.items() if f.role == "identity"]

    def rules(self) -> tuple[tuple[Key, ...], ...]:
        """Return the blocking rules, then one for each identity field: records with equal values are compared."""
        return (*self.blocking, *((Key(field=name),) for name in self.identities()))

    def match_digest(self) -> str:
        """Return 16 hex characters over what decides which records are compared and how; a model belongs to one."""
        declared = self.model_dump(mode="json", exclude={"title", "version", "thresholds", "personal"})
        declared["fields"] = {
            name: {"type": f.type, "compare": f.compare and f.compare.model_dump(mode="json"), "tf": f.term_frequency}
            for name, f in self.compared().items()
        }
        return _digest(declared)

    def digest(self) -> str:
        """Return 16 hex characters over everything that decides what is published of the kind."""
        return _digest(without_unset(self.model_dump(mode="json", exclude={"title"}), "personal"))

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        automatic = self.thresholds.automatic
        checks = {
            "records are compared, so at least one blocking rule is needed": self.compared() and not self.blocking,
            "thresholds: review is above automatic": automatic != "best_f1" and self.thresholds.review > automatic,
            f"kind {self.kind!r} has the name of a reserved table: rename it": self.kind in RESERVED_KINDS
            or self.kind.endswith(RESERVED_SUFFIXES),
        }
        problems = [
            *_bad_names(self.fields),
            *self._misfits(),
            *(problem for problem, wrong in checks.items() if wrong),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _misfits(self) -> list[str]:
        """Return what is wrong with the fields that comparisons and blocking rules refer to."""
        longitudes = [f.compare.longitude for f in self.fields.values() if isinstance(f.compare, Kilometres)]
        found = [self._misfit(name, ("number",), "a longitude") for name in longitudes]
        found += [self._misfit(key.field, *key.fits()) for rule in self.blocking for key in rule]
        return [problem for problem in found if problem]

    def _misfit(self, name: str, types: tuple[str, ...], what: str) -> str | None:
        """Return what is wrong with a field that is referred to, if anything."""
        if name not in self.fields:
            hint = did_you_mean(name, self.fields)
            return f"unknown field {name!r}{f'; {hint}' if hint else ''} Known: {', '.join(self.fields)}"
        found = self.fields[name].type
        return None if found in types else f"field {name!r} is {found}: {what} is {' or '.join(types)}"


def _bad_names(fields: Iterable[str]) -> Iterator[str]:
    for name in fields:
        if name in RESERVED_FIELDS:
            yield f"field {name!r} has a reserved name: rename it"
        if not re.fullmatch(NAME_PATTERN, name):
            yield f"field {name!r} is not a name: expected {NAME_PATTERN}"


RESERVED_SUFFIXES: Final = (
    "_sources",
    "_conflicts",
    "_changes",
    "_history",
    "_records",
    "_reports",
    "_edges",
    "_retired",
)
RESERVED_KINDS: Final = (
    "observations", "sources", "conflicts", "changes", "retired", "claims", "submissions", "rejects", "releases",
    "record_warnings", "decisions", "runs", "models",
)  # fmt: skip
RESERVED_FIELDS: Final = (
    "submission_id", "contract", "obligation", "sender", "reported_by", "row", "rows", "row_keys", "column", "original",
    "reported_at", "version", "action", "confidential", "conf_status", "report_id", "report_key", "item_id", "claim_id",
    "part_values",
    "content", "precedence", "relation", "lead", "agreement", "conflicting", "reports", "reporters", "first_reported",
    "last_reported", "release", "partition", "batch", "before", "after", "option_period",
)  # fmt: skip


def _digest(declared: object) -> str:
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]


def read_kind(text: str, name: str = "kind") -> Kind:
    """Read one kind from YAML text; `name` is the file to name in errors. Raises `ContractError`."""
    return read_declared(text, name, Kind)


def load_kinds(folder: Path = KIND_FOLDER) -> dict[str, Kind]:
    """Load every kind of a folder by name. Raises `ContractError` for the first file that is wrong."""
    return load_declared(folder, read_kind, "kind")
