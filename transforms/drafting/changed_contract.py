"""The text of a contract in which claims report another concept: a new version, examples included."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from schemas.contract import Contract
from schemas.contract_terms import breakdowns
from transforms.discovery.claim_changes import ClaimChange, changed_breakdown
from transforms.drafting.yaml_edits import scalars, set_value

_EXAMPLES: Final = ("examples",)


def changed_contract(text: str, contract: Contract, changes: Sequence[ClaimChange]) -> str:
    """Return the text of the next version of a contract, whose file has this text."""
    text = set_value(text, ("version",), contract.version + 1)
    if contract.breakdown:
        text = _shared_dimensions_moved(text, contract)
    for change in changes:
        claim = ("claims", change.number)
        text = set_value(text, (*claim, "concept"), change.concept)
        if change.breakdown or contract.claims[change.number].breakdown:
            text = set_value(text, (*claim, "breakdown"), change.breakdown)
        if change.scale is not None:
            scale = change.scale
            text = set_value(text, (*claim, "scale"), int(scale) if scale == scale.to_integral() else str(scale))
    return _examples_changed(text, contract, changes)


def _shared_dimensions_moved(text: str, contract: Contract) -> str:
    """Return the text with the dimensions that all claims share written in each claim."""
    for number, claim in enumerate(contract.claims):
        takes = {name: take.model_dump(exclude_defaults=True) for name, take in breakdowns(contract, claim).items()}
        text = set_value(text, ("claims", number, "breakdown"), takes)
    return set_value(text, ("breakdown",), {})


def _examples_changed(text: str, contract: Contract, changes: Sequence[ClaimChange]) -> str:
    """Return the text with the expected claims of its examples as they are under the new version."""
    numbers = range(len(contract.claims))
    whole = {c.old: c.concept for c in changes if all(_is_changed(contract, c.old, n, changes) for n in numbers)}
    for path, found in list(scalars(text, _EXAMPLES, "concept")):
        if found in whole:
            text = set_value(text, path, whole[found])
    for path, found in list(scalars(text, _EXAMPLES, "breakdown")):
        new = _new_breakdown(found, changes)
        if new is not None:
            text = set_value(text, path, new)
    return text


def _is_changed(contract: Contract, concept: str, number: int, changes: Sequence[ClaimChange]) -> bool:
    """Return whether a claim is changed, or is of another concept."""
    return contract.claims[number].concept != concept or any(change.number == number for change in changes)


def _new_breakdown(found: str, changes: Sequence[ClaimChange]) -> str | None:
    """Return the JSON text of what a breakdown of an example becomes, None if no change has it."""
    try:
        breakdown = json.loads(found)
    except ValueError:
        return None
    for change in changes:
        new = changed_breakdown(change, breakdown)
        if new is not None:
            return json.dumps(new, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return None


def declared_roll_ups(text: str, roll_ups: Mapping[str, list[dict[str, Any]]]) -> str:
    """Return the text of a contract with these roll-ups of concepts that it declares."""
    for concept, entries in roll_ups.items():
        text = set_value(text, ("concepts", concept, "derives"), entries)
    return text
