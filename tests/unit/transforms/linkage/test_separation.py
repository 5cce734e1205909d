"""Why two reports are not one item: whatever resolution leaves apart has a reason, and the reason holds."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.linkage.clustering import STEPS_PER_BIT, LinkageRule, cluster_reports
from transforms.linkage.separation import LinkageEvidence, nearest_items, pairs_across, separation_of

NODES = "abcdefgh"
RULE = LinkageRule(4.0, one_report_per_item=True)
ABSENT = RULE.no_edge / STEPS_PER_BIT
"""What a pair without an edge weighs, in bits."""
PAIR = st.tuples(st.sampled_from(NODES), st.sampled_from(NODES)).filter(lambda p: p[0] < p[1])


def known(
    reporters: dict[str, str],
    edges: dict[tuple[str, str], float],
    decisions: list[tuple[str, str, str]] | None = None,
    rule: LinkageRule = RULE,
) -> LinkageEvidence:
    """Return what a release would know: the items are what resolution makes of it."""
    frame_of_reports = pl.DataFrame({"report_id": list(reporters), "reported_by": list(reporters.values())})
    weighed = pl.DataFrame(
        [(a, b, w) for (a, b), w in edges.items()],
        schema={"a": pl.String, "b": pl.String, "weight": pl.Float64},
        orient="row",
    )
    rows = [(n, a, b, verdict) for n, (a, b, verdict) in enumerate(decisions or [], start=1)]
    schema = {"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String}
    made = pl.DataFrame(rows, schema=schema, orient="row")
    clusters = cluster_reports(frame_of_reports, weighed, made, rule).clusters.rename({"cluster": "item_id"})
    return LinkageEvidence(frame_of_reports.join(clusters, on="report_id"), weighed, made, rule)


def alone(*nodes: str) -> dict[str, str]:
    """Return reporters: each report by its own."""
    return {node: node.upper() for node in nodes}


def test_weight_alone() -> None:
    case = known(alone("a", "b", "c"), {("a", "b"): 6, ("a", "c"): 3.5})
    found = separation_of(case, "a", "c")
    assert (found.pairs, found.weighed, found.mean, found.joins) == (2, 1, pytest.approx((3.5 + ABSENT) / 2), False)
    assert (found.reason(3.5, 4.0), found.reason(None, 4.0)) == ("weight", "weight")
    assert not found.decisions
    assert not found.reporters


def test_a_chain_does_not_fit() -> None:
    case = known(alone("a", "b", "c"), {("a", "b"): 6, ("b", "c"): 6, ("a", "c"): -2})
    assert separation_of(case, "b", "c").reason(6.0, 4.0) == "coherence"
    assert separation_of(case, "b", "c").mean == pytest.approx(2)


def test_a_decision_and_a_reporter_keep_reports_separate_through_others() -> None:
    edges = {("a", "b"): 9.0, ("b", "c"): 8.0, ("c", "d"): 9.0, ("a", "c"): 8.0, ("a", "d"): 8.0, ("b", "d"): 8.0}
    decided = known(alone("a", "b", "c", "d"), edges, [("a", "d", "different")])
    assert separation_of(decided, "b", "c").decisions == [1]
    assert separation_of(decided, "b", "c").reason(8.0, 4.0) == "decision"
    reported = known({"a": "UP", "b": "B", "c": "C", "d": "UP"}, edges)
    found = separation_of(reported, "b", "c")
    assert (found.reporters, found.reason(8.0, 4.0), found.joins) == (["UP"], "reporter", True)
    free = known({"a": "UP", "b": "B", "c": "C", "d": "UP"}, edges, rule=LinkageRule(4.0, one_report_per_item=False))
    assert free.reports["item_id"].n_unique() == 1


@pytest.mark.parametrize("verdict", ["unsure", "same"])
def test_only_a_verdict_of_different_things_separates(verdict: str) -> None:
    rivals = {"a": "UP", "b": "UP"}  # of one reporter: what a person says is the same stays apart
    assert separation_of(known(rivals, {("a", "b"): 9.0}, [("a", "b", verdict)]), "a", "b").decisions == []
    twice = [("a", "b", "different"), ("a", "b", verdict)]
    assert separation_of(known(rivals, {("a", "b"): 9.0}, twice), "a", "b").decisions == [1]


def test_a_mean_is_over_what_weight_holds_together_not_over_what_is_tied() -> None:
    edges = {("a", "b"): 9.0, ("c", "d"): 5.0, ("b", "d"): 1.0}
    case = known(alone(*"abcd"), edges, [("a", "c", "same")])
    assert case.item_of("a") == case.item_of("d") == case.item_of("b")
    tied = known(alone(*"abcde"), {**edges, ("d", "e"): 3.0}, [("a", "c", "same")])
    found = separation_of(tied, "d", "e")
    assert (found.pairs, found.mean) == (2, pytest.approx((3 + ABSENT) / 2))


def test_the_nearest_pair_of_each_other_item_heaviest_first() -> None:
    case = known(alone(*"abcde"), {("a", "b"): 6, ("a", "c"): 1, ("b", "c"): 2, ("d", "a"): 3, ("c", "e"): 3.9})
    assert nearest_items(case, case.item_of("a")).rows() == [("a", "d", "d", 3.0), ("b", "c", "c", 2.0)]


def test_pairs_across_in_either_order() -> None:
    pairs = pl.DataFrame({"a": ["a", "b", "a"], "b": ["c", "d", "b"]})
    assert pairs_across(pairs, pl.Series(["d", "c"]), pl.Series(["a", "b"])).rows() == [("a", "c"), ("b", "d")]


@settings(max_examples=30)
@given(
    st.fixed_dictionaries({node: st.sampled_from("UVWXYZ") for node in NODES}),
    st.dictionaries(PAIR, st.integers(-3, 9).map(float), max_size=20),
    st.lists(st.tuples(PAIR, st.sampled_from(["same", "different", "unsure"])), max_size=5),
    st.booleans(),
)
def test_whatever_is_separate_has_a_reason(
    reporters: dict[str, str],
    edges: dict[tuple[str, str], float],
    decided: list[tuple[tuple[str, str], str]],
    one: bool,
) -> None:
    case = known(reporters, edges, [(*pair, verdict) for pair, verdict in decided], LinkageRule(4.0, one))
    left_out = set(case.overruled().select("a", "b").iter_rows())
    same = {pair for pair, verdict in decided if verdict == "same"}
    strong = {pair for pair, weight in edges.items() if weight >= 4.0}
    for a, b in sorted(same | strong):
        if case.item_of(a) == case.item_of(b):
            continue
        found = separation_of(case, a, b)
        assert found.reason(edges.get((a, b)), 4.0) != "nothing"
        assert bool(found.reporters) <= one
        if (a, b) in same:
            assert (a, b) in left_out
            assert found.decisions or found.reporters
