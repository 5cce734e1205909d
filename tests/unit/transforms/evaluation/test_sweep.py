"""Scores over thresholds: what goes on from the next higher threshold is what clustering each by itself gives."""

import random
from typing import Any

import polars as pl
import pytest

from transforms.evaluation import scores as e
from transforms.evaluation import sweep
from transforms.evaluation.sweep import SCORES, items_over, sweep_thresholds, threshold_grid
from transforms.linkage.clustering import LinkageRule, cluster_reports
from transforms.linkage.pairs import mark_unblocked

NO_DECISIONS = pl.DataFrame(schema=dict.fromkeys(("id", "a", "b", "verdict"), pl.String))
LABELS = pl.DataFrame(
    [("r1", "x", "r1"), ("r2", "x", "r2"), ("r3", "x", "r3"), ("r4", "y", "r4"), ("r5", "z", "r5")],
    schema=e.TRUTH_LABEL, orient="row",
)  # fmt: skip


def edges_of(*edges: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(edges, schema={"a": pl.String, "b": pl.String, "weight": pl.Float64}, orient="row")


EDGES = edges_of(("r1", "r2", 9.0), ("r1", "r3", 2.0), ("r3", "r4", 6.0), ("r4", "r5", 1.0))


def matched(**clusters: str) -> e.MatchResult:
    items = pl.DataFrame({"report_id": list(clusters), "cluster": list(clusters.values())})
    reports = items.select("report_id", pl.col("report_id").alias("reported_by"))
    return e.MatchResult(reports, items, EDGES, NO_DECISIONS, None, LinkageRule(5.0, one_report_per_item=False))


def test_a_sweep_has_pairs_items_and_components_at_each_threshold() -> None:
    published = matched(r1="r1", r2="r1", r3="r3", r4="r3", r5="r5")
    scores = sweep_thresholds(published, LABELS, [0.5, 5.0])
    assert scores.columns == list(SCORES)
    assert scores.select("threshold", "of").rows() == [
        (t, of) for t in (0.5, 5.0) for of in ("pairs", "items", "components")
    ]
    found: dict[Any, Any] = {
        (t, of): (n, r) for t, of, n, r in scores.select("threshold", "of", "found", "right").rows()
    }
    assert found[5.0, "items"] == (2, 1)  # as published, whatever resolving would say
    assert found[5.0, "pairs"] == (2, 1)
    assert found[0.5, "components"] == (10, 3)  # a chain of weak links: all five in one
    assert found[0.5, "items"][0] < 10  # which is no item


def test_the_grid_holds_the_threshold_in_use_and_begins_where_pairs_are_known() -> None:
    edges = edges_of(*((f"a{n}", f"b{n}", float(n)) for n in range(-4, 60)))
    tried = threshold_grid(-4.25, 3.3, edges)
    assert tried[0] == -4.25
    assert 3.3 in tried
    assert {-3.0, 2.0, 11.0, 17.0, 23.0} < set(tried)
    assert 3.0 not in tried  # too near the one in use to say more
    assert tried == sorted(set(tried))
    assert max(tried) <= 60
    assert threshold_grid(1.0, 1.0, edges.clear())[0] == 1.0
    assert len(threshold_grid(-1000.0, 20.0, edges)) < 40


def invented(seed: int, *, once: bool) -> e.MatchResult:
    """Return reports in a few large components, with edges, pairs without one, decisions and declared keys."""
    chance = random.Random(seed)
    ids = [f"r{n:02}" for n in range(24)]
    drawn = {tuple(sorted(chance.sample(ids, 2))) for _ in range(90)}
    weights = {pair: chance.choice([-12.0, -4.0, -1.0, 0.5, 2.0, 3.0, 3.0, 6.0, 9.0]) for pair in sorted(drawn)}
    edges = edges_of(*((a, b, weight) for (a, b), weight in weights.items()))
    verdicts = [(str(n), *sorted(chance.sample(ids, 2)), chance.choice(["same", "different"])) for n in range(6)]
    decisions = pl.DataFrame(verdicts, schema=NO_DECISIONS.schema, orient="row")
    keys = pl.DataFrame({"report_id": chance.sample(ids, 6), "key": ["k", "k", "k", "l", "l", None]})
    others = {tuple(sorted(chance.sample(ids, 2))) for _ in range(seed % 3)} - drawn  # few, so that most are large
    unblocked = edges_of(*((a, b, chance.choice([-3.0, 4.0])) for a, b in sorted(others)))
    reports = pl.DataFrame({"report_id": ids, "reported_by": [f"by{n // 3}" for n in range(24)]})
    rule = LinkageRule(3.5, one_report_per_item=once)
    return e.MatchResult(
        reports, reports.select("report_id", cluster="report_id"), edges, decisions, keys, rule, unblocked
    )


@pytest.mark.parametrize("once", [True, False])
def test_going_on_from_a_higher_threshold_is_clustering_by_itself(
    *, once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "MAX_SCORED_GROUP", 3)
    for seed in range(12):
        result = invented(seed, once=once)
        pairs = mark_unblocked(result.edges, result.unblocked)
        descending = [9.0, 5.0, 3.5, 3.0, 1.0, 0.0, -2.0, -11.0, -13.0]
        found = dict(items_over(result, descending))
        assert {*found} == {*descending}
        for threshold in descending:
            rule = LinkageRule(threshold, one_report_per_item=once)
            alone = cluster_reports(result.reports, pairs, result.decisions, rule, result.identities).clusters
            expected = result.items if threshold == result.rule.automatic else alone
            assert found[threshold].sort("report_id").rows() == expected.sort("report_id").rows(), (seed, threshold)


def test_components_grow_as_the_threshold_falls() -> None:
    published = matched(r1="r1", r2="r2", r3="r3", r4="r4", r5="r5")
    thresholds = [1.0, 2.0, 6.0, 7.0, 10.0]
    found = sweep_thresholds(published, LABELS, thresholds).filter(of="components")
    alone = [e.score_clusters(e.unconstrained_clusters(published.reports, EDGES, t), LABELS) for t in thresholds]
    assert found.select("found", "right").rows() == [(score.found, score.right) for score in alone]
