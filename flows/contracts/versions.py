"""A contract that was changed under the same version: two files would be read two ways, under one name."""

from typing import TYPE_CHECKING

from flows.installation import Installation
from infra.ledger import submissions as ledger_submissions

if TYPE_CHECKING:
    from schemas.contract import Contract


def maybe_changed(installation: Installation) -> set[str]:
    """Return the contracts by whose text of today nothing was read yet, though by another one."""
    known: dict[str, set[str]] = {}
    for name, digest in ledger_submissions.read_contract_digests(installation.engine).iter_rows():
        known.setdefault(name, set()).add(digest)
    contracts = installation.contracts
    return {name for name, digests in known.items() if name in contracts and contracts[name].digest() not in digests}


def change_without_version(installation: Installation, contract: "Contract") -> str | None:
    """Return what is wrong with a contract that reads differently than one of the same version did, else None.

    Only a text by which something counts, or was withdrawn, matters: what was rejected is read again anyway.
    """
    from pydantic import ValidationError

    from schemas.contract import Contract

    used = ledger_submissions.read_contracts_in_use(installation.engine, contract.contract)
    if not used.height or contract.digest() in used["digest"]:
        return None
    versions = []
    for text in used["text"]:
        try:
            # Read again by today's model, so that a key which was added to it since makes no other digest.
            old = Contract.model_validate_json(text)
        except ValidationError:
            continue
        if old.written_digest() == contract.written_digest():
            return None  # at most the vocabulary has grown
        versions.append(old.version)
    if contract.version not in versions:
        return None
    return (
        f"contract {contract.contract!r} was changed and its version is still {contract.version}: deliveries were read "
        f"by its old text. Raise `version` to {max(versions) + 1}, then `engang backfill --contract "
        f"{contract.contract}` rereads them; or restore the old text"
    )
