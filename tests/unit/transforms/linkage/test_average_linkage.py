"""Connected components and constrained average linkage on bare nodes."""

import random
from itertools import combinations

import polars as pl
import pytest

from transforms.linkage.average_linkage import (
    ConstrainedGroups,
    MeanLinkage,
    cannot_link_marks,
    connected_nodes,
    link_by_mean_weight,
)

Pair = tuple[int, int]


def components(pairs: list[Pair], nodes: int) -> list[int]:
    frame = pl.DataFrame(pairs, schema={"a": pl.Int64, "b": pl.Int64}, orient="row")
    return connected_nodes(frame, nodes).tolist()


def free(nodes: int) -> ConstrainedGroups:
    return ConstrainedGroups(cannot_link_marks([None] * nodes, []))


def linked(groups: ConstrainedGroups, nodes: int, weights: dict[Pair, int], least: int) -> list[int]:
    link_by_mean_weight(groups, list(weights), list(weights.values()), least)
    return [groups.find(node) for node in range(nodes)]


def test_each_node_has_the_least_of_its_component() -> None:
    assert components([], 3) == [0, 1, 2]
    assert components([], 0) == []
    assert components([(4, 1), (3, 4)], 6) == [0, 1, 2, 1, 1, 5]
    assert components([(2, 2), (0, 1), (1, 0)], 3) == [0, 0, 2]


def test_a_long_chain_in_any_order_is_one_component() -> None:
    chain = [(n, n + 1) for n in range(200)]
    random.Random(5).shuffle(chain)
    assert set(components(chain, 201)) == {0}
    assert components([(b, a) for a, b in chain if a != 100], 201) == [0] * 101 + [101] * 100


def test_marks_are_those_of_the_reporter_and_of_separate_pairs() -> None:
    assert cannot_link_marks([7, None, 7], [(0, 1), (1, 2)]) == [{7: 0, -1: 0}, {-1: 1, -2: 1}, {7: 2, -2: 2}]
    assert cannot_link_marks([], []) == []


def test_groups_that_share_a_mark_never_join() -> None:
    groups = ConstrainedGroups(cannot_link_marks([1, 2, 1, None], [(1, 3)]))
    assert not groups.join(0, 2)
    assert groups.join(2, 1)
    assert not groups.join(0, 1), "the group has the mark of its other node too"
    assert not groups.join(3, 2)
    assert groups.join(3, 0)
    assert [groups.find(n) for n in range(4)] == [0, 1, 1, 0]
    assert groups.join(2, 1), "they are one group already"


def test_the_shared_mark_is_named_with_its_two_nodes() -> None:
    groups = ConstrainedGroups(cannot_link_marks([1, 2, 1, 2], [(0, 3)]))
    assert groups.shared_mark(2, 0) == (1, 0, 2)
    assert groups.shared_mark(3, 0) == (-1, 0, 3)
    assert groups.join(0, 1)
    assert groups.join(2, 3)
    assert groups.shared_mark(3, 1) == (-1, 0, 3)


@pytest.mark.parametrize(("weight", "expected"), [(4, [0, 0]), (5, [0, 0]), (3, [0, 1])])
def test_a_pair_joins_from_the_least_weight_on(weight: int, expected: list[int]) -> None:
    assert linked(free(2), 2, {(1, 0): weight}, 4) == expected


@pytest.mark.parametrize(("weight", "expected"), [(3, [0, 0, 0]), (2, [0, 0, 2])])
def test_cores_join_from_the_least_mean_on(weight: int, expected: list[int]) -> None:
    assert linked(free(3), 3, {(0, 1): 20, (0, 2): 5, (1, 2): weight}, 4) == expected


def test_a_pair_that_is_not_given_weighs_nothing() -> None:
    assert linked(free(3), 3, {(0, 1): 20, (0, 2): 8}, 4) == [0, 0, 0]
    assert linked(free(3), 3, {(0, 1): 20, (0, 2): 7}, 4) == [0, 0, 2]


def test_the_heaviest_pair_goes_first_under_a_constraint() -> None:
    weights = {(0, 1): 5, (1, 2): 6}
    assert linked(ConstrainedGroups(cannot_link_marks([1, None, 1], [])), 3, weights, 4) == [0, 1, 1]
    weights = {(0, 1): 6, (1, 2): 5}
    assert linked(ConstrainedGroups(cannot_link_marks([1, None, 1], [])), 3, weights, 4) == [0, 0, 2]


def test_of_equal_means_the_pair_with_the_least_last_nodes_goes_first() -> None:
    groups = ConstrainedGroups(cannot_link_marks([1, None, 1], []))
    assert linked(groups, 3, {(1, 2): 5, (0, 1): 5}, 4) == [0, 0, 2]


def test_a_weight_that_lacks_less_than_a_float_shows_waits_for_a_lower_level() -> None:
    groups, least = free(2), 2**60
    linkage = MeanLinkage(groups, [(0, 1)], [least - 1], 1)
    linkage.join_down_to(least)
    assert groups.find(1) == 1
    linkage.join_down_to(least - 1)
    assert groups.find(1) == 0


def test_nothing_to_link() -> None:
    assert linked(free(2), 2, {}, 4) == [0, 1]


def by_definition(groups: ConstrainedGroups, nodes: int, weights: dict[Pair, int], least: int) -> list[int]:
    """Return the groups as they are defined: join the best pair of cores, and look at all again."""
    cores = [{n} for n in range(nodes)]
    refused: set[frozenset[int]] = set()
    while True:
        best: list[tuple[float, int, int, int, int]] = []
        for i, j in combinations(range(len(cores)), 2):
            pairs = [weights.get((min(a, b), max(a, b)), 0) for a in cores[i] for b in cores[j]]
            mean, ends = sum(pairs) / len(pairs), sorted((max(cores[i]), max(cores[j])))
            if mean >= least and frozenset(cores[i] | cores[j]) not in refused:
                best.append((-mean, ends[0], ends[1], i, j))
        if not best:
            return [groups.find(n) for n in range(nodes)]
        *_, i, j = min(best)
        if groups.join(min(cores[i]), min(cores[j])):
            cores = [core for n, core in enumerate(cores) if n not in {i, j}] + [cores[i] | cores[j]]
        else:
            refused.add(frozenset(cores[i] | cores[j]))


@pytest.mark.parametrize("seed", range(20))
def test_the_groups_are_those_of_the_definition_whatever_the_order_of_pairs(seed: int) -> None:
    draw, nodes = random.Random(seed), 9
    weights = {pair: draw.randint(1, 12) for pair in combinations(range(nodes), 2) if draw.random() < 0.6}
    reporters = [draw.choice((None, 1, 2, 3, 4)) for _ in range(nodes)]
    separate = draw.sample(list(combinations(range(nodes), 2)), 2)
    expected = by_definition(ConstrainedGroups(cannot_link_marks(reporters, separate)), nodes, weights, 4)
    shuffled = draw.sample(list(weights.items()), len(weights))
    for given in (weights, dict(shuffled), {(b, a): w for (a, b), w in shuffled}):
        assert linked(ConstrainedGroups(cannot_link_marks(reporters, separate)), nodes, given, 4) == expected
