"""A kind drafted from a table of records: fields with their comparisons, blocking rules with the pairs they find."""

import re
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import polars as pl

from schemas.errors import UsageError
from schemas.kind import RESERVED_FIELDS, Kind
from transforms.drafting.columns import (
    GIVEN_NAMES,
    SURNAMES,
    ColumnContent,
    ColumnProfile,
    profile_columns,
    text_columns,
)
from transforms.drafting.rules import DraftedRule, draft_rules, rule_as_yaml

TYPES: Final[dict[ColumnContent, str]] = {"number": "number", "name": "text", "text": "text", "long_text": "text"}
"""Content -> the type of a field; the others are codes."""
COMPARISONS: Final[dict[ColumnContent, dict[str, Any]]] = {
    "email": {"by": "email"},
    "telephone": {"by": "telephone", "digits": [7]},
    "date": {"by": "date_parts"},
    "number": {"by": "proportion", "levels": [0.01, 0.1, 0.3]},
    "category": {"by": "exact"},
    "code": {"by": "edits", "levels": [1, 2]},
    "name": {"by": "similarity", "levels": [0.92, 0.8]},
}
NAME_CLEANING: Final = ("accents", "punctuation")
CODE_CLEANING: Final = ("punctuation",)
"""`(1990),` and `1990.` are one code."""
FREQUENT: Final = ("category", "code", "name", "telephone")
"""Contents of which a rare value is more evidence than a common one: a telephone may be a switchboard. A birth date or
an e-mail address is mostly repeated by reports of one person, which is no reason to trust it less."""
BY_WORDS: Final[dict[str, Any]] = {"by": "cosine", "levels": [0.9, 0.75, 0.6, 0.45, 0.3, 0.15]}
"""How texts of several words are compared: what only one of two texts has counts too."""
NAME_OF_WORDS: Final = (
    {"by": "similarity", "levels": [0.92]},
    {"by": "cosine", "levels": [0.75, 0.5]},
    {"by": "similarity", "levels": [0.8]},
)
"""How names of several words are compared: by their characters, else by their words, in whatever order."""
WORDS_OF_NAME: Final = 1.5
"""Mean words from which names are of several words."""
LEAST_REPORTERS: Final = 2
MOST_REPEATED: Final = 0.01
"""Share of records repeated in full by the same reporter, below which a reporter reports an item once."""
LEAST_VALUES: Final = 2
"""Values of a record without which its repetition shows nothing: two records with one name may be two items."""
LEAST_COMPARED: Final = 0.3
"""Columns that are filled less are published, and not compared."""
MOST_DISTINCT: Final = 0.5
TWIN_SHARE: Final = 1.02
"""Fields of which values repeat have the same content, if there are hardly more combinations than values."""
NAME_LENGTH: Final = 40
SQL_WORDS: Final = frozenset(
    {
        "all", "and", "any", "array", "as", "asc", "both", "case", "cast", "check", "collate", "column", "constraint",
        "create", "default", "desc", "distinct", "do", "else", "end", "except", "false", "fetch", "for", "foreign",
        "from", "full", "grant", "group", "having", "in", "inner", "intersect", "into", "is", "join", "lateral",
        "leading", "left", "like", "limit", "not", "null", "offset", "on", "only", "or", "order", "outer", "primary",
        "references", "returning", "right", "select", "some", "table", "then", "to", "trailing", "true", "union",
        "unique", "user", "using", "when", "where", "window", "with",
    }
)  # fmt: skip
"""Words that Splink's comparisons cannot have as the name of a column."""
RESERVED_AS_FIELD: Final = "field_"


@dataclass(frozen=True)
class KindDraft:
    """A drafted kind, and where each of its fields comes from.

    declared: the kind as plain values. rules: its blocking rules, with the pairs they bring together. fields: field ->
    column. key, reporter: their columns; without a reporter the file is one reporter's. ignored: the other columns.
    """

    declared: dict[str, Any]
    rules: list[DraftedRule]
    fields: dict[str, str]
    key: str
    reporter: str | None
    ignored: list[str]
    records: int

    @property
    def pairs(self) -> int:
        """How many pairs the rules bring together, a pair once for each rule."""
        return sum(each.pairs for each in self.rules)


