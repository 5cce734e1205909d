"""What contracts report: whether claims of two of them may be about the same item."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from schemas.contract_parts import Take
from schemas.contract_terms import breakdowns, conversions_of, stated_texts

if TYPE_CHECKING:
    from schemas.contract import ClaimSpec, Contract

Codes = Mapping[str, frozenset[str] | None]
"""Dimension -> the codes that a contract's rows may have in it; None for any."""
MEASURE: Final = "unit_measure"
UNIT_KIND: Final = "unit_kind"
"""What an item has besides its dimensions: the unit of measure, the kind of reporting unit."""


def fixed_codes(breakdown: Mapping[str, Take]) -> Codes:
    """Return the codes that a contract declares in each dimension: a constant, those of its map, or any."""
    stated = {name: stated_texts(take) for name, take in breakdown.items()}
    return {name: None if texts is None else frozenset(texts) for name, texts in stated.items()}


def claim_codes(contract: "Contract", claim: "ClaimSpec") -> Codes:
    """Return the codes of a claim's breakdown, its units of measure (`MEASURE`) and its kinds of unit (`UNIT_KIND`)."""
    conversions, measures = conversions_of(contract, claim), _texts(claim.unit_measure)
    converted = measures and frozenset(conversions[m].to if m in conversions else m for m in measures)
    kinds = _texts(contract.unit.kind if contract.unit else None)
    return {**fixed_codes(breakdowns(contract, claim)), MEASURE: converted, UNIT_KIND: kinds}


def _texts(take: Take | str | None) -> frozenset[str] | None:
    if take is None:
        return None
    stated = stated_texts(take) if isinstance(take, Take) else [take]
    return None if stated is None else frozenset(stated)


def may_be_equal(codes: Codes, breakdown: str) -> bool:
    """Return whether rows with these codes may have a breakdown (JSON text, as items have it)."""
    found: dict[str, str] = json.loads(breakdown)
    return found.keys() == codes.keys() and all(
        allowed is None or found[name] in allowed for name, allowed in codes.items()
    )


def may_overlap(one: Codes, other: Codes) -> bool:
    """Return whether rows of two contracts may be of one item: the same dimensions, each with a common code."""
    return one.keys() == other.keys() and all(
        a is None or b is None or bool(a & b) for a, b in ((one[name], other[name]) for name in one)
    )
