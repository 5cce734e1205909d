"""The receipt: what a sender is told of a delivery."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Receipt:
    """What a sender is told: what came, what it gave, what is wrong with it.

    status: registered, redelivered (the same bytes again: nothing changed), restored (it had been withdrawn) or
    rejected (nothing of it counts). Counts are rows, `claims` apart.
    """

    submission_id: str
    filename: str
    contract: str
    sender: str
    period: str | None
    status: str
    delivered: int = 0
    claims: int = 0
    rejected: int = 0
    ignored: int = 0
    warnings: int = 0
    problem: str | None = None
