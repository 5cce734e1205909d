"""The change of a contract that accepted double reporting asks for: its next version, and what that changes.

Nothing is in force before the file is written and `engang backfill` has read the old submissions again.
"""

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from flows.backfill.publish import BackfillOutcome, try_backfill
from flows.backfill.reread import BackfillRequest, discard_backfill, start_backfill
from flows.contracts.example_tests import read_contract_examples
from flows.installation import Installation
from flows.overlap.release_statements import statements_of
from flows.releases import find_release
from infra.files import write_atomic
from infra.lake import access as lake_access
from infra.ledger.overlap_verdicts import read_overlap_verdicts
from schemas.contract import CONTRACT_FOLDER, Contract, read_contract
from schemas.errors import UsageError
from transforms.discovery.claim_changes import AcceptedSeries, changed_claims
from transforms.discovery.roll_up_entries import roll_up_of
from transforms.discovery.verdicts import evidence_of
from transforms.drafting.changed_contract import changed_contract, declared_roll_ups

FILE_KIND: Final = ".yml"


@dataclass(frozen=True)
class ContractChange:
    """The next version of a contract: its file, the old and the new text, and what a person must know.

    undecided: breakdowns of changed claims that nothing was decided of; they keep their codes. problems: examples of
    the new version that fail.
    """

    contract: Contract
    file: Path
    before: str
    after: str
    undecided: list[str]
    problems: list[str]

    def diff(self) -> str:
        """Return the difference of the two texts, as `diff -u` prints it."""
        name = self.file.name
        lines = (self.before.splitlines(keepends=True), self.after.splitlines(keepends=True))
        return "".join(difflib.unified_diff(*lines, f"{name} (in force)", f"{name} (version {self.contract.version})"))


@lake_access.scan_errors()
def draft_change(installation: Installation, name: str) -> ContractChange:
    """Return the next version of a contract, by the verdicts `same` and `derivable` that count.

    The contract's series become those that they are the same as; sums become roll-ups of the concepts that it declares.
    Raises `UsageError` where nothing is accepted, or a contract cannot state it.
    """
    own = installation.contract(name)
    file = (installation.settings.contracts or CONTRACT_FOLDER) / f"{name}{FILE_KIND}"
    before = file.read_text(encoding="utf-8")
    changes = changed_claims(own, _accepted(installation, own), _reported(installation, own))
    roll_ups = _roll_ups(installation, own)
    if not changes and not roll_ups:
        raise UsageError(
            f"nothing is accepted of contract {name!r}: `engang discover review` asks, `engang discover` lists"
        )
    after = declared_roll_ups(changed_contract(before, own, changes), roll_ups)
    new = installation.completed(read_contract(after, file.name))
    results = read_contract_examples(installation, new)
    return ContractChange(
        contract=new,
        file=file,
        before=before,
        after=after,
        undecided=sorted({json.dumps(b, ensure_ascii=False) for change in changes for b in change.undecided}),
        problems=[f"{result.example}: {problem}" for result in results for problem in result.problems],
    )


def write_change(installation: Installation, change: ContractChange, folder: Path | None = None) -> Path:
    """Write the next version to a folder, or in place of the contract in force; return the file.

    Raises `UsageError` where the contract in force is one that Engang ships.
    """
    if folder is None and installation.settings.contracts is None:
        raise UsageError("the shipped contracts are not changed: write to a folder with --to, or set ENGANG_CONTRACTS")
    file = change.file if folder is None else folder / change.file.name
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    if file.is_file() and file.read_text(encoding="utf-8") not in (change.before, change.after):
        raise UsageError(f"{file} holds something else: nothing was written")
    write_atomic(file, change.after)
    return file


def try_change(installation: Installation, change: ContractChange, scratch: Path) -> BackfillOutcome | None:
    """Return what a backfill by the next version would change, None if nothing is to be reread; publishes nothing."""
    rules = scratch / change.file.name
    rules.write_text(change.after, encoding="utf-8")
    started = start_backfill(installation, BackfillRequest(change.contract.contract, rules=rules))
    if started.number is None:
        return None
    outcome = try_backfill(installation, started.number)
    discard_backfill(installation, started.number)
    return outcome


def _accepted(installation: Installation, contract: Contract) -> list[AcceptedSeries]:
    """Return the series of the contract's obligation that are accepted as the same as other ones."""
    concepts = {claim.concept for claim in contract.claims}
    found = []
    for row in evidence_of(read_overlap_verdicts(installation.engine), "same"):
        for mine, other, sign in (("a", "b", -1), ("b", "a", 1)):
            if row[f"obligation_{mine}"] == contract.obligation and row[f"concept_{mine}"] in concepts:
                found.append(_series(row, mine, other, sign))
                break
    return found


def _series(row: dict[str, Any], mine: str, other: str, sign: int) -> AcceptedSeries:
    return AcceptedSeries(
        concept=row[f"concept_{mine}"],
        breakdown=json.loads(row[f"breakdown_{mine}"]),
        to_concept=row[f"concept_{other}"],
        to_breakdown=json.loads(row[f"breakdown_{other}"]),
        scale=row["scale"] if sign > 0 else 1 / row["scale"],
        shift=row["shift"],
    )


def _reported(installation: Installation, contract: Contract) -> list[tuple[str, dict[str, str]]]:
    """Return concept and breakdown of every series that the current release has of the contract's obligation."""
    statements = statements_of(installation, find_release(installation))
    mine = statements.filter(pl.col("contract") == contract.contract).select("concept", "breakdown").unique()
    return [(concept, json.loads(text)) for concept, text in mine.sort("concept", "breakdown").rows()]


def _roll_ups(installation: Installation, contract: Contract) -> dict[str, list[dict[str, Any]]]:
    """Return the roll-ups to add to the concepts that the contract declares; `UsageError` for one of another's."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in evidence_of(read_overlap_verdicts(installation.engine), "derivable"):
        concept, entry = row["concept_a"], roll_up_of(row)
        declared = [d.model_dump(exclude_defaults=True) for d in installation.vocabulary.concepts[concept].derives]
        if row["obligation_a"] != contract.obligation or {**entry, "parts": ()} in [
            {**d, "parts": ()} for d in declared
        ]:
            continue
        if concept not in contract.concepts:
            raise UsageError(
                f"concept {concept!r} is not declared by contract {contract.contract!r}: add "
                f"`derives: [{json.dumps(entry, ensure_ascii=False)}]` to it in the vocabulary"
            )
        found.setdefault(concept, list(declared)).append(entry)
    return found
