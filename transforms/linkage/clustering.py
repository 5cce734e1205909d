"""Which reports are one item: scored pairs, human decisions, declared keys and constraints to clusters.

`resolve` is a pure function of sets: no order of rows, reports or decisions changes what it returns. Its rule is
constrained average linkage:

1. Apart, always and through any chain, are two reports that a decision calls different and, where a reporter reports
   an item once, two reports of one reporter.
2. Tied are two reports that a decision calls the same, and those that declare one key; but a key does not tie a report
   that is apart from another one under that key. A tie that would bring together what is apart is left out and told:
   decisions first, then keys, each in the order of their reports' ids.
3. Every report is a core. The two cores of the highest mean match weight, at least `automatic` bits, become one,
   unless that would bring together what is apart; and again, until there are none. The mean is over all pairs of a
   report of one and a report of the other; a pair without an edge weighs `ABSENT`.
4. A cluster is what ties and cores hold together.

So the mean weight over all pairs of a core is at least `automatic`: a chain of weak links glues nothing. A decision
that two reports are the same joins all that either stands with, and tears away only what must stay apart.

Reports that `tied` does not connect do not influence each other: clusters can be found one component at a time.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import polars as pl

from transforms.identity import in_order
from transforms.linkage.average_linkage import Groups, link

ABSENT: Final = -10.0
"""What a pair without an edge weighs in a mean, in bits: odds of one to a thousand. Or one bit below `automatic`, if
that is less. Such a pair shares no block, or scored below the threshold for review.
"""
STEPS: Final = 10**6
"""Weights count to 1/STEPS of a bit, as whole numbers: their sums are exact."""
MOST: Final = 10.0**6
"""No weight counts for more bits than this, or for less than its negative."""

IDENTITY: Final = {"report_id": pl.String, "key": pl.String}
"""Which key a report declares; a report may declare several, a null is none."""
OVERRULED: Final = {
    "tie": pl.String,
    "decision": pl.String,
    "a": pl.String,
    "b": pl.String,
    "reason": pl.String,
    "apart_a": pl.String,
    "apart_b": pl.String,
}
"""tie: decision or key. decision: its id, null for a key. a, b: the reports it would tie. reason: different (decided)
or reporter. apart_a, apart_b: the two reports that must not come together.
"""

Nodes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class Rule:
    """automatic: the match weight (bits) that joins by itself. one_report_per_item: as the kind declares it."""

    automatic: float
    one_report_per_item: bool

    @property
    def threshold(self) -> int:
        """Return `automatic` in steps."""
        return round(self.automatic * STEPS)

    @property
    def absent(self) -> int:
        """Return what a pair without an edge weighs, in steps; always less than the threshold."""
        return min(round(ABSENT * STEPS), self.threshold - STEPS)


@dataclass(frozen=True)
class Resolved:
    """clusters: report_id, cluster (the least report id in it), one row a report. overruled: `OVERRULED`, sorted."""

    clusters: pl.DataFrame
    overruled: pl.DataFrame


@dataclass(frozen=True)
class _Graph:
    """Reports as nodes, numbered by the order of their ids, and what is said of pairs of them (a < b).

    nodes: report_id, place (its row among the reports), node (its row here), reporter (the least node of its reporter,
    null unless a reporter reports an item once).
    edges: a, b, weight (steps above that of a pair without an edge), none of them apart. ties: a, b, decision (null for
    a key), in the order in which they are tried. apart: a, b as decided. least: the weight that joins.
    """

    nodes: pl.DataFrame
    edges: pl.DataFrame
    ties: pl.DataFrame
    apart: pl.DataFrame
    least: int


def resolve(
    reports: pl.DataFrame,
    edges: pl.DataFrame,
    decisions: pl.DataFrame,
    rule: Rule,
    identities: pl.DataFrame | None = None,
) -> Resolved:
    """Return the clusters of the reports, by the rule that this module's top tells.

    reports: report_id, reported_by; each report once. edges: a, b, weight (bits); of a pair given twice the greatest
    weight counts. decisions: id, a, b, verdict (same, different, unsure); those that stand. identities: `IDENTITY`.
    What speaks of a report that is not among `reports` is passed by.
    """
    identities = pl.DataFrame(schema=IDENTITY) if identities is None else identities
    ends = _ends(reports, edges, decisions)
    said = [*ends[1], _placed(reports, identities["report_id"])]
    label, rest = _in_pairs(reports, edges, ends[0], said, rule)
    nodes = _nodes(reports, rest, rule)
    decided = _numbered(decisions, ends[1], nodes).with_columns(decision=pl.col("id").cast(pl.String))
    apart = decided.filter(pl.col("verdict") == "different").select("a", "b").unique().sort("a", "b")
    same = decided.filter(pl.col("verdict") == "same").select("a", "b", "decision").sort("a", "b", "decision")
    keyed, disputed = _keyed(identities, nodes, apart)
    by_key = _stars(keyed, "key").with_columns(decision=pl.lit(None, pl.String))
    graph = _Graph(
        nodes=nodes,
        edges=_weighed(_numbered(edges, ends[0], nodes), apart, rule),
        ties=pl.concat([same, by_key]),
        apart=apart,
        least=rule.threshold - rule.absent,
    )
    found, left_out = _clusters(graph)
    overruled = _renamed(pl.concat([left_out, disputed]), nodes["report_id"]).sort("tie", "a", "b", "decision")
    return Resolved(_labelled(reports, label, nodes, found, "cluster"), overruled)


def tied(
    edges: pl.DataFrame, decisions: pl.DataFrame, rule: Rule, identities: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return the pairs (a, b) that may bring reports together: what they connect can be resolved by itself.

    They are the edges of `automatic` bits and more, the decisions that two reports are the same, and of each key its
    least report with every other, whether or not the tie holds. Arguments as of `resolve`.
    """
    keyed = pl.DataFrame(schema=IDENTITY) if identities is None else identities.drop_nulls("key")
    return pl.concat(
        [
            edges.filter(_steps("weight") >= rule.threshold).select("a", "b"),
            decisions.filter(pl.col("verdict") == "same").select("a", "b"),
            _stars(keyed.rename({"report_id": "node"}), "key"),
        ]
    )


