"""Which components have pairs that are to be scored although no block has them."""

from itertools import combinations

import polars as pl

from schemas.kind import read_kind
from tests.support.matching_installation import KIND
from transforms.linkage import unblocked
from transforms.linkage.clustering import MAX_SCORED_GROUP, LinkageRule
from transforms.linkage.model import MatchModel

PAIR = {"a": pl.String, "b": pl.String, "weight": pl.Float64}
MISHAP = read_kind(KIND)
NO_MODEL = MatchModel("mishap", "", {}, {}, {}, 0.0, {})
RULE = LinkageRule(4.0, one_report_per_item=False)


def edges(*rows: tuple[str, str, float]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=PAIR, orient="row")


def chain(reports: int, weight: float = 9.0) -> pl.DataFrame:
    return edges(*((f"r{n:04}", f"r{n + 1:04}", weight) for n in range(reports - 1)))


def groups(pairs: pl.DataFrame) -> dict[str, str]:
    return dict(unblocked.groups_to_score(pairs, RULE).sort("report_id").iter_rows())


def test_a_component_that_lacks_a_pair_is_a_group() -> None:
    assert groups(edges(("a", "b", 9.0), ("b", "c", 9.0))) == {"a": "a", "b": "a", "c": "a"}


def test_pairs_and_complete_components_are_none() -> None:
    complete = edges(*((a, b, 9.0) for a, b in combinations("abc", 2)), ("x", "y", 9.0))
    assert groups(complete) == {}
    assert groups(edges(("a", "b", 9.0), ("b", "c", 9.0), ("a", "c", 1.0))) == {}  # weighed, if little
    assert groups(edges()) == {}


def test_weak_edges_connect_nothing() -> None:
    assert groups(edges(("a", "b", 9.0), ("b", "c", 3.9))) == {}


def test_a_component_above_the_limit_is_not_scored_but_counted() -> None:
    assert len(groups(chain(MAX_SCORED_GROUP))) == MAX_SCORED_GROUP
    size = MAX_SCORED_GROUP + 1
    assert groups(chain(size)) == {}
    pairs, unscored = unblocked.score_unblocked(pl.DataFrame(), chain(size), MISHAP, NO_MODEL, RULE)
    assert pairs.is_empty()
    assert unscored == unblocked.Unscored(size * (size - 1) // 2 - (size - 1), size)
    nothing = unblocked.Unscored(0, 0)
    assert unblocked.score_unblocked(pl.DataFrame(), edges(), MISHAP, NO_MODEL, RULE)[1] == nothing
    blocked = MISHAP.model_copy(update={"chance": "blocked"})  # its weights hold among candidates alone
    assert unblocked.score_unblocked(pl.DataFrame(), chain(size), blocked, NO_MODEL, RULE)[1] == nothing


def test_only_a_component_above_the_limit_counts_as_not_scored_and_once() -> None:
    scored, large = MAX_SCORED_GROUP, MAX_SCORED_GROUP + 1
    rows = [("a", "a", scored, 9), ("b", "b", large, 9), ("c", "b", large, 9)]
    components = pl.DataFrame(rows, ["report_id", "group", "size", "pairs"], orient="row")
    assert unblocked.unscored_pairs(components) == unblocked.Unscored(large * scored // 2 - 9, large)


def test_several_thresholds_have_the_largest_group_within_the_limit() -> None:
    pairs = pl.concat([chain(MAX_SCORED_GROUP), edges(("r0000", "x1", 2.0), ("x1", "x2", 9.0), ("x2", "x3", 9.0))])
    found = unblocked.groups_over(pairs, (4.0, 0.0), one_report_per_item=False)
    assert dict(found.group_by("group").len().iter_rows()) == {"r0000": MAX_SCORED_GROUP, "x1": 3}
