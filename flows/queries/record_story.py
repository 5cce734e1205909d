"""The story of a record item: its id, every report, what ties them together, what was kept separate from it."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.queries.confidential_reports import with_confidential_values
from flows.queries.item_history import current_item_sentence, read_item_history
from flows.queries.kind_release import (
    KindRelease,
    counted_decisions,
    current_item,
    evidence_around,
    open_kind,
    pending_decisions,
    standing_reports,
)
from flows.queries.pairs import Pair, compare_pairs
from infra.lake import access as lake_access
from infra.ledger import submissions as ledger_submissions
from schemas.kind import FieldSpec, Kind
from transforms.linkage.separation import LinkageEvidence, nearest_items, pairs_across, separation_of
from transforms.records.reasons import SurvivalBranch, survival_branch

ALL_PAIRS_UP_TO: Final = 10
"""For an item of up to so many reports, every pair is included."""
MAX_PAIRS: Final = 45
"""For a larger item, so many pairs: those of greatest weight."""
MAX_NEAR_ITEMS: Final = 20
"""So many similar items are included: those of greatest weight."""
SURVIVAL_RULES: Final = {
    "most": "what most reports say", "first": "what was reported first", "last": "what was reported last",
    "longest": "the longest", "greatest": "the greatest", "least": "the least",
}  # fmt: skip
"""`FieldSpec.survives` as text, where it decides alone."""
SURVIVAL_TIES: Final = {
    "most": "of the values that equally many reports say", "first": "of what was reported first at one time",
    "last": "of what was reported last at one time", "longest": "of the equally long", "greatest": "of the greatest",
    "least": "of the least",
}  # fmt: skip
"""`FieldSpec.survives` as text, where it gives several values equal rank."""
TIE_TEXTS: Final[dict[SurvivalBranch, str]] = {
    "precedence": "the one that its contract ranks first",
    "reported_at": "the one that was reported first",
    "report_id": "the one whose report has the least id",
}
"""What decides between values of equal rank, as text."""


@dataclass(frozen=True)
class RecordStory:
    """Everything that a release knows about an id of a record kind.

    now: which item the id belongs to, a sentence. item: the published row; None if the id belongs to no item, and then
    all but history is empty. automatic: the weight in bits that alone makes one item. fields: one per field of the
    kind: field, published, agreement (none, one, same, near, versions, conflict), chosen (whose value is published
    where reports differ). reports: rows of `<kind>_sources` with `filename` and `standing`, standing ones first.
    pairs: those of its reports, the heaviest first; left_out: how many are not included. decisions: those about its
    reports, with `applied`. overruled: ties that were overruled. separate_items: similar items, each with the reason
    why it is separate. history: `item_history.read_item_history`.
    """

    asked: str
    kind: str
    release: int
    item_id: str | None
    now: str
    item: dict[str, Any] | None
    automatic: float | None
    fields: list[dict[str, Any]]
    reports: list[dict[str, Any]]
    pairs: list[Pair]
    left_out: int
    decisions: list[dict[str, Any]]
    overruled: list[dict[str, Any]]
    separate_items: list[dict[str, Any]]
    history: list[dict[str, Any]]
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the story as plain values."""
        return {**vars(self), "pairs": [pair.as_dict() for pair in self.pairs]}


@lake_access.scan_errors()
def explain_record(
    installation: Installation, kind: Kind, id_: str, number: int | None = None, *, confidential: bool = False
) -> RecordStory:
    """Return the story of an id of a kind: of an item, a former item or a report.

    confidential: `reports` with the values of those that their senders marked as confidential; the rest is as
    published. Raises `UsageError` if there is no release, or it has no records of the kind.
    """
    snapshot = open_kind(installation, kind, number)
    item_id = current_item(snapshot, id_)
    automatic = snapshot.rule.automatic if snapshot.model else None
    parts = _item_parts(snapshot, item_id, confidential=confidential) if item_id else EMPTY_STORY
    return RecordStory(
        asked=id_,
        kind=kind.kind,
        release=snapshot.number,
        item_id=item_id,
        now=current_item_sentence(snapshot, id_, item_id),
        automatic=automatic,
        history=read_item_history(snapshot, {id_, item_id or id_}),
        notes=[snapshot.unscored] if snapshot.unscored else [],
        **parts,
    )


EMPTY_STORY: Final[dict[str, Any]] = {
    "item": None, "fields": [], "reports": [], "pairs": [], "left_out": 0, "decisions": [], "overruled": [],
    "separate_items": [],
}  # fmt: skip