def components(pairs: pl.DataFrame, reports: pl.DataFrame) -> pl.DataFrame:
    """Return report_id, component (its least report id) of reports (report_id): what pairs (a, b) of them connect."""
    (ends,) = _ends(reports, pairs)
    known = np.unique(np.concatenate(ends))
    nodes = _in_order(reports.select("report_id"), known[known >= 0]).with_columns(reporter=pl.lit(None, pl.Int64))
    joined = _numbered(pairs.select("a", "b"), ends, nodes)
    return _labelled(reports, np.arange(reports.height), nodes, _connected(joined, nodes.height), "component")


def connected(reports: pl.DataFrame, edges: pl.DataFrame, automatic: float) -> pl.DataFrame:
    """Return report_id, cluster as plain connected components would have it: to compare with, never to publish."""
    strong = edges.filter(_steps("weight") >= round(automatic * STEPS))
    return components(strong, reports).rename({"component": "cluster"})


# From reports to nodes and back


def _placed(reports: pl.DataFrame, ids: pl.Series) -> Nodes:
    """Return of each id where it stands among the reports; -1 where it does not."""
    # Lazily, so that no ids are copied: only where they stand is kept.
    sought = ids.to_frame("report_id").lazy().with_row_index("id")
    known = reports.lazy().select("report_id", place=pl.int_range(pl.len()))
    found = known.join(sought, on="report_id").select("id", "place").collect()
    places = np.full(ids.len(), -1)
    places[found["id"].to_numpy()] = found["place"].to_numpy()
    return places


