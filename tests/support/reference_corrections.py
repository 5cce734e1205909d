"""The second implementation of who corrects whom: which claims of a sender do not stand, and why."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.reference_release import Claim

RANK = {"append": 0, "replace": 1, "withdraw": 2}


def ends_of(claims: Collection["Claim"]) -> dict["Claim", str]:
    """Return the claims that do not stand, and why: withdrawn, superseded, or a duplicate of what the sender states."""
    ends: dict[Claim, str] = {}
    newest: dict[object, tuple[Any, ...]] = {}
    by_key: dict[object, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_key[claim.statement].append(claim)
        if claim.slot:
            newest[claim.slot] = max(claim.newness, newest.get(claim.slot, claim.newness))
    for key in by_key.values():
        ends |= _ends_of_key(key)
    ends |= {c: "superseded" for c in claims if c.slot and c.newness < newest[c.slot]}
    return ends | {c: "withdrawn" for c in claims if c.action == "withdraw"}


def _ends_of_key(claims: Collection["Claim"]) -> dict["Claim", str]:
    statements: dict[tuple[Any, ...], list[Claim]] = defaultdict(list)
    for claim in claims:
        statements[*claim.newness, RANK[claim.action]].append(claim)
    in_order_of_time = [statements[at] for at in sorted(statements)]
    if in_order_of_time[-1][0].version is None:
        return {c: "superseded" for statement in _corrected(in_order_of_time) for c in statement}
    stands = len(in_order_of_time) - 1
    while stands and _repeats(in_order_of_time[stands], in_order_of_time[stands - 1]):
        stands -= 1
    ends = {c: "superseded" for statement in in_order_of_time[:stands] for c in statement}
    return ends | {c: "duplicate" for statement in in_order_of_time[stands + 1 :] for c in statement}


def _corrected(in_order_of_time: list[list["Claim"]]) -> Iterable[list["Claim"]]:
    """Yield the statements that the newest corrects: those that say something else, or are replaced or withdrawn."""
    *older, newest = in_order_of_time
    reached = newest[0].action != "append" or newest[0].slot is not None
    for statement in reversed(older):
        if reached or len(_figures(newest)) > 1 or _figures(statement) != _figures(newest):
            yield statement
        reached = reached or statement[0].action != "append"


def _figures(statement: list["Claim"]) -> set[tuple[object, ...]]:
    """Return the figures that a statement states: one, or the several of lines that are not summed."""
    if statement[0].additive:
        return {(sum(c.value for c in statement), statement[0].precedence)}
    return {(c.value, c.precedence) for c in statement}


def _repeats(one: list["Claim"], other: list["Claim"]) -> bool:
    """Return whether two statements, not of a whole unit, say the same in one line each."""
    return len(one) == len(other) == 1 and not one[0].slot and one[0].stated == other[0].stated
