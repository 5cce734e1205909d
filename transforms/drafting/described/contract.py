"""A contract drafted from the description of a record: figures become claims, persons and cases records."""

from collections.abc import Collection, Mapping
from typing import Any, Final

from schemas.kind import Kind
from schemas.record_description import DescribedField, RecordDescription
from transforms.drafting.described.fields import (
    BLANK_CODE,
    DISTRICT_FIELD,
    MUNICIPALITY_FIELD,
    century,
    codes,
    date_format,
    dimensions,
    field_name,
    figures,
    holds_person_numbers,
    is_personal,
    is_year,
    key_fields,
    makes_records,
    may_be_blank,
    measure,
    places,
    six_digit_region,
    unit_of,
)

FIELD_TYPES: Final = {"INTEGER_TYPE": "integer", "DATE_TYPE": "date"}
"""Type of a described field -> type of a kind's field; the others are codes or text."""
_TEXT_SIZE: Final = 20
"""From this size on a field without codes is text."""


def contract_of(
    description: RecordDescription,
    name: str,
    obligation: str,
    *,
    known: Mapping[str, Collection[str]],
    kind: str | None,
) -> dict[str, Any]:
    """Return the contract. known: the names of the vocabulary's `concepts` and `dimensions`, which it refers to.

    kind: the kind of its records, which must have the fields of `kind_fields`; None if it makes claims.
    """
    head = {
        "contract": name, "version": 1, "obligation": obligation, "title": _titles(description.title),
        "agency": "Statistisk sentralbyrå", "legal_basis": "FILL IN", "rhythm": "yearly", "hours_per_report": None,
        "sender": {"allowed": "any"},
        "format": {"type": "fixed_width", "encoding": "latin-1", "fields": places(description)},
    }  # fmt: skip
    body = _claims(description, known) if kind is None else _record(description, kind)
    return head | body | {"examples": [{"name": "none", "given": ""}]}


def kind_fields(description: RecordDescription) -> dict[str, dict[str, Any]]:
    """Return the fields that a kind of these records has."""
    return {field_name(field): _kind_field(field) for field in description.fields}


def missing_fields(description: RecordDescription, kind: Kind) -> dict[str, dict[str, Any]]:
    """Return the fields that the kind lacks. Raises `ValueError` for one that it has with another type."""
    missing = {}
    for name, declared in kind_fields(description).items():
        spec = kind.fields.get(name)
        if spec is None:
            missing[name] = declared
        elif spec.type != declared["type"] and {spec.type, declared["type"]} != {"code", "text"}:
            raise ValueError(f"field {name!r} is {declared['type']} in this form and {spec.type} in kind {kind.kind!r}")
    return missing


def _kind_field(field: DescribedField) -> dict[str, Any]:
    kind_type = FIELD_TYPES.get(field.type) or ("text" if field.size >= _TEXT_SIZE and not field.codes else "code")
    declared: dict[str, Any] = {"type": kind_type, "role": "attribute", "doc": field.line}
    if holds_person_numbers(field):
        declared["personal"] = "pseudonymise"
    elif is_personal(field):
        declared["personal"] = "keep" if field.type == "DATE_TYPE" else "drop"
    return declared


def _titles(text: str) -> dict[str, str]:
    return dict.fromkeys(("nb", "nn", "en"), text)


def _record(description: RecordDescription, kind: str) -> dict[str, Any]:
    keys = [field.name for field in key_fields(description)]
    unit = unit_of(description)
    reporter = {"column": unit[0].name} if unit else {"option": "sender"}
    fields = {field_name(field): _take(field, description) for field in description.fields}
    record = {"kind": kind, "reported_by": reporter, "report_key": keys, "fields": fields}
    return {"record": record, "rules": _code_rules(description)}


def _take(field: DescribedField, description: RecordDescription) -> dict[str, Any]:
    take: dict[str, Any] = {"column": field.name}
    if field.type == "DATE_TYPE":
        take["format"] = date_format(field)
        first = century(field, description.year)
        take |= {} if first is None else {"century": first}
        take["missing_values"] = ["0", "0" * field.size]
    dropped = is_personal(field) and field.type != "DATE_TYPE"
    return take | ({"required": True} if field.mandatory and not dropped else {})


def _code_rules(description: RecordDescription) -> list[dict[str, Any]]:
    """Return the rules that name codes which the description does not list; those rows are read, with a warning."""
    coded = [field for field in description.fields if codes(field)]
    blank = [] if makes_records(description) else [field for field in dimensions(description) if may_be_blank(field)]
    return [
        {
            "id": field.id.replace("_", "-"), "check": "in", "column": field.name, "severity": "warning",
            "values": [*codes(field), *([BLANK_CODE] if field in blank else [])],
        }
        for field in coded
    ]  # fmt: skip


def _claims(description: RecordDescription, known: Mapping[str, Collection[str]]) -> dict[str, Any]:
    unit, broken_down = unit_of(description), dimensions(description)
    region = six_digit_region(description)
    breakdown = {field.id: {"column": field.name} for field in broken_down}
    if region is not None:
        place: dict[str, Any] = {"column": MUNICIPALITY_FIELD, "kind": "municipality", "by": "code"}
        breakdown[DISTRICT_FIELD] = {"column": DISTRICT_FIELD}
    elif unit is not None:
        place = {"column": unit[0].name, "kind": unit[1], "by": "code"}
    else:
        place = {"option": "sender", "kind": "other", "by": "name", "provisional": True}
    year = next((field for field in description.fields if is_year(field)), None)
    period = {"column": year.name} if year else {"option": "period"}
    return {
        **_terms(description, known, list(breakdown)), "unit": place, "period": period | {"type": "year"},
        "breakdown": breakdown, "repeat": "error",
        "claims": [_claim(field) for field in figures(description)], "rules": _code_rules(description),
    }  # fmt: skip


def _claim(field: DescribedField) -> dict[str, Any]:
    counted, scale = measure(field)
    claim = {
        "concept": field.id, "column": field.name, "reported_by": {"option": "sender"},
        "unit_measure": {"value": counted},
    }  # fmt: skip
    return claim | ({} if scale == 1 else {"scale": scale}) | {"missing": "reject" if field.mandatory else "skip"}


def _terms(
    description: RecordDescription, known: Mapping[str, Collection[str]], broken_down: list[str]
) -> dict[str, Any]:
    """Return the concepts and dimensions that the contract brings: those that the vocabulary lacks."""
    concepts = {
        field.id: {
            "title": _titles(field.line), "definition": f"{description.title}: {field.line}",
            "measures": [measure(field)[0]], "dimensions": broken_down,
        }
        for field in figures(description)
        if field.id not in known["concepts"]
    }  # fmt: skip
    described = {field.id: _dimension(field) for field in dimensions(description)}
    described[DISTRICT_FIELD] = {"title": {"nb": "bydel", "nn": "bydel", "en": "city district"}, "open": True}
    new = {name: described[name] for name in broken_down if name not in known["dimensions"]}
    return {key: terms for key, terms in (("concepts", concepts), ("dimensions", new)) if terms}


def _dimension(field: DescribedField) -> dict[str, Any]:
    known = {code: _titles(title) for code, title in codes(field).items()}
    # The field may be empty, and lists change from year to year: a rule of each contract warns of other codes.
    return {"title": _titles(field.line), "open": True} | ({"codes": known} if known else {})
