"""A contract of records checked against the existing kinds: its field keys must fit the types of the fields."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from schemas.contract import Contract, FieldTake
from schemas.errors import ContractError
from schemas.kind import FieldSpec, Kind, OneReport
from schemas.suggestions import did_you_mean

APPLICABLE_TYPES: Final = {
    "format": ("date", "datetime"),
    "century": ("date", "datetime"),
    "scale": ("number", "integer"),
    "decimals": ("number",),
    "columns": ("text", "code", "list", "date", "datetime"),
    "flags": ("list",),
    "separator": ("list",),
    "time_zone": ("datetime",),
}
"""Key of a field -> the field types that it applies to."""


def check_one_report(kinds: Iterable[Kind], contracts: Mapping[str, Contract], broken: Collection[str] = ()) -> None:
    """Check the contracts that kinds name in `one_report_per_item`; raises `ContractError` for one without the kind.

    broken: contracts whose files are wrong; they may be of any kind. A kind without any contract is not in use, and not
    checked.
    """
    for kind in kinds:
        own = [name for name, contract in contracts.items() if contract.record and contract.record.kind == kind.kind]
        declared = kind.one_report_per_item.contracts if isinstance(kind.one_report_per_item, OneReport) else ()
        for name in declared if own else ():
            if name not in own and name not in broken:
                problem = f"{_unknown('contract', name, own)} Contracts of this kind: {', '.join(own)}"
                raise ContractError(f"{kind.kind}.yml: one_report_per_item.contracts: {problem}")


def check_records(contract: Contract, kinds: Mapping[str, Kind]) -> None:
    """Check a contract against its kind; raises `ContractError` with the error and the nearest known name."""
    record = contract.record
    if record is None:
        return
    if record.kind not in kinds:
        raise ContractError(f"{contract.contract}.yml: record.kind: {_unknown('kind', record.kind, kinds)}")
    problems = [
        f"{contract.contract}.yml: record.fields.{name}: {problem}"
        for name, take in record.fields.items()
        for problem in _problems(name, take, kinds[record.kind])
    ]
    if problems:
        raise ContractError("\n".join(problems))


def _problems(name: str, take: FieldTake, kind: Kind) -> Iterator[str]:
    if name not in kind.fields:
        yield f"{_unknown('field', name, kind.fields)} Known: {', '.join(kind.fields)}"
        return
    spec = kind.fields[name]
    for key in sorted(take.model_fields_set & APPLICABLE_TYPES.keys()):
        if spec.type not in APPLICABLE_TYPES[key]:
            yield f"{key} does not apply to a field of type {spec.type}: it is for {', '.join(APPLICABLE_TYPES[key])}"
    yield from _mistakes(take, spec)


def _mistakes(take: FieldTake, spec: FieldSpec) -> list[str]:
    unknown = [text for text in (take.map or {}).values() if text not in {"true", "false"}]
    unread = f"unreadable: {take.unreadable}"
    checks = {
        f"{next(iter(unknown), '')!r} is neither true nor false": unknown and (spec.type == "boolean" or take.flags),
        "a map is for one column, or for the elements of a list": take.map is not None
        and take.columns
        and spec.type != "list",
        f"a required value cannot be left empty, which {unread} would do": take.required
        and take.unreadable != "reject",
        "separator is for one column": take.separator is not None and take.column is None,
    }
    return [problem for problem, wrong in checks.items() if wrong]


def _unknown(what: str, name: str, known: Iterable[str]) -> str:
    hint = did_you_mean(name, known)
    return f"unknown {what} {name!r}" + (f"; {hint}" if hint else "")
