"""Why two reports are not one item: never compared, too little weight, or kept separate, and by what."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import polars as pl

from flows.installation import Installation
from flows.queries.item_history import current_item_sentence, decision_sentence
from flows.queries.kind_release import (
    KindRelease,
    counted_decisions,
    current_item,
    evidence_around,
    open_kind,
    pending_decisions,
    standing_reports,
)
from flows.queries.known_ids import kind_of
from flows.queries.pairs import Pair, compare_blocking_keys, compare_pairs
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.separation import LinkageEvidence, Separation, SeparationReason, pairs_across, separation_of

SeparationVerdict = Literal[
    "one item", "other kinds", "not released", "kept separate", "never compared", "too little", "next night"
]
"""one item: they are. not released: one of them is in no item of the release. next night: it will join them."""
VERDICT_BY_REASON: Final[dict[str, SeparationVerdict]] = {
    "decision": "kept separate", "reporter": "kept separate", "coherence": "kept separate", "nothing": "next night",
}  # fmt: skip
"""`transforms.linkage.separation.SeparationReason` -> verdict; for the reason `weight` the comparison decides it."""
NOT_WEIGHED: Final = "the two were not weighed"


@dataclass(frozen=True)
class WhyNot:
    """Why two reports, or items, are not one item.

    why: sentences, the reason first. items: the item of each, if it has one. pair: the two reports compared; for an
    item, its report that is nearest to the other. blocking: `pairs.compare_blocking_keys` of the two. separation:
    `transforms.linkage.separation.Separation`. decisions: those about a report of one and a report of the other, with
    `applied`.
    """

    a: str
    b: str
    verdict: SeparationVerdict
    why: list[str]
    kind: str | None = None
    release: int | None = None
    items: tuple[str | None, str | None] = (None, None)
    automatic: float | None = None
    review: float | None = None
    pair: Pair | None = None
    blocking: tuple[dict[str, Any], ...] = ()
    separation: Separation | None = None
    decisions: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        nested = {"pair", "blocking", "separation"}
        return {
            **{name: value for name, value in vars(self).items() if name not in nested},
            "meetings": self.blocking,
            "pair": self.pair.as_dict() if self.pair else None,
            "between": self.separation.as_dict() if self.separation else None,
        }


def why_not(installation: Installation, a: str, b: str, number: int | None = None) -> WhyNot:
    """Return why two reports or items are not one item in release `number`, the current one by default.

    Raises `UsageError` for an id that names neither, and if nothing is released.
    """
    a, b = (id_.strip().lower() for id_ in (a, b))
    if a == b:
        raise UsageError(f"{a} was given twice: expected two reports or items")
    kinds = [_kind(installation, id_) for id_ in (a, b)]
    if kinds[0] != kinds[1]:
        why = f"{a} is of kind {kinds[0].kind}, {b} of kind {kinds[1].kind}: only reports of one kind can be one item"
        return WhyNot(a, b, "other kinds", [why])
    snapshot = open_kind(installation, kinds[0], number)
    items = (current_item(snapshot, a), current_item(snapshot, b))
    if items[0] is None or items[1] is None:
        reasons = [
            current_item_sentence(snapshot, id_, None) for id_, item in zip((a, b), items, strict=True) if item is None
        ]
        return WhyNot(a, b, "not released", reasons, snapshot.kind.kind, snapshot.number, items)
    if items[0] == items[1]:
        item, release = items[0], snapshot.number
        why = f"they are: both belong to item {item} in release {release}; `engang explain {item}` shows why"
        return WhyNot(a, b, "one item", [why], snapshot.kind.kind, snapshot.number, items)
    return _separate_items(snapshot, (a, b), (items[0], items[1]))


def _kind(installation: Installation, id_: str) -> Kind:
    kind = kind_of(installation, id_)
    if kind is None:
        raise UsageError(
            f"no report or item {id_!r} of a record kind is known: `engang query` has the ids, report_id and item_id"
        )
    return kind


def _separate_items(snapshot: KindRelease, ids: tuple[str, str], items: tuple[str, str]) -> WhyNot:
    """Return why two different items are separate."""
    evidence = evidence_around(snapshot, list(items))
    edges = pairs_across(evidence.edges, *(evidence.members(item)["report_id"] for item in items))
    edges = edges.sort("weight", "a", "b", descending=[True, False, False])
    one, other = _nearest_reports(evidence, edges, ids, items)
    reports = standing_reports(snapshot, pl.col("report_id").is_in([one, other]))
    ends = pl.DataFrame({"a": [min(one, other)], "b": [max(one, other)]})
    (pair,) = compare_pairs(snapshot, ends, reports)
    rules, separation = compare_blocking_keys(snapshot, pair, reports), separation_of(evidence, one, other)
    stored_weight = edges.join(ends, on=["a", "b"], how="semi")["weight"]
    reason = separation.reason(stored_weight.item() if stored_weight.len() else None, snapshot.rule.automatic)
    was_compared = bool(stored_weight.len()) or _was_compared(rules, snapshot)
    by_weight: SeparationVerdict = "too little" if was_compared else "never compared"
    result = WhyNot(
        *ids, VERDICT_BY_REASON.get(reason) or by_weight, [], snapshot.kind.kind, snapshot.number, items,
        snapshot.rule.automatic if snapshot.model else None, snapshot.review, pair, tuple(rules), separation,
        tuple(_decisions(snapshot, evidence, items)),
    )  # fmt: skip
    reasons = [
        _reason_sentence(snapshot, result, reason, separation),
        *_nearer_sentences(snapshot, evidence, edges.join(ends, on=["a", "b"], how="anti"), stored_weight),
    ]
    waiting = [
        f"{decision_sentence(d)} waits: `engang nightly` applies it" for d in result.decisions if not d["applied"]
    ]
    return replace(result, why=[*reasons, *waiting, *(tie_sentence(tie) for tie in _overruled(evidence, items))])


def _nearest_reports(
    evidence: LinkageEvidence, edges: pl.DataFrame, ids: tuple[str, str], items: tuple[str, str]
) -> tuple[str, str]:
    """Return a report of each side: the given one, or for an item the one with the heaviest edge to the other side."""
    sides = []
    for id_, item in zip(ids, items, strict=True):
        members = evidence.members(item)["report_id"]
        sides.append(pl.Series("report_id", [id_]) if id_ in members else members.sort())
    pairs = pairs_across(edges, *sides)
    if pairs.is_empty():
        return sides[0][0], sides[1][0]
    a, b = pairs.select("a", "b").row(0)
    return (a, b) if a in sides[0] else (b, a)


def _was_compared(rules: list[dict[str, Any]], snapshot: KindRelease) -> bool:
    """Return whether two reports were weighed: a rule that is not an identity brought them together."""
    return not snapshot.unscored and any(r["shared"] and not r["over_limit"] and not r["identity"] for r in rules)


def _decisions(snapshot: KindRelease, evidence: LinkageEvidence, items: tuple[str, str]) -> list[dict[str, Any]]:
    """Return the decisions about a report of one item and a report of the other, applied or waiting."""
    sides = [evidence.members(item)["report_id"] for item in items]
    both = [
        counted_decisions(snapshot).with_columns(pl.lit(True).alias("applied")),
        *([pending_decisions(snapshot).with_columns(pl.lit(False).alias("applied"))] if snapshot.current else []),
    ]
    return pairs_across(pl.concat(both), *sides).sort("id").to_dicts()


def _overruled(evidence: LinkageEvidence, items: tuple[str, str]) -> list[dict[str, Any]]:
    """Return the ties between two items that were overruled."""
    return pairs_across(evidence.overruled(), *(evidence.members(item)["report_id"] for item in items)).to_dicts()


# Sentences


def _reason_sentence(snapshot: KindRelease, result: WhyNot, reason: SeparationReason, separation: Separation) -> str:
    """Return why the two reports are separate."""
    weight = result.pair.weight if result.pair else None
    weights = (
        f"the two weigh {weight:.2f} bits, {snapshot.rule.automatic:.2f} make one item"
        if weight is not None
        else NOT_WEIGHED
    )
    if reason == "weight":
        return _weight_sentence(snapshot, result, weights)
    decisions = [decision_sentence(d) for d in result.decisions if d["id"] in separation.decisions]
    mean = mean_sentence(separation.pairs, separation.weighed, separation.absent, separation.mean)
    both = ", ".join(separation.reporters)
    next_night = ", and the next `engang nightly` joins them" if snapshot.current else ""
    return {
        "decision": f"kept separate by {', '.join(decisions)}; {weights}",
        "reporter": f"kept separate: two reports of one reporter are two items, and {both} reported both; {weights}",
        "coherence": f"kept separate: {weights}, but {mean}",
        "nothing": f"nothing keeps them separate: {weights}{next_night}",
    }[reason]


def _weight_sentence(snapshot: KindRelease, result: WhyNot, weights: str) -> str:
    """Return why two reports do not weigh enough: they were never compared, or the weight is too little."""
    if result.verdict == "never compared":
        return f"never compared: {_blocking_sentence(snapshot, result)}; {weights}"
    return f"too little: {weights}" + (
        f"; `engang review {snapshot.kind.kind}` asks about such pairs" if _is_asked(snapshot, result) else ""
    )


def _is_asked(snapshot: KindRelease, result: WhyNot) -> bool:
    """Return whether a review asks about a pair like this: of the current release, near, with no decision on it."""
    weight = result.pair.weight if result.pair else None
    near = weight is not None and snapshot.review is not None and weight >= snapshot.review
    ends = set(result.pair.ends) if result.pair else set()
    return near and snapshot.current and not any({d["a"], d["b"]} == ends for d in result.decisions)


def mean_sentence(pairs: int, weighed: int, absent: float, mean: float) -> str:
    """Return the mean weight of two items (`transforms.linkage.separation.Separation`)."""
    others = f" ({pairs - weighed} of them without a weight, counted as {absent:.2f})" if weighed < pairs else ""
    return f"the mean over all {pairs} pairs of reports around them{others} is {mean:.2f}"


def _blocking_sentence(snapshot: KindRelease, result: WhyNot) -> str:
    """Return why no blocking rule brought two reports together."""
    if snapshot.unscored:
        return f"{snapshot.unscored}; no decision and no declared identity ties them"
    limits = [
        f"the {n} of {'`largest_block`' if n == snapshot.kind.largest_block else '`most`'}"
        for n in snapshot.kind.block_limits()
    ]
    large = [
        f"{rule['rule']} = {' + '.join(map(str, rule['a']))} is shared by {rule['reports']} reports, more than {limit}"
        for rule, limit in zip(result.blocking, limits, strict=False)
        if rule["over_limit"]
    ]
    tied = [rule["rule"] for rule in result.blocking if rule["identity"] and rule["shared"]]
    but = f" (both have the declared identity {'; '.join(tied)}, which was overruled)" if tied else ""
    return ("; ".join(large) or "no blocking rule has the same key for both") + but


def _nearer_sentences(
    snapshot: KindRelease, evidence: LinkageEvidence, others: pl.DataFrame, own: pl.Series
) -> list[str]:
    """Return a sentence on the nearest reports of the two items, if they are nearer than the two given ones."""
    if others.is_empty() or (own.len() and own.item() >= others["weight"][0]):
        return []
    a, b, weight = others.select("a", "b", "weight").row(0)
    separation = separation_of(evidence, a, b)
    but = (
        f", but {mean_sentence(separation.pairs, separation.weighed, separation.absent, separation.mean)}"
        if separation.reason(weight, snapshot.rule.automatic) == "coherence"
        else ""
    )
    return [f"of the reports of the two items {a} and {b} are nearest: they weigh {weight:.2f} bits{but}"]


def tie_sentence(tie: dict[str, Any]) -> str:
    """Return a sentence on a tie that was overruled (`clustering.OVERRULED_TIE`)."""
    what = f"decision {tie['decision']}" if tie["tie"] == "decision" else "a declared identity"
    reason = "a decision calls different" if tie["reason"] == "different" else "one reporter reported"
    return (
        f"{what} ties {tie['a']} and {tie['b']} and was overruled: it would join {tie['apart_a']} and "
        f"{tie['apart_b']}, which {reason}"
    )