def _item_parts(snapshot: KindRelease, item_id: str, *, confidential: bool) -> dict[str, Any]:
    mine = pl.col("item_id") == item_id
    item = snapshot.live("").filter(mine).drop("partition").collect().row(0, named=True)
    reports = standing_reports(snapshot, mine)
    evidence = evidence_around(snapshot, [item_id])
    pairs, left_out = _pairs(snapshot, evidence, reports)
    return {
        "item": item,
        "fields": [_agreement(name, spec, item, reports) for name, spec in snapshot.kind.fields.items()],
        "reports": _deliveries(snapshot, mine, reports, confidential=confidential),
        "pairs": pairs,
        "left_out": left_out,
        "decisions": _decisions(snapshot, reports["report_id"]),
        "overruled": _overruled(evidence, reports["report_id"]),
        "separate_items": _separate_items(snapshot, evidence, item_id),
    }


def _agreement(name: str, spec: FieldSpec, item: dict[str, Any], reports: pl.DataFrame) -> dict[str, Any]:
    values = reports[name].drop_nulls()
    differ = values.list.sort().n_unique() > 1 if spec.type == "list" else values.n_unique() > 1
    if name in item["conflicting"]:
        agreement = "conflict"
    elif differ:
        agreement = "versions" if spec.role == "text" else "near"
    else:
        agreement = {0: "none", 1: "one"}.get(values.len(), "same")
    chosen = survival_text(spec, survival_branch(reports, name, spec)) if agreement in {"conflict", "near"} else None
    return {"field": name, "published": item[name], "agreement": agreement, "chosen": chosen}


def survival_text(spec: FieldSpec, branch: SurvivalBranch) -> str:
    """Return which of several values of a field is published, as a phrase."""
    if branch == "same":  # only in a release of before a report's later deliveries were corrections
        return "what the report's standing delivery says"
    return SURVIVAL_RULES[spec.survives] if branch == "rule" else f"{SURVIVAL_TIES[spec.survives]} {TIE_TEXTS[branch]}"


def _deliveries(
    snapshot: KindRelease, mine: pl.Expr, reports: pl.DataFrame, *, confidential: bool
) -> list[dict[str, Any]]:
    """Return every delivery behind an item: the one of the published row first, then the standing ones."""
    rows = snapshot.live("sources").filter(mine).drop("item_id", "partition").collect()
    rows = with_confidential_values(snapshot, rows) if confidential else rows
    standing = reports.select("claim_id", pl.lit(True).alias("standing"))
    files = ledger_submissions.read_submissions(
        snapshot.installation.engine,
        ids=rows["submission_id"].unique().to_list(),
        columns=["submission_id", "filename"],
    )
    rows = rows.join(files, on="submission_id", how="left").join(standing, on="claim_id", how="left")
    rows = rows.with_columns(pl.col("standing").fill_null(False))
    return rows.sort("lead", "standing", "report_id", "claim_id", descending=[True, True, False, False]).to_dicts()


def _pairs(snapshot: KindRelease, evidence: LinkageEvidence, reports: pl.DataFrame) -> tuple[list[Pair], int]:
    """Return the pairs of an item's reports, the heaviest first, and how many are left out."""
    ids = reports["report_id"].sort()
    chosen = (
        pairs_across(evidence.edges, ids, ids).sort("weight", "a", "b", descending=[True, False, False]).head(MAX_PAIRS)
    )
    if reports.height <= ALL_PAIRS_UP_TO:
        chosen = pl.DataFrame(list(combinations(ids, 2)), schema={"a": pl.String, "b": pl.String}, orient="row")
    pairs = compare_pairs(snapshot, chosen, reports)
    pairs.sort(key=lambda pair: (-(pair.weight or 0.0), pair.ends))
    return pairs, ids.len() * (ids.len() - 1) // 2 - len(pairs)


def _decisions(snapshot: KindRelease, reports: pl.Series) -> list[dict[str, Any]]:
    """Return the decisions about any of the reports, applied in the release or waiting for the next one."""
    applied = counted_decisions(snapshot).with_columns(pl.lit(True).alias("applied"))
    waiting = pending_decisions(snapshot) if snapshot.current else applied.drop("applied").clear()
    both = pl.concat([applied, waiting.with_columns(pl.lit(False).alias("applied"))])
    ids = reports.implode()
    return both.filter(pl.col("a").is_in(ids) | pl.col("b").is_in(ids)).sort("id").to_dicts()


def _overruled(evidence: LinkageEvidence, reports: pl.Series) -> list[dict[str, Any]]:
    """Return the ties of the reports that were overruled."""
    ids = reports.implode()
    return evidence.overruled().filter(pl.col("a").is_in(ids) | pl.col("b").is_in(ids)).to_dicts()


def _separate_items(snapshot: KindRelease, evidence: LinkageEvidence, item_id: str) -> list[dict[str, Any]]:
    """Return the items that edges lead to, the heaviest first: each with its nearest pair and why it is separate."""
    items = []
    for row in nearest_items(evidence, item_id).head(MAX_NEAR_ITEMS).iter_rows(named=True):
        separation = separation_of(evidence, row["report_id"], row["other_id"])
        reason = separation.reason(row["weight"], snapshot.rule.automatic)
        items.append({**row, **separation.as_dict(), "reason": reason})
    return items