def draft_kind(table: pl.DataFrame, kind: str, ignored: tuple[str, ...] = ()) -> KindDraft:
    """Return a kind drafted from records. ignored: columns that are no part of it.

    Raises `UsageError` if no column is a key, or too little is there to compare.
    """
    texts = text_columns(table.drop(ignored, strict=False))
    profiles = profile_columns(texts)
    key, reporter = _column_with(profiles, "key"), _column_with(profiles, "reporter")
    if key is None:
        raise UsageError("no column has a different value in every row: add one that numbers the rows")
    fields = _fields(profiles)
    reports = _as_reports(texts, key, reporter, fields)
    declared = _declared(kind, reports, fields, reporter)
    rules = _rules(reports, declared, fields)
    declared["blocking"] = [rule_as_yaml(each.rule) for each in rules]
    declared["thresholds"] = {"automatic": "best_f1", "review": 0.05}
    columns = {name: p.name for name, p in fields.items()}
    others = [name for name in table.columns if name not in {key, reporter, *columns.values()}]
    return KindDraft(declared, rules, columns, key, reporter, others, table.height)


def _column_with(profiles: list[ColumnProfile], content: ColumnContent) -> str | None:
    """Return the name of the column with a content, if there is one."""
    return next((p.name for p in profiles if p.content == content), None)


def _fields(profiles: list[ColumnProfile]) -> dict[str, ColumnProfile]:
    """Return field -> its column, for all columns that say something of an item; `UsageError` if there are none."""
    used = [p for p in profiles if p.content not in {"key", "reporter", "unused"}]
    fields = {_field_name(p.name, n): p for n, p in enumerate(used)}
    if len(fields) < len(used) or not used:
        raise UsageError("found no column to compare records by, or two of one name: rename or fill them")
    return fields


def _rules(reports: pl.DataFrame, declared: dict[str, Any], fields: dict[str, ColumnProfile]) -> list[DraftedRule]:
    """Return the blocking rules by the fields that are compared; `UsageError` if there are none."""
    joined = {name for joint in declared.get("comparisons", {}).values() for name in joint["fields"]}
    compared = {name: p for name, p in fields.items() if "compare" in declared["fields"][name] or name in joined}
    bare = Kind.model_validate(declared | {"blocking": [[next(iter(fields))]]})
    rules = draft_rules(reports, bare, compared)
    if not rules:
        raise UsageError("no column brings few enough records together to compare them: add one that few records share")
    return rules


def _field_name(column: str, number: int) -> str:
    """Return a column's name as the name of a field."""
    plain = re.sub(r"[^a-z0-9]+", "_", column.lower().translate(str.maketrans("æøå", "aoa"))).strip("_")[:NAME_LENGTH]
    plain = plain if re.match("[a-z]", plain) else f"{RESERVED_AS_FIELD}{plain or number}"
    return f"{RESERVED_AS_FIELD}{plain}" if plain in {*RESERVED_FIELDS, *SQL_WORDS} else plain


def _as_reports(texts: pl.DataFrame, key: str, reporter: str | None, fields: dict[str, ColumnProfile]) -> pl.DataFrame:
    values = [
        pl.col(p.name).str.replace(",", ".").cast(pl.Float64, strict=False).alias(name)
        if p.content == "number"
        else pl.col(p.name).alias(name)
        for name, p in fields.items()
    ]
    by = pl.lit("all") if reporter is None else pl.col(reporter)
    return texts.select(pl.col(key).alias("report_id"), by.alias("reported_by"), *values).sort("report_id")


