"""Clustering: from scored pairs, human decisions, declared keys and constraints to items.

`cluster_reports` is a pure function of sets: the order of rows, reports or decisions does not change its result. The
algorithm is constrained average linkage:

1. Two reports are separate (cannot-link, through any chain) if a decision calls them different or, where a reporter
   reports an item once, if one reporter reported both.
2. Two reports are tied (must-link) if a decision calls them the same, or if they declare the same key; but a key does
   not tie a report that is separate from another one with that key. A tie that would join separate reports is
   overruled: left out, and listed in the result. Decisions come first, then keys, each in the order of report ids.
3. Every report starts as a core. The two cores of the highest mean match weight, at least `automatic` bits, become one
   unless that would join separate reports; this repeats until no such two remain. The mean is over all pairs of a
   report of one core and a report of the other, those that blocking did not find included (`pairs_to_score`). A pair
   without a weight counts `NO_EDGE_BITS`: `transforms.linkage.unblocked` has which pairs are not scored.
4. A cluster is all that ties and cores hold together.

So the mean weight over all pairs of a core is at least `automatic`: a chain of weak links does not join its ends. A
decision that two reports are the same joins the cores of both, and splits off only what must be separate.

Reports that `linking_pairs` does not connect do not influence each other: each component is clustered by itself.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl

from transforms.identity import order_ids
from transforms.linkage.average_linkage import (
    ConstrainedGroups,
    NodeArray,
    cannot_link_marks,
    connected_nodes,
    link_by_mean_weight,
)
from transforms.linkage.pairs import split_unblocked
from transforms.linkage.rule import NO_EDGE_BITS, STEPS_PER_BIT, LinkageRule

MAX_SCORED_GROUP: Final = 200
"""Reports of a component of strong edges up to which all its pairs are scored: at most 100 pairs a report."""
MAX_WEIGHT_BITS: Final = 10.0**6
"""Weights are limited to this many bits, and to its negative."""

IDENTITY_KEY: Final = {"report_id": pl.String, "key": pl.String}
"""A key that a report declares; a report may declare several, and a null is none."""
OVERRULED_TIE: Final = {
    "tie": pl.String,
    "decision": pl.String,
    "a": pl.String,
    "b": pl.String,
    "reason": pl.String,
    "apart_a": pl.String,
    "apart_b": pl.String,
}
"""tie: decision or key. decision: its id, null for a key. a, b: the reports it would tie. reason: different
(a decision) or reporter. apart_a, apart_b: the two separate reports that it would join.
"""


@dataclass(frozen=True)
class Clustering:
    """clusters: report_id, cluster (the least report id in it), one row a report. overruled: `OVERRULED`, sorted."""

    clusters: pl.DataFrame
    overruled: pl.DataFrame


@dataclass(frozen=True)
class LinkageGraph:
    """Reports as nodes, numbered by the order of their ids, and pairs of nodes (a < b).

    nodes: report_id, place (its row among the reports), node (its row here), reporter (the least node of its reporter,
    null unless a reporter reports an item once).
    edges: a, b, weight (steps above that of a pair without a weight); no pair that is decided separate. unblocked: the
    same of pairs that are no edges. ties: a, b, decision (null for a key), in the order in which they are tried.
    separate: a, b as decided. least: the weight that joins.
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame
    unblocked: pl.DataFrame
    ties: pl.DataFrame
    separate: pl.DataFrame
    least: int


def cluster_reports(
    reports: pl.DataFrame,
    edges: pl.DataFrame,
    decisions: pl.DataFrame,
    rule: LinkageRule,
    identities: pl.DataFrame | None = None,
) -> Clustering:
    """Return the clusters of the reports, by the algorithm that the module docstring describes.

    reports: report_id, reported_by; each report once. edges: a, b, weight (bits); of a repeated pair the greatest
    weight counts. Where `UNBLOCKED` marks a pair as no edge, it counts within a component of strong edges and connects
    none. decisions: id, a, b, verdict (same, different, unsure), without withdrawn ones. identities: `IDENTITY_KEY`.
    Rows about a report that is not among `reports` are ignored.
    """
    identities = pl.DataFrame(schema=IDENTITY_KEY) if identities is None else identities
    edges, unblocked = split_unblocked(edges)
    ends = _ends(reports, edges, decisions, unblocked)
    constrained = [*ends[1], _places_of(reports, identities["report_id"])]
    label, rest = _join_simple_pairs(reports, edges, ends[0], constrained, rule)
    nodes = _nodes(reports, rest, rule)
    graph, disputed = _graph((edges, decisions, unblocked), ends, nodes, rule, identities)
    found, overruled = _clusters(graph)
    overruled = _with_ids(pl.concat([overruled, disputed]), nodes["report_id"]).sort("tie", "a", "b", "decision")
    return Clustering(_labelled(reports, label, nodes, found, "cluster"), overruled)


