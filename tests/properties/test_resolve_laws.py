"""What holds of `transforms.linkage.clustering` for any reports, edges, decisions and keys."""

import random
from itertools import combinations, pairwise

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from small_resolve import Told, clusters, slowly, tellings

from transforms.linkage.clustering import ABSENT, Rule, components, resolve, tied

lawful = settings(max_examples=20, deadline=None, database=None)


def equal(one: pl.DataFrame, other: pl.DataFrame) -> None:
    assert_frame_equal(one.sort("report_id"), other.sort("report_id"))


@settings(lawful, max_examples=60)
@given(tellings())
def test_the_rule_is_what_it_is_said_to_be(told: Told) -> None:
    assert clusters(told.resolved()) == slowly(told)


@lawful
@given(tellings(most=12))
def test_every_report_is_in_one_cluster_named_by_its_least_report(told: Told) -> None:
    found = told.resolved().clusters
    assert sorted(found["report_id"]) == sorted(told.reporters)
    assert all(name == min(members) for name, members in found.group_by("cluster").agg("report_id").iter_rows())


@lawful
@given(tellings(most=12))
def test_what_must_stay_apart_stays_apart(told: Told) -> None:
    for members in clusters(told.resolved()):
        assert not [pair for pair in combinations(sorted(members), 2) if told.apart(*pair)]


@st.composite
def chains(draw: st.DrawFn) -> Told:
    """Draw a chain of edges, ties and keys, each strong, whose ends a constraint keeps apart."""
    ids = [f"r{n:02}" for n in draw(st.permutations(range(draw(st.integers(3, 25)))))]
    told = Told({i: i for i in ids}, {}, [], [], Rule(4.0, one_report_per_item=True))
    for number, (a, b) in enumerate(pairwise(ids)):
        how = draw(st.sampled_from(("edge", "edge", "same", "key")))
        if how == "edge":
            told.edges[min(a, b), max(a, b)] = draw(st.sampled_from((50.0, 1000.0)))
        elif how == "same":
            told.decisions.append((a, b, "same"))
        else:
            told.keys += [(a, f"k{number}"), (b, f"k{number}")]
    if draw(st.booleans()):
        told.decisions.append((ids[0], ids[-1], "different"))
    else:
        told.reporters[ids[0]] = told.reporters[ids[-1]] = "one reporter"
    return told


@lawful
@given(chains())
def test_no_chain_brings_together_what_must_stay_apart(told: Told) -> None:
    found = told.resolved()
    for members in clusters(found):
        assert not [pair for pair in combinations(sorted(members), 2) if told.apart(*pair)]
    for tie in found.overruled.iter_rows(named=True):
        assert told.apart(tie["apart_a"], tie["apart_b"])


@lawful
@given(tellings(most=12), st.randoms(use_true_random=False))
def test_no_order_matters(told: Told, chance: random.Random) -> None:
    reports, edges, decisions, rule, keys = told.frames()
    shuffled = [
        f.sample(fraction=1, shuffle=True, seed=chance.randrange(10**6)) for f in (reports, edges, decisions, keys)
    ]
    turned = shuffled[1].select(a="b", b="a", weight="weight")
    found = resolve(shuffled[0], pl.concat([turned, edges.head(2)]), shuffled[2], rule, shuffled[3])
    equal(found.clusters, told.resolved().clusters)
    assert_frame_equal(found.overruled, told.resolved().overruled)


@lawful
@given(tellings(most=14))
def test_a_component_is_resolved_by_itself(told: Told) -> None:
    reports, edges, decisions, rule, keys = told.frames()
    parts = reports.join(components(tied(edges, decisions, rule, keys), reports), on="report_id")
    alone = [resolve(part, edges, decisions, rule, keys) for _, part in parts.group_by("component")]
    equal(pl.concat([a.clusters for a in alone]), told.resolved().clusters)
    assert_frame_equal(
        pl.concat([a.overruled for a in alone]).sort("tie", "a", "b", "decision"), told.resolved().overruled
    )


@lawful
@given(tellings(most=12))
def test_the_mean_weight_of_a_cluster_joined_by_weight_is_at_least_automatic(told: Told) -> None:
    told.decisions = [d for d in told.decisions if d[2] != "same"]
    told.keys = []
    told.rule = Rule(4.0, told.rule.one_report_per_item)
    for members in clusters(told.resolved()):
        weights = [told.edges.get(pair, ABSENT) for pair in combinations(sorted(members), 2)]
        assert not weights or sum(weights) / len(weights) > 4 - 1e-5


@lawful
@given(tellings(rule=Rule(4.0, one_report_per_item=False)), st.data())
def test_a_decision_that_two_reports_are_the_same_tears_nothing_apart(told: Told, data: st.DataObject) -> None:
    told.decisions = [d for d in told.decisions if d[2] != "different"]
    before = clusters(told.resolved())
    some = st.sampled_from(sorted(told.reporters))
    a, b = data.draw(some), data.draw(some)
    told.decisions.append((a, b, "same"))
    after = clusters(told.resolved())
    touched = frozenset().union(*(c for c in before if a in c or b in c))
    assert after == {c for c in before if not c & touched} | {touched}


@lawful
@given(tellings())
def test_who_is_unsure_changes_nothing(told: Told) -> None:
    before = clusters(told.resolved())
    told.decisions = [d for d in told.decisions if d[2] != "unsure"]
    assert clusters(told.resolved()) == before