def _ends(reports: pl.DataFrame, *pairs: pl.DataFrame) -> list[tuple[Nodes, Nodes]]:
    """Return of each frame of pairs (a, b) where their ends stand (`_placed`): ids are looked up once."""
    ids = [told[end] for told in pairs for end in ("a", "b")]
    places = np.split(_placed(reports, pl.concat(ids)), np.cumsum([told.len() for told in ids])[:-1])
    return list(zip(places[::2], places[1::2], strict=True))


def _in_order(reports: pl.DataFrame, places: Nodes) -> pl.DataFrame:
    """Return the reports at these places as nodes: numbered by the order of their ids."""
    known = reports[places].with_columns(place=pl.lit(pl.Series(places, dtype=pl.Int64)))
    return known.sort(in_order("report_id")).with_columns(node=pl.int_range(pl.len()))


def _nodes(reports: pl.DataFrame, places: Nodes, rule: Rule) -> pl.DataFrame:
    """Return a graph's nodes: the reports at these places."""
    reporter = pl.col("node").min().over("reported_by") if rule.one_report_per_item else pl.lit(None, pl.Int64)
    known = _in_order(reports.select("report_id", "reported_by"), places)
    return known.select("report_id", "place", "node", reporter=reporter)


def _in_pairs(
    reports: pl.DataFrame, edges: pl.DataFrame, ends: tuple[Nodes, Nodes], said: list[Nodes], rule: Rule
) -> tuple[Nodes, Nodes]:
    """Join what is plain: two reports whose strong edge is the only one of either, and of which nothing else is `said`.

    Most clusters are of this kind. Returns, per report, the place of the report that labels it; and the places of the
    other reports that have a strong edge or of which something is said.
    """
    strong = edges.select(_steps("weight") >= rule.threshold).to_series().to_numpy()
    a, b = (end[strong] for end in ends)
    times = np.zeros(reports.height + 1, dtype=np.int64)  # the last is for what is not among the reports
    for places, count in ((a, 1), (b, 1), *((some, 2) for some in said)):
        np.add.at(times, places, count)
    plain = (times[a] == 1) & (times[b] == 1) & (a >= 0) & (b >= 0)
    a, b = a[plain], b[plain]
    times[a] = times[b] = times[-1] = 0
    low, high = _by_id(reports["report_id"], a, b)
    if rule.one_report_per_item:
        reporter = reports["reported_by"]
        rivals = (reporter.gather(low) == reporter.gather(high)).to_numpy()
        low, high = low[~rivals], high[~rivals]
    label = np.arange(reports.height)
    label[high] = low
    return label, np.flatnonzero(times)


def _by_id(ids: pl.Series, a: Nodes, b: Nodes) -> tuple[Nodes, Nodes]:
    """Return pairs of places with that of the lesser id first."""
    first = (ids.gather(a) < ids.gather(b)).to_numpy()
    return np.where(first, a, b), np.where(first, b, a)


def _numbered(pairs: pl.DataFrame, ends: tuple[Nodes, Nodes], nodes: pl.DataFrame) -> pl.DataFrame:
    """Return pairs of nodes, a < b, with `rivals` (whether one reporter's) and the other columns of the pairs.

    ends: the places of their ends; a pair of which one is no node is left out.
    """
    places = nodes["place"].to_numpy()
    number = np.full(max(known.max(initial=-1) for known in (places, *ends)) + 2, -1)  # -1, no report, is the last
    number[places] = np.arange(nodes.height)
    a, b = (number[end] for end in ends)
    there = (a >= 0) & (b >= 0) & (a != b)
    low, high = np.minimum(a, b)[there], np.maximum(a, b)[there]
    rivals = (nodes["reporter"].gather(low) == nodes["reporter"].gather(high)).fill_null(False)
    return pl.DataFrame({"a": low, "b": high, "rivals": rivals}).hstack(pairs.drop("a", "b").filter(there))


def _labelled(reports: pl.DataFrame, label: Nodes, nodes: pl.DataFrame, found: Nodes, name: str) -> pl.DataFrame:
    """Return report_id and, as `name`, the id of the report that labels it: by place, or by node where one is found."""
    places = nodes["place"].to_numpy()
    label[places] = places[found]
    return reports.select("report_id", pl.col("report_id").gather(label).alias(name))


