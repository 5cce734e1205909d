"""A contract checked against the vocabulary, and completed by it: its concepts, dimensions, codes and measures."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from schemas.concepts import Conversion, Terms, Vocabulary, VocabularyFile, terms_of
from schemas.contract import ClaimSpec, Contract
from schemas.contract_parts import Take
from schemas.errors import ContractError
from schemas.suggestions import did_you_mean

OWNER: Final = "contract "
"""How an owner of terms that is a contract begins."""


def gather_terms(vocabulary: Vocabulary, contracts: Mapping[str, Contract]) -> tuple[Vocabulary, dict[str, list[str]]]:
    """Return the vocabulary with what contracts bring, and contract -> what is wrong with the terms that it brings.

    A term has one owner: a contract that declares what another file or an earlier contract has declared is wrong.
    """
    problems: dict[str, list[str]] = {}
    for name, contract in sorted(contracts.items()):
        brought = terms_of(contract_terms(contract), f"{OWNER}{name}")
        for kind, term in brought.owners:
            owner = vocabulary.owners.get((kind, term))
            if owner is not None:
                message = f"{kind}.{term}: declared twice: {owner} declares it; remove it here and refer to that one"
                problems.setdefault(name, []).append(message)
        if name not in problems:
            vocabulary = vocabulary.plus(brought)
    for (kind, term), problem in vocabulary.problems():
        owner = vocabulary.owners[kind, term]
        problems.setdefault(owner.removeprefix(OWNER), []).append(f"{kind}.{term}: {problem}")
    wrong = {f"{OWNER}{name}" for name in problems}
    return vocabulary.without(wrong), problems


def complete_contracts(
    contracts: Mapping[str, Contract], vocabulary: Vocabulary, broken: dict[str, str]
) -> dict[str, Contract]:
    """Return the contracts completed by the vocabulary and what they bring (`gather_terms`); `broken` gets the others.

    A contract that uses a term of a broken one is broken too: it could not be read alone.
    """
    whole, problems = gather_terms(vocabulary, contracts)
    completed = {}
    for name, contract in contracts.items():
        try:
            completed[name] = with_terms(contract, whole, problems.get(name, ()))
        except ContractError as error:
            broken[name] = str(error)
    for name, problem in _unknown_originals(contracts, broken).items():
        del completed[name]
        broken[name] = problem
    return completed


def _unknown_originals(contracts: Mapping[str, Contract], broken: Mapping[str, str]) -> dict[str, str]:
    """Return contract -> what is wrong where it repeats an obligation or contract that nobody has (`copy_of`)."""
    known = {*contracts, *broken, *(contract.obligation for contract in contracts.values())}
    return {
        name: f"{name}.yml: copy_of: no obligation or contract {original!r}; {did_you_mean(original, known - {name})}"
        for name, contract in contracts.items()
        if (original := contract.copy_of) is not None and original not in known and name not in broken
    }


def contract_terms(contract: Contract) -> VocabularyFile:
    """Return the terms that a contract brings."""
    return VocabularyFile(concepts=contract.concepts, dimensions=contract.dimensions, measures=contract.measures)


def with_terms(contract: Contract, vocabulary: Vocabulary, problems: Iterable[str] = ()) -> Contract:
    """Return a contract completed by the vocabulary; raises `ContractError` for a term that is not in it.

    problems: what is wrong with the terms that it brings (`gather_terms`).
    """
    found = list(problems)
    if contract.terms is not None:
        found.append("terms: they are not written in a contract: the vocabulary adds them")
    found += _claim_problems(contract, vocabulary)
    if found:
        raise ContractError("\n".join(f"{contract.contract}.yml: {problem}" for problem in dict.fromkeys(found)))
    terms = _terms(contract, vocabulary)
    return contract.model_copy(update={"terms": terms}) if terms != Terms() else contract


def breakdowns(contract: Contract, claim: ClaimSpec) -> dict[str, Take]:
    """Return the dimensions of a claim: those that all claims of a row share, and its own."""
    return {**contract.breakdown, **claim.breakdown}


def _claim_problems(contract: Contract, vocabulary: Vocabulary) -> Iterator[str]:
    for number, claim in enumerate(contract.claims):
        place = f"claims.{number}"
        concept = vocabulary.concepts.get(claim.concept)
        if concept is None:
            yield f"{place}.concept: {vocabulary.unknown('concepts', claim.concept)}"
            continue
        for name, take in breakdowns(contract, claim).items():
            where = f"{place}.breakdown.{name}" if name in claim.breakdown else f"breakdown.{name}"
            yield from (f"{where}: {problem}" for problem in _of_dimension(name, take, claim.concept, vocabulary))
        for text in _written(claim.unit_measure):
            problem = _of_measure(text, claim.concept, vocabulary)
            if problem:
                yield f"{place}.unit_measure: {problem}"


def _of_dimension(name: str, take: Take, concept: str, vocabulary: Vocabulary) -> Iterator[str]:
    allowed = vocabulary.concepts[concept].dimensions
    if name not in vocabulary.dimensions:
        yield vocabulary.unknown("dimensions", name)
    elif allowed != "any" and name not in allowed:
        hint = did_you_mean(name, allowed) or f"it has {', '.join(allowed) or 'none'}"
        yield f"concept {concept!r} has no dimension {name!r}; {hint}"
    else:
        dimension = vocabulary.dimensions[name]
        for text in _written(take):
            if not dimension.open and text not in dimension.codes:
                hint = did_you_mean(text, dimension.codes) or f"its codes are {', '.join(dimension.codes)}"
                yield f"dimension {name!r} has no code {text!r}; {hint}"


def _of_measure(text: str, concept: str, vocabulary: Vocabulary) -> str | None:
    if text not in vocabulary.measures:
        return vocabulary.unknown("measures", text)
    if text in vocabulary.accepted(concept):
        return None
    return f"concept {concept!r} is measured in {', '.join(vocabulary.concepts[concept].measures)}: not in {text!r}"


def _written(take: Take) -> list[str]:
    """Return the texts that the contract itself gives."""
    given = list((take.map or {}).values()) if take.map is not None else [take.value]
    return list(dict.fromkeys(text for text in (*given, take.map_default) if text is not None))


def stated_texts(take: Take) -> list[str] | None:
    """Return the texts that a take can give; None where they are as delivered."""
    if take.map is None:
        return None if take.value is None else [take.value]
    if take.unmapped == "keep":
        return None
    return list(dict.fromkeys([*take.map.values(), *([] if take.map_default is None else [take.map_default])]))


def conversions_of(contract: Contract, claim: ClaimSpec) -> dict[str, Conversion]:
    """Return measure -> conversion of the measures that a claim may state and that are converted."""
    found = contract.terms.conversions.get(claim.concept, {}) if contract.terms else {}
    stated = stated_texts(claim.unit_measure) if found else None
    return found if stated is None else {name: each for name, each in found.items() if name in stated}


def _terms(contract: Contract, vocabulary: Vocabulary) -> Terms:
    codes: dict[str, tuple[str, ...]] = {}
    measures: dict[str, tuple[str, ...]] = {}
    conversions: dict[str, dict[str, Conversion]] = {}
    for claim in contract.claims:
        for name, take in breakdowns(contract, claim).items():
            if not vocabulary.dimensions[name].open and stated_texts(take) is None:
                codes[name] = tuple(vocabulary.dimensions[name].codes)
        stated, accepted = stated_texts(claim.unit_measure), vocabulary.accepted(claim.concept)
        if stated is None:
            measures[claim.concept] = tuple(accepted)
        for name in accepted if stated is None else stated:
            if (conversion := accepted[name]) is not None:
                conversions.setdefault(claim.concept, {})[name] = conversion
    return Terms(codes=codes, measures=measures, conversions=conversions)
