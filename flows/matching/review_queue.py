"""The pairs that a person should look at, each report held against the other, the most informative first."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.matching.decisions import Decided, decide
from flows.queries.kind_release import KindRelease, open_kind, reports_of
from flows.queries.pairs import Pair, held_together
from infra.ledger import records as ledger_records
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.linkage.review_queue import uncertain, unsettled


@dataclass(frozen=True)
class Question:
    """Whether two reports are one item: the pair, the items they are of, how many reports those have together.

    pairs: how many pairs of reports of the two items are open; this is the one that is least sure.
    """

    pair: Pair
    item_a: str
    item_b: str
    reports: int
    pairs: int

    def as_dict(self) -> dict[str, Any]:
        """Return the question as plain values."""
        told = {"item_a": self.item_a, "item_b": self.item_b, "reports": self.reports, "pairs": self.pairs}
        return {**self.pair.as_dict(), **told}


@dataclass(frozen=True)
class Review:
    """What there is to review of a kind: the first `questions` of `open` in all; automatic: as `Rule`, bits."""

    read: KindRelease
    questions: list[Question]
    open: int
    automatic: float


def review(installation: Installation, kind: Kind, limit: int | None = None) -> Review:
    """Return what a person should look at in the current release, the most informative first, at most `limit` pairs.

    Raises `UsageError` if nothing is released of the kind, or nothing was scored.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit: found {limit}, expected 1 or more")
    read = open_kind(installation, kind)
    if read.unscored:
        raise UsageError(f"nothing to review: {read.unscored}")
    edges = read.live("edges").select("a", "b", "weight").collect()
    found = uncertain(edges, _standing(read, edges), _decisions(installation, kind), read.rule)
    shown = found if limit is None else found.head(limit)
    ends = pl.concat([shown["a"], shown["b"]]).unique()
    reports = reports_of(read, pl.col("report_id").is_in(ends.implode()))
    pairs = held_together(read, shown, reports)
    told = shown.select("item_a", "item_b", "reports", "pairs").iter_rows()
    questions = [Question(pair, *row) for pair, row in zip(pairs, told, strict=True)]
    return Review(read, questions, found.height, read.rule.automatic)


def _standing(read: KindRelease, edges: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, reported_by, item_id of all reports: how large an item is, is counted over all of it."""
    told = read.live("sources").select("report_id", "reported_by", "item_id").unique().collect()
    near = pl.concat([edges["a"], edges["b"]]).unique()
    items = told.filter(pl.col("report_id").is_in(near.implode()))["item_id"].unique()
    return told.filter(pl.col("item_id").is_in(items.implode()))


def _decisions(installation: Installation, kind: Kind) -> pl.DataFrame:
    made = ledger_records.decisions(installation.engine, kind.kind, active=True)
    return made.select("a", "b", "verdict")


def still_open(found: Review, question: Question) -> bool:
    """Tell whether a question still needs an answer: others may have settled it by now."""
    ends = pl.DataFrame({"a": [min(question.pair.ends)], "b": [max(question.pair.ends)]})
    made = _decisions(found.read.installation, found.read.kind)
    named = pl.concat([made["a"], made["b"], ends["a"], ends["b"]]).unique()
    reports = reports_of(found.read, pl.col("report_id").is_in(named.implode()))
    return unsettled(ends, reports.select("report_id", "reported_by"), made, found.read.rule).height > 0


def answer(found: Review, question: Question, verdict: str, *, why: str = "", who: str | None = None) -> Decided:
    """Keep what a person says of a question; without a reason, what was seen is the reason."""
    read, weight = found.read, question.pair.weight
    model = read.model.digest if read.model else "none"
    seen = f"reviewed in release {read.number} at {weight} bits by model {model}"
    return decide(read.installation, question.pair.ends, verdict, why=why or seen, who=who)
