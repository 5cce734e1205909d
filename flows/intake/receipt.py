"""The receipt: the answer to a sender about one delivery."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Receipt:
    """The answer to a sender: what was received, what it resulted in, what is wrong with it.

    status: registered, redelivered (the same bytes again: nothing changed), restored (it had been withdrawn) or
    rejected (nothing in it counts). All counts are rows, except `claims`.
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