def _declared(
    kind: str, reports: pl.DataFrame, fields: dict[str, ColumnProfile], reporter: str | None
) -> dict[str, Any]:
    """Return the kind as plain values, without blocking rules."""
    twins = _twins(reports, fields)
    specs = {name: _field(profile, twins.get(name)) for name, profile in fields.items()}
    title = kind.replace("_", " ").capitalize()
    names = _full_name(fields)
    declared: dict[str, Any] = {
        "kind": kind,
        "version": 1,
        "title": {"nb": title, "nn": title, "en": title},
        "one_report_per_item": reporter is not None and _once(reports, [*fields]),
        "personal": bool(names) or any(p.content in {"email", "telephone"} for p in fields.values()),
        "fields": specs,
    }
    for name in names:
        specs[name] = {"type": "text", "role": "attribute", "doc": specs[name]["doc"], "clean": list(NAME_CLEANING)}
    if names:
        joint = {"fields": names, "doc": "Given name and surname", "compare": {"by": "names"}, "term_frequency": "near"}
        declared["comparisons"] = {"full_name": joint}
    return declared


def _full_name(fields: dict[str, ColumnProfile]) -> list[str]:
    """Return the fields of a given name and a surname, in this order; none unless both are there."""
    found = [
        next((name for name, p in fields.items() if pattern.match(p.name) and p.filled >= LEAST_COMPARED), None)
        for pattern in (GIVEN_NAMES, SURNAMES)
    ]
    return [name for name in found if name is not None] if None not in found else []


def _twins(reports: pl.DataFrame, fields: dict[str, ColumnProfile]) -> dict[str, str]:
    """Return field -> an earlier field with the same content: each value of one goes with one value of the other.

    A name and its code would count twice, if both were compared.
    """
    twins: dict[str, str] = {}
    repeating = [name for name, p in fields.items() if p.distinct <= MOST_DISTINCT and p.filled >= LEAST_COMPARED]
    for a, b in combinations(repeating, 2):
        both = reports.select(a, b).drop_nulls()
        counts = [both.select(names).n_unique() for names in ([a], [b], [a, b])]
        if a not in twins and both.height and counts[2] <= TWIN_SHARE * min(counts[:2]):
            twins.setdefault(b, a)
    return twins


def _field(profile: ColumnProfile, twin: str | None) -> dict[str, Any]:
    """Return one field as plain values. twin: a field with the same content, which is compared in its place."""
    content = profile.content
    long = content == "long_text"
    doc = f"{profile.name}: {profile.filled:.0%} filled, {profile.distinct:.0%} of the values distinct"
    spec: dict[str, Any] = {"type": TYPES.get(content, "code"), "role": "text" if long else "comparison", "doc": doc}
    if twin is not None or profile.filled < LEAST_COMPARED:
        same = f"; the same as {twin}" if twin else ""
        return spec | {"role": "text" if long else "attribute", "doc": f"{doc}{same}"}
    if content in {"text", "long_text"}:
        return spec | {"clean": ["html", "accents"], "compare": BY_WORDS}
    spec |= _name_comparison(profile) if content == "name" else {"compare": COMPARISONS[content]}
    spec |= {"clean": [*CODE_CLEANING]} if content == "code" else {}
    return spec | _frequency(content)


def _frequency(content: str) -> dict[str, Any]:
    if content not in FREQUENT:
        return {}
    return {"term_frequency": "near" if content == "name" else True}


def _name_comparison(profile: ColumnProfile) -> dict[str, Any]:
    has_words = profile.words >= WORDS_OF_NAME
    compare = {"by": "first_of", "of": [*NAME_OF_WORDS]} if has_words else COMPARISONS["name"]
    return {"compare": compare, "clean": list(NAME_CLEANING)}


def _once(reports: pl.DataFrame, fields: list[str]) -> bool:
    """Return whether each reporter seems to report an item once: there are several, and hardly one repeats a record."""
    if reports["reported_by"].n_unique() < LEAST_REPORTERS:
        return False
    filled = reports.filter(pl.sum_horizontal(pl.col(name).is_not_null() for name in fields) >= LEAST_VALUES)
    repeated = filled.select("reported_by", *fields).is_duplicated().mean()
    return isinstance(repeated, float) and repeated <= MOST_REPEATED
