"""Incremental linkage: which reports a night compares again, and which items it may change.

What is published of a kind is a pure function of its standing reports, the decisions that count, the kind and its
model. A night computes it only for what it reaches: reports that enter, change or leave, those whose blocks cross the
size limit, those that decisions name, and all that strong pairs connect with any of them.

The steps are pure. Each returns what the next one needs to know; the caller reads that from the lake in between
(`flows.release.records.resolution`):

1. `index_change`, `affected_blocks`, `reread_blocks`: the rows of the blocking index to compare again.
2. `candidates_of`, `likely_reached`, `score_changed`: the pairs in which one of them is an end.
3. `reached_reports`: all reports whose item may change. `score_everything` takes the place of 1 to 3 where every report
   is looked at.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage import scoring
from transforms.linkage.blocking import (
    block_sizes,
    blocking_index,
    comparison_fields,
    declared_identities,
    prepare_comparison,
    without_capped_keys,
)
from transforms.linkage.candidates import (
    BLOCKING_KEY,
    block_warnings,
    blocks_over_limit,
    capped_blocks,
    crossed_limit,
    distinct_blocking_keys,
    has_partner,
    limited_kind,
    shares_blocking_key,
)
from transforms.linkage.clustering import LinkageRule, connected_components, linking_pairs
from transforms.linkage.model import MatchModel, linkage_rule
from transforms.preparation.reporters import linked_columns

ROUNDS: Final = 20
"""Steps from report to connected report that are taken one by one, before all pairs of a kind are taken."""
CHUNK_COMPARED: Final = 250_000
"""How many reports are made comparable at once."""


@dataclass(frozen=True)
class LinkageInputs:
    """What the pairs and clusters of a kind follow from, besides its reports.

    decisions: id, a, b, verdict, before, after (whether the last release counts it, whether this one does). rematch:
    the kind or its model differs from the last release's, so all pairs are scored again. first: no release has the
    kind yet. new_rules: the version of the rules if the last release follows another one, so that nothing of it holds.
    """

    kind: Kind
    model: MatchModel | None
    decisions: pl.DataFrame
    rematch: bool
    first: bool
    new_rules: str | None = field(default=None, kw_only=True)

    @property
    def everything(self) -> bool:
        """Whether every report is looked at."""
        return self.rematch or self.first or self.new_rules is not None

    @property
    def changed_decisions(self) -> pl.DataFrame:
        """The decisions that one of the two releases counts and the other does not."""
        return self.decisions.filter(pl.col("before") != pl.col("after"))

    @property
    def rule(self) -> LinkageRule:
        """The rule by which reports become items."""
        return linkage_rule(self.kind, self.model)


@dataclass(frozen=True)
class ScoredPairs:
    """What a night scored: rows that are new in the index and among its edges, and what they replace.

    index: report_id and the blocking keys. edges: a, b, weight. outdated: ids of reports whose older index rows and
    edges no longer hold. warnings: kind, what, detail, count; one row a block over the size limit.
    """

    index: pl.DataFrame
    edges: pl.DataFrame
    outdated: pl.Series
    warnings: pl.DataFrame

    def update_edges(self, edges: pl.DataFrame) -> pl.DataFrame:
        """Return the edges of the last release as they are after the night."""
        ids = self.outdated.implode()
        valid = edges.filter(~pl.col("a").is_in(ids), ~pl.col("b").is_in(ids))
        return pl.concat([valid, self.edges])

    def update_index(self, index: pl.DataFrame) -> pl.DataFrame:
        """Return the index of the last release as it is after the night."""
        valid = index.filter(~pl.col("report_id").is_in(self.outdated.implode()))
        return pl.concat([valid.select(self.index.columns), self.index])


@dataclass(frozen=True)
class LinkedReports:
    """What linkage found: the scored pairs, all edges as they are after the night, and the reports that it reached.

    edges: a, b, weight. reached: report_id, component.
    """

    scored: ScoredPairs
    edges: pl.DataFrame
    reached: pl.DataFrame


def score_everything(before: pl.Series, reports: pl.DataFrame, inputs: LinkageInputs) -> ScoredPairs:
    """Score all standing reports; nothing that was scored before holds.

    before: ids of the reports that stand in the last release.
    """
    index = blocking_index(reports, inputs.kind)
    kind = limited_kind(inputs.kind, block_sizes(index, inputs.kind), index.height)
    oversized = blocks_over_limit(index, kind)
    values = _compared_fields(reports, kind).hstack(index.drop("report_id"))
    edges = _score(values.filter(has_partner(index, oversized, kind)), None, oversized, inputs)
    return ScoredPairs(index, edges, before, block_warnings(oversized, index, reports, kind))


# The rows of the index to compare again


@dataclass(frozen=True)
class IndexChange:
    """The rows (report_id and the blocking keys) that enter the index and that leave it; a changed report does both."""

    entering: pl.DataFrame
    leaving: pl.DataFrame

    def keys(self, kind: Kind) -> pl.DataFrame:
        """Return the blocks (rule, key) that grow, shrink or change: whose index rows are to be read."""
        return distinct_blocking_keys(pl.concat([self.entering, self.leaving]), kind)


@dataclass(frozen=True)
class AffectedBlocks:
    """Blocks that an index change affects.

    members: the index rows in them, neither entering nor leaving. reactivated: those members whose block crosses the
    size limit, so that all their pairs are found again. oversized: rule, key, reports of the blocks over the limit.
    """

    members: pl.DataFrame
    reactivated: pl.DataFrame
    oversized: pl.DataFrame

    def again(self, change: IndexChange) -> pl.DataFrame:
        """Return the index rows of all reports to compare again."""
        return pl.concat([change.entering, self.reactivated])

    def keys(self, change: IndexChange, kind: Kind) -> pl.DataFrame:
        """Return the blocks (rule, key) of all reports to compare again."""
        return distinct_blocking_keys(self.again(change), kind)


def index_change(before: pl.DataFrame, after: pl.DataFrame, kind: Kind) -> IndexChange:
    """Return what changes in the index.

    before, after: the standing deliveries, in the last release and in this one, of all reports of which any delivery
    entered or left.
    """
    same = after.join(before, on=["report_id", "content"], how="semi")
    entering, leaving = (blocking_index(side.join(same, on="report_id", how="anti"), kind) for side in (after, before))
    return IndexChange(entering, leaving)


def with_limits(inputs: LinkageInputs, index: pl.DataFrame, change: IndexChange) -> LinkageInputs | None:
    """Return the inputs with the limits of blocks that follow from all reports; None if a night changes a limit.

    Blocks that no report of the night is in may then cross it, so that all pairs are scored again. index: the whole
    index of the last release.
    """
    kind = inputs.kind
    after = pl.concat([index.join(change.leaving, on="report_id", how="anti"), change.entering.select(index.columns)])
    limits = [limited_kind(kind, block_sizes(side, kind), side.height).block_limits() for side in (index, after)]
    return replace(inputs, kind=kind.limited(limits[1])) if limits[0] == limits[1] else None


def affected_blocks(change: IndexChange, members: pl.DataFrame, kind: Kind) -> AffectedBlocks:
    """Return the blocks that a change affects. members: the rows of its keys that stay in the index."""
    keys = change.keys(kind)
    oversized = capped_blocks(pl.concat([members, change.entering]), keys, kind)
    crossed = crossed_limit(capped_blocks(pl.concat([members, change.leaving]), keys, kind), oversized)
    return AffectedBlocks(members, members.filter(shares_blocking_key(crossed, kind)), oversized)


def reread_blocks(change: IndexChange, blocks: AffectedBlocks, members: pl.DataFrame, kind: Kind) -> AffectedBlocks:
    """Return the blocks of all reports to compare again; a reactivated report has more than those that changed.

    members: the rows of `blocks.keys` that stay in the index.
    """
    oversized = capped_blocks(pl.concat([members, change.entering]), blocks.keys(change, kind), kind)
    return AffectedBlocks(members, blocks.reactivated, oversized)


# The pairs in which one of them is an end


def candidates_of(change: IndexChange, blocks: AffectedBlocks, kind: Kind) -> pl.Series:
    """Return the ids of the reports that those to compare again are compared with: these, and members of their blocks.

    Entering reports are left out.
    """
    within = blocks.keys(change, kind).join(blocks.oversized, on=list(BLOCKING_KEY), how="anti")
    reactivated = blocks.reactivated
    others = blocks.members.filter(shares_blocking_key(within, kind)).join(reactivated, on="report_id", how="anti")
    return pl.concat([reactivated["report_id"], others["report_id"]])


def likely_reached(edges: pl.DataFrame, reports: pl.Series, inputs: LinkageInputs) -> pl.Series:
    """Return the ids of the reports that strong edges connect with some reports, each at least once."""
    pairs = _connected_pairs(edges.filter(pl.col("weight") >= inputs.rule.automatic), reports)
    return pl.concat([pairs["a"], pairs["b"]]).rename("report_id")


def score_changed(
    change: IndexChange, blocks: AffectedBlocks, reports: pl.DataFrame, inputs: LinkageInputs
) -> ScoredPairs:
    """Score the pairs of the reports to compare again.

    reports: the standing deliveries of the entering reports and of `candidates_of`.
    """
    kind, again = inputs.kind, blocks.again(change)
    edges = _score(_compared_fields(reports, kind), again["report_id"], blocks.oversized, inputs)
    outdated = pl.concat([change.leaving["report_id"], blocks.reactivated["report_id"]])
    return ScoredPairs(again, edges, outdated, block_warnings(blocks.oversized, again, reports, kind))


def _score(
    values: pl.DataFrame, again: pl.Series | None, oversized: pl.DataFrame, inputs: LinkageInputs
) -> pl.DataFrame:
    """Score the pairs of which one end is to be compared again; all pairs without `again`."""
    if inputs.model is None or values.is_empty():
        return pl.DataFrame(schema=scoring.SCORED_PAIR)
    # Some reports at a time are made comparable: their words as lists take many times the memory of the text.
    slices = values.sort("report_id").iter_slices(CHUNK_COMPARED)
    frame = pl.concat(prepare_comparison(part, inputs.kind, inputs.model) for part in slices)
    frame = without_capped_keys(frame, oversized, inputs.kind)
    if again is not None:
        frame = frame.with_columns(_dirty=pl.col("report_id").is_in(again.implode()))
    return scoring.score_pairs(frame, inputs.kind, inputs.model)


def _compared_fields(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    return reports.select("report_id", *linked_columns(kind), *comparison_fields(kind))


# All reports whose item may change


def reached_reports(
    start: pl.Series,
    edges: tuple[pl.DataFrame, pl.DataFrame],
    index: tuple[pl.DataFrame, pl.DataFrame] | None,
    inputs: LinkageInputs,
) -> pl.DataFrame:
    """Return report_id, component of all reports that any connection, before or after, leads to from the first ones.

    edges, index: before and after; an index is needed only where the kind declares identities.
    """
    pairs = []
    for n, side in enumerate(("before", "after")):
        identities = declared_identities(index[n], inputs.kind) if index else None
        pairs.append(linking_pairs(edges[n], inputs.decisions.filter(side), inputs.rule, identities))
    near = _connected_pairs(pl.concat(pairs), start)
    nodes = pl.concat([start, near["a"], near["b"]]).unique().to_frame("report_id")
    labelled = connected_components(near, nodes)
    first = labelled.filter(pl.col("report_id").is_in(start.implode()))["component"]
    return labelled.filter(pl.col("component").is_in(first.implode()))


def each_alone(reports: pl.Series) -> pl.DataFrame:
    """Return report_id, component: each report by itself, for where all reports are looked at."""
    return pl.DataFrame({"report_id": reports, "component": reports})


def _connected_pairs(pairs: pl.DataFrame, start: pl.Series) -> pl.DataFrame:
    """Return the pairs (a, b) that lead on from the first reports; after `ROUNDS` steps all there are."""
    known, height = start, 0
    for _ in range(ROUNDS):
        ids = known.implode()
        found = pairs.filter(pl.col("a").is_in(ids) | pl.col("b").is_in(ids))
        if found.height == height:
            return found
        known, height = pl.concat([known, found["a"], found["b"]]).unique(), found.height
    return pairs
