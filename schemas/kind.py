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
from typing import Annotated, Any, Final, Literal, Self

import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from schemas.blocking import NEW_KEYS, BlockingRule, Key, rule_has_lists, rule_limit
from schemas.comparisons import DTYPES, Compare, Contact, Distance, Dtype, Kilometres, Names, levels_in_order, misfits
from schemas.contract_parts import Personal, Strict, Titles, without_unset
from schemas.strict_yaml import load_declared, read_declared
from schemas.suggestions import did_you_mean

KIND_FOLDER: Final = Path(__file__).parent / "kinds"
NAME_PATTERN: Final = r"^[a-z][a-z0-9_]{0,47}$"
"""The pattern of kind and field names: they become names of tables and columns."""
NAME_FIELDS: Final = 2
"""Fields that the comparison `names` reads."""
NEWER_KEYS: Final = (*NEW_KEYS, "personal", "clean", "comparisons", "most_pairs", "alone", "years", "against")
"""Keys that digests leave out where they are not set: they are newer than some pinned models."""


CleanStep = Literal["html", "accents", "punctuation", "spaces", "digits", "legal_forms", "phonetic", "no_model_numbers"]
"""How a text is cleaned before it is compared; case and runs of white space never count."""


class FieldSpec(Strict):
    """One field of the kind's records."""

    type: Literal["text", "code", "list", "integer", "number", "boolean", "date", "datetime"]
    """Type of the values."""
    role: Literal["identity", "comparison", "attribute", "text"]
    """identity: equal values are the same item, without a model. comparison: two records are compared by it.
    attribute: published; it may be a part of `comparisons`. text: published, every version of it; compared or not."""
    doc: str
    """What the field holds."""
    compare: Compare | None = None
    """How two values are compared."""
    clean: tuple[CleanStep, ...] | None = None
    """How the text is cleaned before it is compared and blocked, in this order; what is published is not changed.
    html: entities and tags. accents: é is e, ø is o. punctuation: a blank. spaces: none at all. digits: these alone.
    legal_forms: without AS, Ltd, GmbH, ... phonetic: how it sounds. no_model_numbers: without words that have a digit.
    Case and runs of white space never count."""
    term_frequency: bool | Literal["near"] = False
    """Whether agreement on a rare value weighs more than on a common one; `near`: on the levels below equal too, by
    the commoner of the two values and half as much."""
    against: Distance | None = None
    """How many bits a pair that differs here weighs against one item, at least. It is for what is known, and not
    to be learnt from reports: twins share all but the given name."""
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
        problems = [problem for problem, wrong in (self._value_checks() | self._comparison_checks()).items() if wrong]
        problems += [] if self.compare is None else misfits(self.compare, self.type)
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _value_checks(self) -> dict[str, bool]:
        numbers, texts = {"integer", "number"}, {"text", "code"}
        return {
            f"parts: {self.parts} is for numbers": self.parts not in {"first", "all"} and self.type not in numbers,
            "parts: all is for lists": self.parts == "all" and self.type != "list",
            f"survives: {self.survives} is for numbers and times": self.survives in {"greatest", "least"}
            and self.type in {*texts, "list"},
            "a field of role text is of type text": self.role == "text" and self.type != "text",
            "clean is for text and code": self.clean is not None and self.type not in texts,
        }

    def _comparison_checks(self) -> dict[str, bool]:
        compared = self.compare is not None
        return {
            "a field of role comparison has `compare`, one of role text may, and no other does": self.role
            in ({"identity", "attribute"} if compared else {"comparison"}),
            "against is for compared fields": self.against is not None and not compared,
        }


