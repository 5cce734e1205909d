"""A contract of records read against the kinds that there are: what it says of a field must fit the field."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from schemas.contract import Contract, FieldTake
from schemas.errors import ContractError
from schemas.kind import FieldSpec, Kind

FITTING: Final = {
    "format": ("date", "datetime"),
    "scale": ("number", "integer"),
    "decimals": ("number",),
    "columns": ("text", "code", "list", "date", "datetime"),
    "flags": ("list",),
    "separator": ("list",),
}
"""Key of a field -> the field types that it says something of."""


def check_records(contract: Contract, kinds: Mapping[str, Kind]) -> None:
    """Check a contract against its kind; raises `ContractError` that names what is wrong and the nearest known name."""
    told = contract.record
    if told is None:
        return
    if told.kind not in kinds:
        raise ContractError(f"{contract.contract}.yml: record.kind: {_unknown('kind', told.kind, kinds)}")
    problems = [
        f"{contract.contract}.yml: record.fields.{name}: {problem}"
        for name, take in told.fields.items()
        for problem in _problems(name, take, kinds[told.kind])
    ]
    if problems:
        raise ContractError("\n".join(problems))


def _problems(name: str, take: FieldTake, kind: Kind) -> Iterator[str]:
    if name not in kind.fields:
        yield f"{_unknown('field', name, kind.fields)} Known: {', '.join(kind.fields)}"
        return
    spec = kind.fields[name]
    for key in sorted(take.model_fields_set & FITTING.keys()):
        if spec.type not in FITTING[key]:
            yield f"{key} says nothing of a field of type {spec.type}: it is for {', '.join(FITTING[key])}"
    yield from _mistakes(take, spec)


def _mistakes(take: FieldTake, spec: FieldSpec) -> list[str]:
    strange = [text for text in (take.map or {}).values() if text not in {"true", "false"}]
    unread = f"unreadable: {take.unreadable}"
    checks = {
        f"{next(iter(strange), '')!r} is neither true nor false": strange and (spec.type == "boolean" or take.flags),
        "a map is for one column, or for the elements of a list": take.map is not None
        and take.columns
        and spec.type != "list",
        f"a required value is not left out where it cannot be read: {unread} says so": take.required
        and take.unreadable != "reject",
        "separator is for one column": take.separator is not None and take.column is None,
    }
    return [told for told, wrong in checks.items() if wrong]


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.4)
    return f"unknown {what} {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")
