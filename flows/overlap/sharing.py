"""Who may be shown what: the obligations whose contracts do not let an agency see what they collect."""

from flows.installation import Installation
from schemas.contract import Contract


def obligations_not_shared(installation: Installation, obligation: str) -> list[str]:
    """Return the obligations whose figures the agency of an obligation may not be shown, sorted.

    They replace nothing of it, and none of their figures is in its dossier. A contract that does not state who may be
    shown its figures is no obstacle.
    """
    contracts = installation.contracts.values()
    agencies = {contract.agency for contract in contracts if contract.obligation == obligation}
    closed = {c.obligation for c in contracts if any(not may_be_shown(c, agency) for agency in agencies)}
    return sorted(closed - {obligation})


def obligations_not_public(installation: Installation) -> list[str]:
    """Return the obligations whose figures not everybody may be shown, sorted: all but those with `may_share: all`."""
    return sorted({c.obligation for c in installation.contracts.values() if c.may_share != "all"})


def may_be_shown(contract: Contract, agency: str) -> bool:
    """Return whether an agency may be shown what is reported under a contract."""
    shared = contract.may_share
    return agency == contract.agency or shared is None or shared == "all" or (shared != "none" and agency in shared)


def obligations_that_copy(installation: Installation, obligation: str) -> list[str]:
    """Return the other obligations that repeat the figures of one: they know nothing that it has not reported."""
    contracts = list(installation.contracts.values())
    own = {obligation, *(c.contract for c in contracts if c.obligation == obligation)}
    return sorted({c.obligation for c in contracts if c.copy_of in own} - {obligation})