# What is said of pairs


def _steps(weight: str) -> pl.Expr:
    return (pl.col(weight).clip(-MOST, MOST) * STEPS).round().cast(pl.Int64)


def _weighed(edges: pl.DataFrame, apart: pl.DataFrame, rule: Rule) -> pl.DataFrame:
    """Return a graph's edges. Pairs that are apart are left out: they are in no mean that counts."""
    above = edges.filter(~pl.col("rivals")).select("a", "b", _steps("weight") - rule.absent)
    return above.group_by("a", "b").agg(pl.col("weight").max()).join(apart, on=["a", "b"], how="anti")


def _stars(keyed: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Return a, b: the least node of each group of equal `by` with every other of the group, sorted."""
    pairs = keyed.select(pl.col("node").min().over(by).alias("a"), pl.col("node").alias("b"))
    return pairs.filter(pl.col("a") != pl.col("b")).unique().sort("a", "b")


def _keyed(identities: pl.DataFrame, nodes: pl.DataFrame, apart: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return node, key where a key ties a node; and the pairs under one key that are apart, `OVERRULED` in nodes."""
    keyed = identities.drop_nulls("key").unique().join(nodes, on="report_id").select("node", "key", "reporter")
    rivals = _stars(keyed.drop_nulls("reporter"), "key", "reporter")
    pairs = [apart.with_columns(reason=pl.lit("different")), rivals.with_columns(reason=pl.lit("reporter"))]
    first, second = (keyed.select(pl.col("node").alias(end), "key") for end in ("a", "b"))
    disputed = pl.concat(pairs).join(first, on="a").join(second, on=["b", "key"])
    ends = pl.concat([disputed.select("key", node=end) for end in ("a", "b")])
    told = disputed.group_by("a", "b").agg(pl.col("reason").min()).with_columns(
        tie=pl.lit("key"), decision=pl.lit(None, pl.String), apart_a="a", apart_b="b"
    )  # fmt: skip
    return keyed.select("node", "key").join(ends, on=["node", "key"], how="anti"), told.select(*OVERRULED)


# Clusters


def _clusters(graph: _Graph) -> tuple[Nodes, pl.DataFrame]:
    """Return, per node, the least node of its cluster, and the ties that were left out, as `OVERRULED` in nodes."""
    strong = graph.edges.filter(pl.col("weight") >= graph.least)
    label = _connected(pl.concat([strong.select("a", "b"), graph.ties.select("a", "b")]), graph.nodes.height)
    parts = graph.nodes.select("node", "reporter", part=pl.lit(pl.Series(label)))
    simple = _simple(graph, strong, parts)
    others = parts.with_columns(part=pl.when(~pl.col("part").is_in(simple.implode())).then("part"))
    found, left_out = _one_by_one(graph, others)
    return np.where(others["part"].is_null(), label, found), left_out


def _connected(pairs: pl.DataFrame, nodes: int) -> Nodes:
    """Return, per node, the least node that pairs (a, b) connect it with."""
    label, a, b = np.arange(nodes), pairs["a"].to_numpy(), pairs["b"].to_numpy()
    while a.size:
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))  # each points to a lesser one, if to any
        while (label != label[label]).any():
            label = label[label]
        a, b = label[a], label[b]  # what is connected so far is one node from here on
        a, b = a[a != b], b[a != b]
    return label


