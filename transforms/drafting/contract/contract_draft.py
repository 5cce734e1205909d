"""A contract drafted from the table of a delivery, each guess with its evidence."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from schemas.concepts import Vocabulary
from transforms.drafting.contract.column_roles import YEAR_GROUP, YEAR_SEPARATOR, ColumnRoles
from transforms.drafting.table.file_table import DraftSource
from transforms.drafting.table.value_forms import SUPPRESSED, FigureCells, mark_status

TERM_LENGTH: Final = 60
LISTED_COLUMNS: Final = 60
"""Unused columns that a draft lists by name; of more it ignores the rest."""
MOST_IGNORED: Final = 400
"""Texts of rows that are ignored because the register does not know them."""
IGNORED_SHARE: Final = 0.4
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
_ASCII: Final = str.maketrans("æøåÆØÅäöüé", "aoaAOAaoue")


@dataclass(frozen=True)
class ContractDraft:
    """A contract as plain values, in the order of its file. evidence: dotted key -> the sentences for its guess."""

    declared: dict[str, Any]
    evidence: dict[str, list[str]] = field(default_factory=dict)


def draft_contract(
    source: DraftSource, texts: pl.DataFrame, roles: ColumnRoles, vocabulary: Vocabulary
) -> ContractDraft:
    """Return the contract of a table of figures, by the roles of its columns."""
    terms = _Terms(source.name, vocabulary)
    claims = _claims(roles, terms)
    breakdown = {terms.dimension(n): {"column": n} for n in roles.dimensions}
    form = dict(source.form)
    if form["type"] not in {"json", "parquet"}:
        form |= {"decimal": roles.numbers.decimal} if roles.numbers.decimal != "." else {}
        form |= {"thousands": roles.numbers.thousands} if roles.numbers.thousands else {}
    unused = [*roles.unused, *_lost(texts, roles), *source.unmapped]
    declared = head_of(source.name) | {"format": form}
    declared["ignore"] = unused if len(unused) <= LISTED_COLUMNS else "rest"
    ignored_rows = _ignored_rows(texts, roles)
    declared |= {"ignore_rows": ignored_rows} if ignored_rows else {}
    declared |= {"unpivot": _unpivot(roles)} if roles.series else {}
    declared |= {"unit": roles.unit.take, "period": _period(roles)}
    declared |= {"breakdown": breakdown} if breakdown else {}
    declared |= {"repeat": "sum" if roles.repeats else "error", "claims": claims}
    declared |= terms.declared(bool(breakdown))
    return ContractDraft(declared, _evidence(source, roles, terms))


def head_of(name: str) -> dict[str, Any]:
    """Return the first keys of a contract, to be filled in by a person."""
    title = re.sub(r"[._-]+", " ", name).capitalize()
    return {
        "contract": name, "version": 1, "obligation": name, "title": {"nb": title, "nn": title, "en": title},
        "agency": "FILL IN", "legal_basis": "FILL IN", "rhythm": "yearly", "hours_per_report": None,
        "sender": {"default": "someone"},
    }  # fmt: skip


def _lost(texts: pl.DataFrame, roles: ColumnRoles) -> list[str]:
    """Return the columns of figures that are none of the series that become rows."""
    known = {*roles.unit.columns, *roles.figures, *roles.dimensions, *roles.unused}
    known |= {roles.period["column"]} if roles.period else set()
    return [n for n in texts.columns if n not in known]


def _period(roles: ColumnRoles) -> dict[str, Any]:
    if roles.series:
        return {"column": "year", "type": "year"}
    return roles.period or {"option": "period", "type": "year"}


def _unpivot(roles: ColumnRoles) -> dict[str, Any]:
    figures = list(roles.series)
    stems = "|".join(re.escape(figure) for figure in figures)
    group = re.escape(figures[0]) if len(figures) == 1 else f"(?P<figure>{stems})"
    pattern = f"{group}{YEAR_SEPARATOR}{YEAR_GROUP}"
    return {"pattern": pattern.replace(r"\ ", " ").replace(r"\-", "-"), "value": "value"}


def _ignored_rows(texts: pl.DataFrame, roles: ColumnRoles) -> list[dict[str, Any]]:
    """Return the rows that are no units, by the texts that the register does not know, if they are few."""
    unit = roles.unit
    if not unit.unknown or "column" not in unit.take or len(unit.unknown) > MOST_IGNORED:
        return []
    column = unit.columns[0]
    rows = int(texts[column].is_in(list(unit.unknown)).sum())
    if rows > IGNORED_SHARE * texts.height:
        return []
    why = f"not in the register of units ({rows} rows): sums, regions and the like; take out those that are units"
    return [{"column": column, "values": sorted(unit.unknown), "why": why}]


def _claims(roles: ColumnRoles, terms: "_Terms") -> list[dict[str, Any]]:
    if not roles.series:
        return [_claim(n, n, [f], terms) for n, f in roles.figures.items()]
    claims = []
    for figure, columns in roles.series.items():
        claim = _claim(figure or "value", "value", [roles.figures[name] for name in columns], terms)
        when = {} if len(roles.series) == 1 else {"when": {"figure": figure}}
        claims.append({"concept": claim["concept"], "column": "value"} | when | claim)
    return _read_alike(claims)


def _read_alike(claims: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the claims of one column with the codes of missing values and the marks of all of them."""
    codes = sorted({text for claim in claims for text in claim.get("missing_values", ())})
    shared: dict[str, Any] = {"missing_values": codes} if codes else {}
    pattern = next((claim["missing_pattern"] for claim in claims if "missing_pattern" in claim), None)
    shared |= {"missing_pattern": pattern} if pattern else {}
    flags = {mark: status for claim in claims for mark, status in claim.get("flags", {}).items()}
    shared |= {"flags": flags} if flags else {}
    return [claim | shared for claim in claims]


