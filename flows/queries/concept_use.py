"""Who reports what: concepts with their contracts, and the contracts that share no item with any other."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from flows.installation import Installation
from transforms.overlap.breakdowns import MEASURE, UNIT_KIND, claim_codes, may_overlap

if TYPE_CHECKING:
    from schemas.concepts import Concept
    from schemas.contract import Contract
    from transforms.overlap.breakdowns import Codes

TEXTS_SHOWN: Final = 5


@dataclass(frozen=True)
class Reported:
    """What one claim of a contract is about: a concept with the codes it may have, or records of a kind."""

    what: str
    codes: "Codes"

    def may_meet(self, other: "Reported") -> bool:
        """Return whether the two can be about one item."""
        return self.what == other.what and may_overlap(self.codes, other.codes)

    def __str__(self) -> str:
        """Return the concept with its dimensions and their texts, or the record kind."""
        dimensions = sorted(self.codes.keys() - {MEASURE, UNIT_KIND})
        parts = [f"{name} ({_shown(self.codes[name])})" for name in dimensions]
        return f"{self.what} by {', '.join(parts)}" if parts else self.what


def _shown(texts: frozenset[str] | None) -> str:
    if texts is None:
        return "as delivered"
    return ", ".join(sorted(texts)[:TEXTS_SHOWN]) + (" …" if len(texts) > TEXTS_SHOWN else "")


def list_concepts(installation: Installation, *, unused: bool = False) -> list[dict[str, Any]]:
    """Return the concepts that contracts report, by name; with `unused` every concept of the vocabulary."""
    contracts: dict[str, set[str]] = {}
    for contract in installation.contracts.values():
        for claim in contract.claims:
            contracts.setdefault(claim.concept, set()).add(contract.contract)
    vocabulary = installation.vocabulary
    return [
        _row(name, concept, sorted(contracts.get(name, ())), vocabulary.owners[("concepts", name)])
        for name, concept in sorted(vocabulary.concepts.items())
        if unused or name in contracts
    ]


def _row(name: str, concept: "Concept", contracts: list[str], owner: str) -> dict[str, Any]:
    return {
        "concept": name,
        **{f"title_{language}": title for language, title in concept.title.model_dump().items()},
        "definition": concept.definition,
        "measures": list(concept.measures),
        "dimensions": concept.dimensions if concept.dimensions == "any" else list(concept.dimensions),
        "family": concept.family,
        "contracts": contracts,
        "declared_by": owner,
    }


def contracts_alone(installation: Installation) -> list[dict[str, Any]]:
    """Return the contracts that can have no item in common with any other, and what each reports."""
    reported = {name: list(_reported(contract)) for name, contract in sorted(installation.contracts.items())}
    shared: set[str] = set()
    for one, two in combinations(reported, 2):
        if any(a.may_meet(b) for a in reported[one] for b in reported[two]):
            shared |= {one, two}
    return [
        {"contract": name, "reports": list(dict.fromkeys(map(str, claims)))}
        for name, claims in reported.items()
        if name not in shared
    ]


def _reported(contract: "Contract") -> Iterator[Reported]:
    if contract.record is not None:
        yield Reported(f"records of {contract.record.kind}", {})
    for claim in contract.claims:
        yield Reported(claim.concept, claim_codes(contract, claim))