def _simple(graph: _Graph, strong: pl.DataFrame, parts: pl.DataFrame) -> pl.Series:
    """Return the parts that are one cluster each, whatever is joined first.

    Nothing in them is apart, and ties alone hold them together or every pair is strong.
    """
    part = parts["part"]
    bound = parts.select("part", bound=pl.lit(pl.Series(_connected(graph.ties, parts.height))) == pl.col("part"))
    counted = bound.group_by("part").agg(pl.len().cast(pl.Int64).alias("nodes"), pl.col("bound").all())
    pairs = strong.select(part=part.gather(strong["a"])).group_by("part").agg(pl.len().alias("pairs"))
    every = pl.col("pairs") * 2 == pl.col("nodes") * (pl.col("nodes") - 1)
    whole = counted.join(pairs, on="part", how="left").filter(pl.col("bound") | every)
    rivals = parts.drop_nulls("reporter").group_by("part", "reporter").len().filter(pl.col("len") > 1)
    apart = _inside(graph.apart, part)
    apart = apart.select(part=part.gather(apart["a"]))
    return whole.join(rivals, on="part", how="anti").join(apart, on="part", how="anti")["part"]


def _inside(pairs: pl.DataFrame, part: pl.Series) -> pl.DataFrame:
    """Return the pairs both of whose ends are in one part, by the part of each node (null: none)."""
    return pairs.filter(part.gather(pairs["a"]) == part.gather(pairs["b"]))


def _one_by_one(graph: _Graph, parts: pl.DataFrame) -> tuple[Nodes, pl.DataFrame]:
    """Return, per node that has a part, the least node of its cluster, and the ties that were left out."""
    members = parts.drop_nulls("part").sort("part", "node")
    nodes = members["node"].to_numpy()
    place = np.zeros(parts.height, dtype=np.int64)
    place[nodes] = np.arange(len(nodes))
    ties, edges, apart = (_inside(pairs, parts["part"]) for pairs in (graph.ties, graph.edges, graph.apart))
    groups = Groups(_marks(members["reporter"], _places(apart, place)))
    left_out = [
        (decision, a, b, *groups.between(a, b))
        for (a, b), decision in zip(_places(ties, place), ties["decision"], strict=True)
        if not groups.join(a, b)
    ]
    edges = edges.with_columns(part=parts["part"].gather(edges["a"])).sort("part")
    pairs, weights, end = _places(edges, place), edges["weight"].to_list(), 0
    for length in edges["part"].rle().struct.field("len"):  # part by part: a small queue is a quick one
        begin, end = end, end + length
        link(groups, pairs[begin:end], weights[begin:end], graph.least)
    label = np.arange(parts.height)
    label[nodes] = nodes[[groups.find(n) for n in range(len(nodes))]]
    return label, _left_out(left_out, members["node"])


def _places(pairs: pl.DataFrame, place: Nodes) -> list[tuple[int, int]]:
    """Return pairs by the places of their nodes."""
    return list(zip(*(place[pairs[end].to_numpy()].tolist() for end in ("a", "b")), strict=True))


def _marks(reporters: pl.Series, apart: list[tuple[int, int]]) -> list[dict[int, int]]:
    """Return the marks of each place: its reporter's number, and one below zero for each pair that is apart."""
    marks = [{} if reporter is None else {reporter: place} for place, reporter in enumerate(reporters)]
    for number, pair in enumerate(apart):
        for place in pair:
            marks[place][-1 - number] = place
    return marks


def _left_out(ties: list[tuple[str | None, int, int, int, int, int]], nodes: pl.Series) -> pl.DataFrame:
    """Return `OVERRULED` in nodes of decision, a, b, mark, apart_a, apart_b in places."""
    places = dict.fromkeys(("a", "b", "mark", "apart_a", "apart_b"), pl.Int64)
    told = pl.DataFrame(ties, schema={"decision": pl.String, **places}, orient="row")
    tie = pl.when(pl.col("decision").is_null()).then(pl.lit("key")).otherwise(pl.lit("decision"))
    reason = pl.when(pl.col("mark") < 0).then(pl.lit("different")).otherwise(pl.lit("reporter"))
    return _renamed(told.with_columns(tie=tie, reason=reason), nodes).select(*OVERRULED)


def _renamed(told: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
    """Return a frame of overruled ties with each number replaced by its name."""
    return told.with_columns(names.gather(told[end]).alias(end) for end in ("a", "b", "apart_a", "apart_b"))
