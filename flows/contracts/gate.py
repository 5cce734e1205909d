"""The gate: a contract that is wrong, was changed without a new version, or fails its own examples reads no delivery.

It costs its own obligation only: what arrives under it is parked, and the night goes on with the others.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from flows.contracts.example_tests import failed_example, known_failure
from flows.contracts.versions import change_without_version, maybe_changed
from flows.installation import Installation
from schemas.errors import ContractError
from schemas.open_answers import open_answers_problem

if TYPE_CHECKING:
    from schemas.contract import Contract


def usable_contract(installation: Installation, name: str) -> "Contract":
    """Return a contract to read deliveries by.

    Raises `ContractError` if it may read none, `UsageError` if there is none of that name. Contracts that were preset
    are those of their time, for a rereading, and are not asked.
    """
    contract = installation.contract(name)
    if name in installation.usable or installation.presets.contracts is not None:
        return contract
    problem = change_without_version(installation, contract) or failed_example(installation, contract)
    if problem is not None:
        raise ContractError(problem)
    installation.usable.add(name)
    return contract


def unusable_contracts(installation: Installation, progress: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return the contracts that read no delivery, after their examples were read; name each to `progress`, and why."""
    names = sorted({*installation.contracts, *installation.broken_contracts})
    problems = {name: problem for name in names if (problem := _problem(installation, name)) is not None}
    for problem in problems.values():
        progress(f"no delivery is read by it: {problem}")
    return list(problems)


def unusable_reasons(installation: Installation) -> Iterator[str]:
    """Yield a sentence for each contract that reads no delivery; examples are not read for it, only their results."""
    yield from _empty_folders(installation)
    yield from (f"contract {name!r} cannot be used: {why}" for name, why in installation.broken_contracts.items())
    if installation.presets.contracts is not None:
        return
    changed = maybe_changed(installation)
    for name, contract in installation.contracts.items():
        problem = change_without_version(installation, contract) if name in changed else None
        problem = problem or known_failure(installation, contract)
        if problem is not None:
            yield problem


def _empty_folders(installation: Installation) -> Iterator[str]:
    contracts, kinds = installation.settings.contracts, installation.settings.kinds
    if contracts is not None and not {*installation.contracts, *installation.broken_contracts}:
        yield f"ENGANG_CONTRACTS: {contracts} holds no contract: expected files NAME.yml"
    if kinds is not None and not installation.kinds:
        yield f"ENGANG_KINDS: {kinds} holds no record kind: expected files NAME.yml"


def _problem(installation: Installation, name: str) -> str | None:
    try:
        usable_contract(installation, name)
    except ContractError as error:
        return str(error)
    return None


def draft_reasons(installation: Installation) -> Iterator[str]:
    """Yield a sentence for each contract that lacks answers of a person; it reads deliveries all the same."""
    problems = map(open_answers_problem, installation.contracts.values())
    yield from (problem for problem in problems if problem is not None)