class JointComparison(Strict):
    """One comparison over several fields, or of one part of a field: their texts, joined by a space."""

    fields: tuple[str, ...] = Field(min_length=1)
    """The fields, in order."""
    doc: str
    """What is compared."""
    compare: Compare
    """How two joined texts are compared; `names` reads the fields one by one, the given name first."""
    clean: tuple[CleanStep, ...] | None = None
    """How the joined text is cleaned, after the fields' own steps; as in a field."""
    term_frequency: bool | Literal["near"] = False
    """As in a field."""
    against: Distance | None = None
    """As in a field."""

    def as_field(self) -> FieldSpec:
        """Return the joined text as a compared field."""
        return FieldSpec.model_construct(
            type="text", role="comparison", doc=self.doc, clean=self.clean, compare=self.compare,
            term_frequency=self.term_frequency, against=self.against,
        )  # fmt: skip

    @model_validator(mode="after")
    def _is_sound(self) -> Self:
        problems = [*self._misfits()]
        if len(set(self.fields)) < len(self.fields):
            problems.append("a field is listed twice")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _misfits(self) -> Iterator[str]:
        """Yield why the comparison cannot compare these fields."""
        compare = self.compare
        if isinstance(compare, Names):
            if len(self.fields) != NAME_FIELDS:
                yield "'names' compares two fields: a given name, a surname"
        elif isinstance(compare, Contact):
            if compare.telephone not in self.fields or len({*self.fields}) == 1:
                yield f"'contact' compares {compare.telephone!r} and the parts of an address: list all under `fields`"
            if not levels_in_order(compare):
                yield "the levels of a comparison go from the nearest to the farthest, each once"
        else:
            yield from misfits(compare, "text")


