"""The record kinds of an installation, as a person reads them."""

from typing import Any

from flows.installation import Installation
from schemas.blocking import rule_in_words
from schemas.kind import FieldSpec


def list_kinds(installation: Installation) -> list[dict[str, Any]]:
    """Return a row for each kind: its name, version, title, fields, and the contracts that make its records."""
    return [
        {
            "kind": kind.kind, "version": kind.version, "title": kind.title.en, "fields": len(kind.fields),
            "contracts": ", ".join(contracts_of(installation, kind.kind)),
        }
        for kind in installation.kinds.values()
    ]  # fmt: skip


def describe_kind(installation: Installation, name: str) -> dict[str, Any]:
    """Return one kind as plain values; `UsageError` that names the nearest one if there is none."""
    kind = installation.kind(name)
    return {
        "kind": kind.kind, "version": kind.version, "title": kind.title.en,
        "fields": [_described(field, spec) for field, spec in kind.fields.items()],
        "blocking": [rule_in_words(rule) for rule in kind.blocking],
        "identities": kind.identities(), "contracts": contracts_of(installation, name),
    }  # fmt: skip


def contracts_of(installation: Installation, kind: str) -> list[str]:
    """Return the contracts that make records of a kind."""
    return sorted(c.contract for c in installation.contracts.values() if c.record and c.record.kind == kind)


def _described(name: str, spec: FieldSpec) -> dict[str, Any]:
    compared = spec.compare.by if spec.compare else ""
    return {"field": name, "type": spec.type, "role": spec.role, "compared": compared, "doc": spec.doc}
