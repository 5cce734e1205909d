"""What holds of `transforms.linkage.clustering` for any reports, edges, decisions and keys."""

import random
from itertools import combinations, pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.support.reference_clustering import ClusteringCase, clusters, slowly, tellings
from transforms.linkage.clustering import (
    NO_EDGE_BITS,
    LinkageRule,
    cluster_reports,
    connected_components,
    linking_pairs,
)

lawful = settings(max_examples=25)


def equal(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert_frame_equal(one.sort("report_id"), other.sort("report_id"))


@settings(lawful, max_examples=60)
@given(tellings())
def test_the_rule_is_what_it_is_said_to_be(case: ClusteringCase) -> None:
    assert clusters(case.resolved()) == slowly(case)


@lawful
@given(tellings(most=12))
def test_every_report_is_in_one_cluster_named_by_its_least_report(case: ClusteringCase) -> None:
    found = case.resolved().clusters
    assert sorted(found["report_id"]) == sorted(case.reporters)
    assert all(name == min(members) for name, members in found.group_by("cluster").agg("report_id").iter_rows())


@lawful
@given(tellings(most=12))
def test_what_must_stay_separate_stays_separate(case: ClusteringCase) -> None:
    for members in clusters(case.resolved()):
        assert not [pair for pair in combinations(sorted(members), 2) if case.must_differ(*pair)]


@st.composite
def chains(draw: st.DrawFn) -> ClusteringCase:
    """Draw a chain of edges, ties and keys, each strong, whose ends a constraint keeps apart."""
    ids = [f"r{n:02}" for n in draw(st.permutations(range(draw(st.integers(3, 25)))))]
    case = ClusteringCase({i: i for i in ids}, {}, [], [], LinkageRule(4.0, one_report_per_item=True))
    for number, (a, b) in enumerate(pairwise(ids)):
        how = draw(st.sampled_from(("edge", "edge", "same", "key")))
        if how == "edge":
            case.edges[min(a, b), max(a, b)] = draw(st.sampled_from((50.0, 1000.0)))
        elif how == "same":
            case.decisions.append((a, b, "same"))
        else:
            case.keys += [(a, f"k{number}"), (b, f"k{number}")]
    if draw(st.booleans()):
        case.decisions.append((ids[0], ids[-1], "different"))
    else:
        case.reporters[ids[0]] = case.reporters[ids[-1]] = "one reporter"
    return case


@lawful
@given(chains())
def test_no_chain_brings_together_what_must_stay_separate(case: ClusteringCase) -> None:
    found = case.resolved()
    for members in clusters(found):
        assert not [pair for pair in combinations(sorted(members), 2) if case.must_differ(*pair)]
    for tie in found.overruled.iter_rows(named=True):
        assert case.must_differ(tie["apart_a"], tie["apart_b"])


@lawful
@given(tellings(most=12), st.randoms(use_true_random=False))
def test_no_order_matters(case: ClusteringCase, chance: random.Random) -> None:
    reports, edges, decisions, rule, keys = case.frames()
    shuffled = [
        f.sample(fraction=1, shuffle=True, seed=chance.randrange(10**6)) for f in (reports, edges, decisions, keys)
    ]
    turned = shuffled[1].select(a="b", b="a", weight="weight")
    found = cluster_reports(shuffled[0], pl.concat([turned, edges.head(2)]), shuffled[2], rule, shuffled[3])
    equal(found.clusters, case.resolved().clusters)
    assert_frame_equal(found.overruled, case.resolved().overruled)


@lawful
@given(tellings(most=14))
def test_a_component_is_resolved_by_itself(case: ClusteringCase) -> None:
    reports, edges, decisions, rule, keys = case.frames()
    parts = reports.join(connected_components(linking_pairs(edges, decisions, rule, keys), reports), on="report_id")
    alone = [cluster_reports(part, edges, decisions, rule, keys) for _, part in parts.group_by("component")]
    equal(pl.concat([a.clusters for a in alone]), case.resolved().clusters)
    assert_frame_equal(
        pl.concat([a.overruled for a in alone]).sort("tie", "a", "b", "decision"), case.resolved().overruled
    )


@lawful
@given(tellings(most=12))
def test_the_mean_weight_of_a_cluster_joined_by_weight_is_at_least_automatic(case: ClusteringCase) -> None:
    case.decisions = [d for d in case.decisions if d[2] != "same"]
    case.keys = []
    case.rule = LinkageRule(4.0, case.rule.one_report_per_item)
    for members in clusters(case.resolved()):
        weights = [case.edges.get(pair, NO_EDGE_BITS) for pair in combinations(sorted(members), 2)]
        assert not weights or sum(weights) / len(weights) > 4 - 1e-5


@lawful
@given(tellings(rule=LinkageRule(4.0, one_report_per_item=False)), st.data())
def test_a_decision_that_two_reports_are_the_same_breaks_up_nothing(case: ClusteringCase, data: st.DataObject) -> None:
    case.decisions = [d for d in case.decisions if d[2] != "different"]
    before = clusters(case.resolved())
    some = st.sampled_from(sorted(case.reporters))
    a, b = data.draw(some), data.draw(some)
    case.decisions.append((a, b, "same"))
    after = clusters(case.resolved())
    touched = frozenset().union(*(c for c in before if a in c or b in c))
    assert after == {c for c in before if not c & touched} | {touched}


@lawful
@given(tellings())
def test_who_is_unsure_changes_nothing(case: ClusteringCase) -> None:
    before = clusters(case.resolved())
    case.decisions = [d for d in case.decisions if d[2] != "unsure"]
    assert clusters(case.resolved()) == before
