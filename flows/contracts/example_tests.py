"""The examples of contracts, read in the installation: its kinds, its register of units.

Results are kept in the home by what decides them (the contract's whole text, its kind, the code lists, this version of
Engang), so that neither a delivery nor a night pays for what was read before.
"""

import json
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.installation import Installation
from infra.codelists import codelists_fingerprint, read_codelists
from infra.files import write_atomic
from infra.ledger.runs import run_message
from infra.settings import DEMO_CODELISTS
from transforms.rules_version import RULES_DIGEST

if TYPE_CHECKING:
    from schemas.contract import Contract, Example
    from schemas.kind import Kind
    from transforms.examples.example_results import ExampleResult
    from transforms.register.lookup import Register


def read_contract_examples(installation: Installation, contract: "Contract") -> "list[ExampleResult]":
    """Return the result of each example of a contract that expects anything, read now; the results are kept."""
    register = None if contract.record else _register(installation)
    results = [
        result for example in contract.examples for result in _read_example(installation, contract, example, register)
    ]
    failed = {each.example: list(each.problems) for each in results if each.problems}
    _remember(installation, contract, failed)
    return results


def _read_example(
    installation: Installation, contract: "Contract", example: "Example", register: "Register | None"
) -> "list[ExampleResult]":
    """Return the result of one example. An error that nobody foresaw is its problem, and stops no other contract."""
    from polars.exceptions import PanicException

    from transforms.examples.example_results import ExampleResult, read_examples  # it loads all readers

    alone = contract.model_copy(update={"examples": (example,)})
    try:
        return read_examples(alone, _kind(installation, contract), register)
    except (Exception, PanicException) as error:  # noqa: BLE001  any fault of ours
        problem = f"it cannot be read: {run_message(error)}"
        return [ExampleResult(contract.contract, example.name, (problem,))]


def failed_example(installation: Installation, contract: "Contract") -> str | None:
    """Return the sentence on a contract whose examples fail, None if all hold; they are read if no result is kept."""
    from transforms.examples.example_results import states_anything

    if not any(map(states_anything, contract.examples)):
        return None
    failed = _known(installation, contract)
    if failed is None:
        results = read_contract_examples(installation, contract)
        failed = {each.example: list(each.problems) for each in results if each.problems}
    return _sentence(contract, failed)


def known_failure(installation: Installation, contract: "Contract") -> str | None:
    """Return the sentence on a contract whose examples failed when they were last read; reads none."""
    return _sentence(contract, _known(installation, contract) or {})


def _sentence(contract: "Contract", failed: dict[str, list[str]]) -> str | None:
    if not failed:
        return None
    name, problems = next(iter(failed.items()))
    others = f" ({len(failed) - 1} more fail)" if len(failed) > 1 else ""
    return (
        f"contract {contract.contract!r} fails its own example {name!r}{others}: {problems[0]}. Correct the contract "
        f"or the example; `engang contracts test {contract.contract}` shows all"
    )


def _kind(installation: Installation, contract: "Contract") -> "Kind | None":
    return installation.kind(contract.record.kind) if contract.record else None


def _register(installation: Installation) -> "Register":
    """Return the register that examples are read by: those of the shipped contracts are about units of the demo."""
    if not _reads_demo_units(installation):
        return installation.register
    from transforms.register.build import build_register

    return build_register(*read_codelists(DEMO_CODELISTS))


def _reads_demo_units(installation: Installation) -> bool:
    return installation.settings.contracts is None and installation.presets.register is None


def _known(installation: Installation, contract: "Contract") -> dict[str, list[str]] | None:
    """Return example -> problems of the examples that failed, None if no result of this contract is kept."""
    stored = _read(_file(installation)).get(contract.contract)
    if not isinstance(stored, dict) or stored.get("key") != _key(installation, contract):
        return None
    failed = stored.get("failed")
    return failed if isinstance(failed, dict) else None


def _remember(installation: Installation, contract: "Contract", failed: dict[str, list[str]]) -> None:
    file = _file(installation)
    stored = _read(file) | {contract.contract: {"key": _key(installation, contract), "failed": failed}}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, json.dumps(stored, ensure_ascii=False, indent=1, sort_keys=True))


def _file(installation: Installation) -> Path:
    return installation.settings.home / "contract-tests.json"


def _read(file: Path) -> dict[str, Any]:
    """Return the kept results; a file that is damaged or not there holds none."""
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _key(installation: Installation, contract: "Contract") -> str:
    """Return a digest of everything that decides what the examples of a contract give."""
    kind = _kind(installation, contract)
    parts = [contract.model_dump_json(), kind.model_dump_json() if kind else "", version("engang"), RULES_DIGEST]
    if kind is None:
        parts.append(_units_key(installation))
    return sha256("\n".join(parts).encode()).hexdigest()


def _units_key(installation: Installation) -> str:
    """Return a digest of the code lists by which examples are read."""
    settings = installation.settings
    if installation.presets.register is not None:
        return installation.presets.register.digest
    if _reads_demo_units(installation):
        return codelists_fingerprint(DEMO_CODELISTS)
    return codelists_fingerprint(settings.codelists, core=settings.core_units)
