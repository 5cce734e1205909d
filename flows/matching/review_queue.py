"""Clerical review: the pairs of reports that a person should look at, the most informative first."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from flows.installation import Installation
from flows.matching.decisions import RecordedDecision, decide
from flows.queries.kind_release import KindRelease, open_kind, standing_reports
from flows.queries.pairs import Pair, compare_pairs
from infra.ledger import decisions as ledger_decisions
from schemas.errors import UsageError
from schemas.kind import Kind
from transforms.evaluation.item_profiles import profile_counts, profile_items
from transforms.linkage.review_queue import uncertain_pairs, undecided_pairs
from transforms.preparation.reporters import linked_reporter


@dataclass(frozen=True)
class ReviewQuestion:
    """Whether two reports are one item: the pair, the item of each, how many reports the two items have together.

    pairs: how many pairs between the two items are undecided; this one is the least certain of them.
    """

    pair: Pair
    item_a: str
    item_b: str
    reports: int
    pairs: int

    def as_dict(self) -> dict[str, Any]:
        """Return the question as plain values."""
        items = {"item_a": self.item_a, "item_b": self.item_b, "reports": self.reports, "pairs": self.pairs}
        return {**self.pair.as_dict(), **items}


@dataclass(frozen=True)
class ReviewQueue:
    """What there is to review of a kind: the first questions, out of `open`. automatic: as in `LinkageRule`, bits."""

    release: KindRelease
    questions: list[ReviewQuestion]
    open: int
    automatic: float


def review(installation: Installation, kind: Kind, limit: int | None = None) -> ReviewQueue:
    """Return the questions on the current release, the most informative first, at most `limit`.

    Raises `UsageError` if no release has the kind, or no pair was scored.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"--limit: found {limit}, expected 1 or more")
    release = open_kind(installation, kind)
    if release.unscored:
        raise UsageError(f"nothing to review: {release.unscored}")
    edges = release.live("edges").select("a", "b", "weight").collect()
    uncertain = uncertain_pairs(edges, _whole_items(release, edges), _decisions(installation, kind), release.rule)
    chosen = uncertain if limit is None else uncertain.head(limit)
    ends = pl.concat([chosen["a"], chosen["b"]]).unique()
    reports = standing_reports(release, pl.col("report_id").is_in(ends.implode()))
    pairs = compare_pairs(release, chosen, reports)
    items = chosen.select("item_a", "item_b", "reports", "pairs").iter_rows()
    questions = [ReviewQuestion(pair, *row) for pair, row in zip(pairs, items, strict=True)]
    return ReviewQueue(release, questions, uncertain.height, release.rule.automatic)


@dataclass(frozen=True)
class ItemProfiles:
    """What holds the items of a kind together in a release.

    profiles, counts: `transforms.evaluation.item_profiles.ITEM_PROFILE`, the weakest first, and `PROFILE_COUNT`.
    """

    kind: str
    release: int
    profiles: pl.DataFrame
    counts: pl.DataFrame

    @property
    def largest(self) -> int:
        """How many reports the largest item has."""
        return max(self.profiles["reports"].to_list(), default=0)

    @property
    def bridged(self) -> int:
        """How many items have a link that no third report confirms."""
        return self.profiles.filter(pl.col("bridges") > 0).height

    def shown(self, limit: int) -> list[dict[str, Any]]:
        """Return the first items as rows, weights to hundredths of a bit."""
        return self.profiles.head(max(limit, 1)).with_columns(pl.col("weakest").round(2)).to_dicts()

    def as_dict(self, limit: int) -> dict[str, Any]:
        """Return plain values; limit: so many items."""
        values = {"kind": self.kind, "release": self.release}
        return values | {"items": self.shown(limit), "counts": self.counts.to_dicts()}


def items_of_release(installation: Installation, kind: Kind) -> ItemProfiles:
    """Return the profiles of the items of two or more reports; `UsageError` if no release has the kind."""
    release = open_kind(installation, kind)
    reports = release.live("sources").select("report_id", "item_id").unique().collect()
    profiles = profile_items(reports, release.live("edges").select("a", "b", "weight").collect())
    return ItemProfiles(kind.kind, release.number, profiles, profile_counts(profiles))


def _whole_items(release: KindRelease, edges: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, reported_by, item_id of every report of the items that edges touch."""
    reporter = linked_reporter(release.kind)
    reports = release.live("sources").select("report_id", reporter, "item_id").unique().collect()
    ends = pl.concat([edges["a"], edges["b"]]).unique()
    items = reports.filter(pl.col("report_id").is_in(ends.implode()))["item_id"].unique()
    return reports.filter(pl.col("item_id").is_in(items.implode()))


def _decisions(installation: Installation, kind: Kind) -> pl.DataFrame:
    decisions = ledger_decisions.read_decisions(installation.engine, kind.kind, active=True)
    return decisions.select("a", "b", "verdict")


def still_open(queue: ReviewQueue, question: ReviewQuestion) -> bool:
    """Return whether a question still needs an answer: later decisions may have settled it."""
    ends = pl.DataFrame({"a": [min(question.pair.ends)], "b": [max(question.pair.ends)]})
    decisions = _decisions(queue.release.installation, queue.release.kind)
    ids = pl.concat([decisions["a"], decisions["b"], ends["a"], ends["b"]]).unique()
    reports = standing_reports(queue.release, pl.col("report_id").is_in(ids.implode())).select(
        "report_id", linked_reporter(queue.release.kind)
    )
    return undecided_pairs(ends, reports, decisions, queue.release.rule).height > 0


def answer(
    queue: ReviewQueue, question: ReviewQuestion, verdict: str, *, why: str = "", who: str | None = None
) -> RecordedDecision:
    """Record the answer to a question as a decision; the default reason is what the reviewer saw."""
    release = queue.release
    model = release.model.digest if release.model else "none"
    seen = f"reviewed in release {release.number} at {question.pair.weight} bits by model {model}"
    return decide(release.installation, question.pair.ends, verdict, why=why or seen, who=who)