def linkage_graph(
    reports: pl.DataFrame, edges: pl.DataFrame, decisions: pl.DataFrame, rule: LinkageRule, identities: pl.DataFrame
) -> LinkageGraph:
    """Return the graph of all reports. Arguments as in `cluster_reports`, without pairs that are no edges."""
    frames = (edges, decisions, edges.clear())
    nodes = _nodes(reports, np.arange(reports.height), rule)
    return _graph(frames, _ends(reports, *frames), nodes, rule, identities)[0]


def _graph(
    frames: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame], ends: list[tuple[NodeArray, NodeArray]],
    nodes: pl.DataFrame, rule: LinkageRule, identities: pl.DataFrame,
) -> tuple[LinkageGraph, pl.DataFrame]:  # fmt: skip
    """Return the graph of nodes, and the disputed keys (`_key_ties`). frames: edges, decisions, unblocked."""
    edges, decisions, unblocked = (_numbered(pairs, at, nodes) for pairs, at in zip(frames, ends, strict=True))
    decided = decisions.with_columns(decision=pl.col("id").cast(pl.String))
    separate = decided.filter(pl.col("verdict") == "different").select("a", "b").unique().sort("a", "b")
    same = decided.filter(pl.col("verdict") == "same").select("a", "b", "decision").sort("a", "b", "decision")
    keyed, disputed = _key_ties(identities, nodes, separate)
    by_key = _stars(keyed, "key").with_columns(decision=pl.lit(None, pl.String))
    graph = LinkageGraph(
        nodes=nodes,
        edges=_graph_edges(edges, separate, rule),
        unblocked=_graph_edges(unblocked, separate, rule),
        ties=pl.concat([same, by_key]),
        separate=separate,
        least=rule.threshold - rule.no_edge,
    )
    return graph, disputed


