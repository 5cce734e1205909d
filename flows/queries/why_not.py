"""Why two reports are not one item: never compared, not alike enough, or kept apart, and by what."""

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import polars as pl

from flows.installation import Installation
from flows.queries.item_history import decision_in_words, now_in_words
from flows.queries.kind_release import (
    KindRelease,
    decisions_of,
    item_now,
    known_around,
    open_kind,
    pending_decisions,
    reports_of,
)
from flows.queries.known_ids import kind_of
from flows.queries.pairs import Pair, held_together, meetings
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.separation import Apart, Known, Reason, across, apart

Verdict = Literal["one item", "other kinds", "not released", "kept apart", "never compared", "too little", "next night"]
"""one item: they are. not released: one of them is in no item of the release. next night: nothing keeps them apart."""
REASONS: Final[dict[str, Verdict]] = {
    "decision": "kept apart", "reporter": "kept apart", "coherence": "kept apart", "nothing": "next night",
}  # fmt: skip
"""`transforms.linkage.separation.Reason` -> its short text; for too little weight, see UNWEIGHED."""
UNWEIGHED: Final = "the two were not weighed"


@dataclass(frozen=True)
class WhyNot:
    """Why two reports, or items, are not one item.

    why: sentences, the reason first. items: the item of each, where it has one. pair: the two reports held against each
    other; of an item, its report that is nearest to the other. meetings: `record_pairs.meetings` of the two. between:
    `transforms.linkage.separation.Apart`. decisions: those about a report of one and a report of the other, with
    `applied`.
    """

    a: str
    b: str
    verdict: Verdict
    why: list[str]
    kind: str | None = None
    release: int | None = None
    items: tuple[str | None, str | None] = (None, None)
    automatic: float | None = None
    review: float | None = None
    pair: Pair | None = None
    meetings: tuple[dict[str, Any], ...] = ()
    between: Apart | None = None
    decisions: tuple[dict[str, Any], ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        told = {name: value for name, value in vars(self).items() if name not in {"pair", "between"}}
        return {
            **told,
            "pair": self.pair.as_dict() if self.pair else None,
            "between": self.between.as_dict() if self.between else None,
        }


def why_not(installation: Installation, a: str, b: str, number: int | None = None) -> WhyNot:
    """Return why two reports or items, by their ids, are not one item in release `number`, by default the current one.

    Raises `UsageError` for an id that names neither, and where nothing is released.
    """
    a, b = (id_.strip().lower() for id_ in (a, b))
    if a == b:
        raise UsageError(f"{a} was given twice: expected two reports or items")
    kinds = [_kind(installation, id_) for id_ in (a, b)]
    if kinds[0] != kinds[1]:
        why = f"{a} is of kind {kinds[0].kind}, {b} of kind {kinds[1].kind}: only reports of one kind can be one item"
        return WhyNot(a, b, "other kinds", [why])
    read = open_kind(installation, kinds[0], number)
    items = (item_now(read, a), item_now(read, b))
    if items[0] is None or items[1] is None:
        gone = [now_in_words(read, id_, None) for id_, item in zip((a, b), items, strict=True) if item is None]
        return WhyNot(a, b, "not released", gone, read.kind.kind, read.number, items)
    if items[0] == items[1]:
        why = f"they are: both are of item {items[0]} in release {read.number}; `engang explain {items[0]}` says why"
        return WhyNot(a, b, "one item", [why], read.kind.kind, read.number, items)
    return _between(read, (a, b), (items[0], items[1]))


def _kind(installation: Installation, id_: str) -> Kind:
    kind = kind_of(installation, id_)
    if kind is None:
        raise UsageError(
            f"no report or item {id_!r} of a record kind is known: `engang query` has the ids, report_id and item_id"
        )
    return kind


def _between(read: KindRelease, ids: tuple[str, str], items: tuple[str, str]) -> WhyNot:
    """Return what there is between two items."""
    known = known_around(read, list(items))
    edges = across(known.edges, *(known.members(item)["report_id"] for item in items))
    edges = edges.sort("weight", "a", "b", descending=[True, False, False])
    one, other = _named(known, edges, ids, items)
    reports = reports_of(read, pl.col("report_id").is_in([one, other]))
    ends = pl.DataFrame({"a": [min(one, other)], "b": [max(one, other)]})
    (pair,) = held_together(read, ends, reports)
    rules, found = meetings(read, pair, reports), apart(known, one, other)
    kept = edges.join(ends, on=["a", "b"], how="semi")["weight"]
    reason = found.reason(kept.item() if kept.len() else None, read.rule.automatic)
    weighed: Verdict = "too little" if kept.len() or _compared(rules, read) else "never compared"
    told = WhyNot(
        *ids, REASONS.get(reason) or weighed, [], read.kind.kind, read.number, items,
        read.rule.automatic if read.model else None, read.review, pair, tuple(rules), found,
        tuple(_decisions(read, known, items)),
    )  # fmt: skip
    said = [
        _reason(read, told, reason, found),
        *_nearer(read, known, edges.join(ends, on=["a", "b"], how="anti"), kept),
    ]
    waiting = [f"{decision_in_words(d)} waits: `engang nightly` applies it" for d in told.decisions if not d["applied"]]
    return replace(told, why=[*said, *waiting, *(tie_in_words(tie) for tie in _overruled(known, items))])


def _named(known: Known, edges: pl.DataFrame, ids: tuple[str, str], items: tuple[str, str]) -> tuple[str, str]:
    """Return a report of each side: the one that was named, else that of the heaviest of the edges."""
    sides = []
    for id_, item in zip(ids, items, strict=True):
        members = known.members(item)["report_id"]
        sides.append(pl.Series("report_id", [id_]) if id_ in members else members.sort())
    between = across(edges, *sides)
    if between.is_empty():
        return sides[0][0], sides[1][0]
    a, b = between.select("a", "b").row(0)
    return (a, b) if a in sides[0] else (b, a)


def _compared(rules: list[dict[str, Any]], read: KindRelease) -> bool:
    """Tell whether two reports were weighed: a rule that is no identity brought them together."""
    return not read.unscored and any(r["shared"] and not r["over_limit"] and not r["identity"] for r in rules)


def _decisions(read: KindRelease, known: Known, items: tuple[str, str]) -> list[dict[str, Any]]:
    """Return the decisions about a report of one item and a report of the other, made or waiting."""
    sides = [known.members(item)["report_id"] for item in items]
    both = [
        decisions_of(read).with_columns(pl.lit(True).alias("applied")),
        *([pending_decisions(read).with_columns(pl.lit(False).alias("applied"))] if read.current else []),
    ]
    return across(pl.concat(both), *sides).sort("id").to_dicts()


def _overruled(known: Known, items: tuple[str, str]) -> list[dict[str, Any]]:
    """Return the ties between two items that could not hold."""
    return across(known.overruled(), *(known.members(item)["report_id"] for item in items)).to_dicts()


# In words


def _reason(read: KindRelease, told: WhyNot, reason: Reason, found: Apart) -> str:
    """Return why the two reports are apart, in words."""
    weight = told.pair.weight if told.pair else None
    weigh = (
        f"the two weigh {weight:.2f} bits, {read.rule.automatic:.2f} make one item" if weight is not None else UNWEIGHED
    )
    if reason == "weight":
        return _light(read, told, weigh)
    made = [decision_in_words(d) for d in told.decisions if d["id"] in found.decisions]
    mean = mean_in_words(found.pairs, found.weighed, found.absent, found.mean)
    both = ", ".join(found.reporters)
    return {
        "decision": f"kept apart by {', '.join(made)}; {weigh}",
        "reporter": f"kept apart: two reports of one reporter are two items, and {both} reported both; {weigh}",
        "coherence": f"kept apart: {weigh}, but {mean}",
        "nothing": f"nothing keeps them apart: {weigh}, and the next `engang nightly` joins them",
    }[reason]


def _light(read: KindRelease, told: WhyNot, weigh: str) -> str:
    """Return why two reports do not weigh enough, in words: there was no weight, or it is too little."""
    if told.verdict == "never compared":
        return f"never compared: {_unmet(read, told)}; {weigh}"
    near = read.review is not None and told.pair is not None and (told.pair.weight or 0.0) >= read.review
    return f"too little: {weigh}" + (f"; `engang review {read.kind.kind}` asks about such pairs" if near else "")


def mean_in_words(pairs: int, weighed: int, absent: float, mean: float) -> str:
    """Return what two items weigh on the whole (`transforms.linkage.separation.Apart`)."""
    others = f" ({pairs - weighed} of them without a weight, counted as {absent:.2f})" if weighed < pairs else ""
    return f"the mean over all {pairs} pairs of reports around them{others} is {mean:.2f}"


def _unmet(read: KindRelease, told: WhyNot) -> str:
    """Return why two reports never were compared, in words."""
    if read.unscored:
        return f"{read.unscored}; no decision and no declared identity ties them"
    limit = f"more than the {read.kind.largest_block} of `largest_block`"
    large = [
        f"{rule['rule']} = {' + '.join(map(str, rule['a']))} is shared by {rule['reports']} reports, {limit}"
        for rule in told.meetings
        if rule["over_limit"]
    ]
    return "; ".join(large) or "no blocking rule reads the same of both"


def _nearer(read: KindRelease, known: Known, others: pl.DataFrame, own: pl.Series) -> list[str]:
    """Return a sentence on the nearest reports of the two items, if they are nearer than the two that were named."""
    if others.is_empty() or (own.len() and own.item() >= others["weight"][0]):
        return []
    a, b, weight = others.select("a", "b", "weight").row(0)
    found = apart(known, a, b)
    but = (
        f", but {mean_in_words(found.pairs, found.weighed, found.absent, found.mean)}"
        if found.reason(weight, read.rule.automatic) == "coherence"
        else ""
    )
    return [f"of the reports of the two items {a} and {b} are nearest: they weigh {weight:.2f} bits{but}"]


def tie_in_words(tie: dict[str, Any]) -> str:
    """Return a tie that could not hold (`resolve.OVERRULED`)."""
    what = f"decision {tie['decision']}" if tie["tie"] == "decision" else "a declared identity"
    why = "a decision calls different" if tie["reason"] == "different" else "one reporter reported"
    return (
        f"{what} ties {tie['a']} and {tie['b']} and could not hold: it would join {tie['apart_a']} and "
        f"{tie['apart_b']}, which {why}"
    )