def _claim(name: str, column: str, cells: Iterable[FigureCells], terms: "_Terms") -> dict[str, Any]:
    every = list(cells)
    claim: dict[str, Any] = {
        "concept": terms.concept(name), "column": column, "reported_by": {"option": "sender"},
        "unit_measure": {"value": terms.measure(name)},
    }  # fmt: skip
    if any(f.empty for f in every):
        claim["missing"] = "skip"
    codes = sorted({text for f in every for text in f.missing})
    if codes:
        claim["missing_values"] = codes
    if any(f.suppressed for f in every):
        claim["missing_pattern"] = SUPPRESSED[1:-1]
    marks = sorted({mark for f in every for mark in f.marks})
    if marks:
        claim["flags"] = {mark: mark_status(mark) for mark in marks}
    return claim


def format_evidence(source: DraftSource) -> dict[str, list[str]]:
    """Return the evidence for the file's form: of a key that the form does not have, at its type."""
    found: dict[str, list[str]] = {}
    for key, why in source.evidence.items():
        place = key if key in source.form else "header_rows" if "header_rows" in source.form else "type"
        found.setdefault(f"format.{place}", []).append(why)
    return found


def _evidence(source: DraftSource, roles: ColumnRoles, terms: "_Terms") -> dict[str, list[str]]:
    found = format_evidence(source)
    if roles.numbers.decimal != "." or roles.numbers.thousands:
        found["format.decimal"] = [roles.numbers.evidence]
    found["unit"] = [roles.unit.evidence]
    if roles.series:
        found["period"] = ["the names of the columns that become rows end with the year"]
        found["unpivot"] = [f"{sum(map(len, roles.series.values()))} columns hold one figure each for a year"]
    elif roles.period:
        found["period"] = [f"every text of {roles.period['column']!r} is written as a {roles.period['type']}"]
    else:
        found["period"] = ["no column holds periods: state the period with each delivery (--period)"]
    if roles.dimensions:
        found["breakdown"] = ["rows of one unit and period differ in these columns"]
    found["repeat"] = [
        f"{roles.repeats} rows repeat the key of another one: they are taken for lines of one figure, and summed"
        if roles.repeats
        else "no two rows have the same unit, period and breakdown"
    ]
    found["ignore"] = ["columns that are no unit, period, figure or dimension: map what the obligation asks for"]
    found["claims"] = [f"{name}: {why}" for name, why in roles.why.items()][:LISTED_COLUMNS] if not roles.series else []
    found["claims"] += terms.known
    marks = sorted({mark for cells in roles.figures.values() for mark in cells.marks})
    if marks:
        shown = ", ".join(map(repr, marks))
        found["claims"].append(f"figures are followed by {shown}: state the status that each mark has (`flags`)")
    return found