def linking_pairs(
    edges: pl.DataFrame, decisions: pl.DataFrame, rule: LinkageRule, identities: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the pairs (a, b) that can join reports: each connected component of them can be clustered by itself.

    They are the edges of at least `automatic` bits, the decisions of `same`, and of each key its least report with
    every other, overruled ties included. Arguments as in `cluster_reports`.
    """
    keyed = pl.DataFrame(schema=IDENTITY_KEY) if identities is None else identities.drop_nulls("key")
    return pl.concat(
        [
            edges.filter(_steps("weight") >= rule.threshold).select("a", "b"),
            decisions.filter(pl.col("verdict") == "same").select("a", "b"),
            _stars(keyed.rename({"report_id": "node"}), "key"),
        ]
    )


def connected_components(pairs: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, component (its least report id) of the reports, as pairs (a, b) of them connect them."""
    (ends,) = _ends(reports, pairs)
    known = np.unique(np.concatenate(ends))
    nodes = _in_order(reports.select("report_id"), known[known >= 0]).with_columns(reporter=pl.lit(None, pl.Int64))
    joined = _numbered(pairs.select("a", "b"), ends, nodes)
    return _labelled(reports, np.arange(reports.height), nodes, connected_nodes(joined, nodes.height), "component")


# From reports to nodes and back


def _places_of(reports: pl.DataFrame, ids: pl.Series) -> NodeArray:
    """Return the row of each id among the reports; -1 for an unknown id."""
    # Lazy, so that no id is copied: only the rows are collected.
    wanted = ids.to_frame("report_id").lazy().with_row_index("id")
    known = reports.lazy().select("report_id", place=pl.int_range(pl.len()))
    found = known.join(wanted, on="report_id").select("id", "place").collect()
    places = np.full(ids.len(), -1)
    places[found["id"].to_numpy()] = found["place"].to_numpy()
    return places


def _ends(reports: pl.DataFrame, *pairs: pl.DataFrame) -> list[tuple[NodeArray, NodeArray]]:
    """Return, per frame of pairs (a, b), the rows of their ends (`_places_of`): one look-up for all frames."""
    ids = [frame[end] for frame in pairs for end in ("a", "b")]
    places = np.split(_places_of(reports, pl.concat(ids)), np.cumsum([column.len() for column in ids])[:-1])
    return list(zip(places[::2], places[1::2], strict=True))


def _in_order(reports: pl.DataFrame, places: NodeArray) -> pl.DataFrame:
    """Return the reports at these places as nodes, numbered in the order of their ids."""
    known = reports[places].with_columns(place=pl.lit(pl.Series(places, dtype=pl.Int64)))
    return known[order_ids(known["report_id"])["at"]].with_columns(node=pl.int_range(pl.len()))


def _nodes(reports: pl.DataFrame, places: NodeArray, rule: LinkageRule) -> pl.DataFrame:
    """Return a graph's nodes: the reports at these places."""
    reporter = pl.col("node").min().over("reported_by") if rule.one_report_per_item else pl.lit(None, pl.Int64)
    known = _in_order(reports.select("report_id", "reported_by"), places)
    return known.select("report_id", "place", "node", reporter=reporter)


def _join_simple_pairs(
    reports: pl.DataFrame,
    edges: pl.DataFrame,
    ends: tuple[NodeArray, NodeArray],
    constrained: list[NodeArray],
    rule: LinkageRule,
) -> tuple[NodeArray, NodeArray]:
    """Join two reports where the strong edge between them is the only one of either, and neither is in `constrained`.

    Most clusters are of this kind, and vector operations find them. Returns, per report, the place of the report that
    labels it; and the places of the other reports that have a strong edge or are constrained (by a decision or a key).
    """
    strong = edges.select(_steps("weight") >= rule.threshold).to_series().to_numpy()
    a, b = (end[strong] for end in ends)
    times = np.zeros(reports.height + 1, dtype=np.int64)  # the last entry, -1, is for unknown ids
    for places, count in ((a, 1), (b, 1), *((some, 2) for some in constrained)):
        np.add.at(times, places, count)
    simple = (times[a] == 1) & (times[b] == 1) & (a >= 0) & (b >= 0)
    a, b = a[simple], b[simple]
    times[a] = times[b] = times[-1] = 0
    low, high = _by_id(reports["report_id"], a, b)
    if rule.one_report_per_item:
        reporter = reports["reported_by"]
        rivals = (reporter.gather(low) == reporter.gather(high)).to_numpy()
        low, high = low[~rivals], high[~rivals]
    label = np.arange(reports.height)
    label[high] = low
    return label, np.flatnonzero(times)


def _by_id(ids: pl.Series, a: NodeArray, b: NodeArray) -> tuple[NodeArray, NodeArray]:
    """Return pairs of places, that of the lesser id first."""
    first = (ids.gather(a) < ids.gather(b)).to_numpy()
    return np.where(first, a, b), np.where(first, b, a)


def _numbered(pairs: pl.DataFrame, ends: tuple[NodeArray, NodeArray], nodes: pl.DataFrame) -> pl.DataFrame:
    """Return pairs of nodes, a < b, with `rivals` (whether of one reporter) and the other columns of the pairs.

    ends: the places of their ends; pairs with an end that is no node are left out.
    """
    places = nodes["place"].to_numpy()
    number = np.full(
        max(known.max(initial=-1) for known in (places, *ends)) + 2, -1
    )  # the last entry, -1, is for unknown ids
    number[places] = np.arange(nodes.height)
    a, b = (number[end] for end in ends)
    valid = (a >= 0) & (b >= 0) & (a != b)
    low, high = np.minimum(a, b)[valid], np.maximum(a, b)[valid]
    rivals = (nodes["reporter"].gather(low) == nodes["reporter"].gather(high)).fill_null(False)
    return pl.DataFrame({"a": low, "b": high, "rivals": rivals}).hstack(pairs.drop("a", "b").filter(valid))


def _labelled(
    reports: pl.DataFrame, label: NodeArray, nodes: pl.DataFrame, found: NodeArray, name: str
) -> pl.DataFrame:
    """Return report_id and, as `name`, the id of the report that labels it: by node for nodes, else by place."""
    places = nodes["place"].to_numpy()
    label[places] = places[found]
    return reports.select("report_id", pl.col("report_id").gather(label).alias(name))


# Pairs of nodes


def _steps(weight: str) -> pl.Expr:
    return (pl.col(weight).clip(-MAX_WEIGHT_BITS, MAX_WEIGHT_BITS) * STEPS_PER_BIT).round().cast(pl.Int64)


def _graph_edges(edges: pl.DataFrame, separate: pl.DataFrame, rule: LinkageRule) -> pl.DataFrame:
    """Return a graph's edges, without separate pairs: they are part of no mean that could join."""
    above = edges.filter(~pl.col("rivals")).select("a", "b", _steps("weight") - rule.no_edge)
    return above.group_by("a", "b").agg(pl.col("weight").max()).join(separate, on=["a", "b"], how="anti")


def _stars(keyed: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Return pairs a, b: the least node of each group of equal `by` with every other node of the group, sorted."""
    pairs = keyed.select(pl.col("node").min().over(by).alias("a"), pl.col("node").alias("b"))
    return pairs.filter(pl.col("a") != pl.col("b")).unique().sort("a", "b")


def _key_ties(
    identities: pl.DataFrame, nodes: pl.DataFrame, separate: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return node, key where a key ties a node; and the separate pairs with one key, as `OVERRULED_TIE` in nodes."""
    keyed = identities.drop_nulls("key").unique().join(nodes, on="report_id").select("node", "key", "reporter")
    rivals = _stars(keyed.drop_nulls("reporter"), "key", "reporter")
    pairs = [separate.with_columns(reason=pl.lit("different")), rivals.with_columns(reason=pl.lit("reporter"))]
    first, second = (keyed.select(pl.col("node").alias(end), "key") for end in ("a", "b"))
    disputed = pl.concat(pairs).join(first, on="a").join(second, on=["b", "key"])
    ends = pl.concat([disputed.select("key", node=end) for end in ("a", "b")])
    overruled = disputed.group_by("a", "b").agg(pl.col("reason").min()).with_columns(
        tie=pl.lit("key"), decision=pl.lit(None, pl.String), apart_a="a", apart_b="b"
    )  # fmt: skip
    return keyed.select("node", "key").join(ends, on=["node", "key"], how="anti"), overruled.select(*OVERRULED_TIE)


# Clusters


def _clusters(graph: LinkageGraph) -> tuple[NodeArray, pl.DataFrame]:
    """Return, per node, the least node of its cluster; and the overruled ties, as `OVERRULED_TIE` in nodes."""
    strong = graph.edges.filter(pl.col("weight") >= graph.least)
    label = connected_nodes(pl.concat([strong.select("a", "b"), graph.ties.select("a", "b")]), graph.nodes.height)
    parts = graph.nodes.select("node", "reporter", part=pl.lit(pl.Series(label)))
    simple = _simple(graph, strong, parts)
    others = parts.with_columns(part=pl.when(~pl.col("part").is_in(simple.implode())).then("part"))
    found, overruled = _one_by_one(_with_unblocked(graph, strong), others)
    return np.where(others["part"].is_null(), label, found), overruled


def _with_unblocked(graph: LinkageGraph, strong: pl.DataFrame) -> LinkageGraph:
    """Return the graph with the pairs that are no edges as edges, where strong edges connect their ends already."""
    part = pl.Series(connected_nodes(strong, graph.nodes.height))
    new = _inside(graph.unblocked, part).join(graph.edges, on=["a", "b"], how="anti")
    return replace(graph, edges=pl.concat([graph.edges, new]))


def _simple(graph: LinkageGraph, strong: pl.DataFrame, parts: pl.DataFrame) -> pl.Series:
    """Return the components (parts) that are one cluster, in whatever order they are joined.

    They have no separate pair, and either ties alone connect them or every pair of them is strong.
    """
    part = parts["part"]
    bound = parts.select("part", bound=pl.lit(pl.Series(connected_nodes(graph.ties, parts.height))) == pl.col("part"))
    counted = bound.group_by("part").agg(pl.len().cast(pl.Int64).alias("nodes"), pl.col("bound").all())
    pairs = strong.select(part=part.gather(strong["a"])).group_by("part").agg(pl.len().alias("pairs"))
    every = pl.col("pairs") * 2 == pl.col("nodes") * (pl.col("nodes") - 1)
    whole = counted.join(pairs, on="part", how="left").filter(pl.col("bound") | every)
    rivals = parts.drop_nulls("reporter").group_by("part", "reporter").len().filter(pl.col("len") > 1)
    separate = _inside(graph.separate, part)
    separate = separate.select(part=part.gather(separate["a"]))
    return whole.join(rivals, on="part", how="anti").join(separate, on="part", how="anti")["part"]


def _inside(pairs: pl.DataFrame, part: pl.Series) -> pl.DataFrame:
    """Return the pairs with both ends in one part; part: of each node (null: none)."""
    return pairs.filter(part.gather(pairs["a"]) == part.gather(pairs["b"]))


def _one_by_one(graph: LinkageGraph, parts: pl.DataFrame) -> tuple[NodeArray, pl.DataFrame]:
    """Return, per node, the least node of its cluster (itself if it has no part); and the overruled ties."""
    members = parts.drop_nulls("part").sort("part", "node")
    nodes = members["node"].to_numpy()
    place = np.zeros(parts.height, dtype=np.int64)
    place[nodes] = np.arange(len(nodes))
    ties, edges, separate = (_inside(pairs, parts["part"]) for pairs in (graph.ties, graph.edges, graph.separate))
    groups = ConstrainedGroups(cannot_link_marks(members["reporter"].to_list(), _places(separate, place)))
    overruled = [
        (decision, a, b, *groups.shared_mark(a, b))
        for (a, b), decision in zip(_places(ties, place), ties["decision"], strict=True)
        if not groups.join(a, b)
    ]
    edges = edges.with_columns(part=parts["part"].gather(edges["a"])).sort("part")
    pairs, weights, end = _places(edges, place), edges["weight"].to_list(), 0
    for length in edges["part"].rle().struct.field("len"):  # part by part: a short queue is fast
        begin, end = end, end + length
        link_by_mean_weight(groups, pairs[begin:end], weights[begin:end], graph.least)
    label = np.arange(parts.height)
    label[nodes] = nodes[[groups.find(n) for n in range(len(nodes))]]
    return label, _overruled_ties(overruled, members["node"])


def _places(pairs: pl.DataFrame, place: NodeArray) -> list[tuple[int, int]]:
    """Return pairs of nodes as pairs of their places."""
    return list(zip(*(place[pairs[end].to_numpy()].tolist() for end in ("a", "b")), strict=True))


def _overruled_ties(ties: list[tuple[str | None, int, int, int, int, int]], nodes: pl.Series) -> pl.DataFrame:
    """Return `OVERRULED_TIE` in nodes; ties: decision, a, b, mark, apart_a, apart_b in places."""
    places = dict.fromkeys(("a", "b", "mark", "apart_a", "apart_b"), pl.Int64)
    rows = pl.DataFrame(ties, schema={"decision": pl.String, **places}, orient="row")
    tie = pl.when(pl.col("decision").is_null()).then(pl.lit("key")).otherwise(pl.lit("decision"))
    reason = pl.when(pl.col("mark") < 0).then(pl.lit("different")).otherwise(pl.lit("reporter"))
    return _with_ids(rows.with_columns(tie=tie, reason=reason), nodes).select(*OVERRULED_TIE)


def _with_ids(ties: pl.DataFrame, ids: pl.Series) -> pl.DataFrame:
    """Return a frame of overruled ties with each number replaced by the id at it."""
    return ties.with_columns(ids.gather(ties[end]).alias(end) for end in ("a", "b", "apart_a", "apart_b"))


__all__ = [
    "IDENTITY_KEY", "MAX_SCORED_GROUP", "NO_EDGE_BITS", "OVERRULED_TIE", "STEPS_PER_BIT", "Clustering", "LinkageGraph",
    "LinkageRule", "cluster_reports", "connected_components", "linkage_graph", "linking_pairs",
]  # fmt: skip
