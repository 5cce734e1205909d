"""Small sets of reports, edges, decisions and keys, and a second account of how they are resolved, pair by pair."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

import polars as pl
from hypothesis import strategies as st

from transforms.linkage.clustering import Clustering, LinkageRule, cluster_reports

Pair = tuple[str, str]
EDGE = {"a": pl.String, "b": pl.String, "weight": pl.Float64}
DECISION = {"id": pl.Int64, "a": pl.String, "b": pl.String, "verdict": pl.String}
IDENTITY = {"report_id": pl.String, "key": pl.String}
REPORT = {"report_id": pl.String, "reported_by": pl.String}


@dataclass
class ClusteringCase:
    """What is known of some reports; edges: each pair (a < b) once."""

    reporters: dict[str, str]
    edges: dict[Pair, float]
    decisions: list[tuple[str, str, str]]
    keys: list[tuple[str, str | None]]
    rule: LinkageRule

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, LinkageRule, pl.DataFrame]:
        """Return the arguments of `resolve`."""
        return (
            pl.DataFrame(list(self.reporters.items()), schema=REPORT, orient="row"),
            pl.DataFrame([(a, b, w) for (a, b), w in self.edges.items()], schema=EDGE, orient="row"),
            pl.DataFrame([(n, *d) for n, d in enumerate(self.decisions)], schema=DECISION, orient="row"),
            self.rule,
            pl.DataFrame(self.keys, schema=IDENTITY, orient="row"),
        )

    def resolved(self) -> Clustering:
        """Return what the product makes of it."""
        return cluster_reports(*self.frames())

    def must_differ(self, a: str, b: str) -> bool:
        """Say whether two reports must not come together."""
        if self.rule.one_report_per_item and self.reporters[a] == self.reporters[b]:
            return True
        return any(v == "different" and {a, b} == {x, y} for x, y, v in self.decisions)


@st.composite
def tellings(draw: st.DrawFn, most: int = 8, rule: LinkageRule | None = None) -> ClusteringCase:
    """Draw reports of few reporters, edges whose weights often tie, decisions that contradict, keys that are shared."""
    ids = [f"r{n:02}" for n in range(draw(st.integers(1, most)))]
    reporters = {i: draw(st.sampled_from("ABC")) for i in ids}
    pairs = draw(st.lists(st.sampled_from(list(combinations(ids, 2))), unique=True)) if len(ids) > 1 else []
    few = st.sampled_from((18.0, 40.0))  # so that means are often equal
    weights = draw(st.sampled_from((few, st.sampled_from((-20.0, -1.5, 4.0, 4.000001, 18.0, 40.0)), st.floats(-5, 60))))
    some = st.sampled_from(ids)
    decisions = st.tuples(some, some, st.sampled_from(("same", "same", "different", "unsure")))
    keys = st.tuples(some, st.none() | st.sampled_from("xyz"))
    return ClusteringCase(
        reporters,
        {pair: draw(weights) for pair in pairs},
        draw(st.lists(decisions, max_size=4)),
        draw(st.lists(keys, max_size=5)),
        rule or LinkageRule(draw(st.sampled_from((4.0, 4.0, 18.0, -12.0))), draw(st.booleans())),
    )


def clusters(resolved: Clustering) -> set[frozenset[str]]:
    """Return the clusters as sets."""
    return {frozenset(members) for members in resolved.clusters.group_by("cluster").agg("report_id")["report_id"]}


def slowly(case: ClusteringCase) -> set[frozenset[str]]:
    """Resolve by the documented rule, step by step: every step looks at every pair, and means are fractions."""
    groups = [{i} for i in case.reporters]
    cores = [{i} for i in case.reporters]
    for a, b in _ties(case):
        _join(case, groups, a, b)
    while True:
        joins = []
        for one, other in combinations(cores, 2):
            mean = _mean(case, one, other)
            if mean >= round(case.rule.automatic * 10**6) and _free(
                case, _of(groups, min(one)), _of(groups, min(other))
            ):
                joins.append((-mean, sorted((max(one), max(other))), one, other))
        if not joins:
            return {frozenset(g) for g in groups}
        _, _, one, other = min(joins, key=lambda j: j[:2])
        _join(case, groups, min(one), min(other))
        cores = [c for c in cores if c not in (one, other)] + [one | other]


def _of(groups: list[set[str]], report: str) -> set[str]:
    return next(g for g in groups if report in g)


def _free(case: ClusteringCase, one: set[str], other: set[str]) -> bool:
    return one is other or not any(case.must_differ(a, b) for a in one for b in other)


def _join(case: ClusteringCase, groups: list[set[str]], a: str, b: str) -> None:
    one, other = _of(groups, a), _of(groups, b)
    if one is not other and _free(case, one, other):
        groups.remove(other)
        one |= other


def _mean(case: ClusteringCase, one: set[str], other: set[str]) -> Fraction:
    absent = min(-10 * 10**6, round(case.rule.automatic * 10**6) - 10**6)
    weights = [case.edges.get((min(a, b), max(a, b))) for a in one for b in other]
    return Fraction(sum(absent if w is None else round(w * 10**6) for w in weights), len(weights))


def _ties(case: ClusteringCase) -> list[Pair]:
    same = sorted({(min(a, b), max(a, b)) for a, b, verdict in case.decisions if verdict == "same" and a != b})
    by_key = set()
    for key in {k for _, k in case.keys if k is not None}:
        members = {r for r, k in case.keys if k == key}
        tied = sorted(m for m in members if not any(case.must_differ(m, n) for n in members if n != m))
        by_key |= {(tied[0], other) for other in tied[1:]}
    return same + sorted(by_key)
