"""Clusters out of scored pairs, decisions, keys and constraints, case by case."""

import random
from itertools import combinations, pairwise

import polars as pl
import pytest

from transforms.evaluation.scores import unconstrained_clusters
from transforms.linkage.clustering import (
    MAX_SCORED_GROUP,
    MAX_WEIGHT_BITS,
    OVERRULED_TIE,
    Clustering,
    LinkageRule,
    cluster_reports,
    connected_components,
    linking_pairs,
)
from transforms.linkage.pairs import mark_unblocked

EDGE = {"a": pl.String, "b": pl.String, "weight": pl.Float64}
DECISION = {"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String}
IDENTITY = {"report_id": pl.String, "key": pl.String}
FREE, ONCE = LinkageRule(4.0, one_report_per_item=False), LinkageRule(4.0, one_report_per_item=True)


def frame(rows: list, schema: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


def reports(names: str) -> pl.DataFrame:
    """Return reports like `a1 b1 a2`: the letter is the reporter."""
    return frame([(n, n[0]) for n in names.split()], {"report_id": pl.String, "reported_by": pl.String})


def found(names: str, edges: list, rule: LinkageRule = FREE, decisions: tuple = (), keys: tuple = ()) -> Clustering:
    rows = [(n, *d) for n, d in enumerate(decisions, start=1)]
    given = (frame(edges, EDGE), frame(rows, DECISION), rule, frame(list(keys), IDENTITY))
    return cluster_reports(reports(names), *given)


def together(resolved: Clustering) -> list[str]:
    """Return the clusters of two and more, each as its reports in order."""
    groups = resolved.clusters.group_by("cluster").agg(pl.col("report_id").sort())
    return sorted(" ".join(members) for members in groups["report_id"] if len(members) > 1)


def test_nothing_known_leaves_every_report_by_itself() -> None:
    resolved = found("a1 b1 c1", [])
    assert dict(resolved.clusters.iter_rows()) == {"a1": "a1", "b1": "b1", "c1": "c1"}
    assert resolved.overruled.schema == pl.Schema(OVERRULED_TIE)
    assert found("", []).clusters.height == 0


def test_a_weight_joins_from_the_threshold_on() -> None:
    assert together(found("a1 b1 c1 d1", [("b1", "a1", 4.0), ("c1", "d1", 3.999)])) == ["a1 b1"]


@pytest.mark.parametrize(("weight", "joined"), [(3.0, True), (2.999, False)])
def test_a_core_that_has_grown_joins_from_the_threshold_on(weight: float, joined: bool) -> None:
    edges = [("a1", "b1", 20.0), ("a1", "c1", 5.0), ("b1", "c1", weight)]  # 4.0 on average
    assert together(found("a1 b1 c1", edges)) == (["a1 b1 c1"] if joined else ["a1 b1"])


def test_a_chain_of_equal_weights_is_joined_from_its_beginning() -> None:
    assert together(found("a1 b1 c1", [("b1", "c1", 4.0), ("a1", "b1", 4.0)])) == ["a1 b1"]


def test_of_equal_means_the_cores_whose_last_reports_are_least_join_first() -> None:
    edges = [("a1", "d1", 40.0), ("a1", "e1", 18.0), ("d1", "e1", 18.0), ("b1", "e1", 18.0)]
    assert together(found("a1 b1 d1 e1", edges, LinkageRule(5.0, one_report_per_item=False))) == ["a1 d1", "b1 e1"]


def test_reports_that_do_not_stand_are_passed_by() -> None:
    edges = [("a1", "x", 9.0), ("x", "b1", 9.0)]
    assert together(found("a1 b1", edges, decisions=(("a1", "x", "same"),), keys=(("x", "k"), ("b1", "k")))) == []


@pytest.mark.parametrize(("weight", "joined"), [(3.0, False), (7.999, False), (8.0, True)])
def test_reports_that_rivals_left_over_join_only_from_the_threshold_on(weight: float, joined: bool) -> None:
    edges = [("a1", "b1", 20.0), ("a2", "b1", 10.0), ("a1", "b2", 10.0), ("a2", "b2", weight)]
    rule = LinkageRule(8.0, one_report_per_item=True)
    assert together(found("a1 b1 a2 b2", edges, rule)) == ["a1 b1", "a2 b2"][: 1 + joined]


def test_a_chain_of_weak_links_is_not_glued() -> None:
    edges = [("a1", "b1", 9.0), ("b1", "c1", 8.0), ("c1", "d1", 9.0)]
    assert together(found("a1 b1 c1 d1", edges)) == ["a1 b1", "c1 d1"]
    assert unconstrained_clusters(reports("a1 b1 c1 d1"), frame(edges, EDGE), 4.0)["cluster"].unique().to_list() == [
        "a1"
    ]
    strong = [(a, b, 3 * weight) for a, b, weight in edges]  # what binds is then more than what is missing
    assert together(found("a1 b1 c1", strong)) == ["a1 b1 c1"]


def test_an_unlikely_pair_keeps_clusters_separate_that_absent_pairs_do_not() -> None:
    edges = [("a1", "b1", 30.0), ("b1", "c1", 20.0)]
    assert together(found("a1 b1 c1", edges)) == ["a1 b1 c1"]
    assert together(found("a1 b1 c1", [*edges, ("a1", "c1", -15.0)])) == ["a1 b1"]


def scored(edges: list, unblocked: list, rule: LinkageRule = FREE) -> list[str]:
    names = reports(" ".join(sorted({end for a, b, _ in (*edges, *unblocked) for end in (a, b)})))
    pairs = mark_unblocked(frame(edges, EDGE), frame(unblocked, EDGE))
    return together(cluster_reports(names, pairs, frame([], DECISION), rule))


def test_a_pair_without_an_edge_counts_as_it_scored() -> None:
    edges = [("a1", "b1", 9.0), ("b1", "c1", 8.0)]
    assert scored(edges, []) == ["a1 b1"]
    assert scored(edges, [("a1", "c1", 0.0)]) == ["a1 b1 c1"]
    assert scored(edges, [("a1", "c1", -1.0)]) == ["a1 b1"]
    assert scored(edges, [("c1", "a1", 0.0)], ONCE) == ["a1 b1 c1"]


def test_a_pair_without_an_edge_connects_no_components() -> None:
    assert scored([("a1", "b1", 9.0), ("c1", "d1", 9.0)], [("a1", "c1", 30.0), ("b1", "d1", 30.0)]) == [
        "a1 b1",
        "c1 d1",
    ]


def test_an_edge_goes_before_the_same_pair_without_one() -> None:
    edges = [("a1", "b1", 9.0), ("b1", "c1", 8.0), ("a1", "c1", 1.0)]
    assert scored(edges, [("a1", "c1", -30.0)]) == ["a1 b1 c1"]


def test_what_is_absent_weighs_less_than_what_joins_however_low_that_is() -> None:
    edges = [("a1", "b1", -11.5), ("b1", "c1", -11.5)]
    assert together(found("a1 b1 c1 d1", edges, LinkageRule(-12.0, one_report_per_item=False))) == ["a1 b1"]


def test_a_reporter_reports_an_item_once_through_any_chain() -> None:
    edges = [("a1", "b1", 20.0), ("b1", "c1", 30.0), ("a2", "c1", 25.0), ("a1", "a2", 40.0)]
    assert together(found("a1 a2 b1 c1", edges, ONCE)) == ["a2 b1 c1"]
    assert together(found("a1 a2 b1 c1", edges)) == ["a1 a2 b1 c1"]


def test_of_two_reports_of_one_reporter_the_better_one_joins() -> None:
    edges = [("a1", "b1", 10.0), ("a2", "b1", 12.0)]
    assert together(found("a1 a2 b1", edges, ONCE)) == ["a2 b1"]


def test_of_equal_weights_the_least_reports_join() -> None:
    edges = [("a2", "b1", 12.0), ("a1", "b1", 12.0)]
    assert together(found("a1 a2 b1", edges, ONCE)) == ["a1 b1"]


def test_a_decision_that_two_are_different_holds_through_any_chain() -> None:
    edges = [("a1", "b1", 90.0), ("b1", "c1", 80.0), ("a1", "c1", 90.0)]
    assert together(found("a1 b1 c1", edges, decisions=(("c1", "a1", "different"),))) == ["a1 b1"]


def test_a_decision_that_two_are_the_same_joins_whole_items() -> None:
    edges = [("a1", "b1", 9.0), ("c1", "d1", 9.0)]
    assert together(found("a1 b1 c1 d1", edges, decisions=(("a1", "c1", "same"),))) == ["a1 b1 c1 d1"]
    assert together(found("a1 b1 c1 d1", edges, decisions=(("a1", "c1", "unsure"),))) == ["a1 b1", "c1 d1"]


def test_a_tie_between_groups_that_share_a_reporter_is_overruled() -> None:
    decisions = (("a1", "s1", "same"), ("b1", "s2", "same"), ("s1", "s2", "same"))
    resolved = found("a1 b1 s1 s2", [], ONCE, decisions)
    assert together(resolved) == ["a1 s1", "b1 s2"]
    assert resolved.overruled.select("apart_a", "apart_b").rows() == [("s1", "s2")]


def test_the_least_pair_that_must_not_join_is_the_reason() -> None:
    decisions = (("a1", "b1", "same"), ("a2", "b2", "same"), ("b1", "b2", "same"))
    resolved = found("a1 a2 b1 b2", [], ONCE, decisions)
    assert resolved.overruled.select("apart_a", "apart_b").rows() == [("a1", "a2")]


def test_decisions_that_contradict_each_other_are_reported() -> None:
    decisions = (("a1", "b1", "same"), ("b1", "c1", "same"), ("a1", "c1", "different"))
    resolved = found("a1 b1 c1", [], decisions=decisions)
    assert together(resolved) == ["a1 b1"]
    assert resolved.overruled.rows() == [("decision", "2", "b1", "c1", "different", "a1", "c1")]
    resolved = found("a1 b1", [], decisions=(("a1", "b1", "same"), ("b1", "a1", "different")))
    assert together(resolved) == []
    assert resolved.overruled.rows() == [("decision", "1", "a1", "b1", "different", "a1", "b1")]


def test_a_decision_does_not_make_a_reporter_report_an_item_twice() -> None:
    resolved = found("a1 a2 b1", [("a2", "b1", 9.0)], ONCE, decisions=(("a1", "a2", "same"),))
    assert together(resolved) == ["a2 b1"]
    assert resolved.overruled.rows() == [("decision", "1", "a1", "a2", "reporter", "a1", "a2")]


def test_a_declared_key_ties_whatever_the_weights() -> None:
    keys = (("a1", "k"), ("b1", "k"), ("c1", None), ("d1", None), ("d1", "j"))
    assert together(found("a1 b1 c1 d1", [("a1", "b1", -20.0)], ONCE, keys=keys)) == ["a1 b1"]


def test_a_key_does_not_tie_reports_that_must_stay_separate() -> None:
    keys = tuple((r, "k") for r in ("a1", "a2", "b1", "c1"))
    edges = [("a1", "b1", 4.0), ("a2", "b1", 6.0)]
    resolved = found("a1 a2 b1 c1", edges, ONCE, keys=keys)
    assert together(resolved) == ["a2 b1 c1"]  # the key ties b and c; the weights tell which of the two is theirs
    assert resolved.overruled.rows() == [("key", None, "a1", "a2", "reporter", "a1", "a2")]
    resolved = found("a1 b1 c1 d1", [], ONCE, decisions=(("c1", "d1", "different"),), keys=(*keys, ("d1", "k")))
    assert together(resolved) == ["a1 b1"]
    assert resolved.overruled.rows() == [("key", None, "c1", "d1", "different", "c1", "d1")]


def test_keys_that_bring_together_what_is_separate_are_tied_in_order() -> None:
    keys = (("a1", "k"), ("b1", "k"), ("a2", "j"), ("b1", "j"))
    resolved = found("a1 a2 b1", [], ONCE, keys=keys)
    assert together(resolved) == ["a1 b1"]
    assert resolved.overruled.rows() == [("key", None, "a2", "b1", "reporter", "a1", "a2")]


def test_a_weight_that_is_no_number_is_an_error() -> None:
    with pytest.raises(pl.exceptions.InvalidOperationError):
        found("a1 b1", [("a1", "b1", float("nan"))])


def test_weights_without_bound_count_as_much_as_can_be() -> None:
    edges = [("a1", "b1", float("inf")), ("c1", "d1", float("-inf"))]
    assert together(found("a1 b1 c1 d1", edges)) == ["a1 b1"]


def test_what_is_tied_can_be_resolved_by_itself() -> None:
    edges = frame([("a1", "b1", 4.0), ("b1", "c1", 3.0)], EDGE)
    decisions = frame([(1, "e1", "d1", "same"), (2, "a1", "c1", "different")], DECISION)
    keys = frame([("g1", "k"), ("f1", "k"), ("h1", "k"), ("a1", None)], IDENTITY)
    pairs = linking_pairs(edges, decisions, ONCE, keys)
    assert sorted(pairs.rows()) == [("a1", "b1"), ("e1", "d1"), ("f1", "g1"), ("f1", "h1")]
    parts = dict(connected_components(pairs, reports("a1 b1 c1 d1 e1 f1 g1")).iter_rows())
    assert parts == {"a1": "a1", "b1": "a1", "c1": "c1", "d1": "d1", "e1": "d1", "f1": "f1", "g1": "f1"}


def synthetic(items: int) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Return reports, edges and the truth: items of one to four reports, and some weak links between items."""
    chance = random.Random(7)
    truth = {f"{item:05}-{n}": item for item in range(items) for n in range(chance.choice((1, 1, 2, 2, 3, 4)))}
    by_item: dict[int, list[str]] = {}
    for report, item in truth.items():
        by_item.setdefault(item, []).append(report)
    edges = {pair: chance.gauss(16, 5) for group in by_item.values() for pair in combinations(group, 2)}
    every = sorted(truth)
    edges |= {tuple(sorted(chance.sample(every, 2))): chance.gauss(4, 3) for _ in range(items)}
    scored = [(a, b, w) for (a, b), w in edges.items() if w >= -2]
    one = frame([(r, "x") for r in every], {"report_id": pl.String, "reported_by": pl.String})
    return one, frame(scored, EDGE), truth


def scores(clusters: pl.DataFrame, truth: dict[str, int]) -> tuple[float, float]:
    """Return precision and recall over pairs of reports."""
    labelled = clusters.with_columns(item=pl.col("report_id").replace_strict(truth))
    pairs = {
        by: labelled.group_by(by).len().select((pl.col("len") * (pl.col("len") - 1) / 2).sum()).item()
        for by in (("cluster", "item"), ("cluster",), ("item",))
    }
    both = pairs["cluster", "item"]
    return both / pairs["cluster",], both / pairs["item",]


def test_clusters_are_coherent_where_connected_components_are_not() -> None:
    one, edges, truth = synthetic(2000)
    plain = scores(unconstrained_clusters(one, edges, 4.25), truth)
    ours = scores(
        cluster_reports(one, edges, frame([], DECISION), LinkageRule(4.25, one_report_per_item=False)).clusters, truth
    )
    right = edges.filter(pl.col("weight") >= 4.25).select(
        pl.col("a").replace_strict(truth) == pl.col("b").replace_strict(truth)
    )
    print(f"edges {right['a'].mean():.3f}, components {plain}, ours {ours}")
    assert plain[0] < 0.05
    assert ours[0] > 0.9
    assert ours[1] > 0.97


@pytest.mark.parametrize("weight", [8.0, 200.0])
def test_long_chains_and_dense_blocks_come_to_an_end(weight: float) -> None:
    names = [f"{n:05}" for n in range(10_000)]
    chain = frame([(a, b, weight) for a, b in pairwise(names)], EDGE)
    dense = frame([(a, b, weight + n % 7) for n, (a, b) in enumerate(combinations(names[:250], 2))], EDGE)
    one = frame([(n, n) for n in names], {"report_id": pl.String, "reported_by": pl.String})
    decision = frame([(1, names[0], names[249], "different")], DECISION)
    links, block = (cluster_reports(one, e, decision, FREE).clusters["cluster"].value_counts() for e in (chain, dense))
    assert links["count"].max() < 30
    assert block.height == len(names) - 250 + 2


def test_its_limits_are_those_stated() -> None:
    assert (MAX_SCORED_GROUP, MAX_WEIGHT_BITS) == (200, 1e6)
