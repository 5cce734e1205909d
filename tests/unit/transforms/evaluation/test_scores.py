"""Scores against the truth: counted by groups as pair by pair would count them, and the errors that are shown."""

from itertools import combinations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.evaluation import scores as e
from transforms.linkage.clustering import LinkageRule

NO_DECISIONS = pl.DataFrame(schema=dict.fromkeys(("id", "a", "b", "verdict"), pl.String))
Labels = list[tuple[str, str, str]]


def labels_of(labels: Labels) -> pl.DataFrame:
    return pl.DataFrame(labels, schema=e.TRUTH_LABEL, orient="row")


def edges_of(*edges: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(edges, schema={"a": pl.String, "b": pl.String, "weight": pl.Float64}, orient="row")


def clusters_of(**clusters: str) -> pl.DataFrame:
    return pl.DataFrame(
        {"report_id": list(clusters), "cluster": list(clusters.values())},
        {"report_id": pl.String, "cluster": pl.String},
    )


def matched(items: pl.DataFrame, edges: pl.DataFrame, automatic: float = 5.0) -> e.MatchResult:
    reports = items.select("report_id", pl.col("report_id").alias("reported_by"))
    rule = LinkageRule(automatic, one_report_per_item=False)
    return e.MatchResult(reports, items, edges, NO_DECISIONS, None, rule)


LABELS = labels_of([("r1", "x", "r1"), ("r2", "x", "r2"), ("r3", "x", "r3"), ("r4", "y", "r4"), ("r5", "z", "r5")])
EDGES = edges_of(("r1", "r2", 9.0), ("r1", "r3", 2.0), ("r3", "r4", 6.0), ("r4", "r5", 1.0))


def test_pairs_are_scored_at_a_threshold() -> None:
    assert e.score_edges(EDGES, LABELS, 5.0) == e.PairScore(found=2, right=1, true=3)
    assert e.score_edges(EDGES, LABELS, 6.0) == e.PairScore(found=2, right=1, true=3)  # at least so much
    assert e.score_edges(EDGES, LABELS, 6.1) == e.PairScore(found=1, right=1, true=3)
    score = e.score_edges(EDGES, LABELS, 2.0)
    assert (score.precision, score.recall) == pytest.approx((2 / 3, 2 / 3))
    assert score.as_dict() == {"precision": score.precision, "recall": score.recall, "f1": pytest.approx(2 / 3)}


def test_clusters_are_scored_by_the_pairs_they_imply() -> None:
    clusters = clusters_of(r1="r1", r2="r1", r3="r3", r4="r3", r5="r5", r6="r5")
    assert e.score_clusters(clusters, LABELS) == e.PairScore(
        found=2, right=1, true=3
    )  # r6 is not named, so it does not count


def test_pairs_of_one_reporter_do_not_count() -> None:
    labels = labels_of([("r1", "x", "A"), ("r2", "x", "A"), ("r3", "x", "B"), ("r4", "y", "A")])
    everything = clusters_of(r1="r1", r2="r1", r3="r1", r4="r1")
    assert e.score_clusters(everything, labels) == e.PairScore(found=3, right=2, true=2)
    assert e.score_edges(edges_of(("r1", "r2", 9.0), ("r1", "r3", 9.0)), labels, 0.0) == e.PairScore(1, 1, 2)


@pytest.mark.parametrize(
    ("score", "expected"),
    [(e.PairScore(0, 0, 0), (1, 1, 1)), (e.PairScore(0, 0, 3), (1, 0, 0)), (e.PairScore(3, 0, 0), (0, 1, 0))],
)
def test_nothing_found_and_nothing_true_have_scores(score: e.PairScore, expected: tuple[float, ...]) -> None:
    assert (score.precision, score.recall, score.f1) == expected


REPORTS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from("PQR")), min_size=1, max_size=12
)


@settings(max_examples=60)
@given(REPORTS)
def test_counting_by_groups_is_counting_pair_by_pair(rows: list[tuple[str, str, str]]) -> None:
    numbered = [(f"r{n}", *row) for n, row in enumerate(rows)]
    clusters = clusters_of(**{report: cluster for report, cluster, _, _ in numbered})
    labels = labels_of([(report, label, reporter) for report, _, label, reporter in numbered])
    pairs = [(a, b) for a, b in combinations(numbered, 2) if a[3] != b[3]]
    right = sum(a[1:3] == b[1:3] for a, b in pairs)
    expected = e.PairScore(sum(a[1] == b[1] for a, b in pairs), right, sum(a[2] == b[2] for a, b in pairs))
    assert e.score_clusters(clusters, labels) == expected


def test_false_pairs_are_in_one_item_and_two_in_truth_the_strongest_first() -> None:
    items = clusters_of(r1="r1", r2="r1", r3="r1", r4="r1", r5="r5")
    pairs = e.false_pairs(matched(items, EDGES), LABELS)
    assert pairs.rows() == [("r3", "r4", 6.0), ("r1", "r4", None), ("r2", "r4", None)]


def test_missed_pairs_are_one_in_truth_and_in_two_items_those_without_an_edge_first() -> None:
    items = clusters_of(r1="r1", r2="r2", r3="r3", r4="r3", r5="r5")
    pairs = e.missed_pairs(matched(items, EDGES), LABELS)
    assert pairs.rows() == [("r2", "r3", None), ("r1", "r3", 2.0), ("r1", "r2", 9.0)]


def test_pairs_of_one_reporter_are_no_errors() -> None:
    labels = labels_of([("r1", "x", "A"), ("r2", "x", "A"), ("r3", "y", "A")])
    items = clusters_of(r1="r1", r2="r2", r3="r1")
    assert e.false_pairs(matched(items, EDGES), labels).is_empty()
    assert e.missed_pairs(matched(items, EDGES), labels).is_empty()


def test_a_large_group_is_not_compared_each_with_each() -> None:
    reports = [f"r{n:04}" for n in range(2_000)]
    items = pl.DataFrame({"report_id": reports, "cluster": ["all"] * 2_000})
    labels = labels_of([(report, f"m{n % 2}", report) for n, report in enumerate(reports)])
    assert e.false_pairs(matched(items, EDGES.clear()), labels).height == (e.MAX_GROUP_SEARCHED // 2) ** 2
    assert e.score_clusters(items, labels) == e.PairScore(1_999_000, 999_000, 999_000)