class _Terms:
    """The terms that a draft uses: those of the vocabulary where a name is one, else new ones of its own."""

    def __init__(self, contract: str, vocabulary: Vocabulary) -> None:
        self.contract = plain_name(contract)
        self.vocabulary = vocabulary
        self.concepts: dict[str, tuple[str, str]] = {}
        self.dimensions: dict[str, str] = {}
        self.titled = _by_name(vocabulary)
        self.known: list[str] = []

    def concept(self, column: str) -> str:
        """Return the concept of a column: the vocabulary's of that name, else a new one that begins as the contract."""
        plain = plain_name(column)
        measure = self.measure(column)
        known = self._known_concept(column)
        if known is not None:
            self.known.append(f"{known} is a concept of the vocabulary: is it the same?")
            return known
        name = _distinct(_joined(self.contract, plain), self.concepts, self.vocabulary.concepts)
        self.concepts[name] = (column, measure)
        return name

    def _known_concept(self, column: str) -> str | None:
        """Return the vocabulary's concept of a name or title, unless the column's name suggests another measure."""
        name = self.titled.get(plain_name(column))
        if name is None or name in self.concepts:
            return None
        suggested, measures = self._suggested(column), self.vocabulary.concepts[name].measures
        return name if suggested in measures or (suggested is None and "currency" not in measures) else None

    def measure(self, column: str) -> str:
        """Return the measure that a column's name suggests, else the first of the concept that has the name."""
        suggested, known = self._suggested(column), self._known_concept(column)
        return suggested or (self.vocabulary.concepts[known].measures[0] if known else PLAIN_MEASURE)

    def _suggested(self, column: str) -> str | None:
        found = (
            name for pattern, name in SUGGESTED_MEASURES if pattern.search(column) and name in self.vocabulary.measures
        )
        return next(found, None)

    def dimension(self, column: str) -> str:
        """Return the dimension of a column: the vocabulary's open one of that name, else a new one."""
        plain = plain_name(column)
        known = self.vocabulary.dimensions.get(plain)
        if known is not None and known.open and plain not in self.dimensions:
            return plain
        name = _distinct(plain if known is None else _joined(self.contract, plain), self.dimensions,
                         self.vocabulary.dimensions)  # fmt: skip
        self.dimensions[name] = column
        return name

    def declared(self, has_breakdown: bool) -> dict[str, Any]:  # noqa: FBT001  a plain fact
        """Return the terms that the contract brings, as its last keys."""
        dimensions = "any" if has_breakdown else []
        concepts = {
            name: {
                "title": _titles(column), "definition": f"FILL IN: what the column {column!r} counts.",
                "measures": [measure], **({"dimensions": dimensions} if dimensions else {}),
            }
            for name, (column, measure) in self.concepts.items()
        }  # fmt: skip
        brought = {name: {"title": _titles(column), "open": True} for name, column in self.dimensions.items()}
        return ({"concepts": concepts} if concepts else {}) | ({"dimensions": brought} if brought else {})


def _by_name(vocabulary: Vocabulary) -> dict[str, str]:
    """Return plain name -> concept: the names of concepts, then their titles where only one concept has the title."""
    titles: dict[str, set[str]] = {}
    for name, concept in vocabulary.concepts.items():
        for title in (concept.title.nb, concept.title.nn, concept.title.en):
            titles.setdefault(plain_name(title), set()).add(name)
    unique = {title: names.pop() for title, names in titles.items() if len(names) == 1}
    return unique | {name: name for name in vocabulary.concepts}


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
