"""The rows of the tables that describe a release, from the vocabulary and the contracts."""

import json
from collections.abc import Iterable
from typing import Any

import polars as pl

from schemas.claims import VALUE, Column, frame_schema
from schemas.concepts import Vocabulary
from schemas.contract import Contract
from schemas.contract_duty import Hours
from schemas.contract_parts import Titles
from schemas.description_tables import CONCEPT, DIMENSION, OBLIGATION, TITLE_LANGUAGES
from schemas.record_tables import SINGLE_PARTITION


def concept_rows(vocabulary: Vocabulary, contracts: Iterable[Contract]) -> pl.DataFrame:
    """Return the table `concepts`: every concept of the vocabulary, and which contracts report it."""
    reporting: dict[str, set[str]] = {}
    for contract in contracts:
        for claim in contract.claims:
            reporting.setdefault(claim.concept, set()).add(contract.contract)
    rows = [
        {
            "concept": name,
            **_titles("title", concept.title),
            "definition": concept.definition,
            "measures": concept.measures,
            "dimensions": None if concept.dimensions == "any" else concept.dimensions,
            "derives": json.dumps([d.model_dump(mode="json", exclude_defaults=True) for d in concept.derives]),
            "suppress_below": concept.suppress_below,
            "family": concept.family,
            "contracts": sorted(reporting.get(name, ())),
            "declared_by": vocabulary.owners.get(("concepts", name), ""),
        }
        for name, concept in sorted(vocabulary.concepts.items())
    ]
    return _frame(rows, CONCEPT)


def dimension_rows(vocabulary: Vocabulary) -> pl.DataFrame:
    """Return the table `dimensions`: one row for each code, or for a dimension without codes."""
    rows = []
    for name, dimension in sorted(vocabulary.dimensions.items()):
        owner = vocabulary.owners.get(("dimensions", name), "")
        own = {"dimension": name, **_titles("title", dimension.title), "open": dimension.open, "declared_by": owner}
        codes = [{"code": code, **_titles("code_title", title)} for code, title in dimension.codes.items()]
        rows += [own | code for code in codes or [{}]]
    return _frame(rows, DIMENSION)


def obligation_rows(contracts: Iterable[Contract]) -> pl.DataFrame:
    """Return the table `obligations`: one row for each contract."""
    ordered = sorted(contracts, key=lambda contract: (contract.obligation, contract.contract))
    return _frame([_obligation_row(contract) for contract in ordered], OBLIGATION)


def _hours(hours: Hours | None) -> dict[str, str | None]:
    """Return what is known of the hours of one report, as text; null where nothing is."""
    known = (f"{hours.least():f}", f"{hours.most():f}", hours.basis, hours.source) if hours else (None,) * 4
    return dict(zip(("hours_low", "hours_high", "hours_basis", "hours_source"), known, strict=True))


def _obligation_row(contract: Contract) -> dict[str, Any]:
    entry, shared = contract.register_id, contract.may_share
    reporters = contract.reporters
    return {
        **{name: getattr(contract, name) for name in ("obligation", "contract", "version", "agency")},
        **_titles("title", contract.title),
        **{name: getattr(contract, name) for name in ("purpose", "rhythm", "used_by")},
        "legal_basis": contract.known_legal_basis(),
        "reporters": ", ".join(reporters) if isinstance(reporters, tuple) else reporters,
        "may_share": [shared] if isinstance(shared, str) else shared,
        **_hours(contract.known_hours()),
        "register_scheme": entry.scheme if entry else None,
        "register_id": entry.id if entry else None,
    }


def _titles(prefix: str, titles: Titles) -> dict[str, str]:
    return {f"{prefix}_{language}": getattr(titles, language) for language in TITLE_LANGUAGES}


def _frame(rows: Iterable[dict[str, Any]], columns: tuple[Column, ...]) -> pl.DataFrame:
    schema = frame_schema(columns)
    texts = {name: pl.String() if dtype == VALUE else dtype for name, dtype in schema.items()}
    whole = [{name: row.get(name) for name in schema} | {"partition": SINGLE_PARTITION} for row in rows]
    return pl.DataFrame(whole, schema=texts).cast(schema)