class OneReport(Strict):
    """Whose reports are one an item: those of some contracts or reporters. Others may report an item several times."""

    contracts: tuple[str, ...] = ()
    """Contracts under which a reporter reports an item once."""
    reporters: tuple[str, ...] = ()
    """Reporters who report an item once."""

    @model_validator(mode="after")
    def _is_not_empty(self) -> Self:
        if not self.contracts and not self.reporters:
            raise ValueError("give contracts or reporters, or true or false for all")
        return self


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
    one_report_per_item: bool | OneReport
    """Whether two reports by one reporter are always two items; or under which contracts, or of which reporters."""
    personal: bool = False
    """Whether values are personal data: they are then shown only to users who ask for a record, and never logged."""
    fields: dict[str, FieldSpec] = Field(min_length=1)
    """Fields by name."""
    comparisons: dict[str, JointComparison] | None = None
    """Comparisons over several fields, by name; such a field is not compared by itself too, or it would count twice."""
    blocking: tuple[BlockingRule, ...] = ()
    """Two records are compared if all parts of one rule are equal in both, none of them null."""
    largest_block: int = Field(default=1000, ge=2)
    """A value shared by more records than this is not used for blocking, and is reported."""
    most_pairs: Annotated[float, Field(gt=0)] | None = None
    """How many pairs a report one blocking rule may bring together, in the mean over all standing reports. Where there
    would be more, the rule's largest blocks are left out and reported: those of more than 512, 256, ... reports."""
    chance: Literal["random", "blocked"] = "random"
    """Where chance agreement (u) is measured: among random pairs of reports, or pairs that blocking yields."""
    thresholds: Thresholds = Thresholds(review=0.05)
    """Match probabilities from which pairs are joined or reviewed."""
    _limits: tuple[int, ...] | None = PrivateAttr(default=None)

    def compared(self) -> dict[str, FieldSpec]:
        """Return what records are compared by: fields, then the joined texts of `comparisons`."""
        joined = {name: joint.as_field() for name, joint in (self.comparisons or {}).items()}
        return {name: f for name, f in self.fields.items() if f.compare is not None} | joined

    def sources_of(self, name: str) -> tuple[str, ...]:
        """Return the fields whose values a comparison reads, by its name."""
        joint = (self.comparisons or {}).get(name)
        return (name,) if joint is None else joint.fields

    def has_lists(self, rule: int) -> bool:
        """Return whether a record may have several keys of `rules()[rule]`."""
        return rule_has_lists(self.rules()[rule])

    def block_limits(self) -> list[int]:
        """Return how many records may share a block, by blocking rule; less, where `limited`."""
        declared = [rule_limit(rule, self.largest_block) for rule in self.blocking]
        return declared if self._limits is None else [*map(min, declared, self._limits)]

    def limited(self, limits: Iterable[int]) -> Self:
        """Return the kind with these limits of blocks, which follow from `most_pairs` and all reports, by rule."""
        kind = self.model_copy()
        kind._limits = tuple(limits)  # noqa: SLF001  its own
        return kind

    @property
    def is_limited(self) -> bool:
        """Whether the limits of its blocks need no look at all reports any more."""
        return self.most_pairs is None or self._limits is not None

    def identities(self) -> list[str]:
        """Return the fields of role identity."""
        return [name for name, f in self.fields.items() if f.role == "identity"]

    def rules(self) -> tuple[BlockingRule, ...]:
        """Return the blocking rules, then one for each identity field: records with equal values are compared."""
        return (*self.blocking, *((Key(field=name),) for name in self.identities()))

    def match_digest(self) -> str:
        """Return 16 hex characters over what decides which records are compared and how; a model belongs to one."""
        declared = self.model_dump(mode="json", exclude={"title", "version", "thresholds", "personal"})
        declared["fields"] = {
            name: {"type": f.type, "compare": f.compare and f.compare.model_dump(mode="json"), "tf": f.term_frequency}
            for name, f in self.compared().items()
        }
        cleaned = {name: f.clean for name, f in self.fields.items() if f.clean}
        against = {name: f.against for name, f in self.compared().items() if f.against is not None}
        added = {"clean": cleaned} if cleaned else {}
        return _digest(_without_newer(declared) | added | ({"against": against} if against else {}))

    def digest(self) -> str:
        """Return 16 hex characters over everything that decides what is published of the kind."""
        return _digest(_without_newer(self.model_dump(mode="json", exclude={"title"})))

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
            *_bad_names((*self.fields, *(self.comparisons or {}))),
            *self._misfits(),
            *self._counted_twice(),
            *(problem for problem, wrong in checks.items() if wrong),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _misfits(self) -> list[str]:
        """Return what is wrong with the fields that comparisons and blocking rules refer to."""
        longitudes = [f.compare.longitude for f in self.fields.values() if isinstance(f.compare, Kilometres)]
        found = [self._misfit(name, ("number",), "a longitude") for name in longitudes]
        found += [self._misfit(f, *key.fits()) for rule in self.blocking for key in rule for f in key.fields()]
        joints = (self.comparisons or {}).values()
        found += [self._misfit(f, ("text", "code"), "a part of a comparison") for joint in joints for f in joint.fields]
        return [problem for problem in found if problem]

    def _counted_twice(self) -> Iterator[str]:
        """Yield which values are compared twice."""
        for name, joint in (self.comparisons or {}).items():
            if name in self.fields:
                yield f"comparison {name!r} has the name of a field: rename it"
            by = joint.compare.by
            hint = " (or add `clean: [no_model_numbers]` to the field)" if by == "model_numbers" else ""
            for field in joint.fields:
                if self._counts_alone(field, by):
                    yield f"field {field!r} would count twice, by itself and in {name!r}: remove its `compare`{hint}"

    def _counts_alone(self, name: str, by: str) -> bool:
        """Return whether a field's own comparison reads what a joint comparison, by its `by`, reads of it."""
        own = self.fields.get(name)
        if own is None or own.compare is None:
            return False
        return by != "model_numbers" or "no_model_numbers" not in (own.clean or ())

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
    "record_warnings", "decisions", "runs", "models", "descriptions",
    "concepts", "dimensions", "obligations", "units",
    "overlap", "burden", "redundancy", "coverage", "report_counts", "scope_counts", "suspected",
    "derivable", "derivable_from", "overlap_reporters",
    "history", "facts", "reported_twice", "observations_wide",
    "mart", "sync", "progress", "periods", "reporting_units", "withheld_counts",
)  # fmt: skip
RESERVED_FIELDS: Final = (
    "submission_id", "contract", "obligation", "sender", "reported_by", "row", "rows", "row_keys", "column", "original",
    "reported_at", "version", "action", "confidential", "conf_status", "report_id", "report_key", "item_id", "claim_id",
    "part_values",
    "content", "precedence", "relation", "lead", "agreement", "conflicting", "reports", "reporters", "first_reported",
    "last_reported", "release", "partition", "batch", "before", "after", "option_period",
)  # fmt: skip


def _without_newer(declared: dict[str, Any]) -> dict[str, Any]:
    """Return a dumped kind as digests cover it: without the keys that it does not use and older versions lacked."""
    for key in NEWER_KEYS:
        declared = without_unset(declared, key)
    return declared


def _digest(declared: object) -> str:
    return hashlib.sha256(json.dumps(declared, sort_keys=True).encode()).hexdigest()[:16]


def read_kind(text: str, name: str = "kind") -> Kind:
    """Read one kind from YAML text; `name` is the file to name in errors. Raises `ContractError`."""
    return read_declared(text, name, Kind)


def load_kinds(folder: Path = KIND_FOLDER) -> dict[str, Kind]:
    """Load every kind of a folder by name. Raises `ContractError` for the first file that is wrong."""
    return load_declared(folder, read_kind, "kind")
