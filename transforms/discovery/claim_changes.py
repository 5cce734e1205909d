"""What the claims of a contract become when series of it are accepted as the same as series of another concept."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas.contract import ClaimSpec, Contract
from schemas.contract_parts import Take
from schemas.contract_terms import breakdowns, stated_texts
from schemas.errors import UsageError
from transforms.discovery.code_maps import Breakdown, DimensionMap, map_breakdowns


@dataclass(frozen=True)
class AcceptedSeries:
    """A series of a contract, and the concept, breakdown and scale under which it is reported from now on."""

    concept: str
    breakdown: Breakdown
    to_concept: str
    to_breakdown: Breakdown
    scale: float = 1.0
    shift: int = 0


@dataclass(frozen=True)
class ClaimChange:
    """A claim (its position in the contract), and what its keys become: concept, breakdown, and a scale if it changes.

    maps: of each dimension of the new breakdown. undecided: breakdowns of its concept that nothing was decided of.
    """

    number: int
    old: str
    concept: str
    breakdown: dict[str, dict[str, Any]]
    scale: Decimal | None
    maps: dict[str, DimensionMap]
    undecided: tuple[Breakdown, ...]


def changed_claims(
    contract: Contract, accepted: Sequence[AcceptedSeries], reported: Sequence[tuple[str, Breakdown]]
) -> list[ClaimChange]:
    """Return the claims that accepted series change. reported: concept and breakdown of every series of the obligation.

    Raises `UsageError` where a contract cannot state the change.
    """
    changes = []
    for number, claim in enumerate(contract.claims):
        mine = [each for each in accepted if each.concept == claim.concept and _may_be(contract, claim, each.breakdown)]
        if mine:
            others = [b for concept, b in reported if concept == claim.concept and _may_be(contract, claim, b)]
            undecided = tuple(b for b in others if b not in [each.breakdown for each in mine])
            changes.append(_change(contract, number, mine, undecided))
    return changes


def changed_breakdown(change: ClaimChange, breakdown: Breakdown) -> dict[str, str] | None:
    """Return what a breakdown of the claim becomes, a code without a counterpart as it is; None for another's."""
    if {m.source for m in change.maps.values() if m.source} - breakdown.keys():
        return None
    return {
        name: m.constant if m.source is None else m.codes.get(breakdown[m.source], breakdown[m.source])
        for name, m in change.maps.items()
    }


def _may_be(contract: Contract, claim: ClaimSpec, breakdown: Breakdown) -> bool:
    """Return whether rows may make the claim with this breakdown."""
    stated = {name: stated_texts(take) for name, take in breakdowns(contract, claim).items()}
    return stated.keys() == breakdown.keys() and all(
        texts is None or breakdown[name] in texts for name, texts in stated.items()
    )


def _change(
    contract: Contract, number: int, accepted: Sequence[AcceptedSeries], undecided: tuple[Breakdown, ...]
) -> ClaimChange:
    claim = contract.claims[number]
    place = f"{contract.contract}.yml: claims.{number}"
    concepts, scales = {each.to_concept for each in accepted}, {each.scale for each in accepted}
    if any(each.shift for each in accepted):
        raise UsageError(f"{place}: its figures are those of another period: correct `period` by hand")
    if len(concepts) > 1 or len(scales) > 1:
        raise UsageError(f"{place}: it was accepted as several concepts or scales: make several claims of it by hand")
    maps = map_breakdowns([(each.breakdown, each.to_breakdown) for each in accepted])
    takes = breakdowns(contract, claim)
    scale = Decimal(repr(scales.pop())) * claim.scale
    return ClaimChange(
        number=number,
        old=claim.concept,
        concept=concepts.pop(),
        breakdown={name: _taken(name, m, takes, keep=bool(undecided)) for name, m in maps.items()},
        scale=scale.normalize() if scale != claim.scale else None,
        maps=maps,
        undecided=undecided,
    )


def _taken(name: str, found: DimensionMap, takes: dict[str, Take], *, keep: bool) -> dict[str, Any]:
    """Return the `Take` of a dimension, as it is written. keep: whether there are codes that nothing was decided of."""
    if found.source is None:
        return {"value": found.constant}
    take = takes[found.source]
    written = take.model_dump(exclude_defaults=True)
    if found.is_identity(name):
        return written
    if take.value is not None and take.map is None:
        return {"value": found.codes.get(take.value, take.value)}
    if take.map is not None:
        return {**written, "map": {text: found.codes.get(code, code) for text, code in take.map.items()}}
    return {**written, "map": found.codes, **({"unmapped": "keep"} if keep else {})}
