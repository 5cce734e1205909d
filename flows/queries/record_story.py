"""The story of a record item: where its id is, every report, what ties them together, what was kept apart from it."""

from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.queries.item_history import history_of, now_in_words
from flows.queries.kind_release import (
    KindRelease,
    decisions_of,
    item_now,
    known_around,
    open_kind,
    pending_decisions,
    reports_of,
)
from flows.queries.pairs import Pair, held_together
from infra.lake import access as lake_places
from infra.ledger import submissions as ledger
from schemas.kind import FieldSpec, Kind
from transforms.linkage.separation import Known, across, apart, nearest

MOST_REPORTS: Final = 10
"""Of an item of so many reports every pair is told."""
MOST_PAIRS: Final = 45
"""Of a larger item, so many: those of greatest weight."""
MOST_NEAR: Final = 20
"""So many items near by are looked at: those of greatest weight."""
SURVIVES: Final = {
    "most": "what most reports say", "first": "what was reported first", "last": "what was reported last",
    "longest": "the longest", "greatest": "the greatest", "least": "the least",
}  # fmt: skip
"""`FieldSpec.survives` in words."""


@dataclass(frozen=True)
class RecordStory:
    """All that a release knows of an id of a record kind.

    now: where the id is, a sentence. item: the published row; None if no item answers to the id, and then all but
    history is empty. automatic: from how many bits on weight alone makes an item. fields: one a field of the kind:
    field, published, agreement (none, one, same, near, versions, conflict), chosen (whose value is published where
    reports differ). reports: rows of `<kind>_sources` with `filename` and `standing`, those that stand first. pairs:
    those of its reports, the heaviest first; left_out: how many are not told. decisions: those about its reports, with
    `applied`. overruled: ties that could not hold. apart: the items near by and what keeps each apart. history:
    `record_history.history_of`.
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
    apart: list[dict[str, Any]]
    history: list[dict[str, Any]]
    notes: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Return the story as plain values."""
        return {**vars(self), "pairs": [pair.as_dict() for pair in self.pairs]}


@lake_places.reading()
def explain_record(installation: Installation, kind: Kind, id_: str, number: int | None = None) -> RecordStory:
    """Return the story of an id of a kind: of an item, of one that was, of a report.

    Raises `UsageError` if there is no release, or it has no records of the kind.
    """
    read = open_kind(installation, kind, number)
    item_id = item_now(read, id_)
    automatic = read.rule.automatic if read.model else None
    told = _of_item(read, item_id) if item_id else NOTHING
    return RecordStory(
        asked=id_,
        kind=kind.kind,
        release=read.number,
        item_id=item_id,
        now=now_in_words(read, id_, item_id),
        automatic=automatic,
        history=history_of(read, {id_, item_id or id_}),
        notes=[read.unscored] if read.unscored else [],
        **told,
    )


NOTHING: Final[dict[str, Any]] = {
    "item": None, "fields": [], "reports": [], "pairs": [], "left_out": 0, "decisions": [], "overruled": [],
    "apart": [],
}  # fmt: skip


def _of_item(read: KindRelease, item_id: str) -> dict[str, Any]:
    mine = pl.col("item_id") == item_id
    item = read.live("").filter(mine).drop("partition").collect().row(0, named=True)
    reports = reports_of(read, mine)
    known = known_around(read, [item_id])
    pairs, left_out = _pairs(read, known, reports)
    return {
        "item": item,
        "fields": [_agreement(name, spec, item, reports) for name, spec in read.kind.fields.items()],
        "reports": _deliveries(read, mine, reports),
        "pairs": pairs,
        "left_out": left_out,
        "decisions": _decisions(read, reports["report_id"]),
        "overruled": _overruled(known, reports["report_id"]),
        "apart": _apart(read, known, item_id),
    }


def _agreement(name: str, spec: FieldSpec, item: dict[str, Any], reports: pl.DataFrame) -> dict[str, Any]:
    told = reports[name].drop_nulls()
    differ = told.list.sort().n_unique() > 1 if spec.type == "list" else told.n_unique() > 1
    if name in item["conflicting"]:
        agreement = "conflict"
    elif differ:
        agreement = "versions" if spec.role == "text" else "near"
    else:
        agreement = {0: "none", 1: "one"}.get(told.len(), "same")
    chosen = SURVIVES[spec.survives] if agreement in {"conflict", "near"} else None
    return {"field": name, "published": item[name], "agreement": agreement, "chosen": chosen}


def _deliveries(read: KindRelease, mine: pl.Expr, reports: pl.DataFrame) -> list[dict[str, Any]]:
    """Return every delivery behind an item, what stands first, the published row's before all."""
    rows = read.live("sources").filter(mine).drop("item_id", "partition").collect()
    stands = reports.select("claim_id", pl.lit(True).alias("standing"))
    files = ledger.submissions(
        read.installation.engine, ids=rows["submission_id"].unique().to_list(), columns=["submission_id", "filename"]
    )
    told = rows.join(files, on="submission_id", how="left").join(stands, on="claim_id", how="left")
    told = told.with_columns(pl.col("standing").fill_null(False))
    return told.sort("lead", "standing", "report_id", "claim_id", descending=[True, True, False, False]).to_dicts()


def _pairs(read: KindRelease, known: Known, reports: pl.DataFrame) -> tuple[list[Pair], int]:
    """Return the pairs of an item's reports, the heaviest first, and how many are left out."""
    ids = reports["report_id"].sort()
    chosen = across(known.edges, ids, ids).sort("weight", "a", "b", descending=[True, False, False]).head(MOST_PAIRS)
    if reports.height <= MOST_REPORTS:
        chosen = pl.DataFrame(list(combinations(ids, 2)), schema={"a": pl.String, "b": pl.String}, orient="row")
    told = held_together(read, chosen, reports)
    told.sort(key=lambda pair: (-(pair.weight or 0.0), pair.ends))
    return told, ids.len() * (ids.len() - 1) // 2 - len(told)


def _decisions(read: KindRelease, reports: pl.Series) -> list[dict[str, Any]]:
    """Return the decisions about any of the reports: those that the release counts, those that the next one will."""
    applied = decisions_of(read).with_columns(pl.lit(True).alias("applied"))
    waiting = pending_decisions(read) if read.current else applied.drop("applied").clear()
    both = pl.concat([applied, waiting.with_columns(pl.lit(False).alias("applied"))])
    ids = reports.implode()
    return both.filter(pl.col("a").is_in(ids) | pl.col("b").is_in(ids)).sort("id").to_dicts()


def _overruled(known: Known, reports: pl.Series) -> list[dict[str, Any]]:
    """Return the ties of the reports that could not hold."""
    ids = reports.implode()
    return known.overruled().filter(pl.col("a").is_in(ids) | pl.col("b").is_in(ids)).to_dicts()


def _apart(read: KindRelease, known: Known, item_id: str) -> list[dict[str, Any]]:
    """Return the items that edges lead to, the heaviest first: of each its nearest pair, and what keeps it apart."""
    told = []
    for row in nearest(known, item_id).head(MOST_NEAR).iter_rows(named=True):
        found = apart(known, row["report_id"], row["other_id"])
        told.append({**row, **found.as_dict(), "reason": found.reason(row["weight"], read.rule.automatic)})
    return told
