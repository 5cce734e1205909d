"""A draft that follows another contract: where both have the same columns, that contract's keys are taken."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from schemas.contract import Contract
from transforms.drafting.contract.contract_draft import ContractDraft

HEAD_KEYS: Final = ("obligation", "title", "agency", "legal_basis", "rhythm", "hours_per_report", "due", "sender")
"""What is about the obligation, and not about the form of a file."""


def follow(draft: ContractDraft, like: Contract, columns: Iterable[str]) -> ContractDraft:
    """Return a draft with the head, unit, period, breakdown and claims of a contract, where its columns are there."""
    there = set(columns)
    keys = like.model_dump(mode="json", exclude_unset=True)
    declared: dict[str, Any] = draft.declared | {key: keys[key] for key in HEAD_KEYS if key in keys}
    evidence = {key: list(found) for key, found in draft.evidence.items()}
    if "unpivot" in declared or like.unpivot is not None:
        return replace(draft, declared=declared)
    place = _place_taken(like, keys, there)
    declared |= place
    evidence |= {key: [f"as contract {like.contract} has it"] for key in place}
    taken = _claims_taken(like, keys, there)
    other_uses = {*like.columns(), *like.ignored_columns()} - set(taken)
    own = [claim for claim in declared["claims"] if claim["column"] not in other_uses]
    declared["claims"] = [each for claim in own for each in taken.get(claim["column"], [claim])]
    evidence.setdefault("claims", []).append(f"as contract {like.contract} has them: {', '.join(taken) or 'none'}")
    return ContractDraft(_without_unused(_with_breakdown(declared, like, keys, there), there), evidence)


def _place_taken(like: Contract, keys: dict[str, Any], there: set[str]) -> dict[str, Any]:
    """Return the unit and the period of a contract, each if its columns are all there."""
    takes = {"unit": like.unit, "period": like.period}
    return {key: keys[key] for key, take in takes.items() if take is not None and set(take.source_columns()) <= there}


def _claims_taken(like: Contract, keys: dict[str, Any], there: set[str]) -> dict[str, list[dict[str, Any]]]:
    """Return column -> the claims of a contract on it, of those whose columns are all there."""
    taken: dict[str, list[dict[str, Any]]] = {}
    for claim, given in zip(like.claims, keys.get("claims", ()), strict=True):
        needed = {claim.column, *(column for take in claim.takes() for column in take.source_columns())}
        if needed <= there:
            taken.setdefault(claim.column, []).append(given)
    return taken


def _with_breakdown(declared: dict[str, Any], like: Contract, keys: dict[str, Any], there: set[str]) -> dict[str, Any]:
    """Return the keys with the dimensions of a contract whose columns are there, in the place of their own."""
    breakdown = {n: keys["breakdown"][n] for n, take in like.breakdown.items() if set(take.source_columns()) <= there}
    if not breakdown:
        return declared
    others = {column for take in like.breakdown.values() for column in take.source_columns()}
    rest = {n: take for n, take in declared.get("breakdown", {}).items() if take["column"] not in others}
    new = {name: concept | {"dimensions": "any"} for name, concept in declared.get("concepts", {}).items()}
    return _after(declared, "period", "breakdown", breakdown | rest) | {"concepts": new}


def _after(declared: dict[str, Any], before: str, key: str, value: object) -> dict[str, Any]:
    """Return the keys with one more, or another value of it, behind `before`."""
    found = {k: v for k, v in declared.items() if k != key}
    place = list(found).index(before) + 1
    items = list(found.items())
    return dict([*items[:place], (key, value), *items[place:]])


def _without_unused(declared: dict[str, Any], there: set[str]) -> dict[str, Any]:
    """Return the keys without terms that nothing refers to, and with each column mapped or ignored."""
    used = {
        "concepts": {claim["concept"] for claim in declared["claims"]},
        "dimensions": {name for each in (declared, *declared["claims"]) for name in each.get("breakdown", {})},
    }
    found = dict(declared)
    for key in used.keys() & declared.keys():
        found[key] = {name: term for name, term in declared[key].items() if name in used[key]}
    if isinstance(declared["ignore"], list):
        mapped = set(_columns(declared))
        numbered = [name for name in declared["ignore"] if name not in there]
        found["ignore"] = sorted(there - mapped) + numbered
    return {key: value for key, value in found.items() if key not in used or value}


def _columns(value: object) -> list[str]:
    """Return every column that some plain values of a contract name."""
    if isinstance(value, dict):
        own = [text for key, text in value.items() if key in {"column", "columns", "left", "right"}]
        names = [name for text in own for name in ([text] if isinstance(text, str) else text)]
        return names + _columns(list(value.values()))
    return [name for each in value for name in _columns(each)] if isinstance(value, list | tuple) else []
