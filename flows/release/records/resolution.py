"""The night of one record kind: from the deliveries that count to items, their ids and history.

Each stage reads what it needs, then decides purely (`transforms.linkage.incremental`, `transforms.records.resolution`).
Nothing is written here: `flows.release.records.staging` does that.
"""

import polars as pl

from flows.installation import Installation
from flows.release.records.inputs import KindInputs
from flows.release.records.reading import KindReader
from transforms.linkage.incremental import (
    LinkageInputs,
    LinkedReports,
    ScoredPairs,
    affected_blocks,
    candidates_of,
    each_alone,
    index_change,
    likely_reached,
    reached_reports,
    reread_blocks,
    score_changed,
    score_everything,
    with_limits,
)
from transforms.records.resolution import (
    CountedDeliveries,
    KindResolution,
    count_deliveries,
    resolve_items,
    returning_reports,
)


def resolve_kind(installation: Installation, inputs: KindInputs) -> KindResolution:
    """Find which items a release publishes of a kind, and which the last one did, of all that the night reaches."""
    reader = KindReader(installation, inputs)
    limited = None if inputs.everything else _limited(reader, inputs)
    if limited is None:
        deliveries = count_deliveries(reader.all_deliveries())
        linked = _link_everything(reader, inputs, deliveries)
    else:
        linked = _link_changed(reader, limited)
        deliveries = count_deliveries(reader.deliveries(linked.reached["report_id"]))
    return resolve_items(inputs, deliveries, linked, reader.known_ids(deliveries))


def _limited(reader: KindReader, inputs: KindInputs) -> LinkageInputs | None:
    """Return the inputs with the limits of blocks; None if these change, so that all pairs are scored again."""
    if inputs.kind.is_limited:
        return inputs
    changed = count_deliveries(reader.deliveries(reader.changed_reports()))
    change = index_change(changed.standing("before"), changed.standing("after"), inputs.kind)
    return with_limits(inputs, reader.index, change)


def _link_everything(reader: KindReader, inputs: KindInputs, deliveries: CountedDeliveries) -> LinkedReports:
    """Score all standing reports: nothing of the last release is read but which reports it had."""
    before = reader.indexed_reports() if inputs.new_rules else deliveries.standing("before")["report_id"]
    scored = score_everything(before, deliveries.standing("after"), inputs)
    return LinkedReports(scored, scored.edges, each_alone(deliveries.rows["report_id"]))


def _link_changed(reader: KindReader, inputs: LinkageInputs) -> LinkedReports:
    """Score what changed and find all that it may reach."""
    changed = count_deliveries(reader.deliveries(reader.changed_reports()))
    neighbours = reader.item_neighbours(returning_reports(changed.rows))
    edges = reader.edges()
    scored = _score_changed(reader, inputs, changed, edges)
    decided = [inputs.changed_decisions[end].rename("report_id") for end in ("a", "b")]
    start = pl.concat([changed.rows["report_id"], neighbours, scored.outdated, *decided]).unique()
    index = (reader.index, scored.update_index(reader.index)) if inputs.kind.identities() else None
    edges_after = scored.update_edges(edges)
    reached = reached_reports(start, (edges, edges_after), index, inputs)
    return LinkedReports(scored, edges_after, reached)


def _score_changed(
    reader: KindReader, inputs: LinkageInputs, changed: CountedDeliveries, edges: pl.DataFrame
) -> ScoredPairs:
    """Score the pairs of the reports that enter or change, and of those whose block crosses the size limit."""
    kind, after = inputs.kind, changed.standing("after")
    change = index_change(changed.standing("before"), after, kind)
    blocks = affected_blocks(change, reader.index_rows(change.keys(kind), change.leaving), kind)
    if blocks.reactivated.height:
        blocks = reread_blocks(change, blocks, reader.index_rows(blocks.keys(change, kind), change.leaving), kind)
    candidates = candidates_of(change, blocks, kind)
    # Reports that strong edges connect with a candidate are likely to be reached: one read gets both.
    rows = reader.deliveries(candidates, prefetch=likely_reached(edges, candidates, inputs))
    entering = after.join(change.entering, on="report_id", how="semi")
    reports = pl.concat([entering, count_deliveries(rows).standing("after")])
    return score_changed(change, blocks, reports, inputs)
