"""A contract drafted from the table of a delivery, each guess with its evidence."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Final

import polars as pl

from schemas.concepts import Vocabulary
from transforms.drafting.contract.column_roles import PERIOD_SEPARATOR, ColumnRoles
from transforms.drafting.contract.draft_terms import DraftTerms
from transforms.drafting.contract.evidence import LISTED_COLUMNS, draft_evidence
from transforms.drafting.table.file_table import DraftSource
from transforms.drafting.table.value_forms import SUPPRESSED, FigureCells, mark_status

MOST_IGNORED: Final = 400
"""Texts of rows that are ignored because the register does not know them."""
IGNORED_SHARE: Final = 0.4


@dataclass(frozen=True)
class ContractDraft:
    """A contract as plain values, in the order of its file. evidence: dotted key -> the sentences for its guess."""

    declared: dict[str, Any]
    evidence: dict[str, list[str]] = field(default_factory=dict)


def draft_contract(
    source: DraftSource, texts: pl.DataFrame, roles: ColumnRoles, vocabulary: Vocabulary
) -> ContractDraft:
    """Return the contract of a table of figures, by the roles of its columns."""
    terms = DraftTerms(source.name, vocabulary)
    breakdown = dict(terms.breakdown(texts[name]) for name in roles.dimensions)
    claims = _claims(roles, terms)
    unused = [*roles.unused, *_lost(texts, roles), *source.unmapped]
    declared = head_of(source.name) | {"format": _form(source, roles)}
    declared["ignore"] = unused if len(unused) <= LISTED_COLUMNS else "rest"
    ignored_rows = _ignored_rows(texts, roles)
    declared |= {"ignore_rows": ignored_rows} if ignored_rows else {}
    declared |= {"unpivot": _unpivot(roles)} if roles.series else {}
    declared |= {"unit": roles.unit.take, "period": _period(roles)}
    declared |= {"breakdown": breakdown} if breakdown else {}
    declared |= {"repeat": "sum" if roles.repeats else "error", "claims": claims}
    declared |= terms.declared()
    evidence = draft_evidence(source, roles, terms)
    return ContractDraft(declared, {key: why for key, why in evidence.items() if key.split(".")[0] in declared})


def _form(source: DraftSource, roles: ColumnRoles) -> dict[str, Any]:
    """Return the file's form with the marks of its numbers, where they are texts."""
    form = dict(source.form)
    if form["type"] not in {"json", "parquet"}:
        form |= {"decimal": roles.numbers.decimal} if roles.numbers.decimal != "." else {}
        form |= {"thousands": roles.numbers.thousands} if roles.numbers.thousands else {}
    return form


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
        period = roles.series_period
        form = {"format": period.format} if period.format else {}
        return {"column": period.type, "type": period.type} | form
    return roles.period or {"option": "period", "type": "year"}


def _unpivot(roles: ColumnRoles) -> dict[str, Any]:
    figures = list(roles.series)
    stems = "|".join(re.escape(figure) for figure in figures)
    group = re.escape(figures[0]) if len(figures) == 1 else f"(?P<figure>{stems})"
    pattern = f"{group}{PERIOD_SEPARATOR}{roles.series_period.group()}"
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


def _claims(roles: ColumnRoles, terms: DraftTerms) -> list[dict[str, Any]]:
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


def _claim(name: str, column: str, cells: Iterable[FigureCells], terms: DraftTerms) -> dict[str, Any]:
    every = list(cells)
    claim: dict[str, Any] = {
        "concept": terms.concept(name), "column": column, "reported_by": {"option": "sender"},
        "unit_measure": {"value": terms.measure(name)},
    }  # fmt: skip
    codes = sorted(set(chain.from_iterable(cells.missing for cells in every)))
    marks = sorted(set(chain.from_iterable(cells.marks for cells in every)))
    optional = {
        "missing": "skip" if any(cells.empty for cells in every) else None,
        "missing_values": codes,
        "missing_pattern": SUPPRESSED[1:-1] if any(cells.suppressed for cells in every) else None,
        "flags": {mark: mark_status(mark) for mark in marks},
    }
    return claim | {key: value for key, value in optional.items() if value}
