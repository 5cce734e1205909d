"""The receipt: the answer to a sender about one delivery."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from flows.contracts.open_answers import LocatedAnswer

ROWS_SHOWN: Final = 3
"""How many rows of a group of rejects are named."""
GROUP_KEY: Final = ("severity", "column", "reason", "found", "expected", "hint")
UNLISTED: Final = re.compile(r"([0-9]+) more")
"""What `found` holds in a reject that counts those that are not listed."""


@dataclass(frozen=True)
class EarlierStatements:
    """What a delivery changes of what its sender had stated under the contract of the same periods.

    submissions: how many earlier ones count. Of the items (or reports) that the delivery mentions: new, corrected (it
    states something else), unchanged, withdrawn. absent: the items that stood of the delivery's units and periods and
    that it does not mention, the first of them in `items`; with `whole` they stand no more.
    """

    submissions: int
    new: int
    corrected: int
    unchanged: int
    withdrawn: int
    absent: int
    items: tuple[str, ...]
    whole: bool

    def sentences(self, sender: str) -> list[str]:
        """Return it in words."""
        counts = f"{self.new} new, {self.corrected} corrected, {self.unchanged} unchanged, {self.withdrawn} withdrawn"
        times = "once" if self.submissions == 1 else f"{self.submissions} times"
        lines = [f"{sender} has delivered this contract and period {times} before: {counts}"]
        if self.absent:
            end = "they are no longer published" if self.whole else "they still stand"
            shown = "; ".join(self.items) + ("; ..." if self.absent > len(self.items) else "")
            lines.append(f"not mentioned any more: {self.absent}, {end}: {shown}")
        return lines


@dataclass(frozen=True)
class Receipt:
    """The answer to a sender: what was received, what it resulted in, what is wrong with it.

    status: registered, redelivered (the same bytes again: nothing changed), restored (it had been withdrawn), rejected
    (nothing in it counts), parked (it could not be read and waits for a person) or refused (it is over a limit of size:
    nothing of it is stored, and it has no submission_id). All counts are rows, but for `claims`.
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
    ignored_by: Mapping[str, int] = field(default_factory=dict)
    """Why rows were ignored, and how many by each reason, the most frequent first; of a delivery read just now."""
    earlier: EarlierStatements | None = None
    """What it changes of what the sender had delivered before, where that was asked for."""
    open_answers: tuple[LocatedAnswer, ...] = ()
    """What a person has yet to fill in in the contract, a draft."""

    @property
    def has_problems(self) -> bool:
        """Whether a row or the whole file does not count."""
        return bool(self.rejected) or self.status in {"rejected", "parked", "refused"}


def as_checked(receipt: Receipt, rejects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return what a check answers with, as plain values: the receipt that a delivery would get, and its rejects."""
    return {**asdict(receipt), "stored": False, "rejects": list(rejects)}


@dataclass(frozen=True)
class RejectGroup:
    """Rejects of one column, reason and text: how many, the first rows, and what one of them states.

    unlisted: whether these are only counted, so that no rows and no text are known.
    """

    reject: dict[str, Any]
    count: int
    rows: tuple[int, ...]
    unlisted: bool


def group_rejects(rejects: Iterable[dict[str, Any]]) -> list[RejectGroup]:
    """Return the rejects in groups: errors before warnings, the most frequent first."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for reject in rejects:
        groups.setdefault(tuple(reject[name] for name in GROUP_KEY), []).append(reject)
    found = [_group(members) for members in groups.values()]
    return sorted(found, key=lambda group: (group.reject["severity"] != "critical", -group.count))


def _group(members: Sequence[dict[str, Any]]) -> RejectGroup:
    first = members[0]
    counted = UNLISTED.fullmatch(first["found"] or "") if first["row"] is None else None
    if counted:
        return RejectGroup(first, int(counted[1]), (), unlisted=True)
    rows = sorted(member["row"] for member in members if member["row"] is not None)
    return RejectGroup(first, len(members), tuple(rows[:ROWS_SHOWN]), unlisted=False)
