"""Constrained average linkage and connected components: the parts of `transforms.linkage.clustering` on bare nodes.

Nodes are 0, 1, ... in the order of their report ids. Weights are whole numbers, so sums are exact and a mean does not
depend on the order of addition. Nothing here depends on the order in which pairs are given.
"""

from heapq import heapify, heappop, heappush
from typing import TypeAlias

import numpy as np
import polars as pl

NodeArray: TypeAlias = np.ndarray[tuple[int], np.dtype[np.int64]]


def connected_nodes(pairs: pl.DataFrame, nodes: int) -> NodeArray:
    """Return, per node, the least node of its connected component over pairs (a, b)."""
    label, a, b = np.arange(nodes), pairs["a"].to_numpy(), pairs["b"].to_numpy()
    while a.size:
        np.minimum.at(label, np.maximum(a, b), np.minimum(a, b))  # each node points to a lesser one, or to itself
        while (label != label[label]).any():
            label = label[label]
        a, b = label[a], label[b]  # each component found so far becomes one node
        a, b = a[a != b], b[a != b]
    return label


def cannot_link_marks(reporters: list[int | None], separate: list[tuple[int, int]]) -> list[dict[int, int]]:
    """Return the marks of each node: its reporter's number, and a negative number for each separate pair."""
    marks = [{} if reporter is None else {reporter: place} for place, reporter in enumerate(reporters)]
    for number, pair in enumerate(separate):
        for place in pair:
            marks[place][-1 - number] = place
    return marks


def _root(parents: dict[int, int] | list[int], node: int) -> int:
    """Follow `parents` from a node to its root, and shorten the path (union-find with path halving)."""
    while parents[node] != node:
        parents[node] = node = parents[parents[node]]
    return node


class ConstrainedGroups:
    """Disjoint groups of nodes under cannot-link constraints: two groups that share a mark never join.

    A mark stands for a reporter that reports an item once, or for a pair that a decision calls different. `marks`
    holds, per node, mark -> the node itself. The least node of a group represents it.
    """

    def __init__(self, marks: list[dict[int, int]]) -> None:
        """Start with one group per node; takes ownership of `marks`."""
        self._marks = marks
        self._parents = list(range(len(marks)))

    def find(self, node: int) -> int:
        """Return the least node of a node's group."""
        return _root(self._parents, node)

    def join(self, a: int, b: int) -> bool:
        """Join the groups of two nodes; return false, and do nothing, if they share a mark."""
        low, high = sorted((self.find(a), self.find(b)))
        if low == high:
            return True
        marks, added = self._marks[low], self._marks[high]
        if not marks.keys().isdisjoint(added.keys()):
            return False
        if len(marks) < len(added):
            marks, added = added, marks
        marks.update(added)
        self._marks[low] = marks
        self._parents[high] = low
        return True

    def shared_mark(self, a: int, b: int) -> tuple[int, int, int]:
        """Return the least mark that the groups of two nodes share, and the two nodes that have it."""
        ours, theirs = self._marks[self.find(a)], self._marks[self.find(b)]
        mark = min(ours.keys() & theirs.keys())
        low, high = sorted((ours[mark], theirs[mark]))
        return mark, low, high


def link_by_mean_weight(
    groups: ConstrainedGroups, pairs: list[tuple[int, int]], weights: list[int], least: int
) -> None:
    """Join groups by weight, down to `least` (`MeanLinkage`)."""
    MeanLinkage(groups, pairs, weights, least).join_down_to(least)


class MeanLinkage:
    """Joins groups by weight: repeatedly the two cores of the highest mean weight, as long as it is high enough.

    A core is a set of nodes that weight alone holds together; each node starts as one. Cores whose groups share a mark
    never join. Of equal means, the pair of cores whose last nodes are least goes first.
    """

    def __init__(
        self, groups: ConstrainedGroups, pairs: list[tuple[int, int]], weights: list[int], lowest: int
    ) -> None:
        """Start with one core per node. pairs: each pair of nodes once; one that is not given weighs 0.

        lowest: the least mean weight, above 0, that will be asked for.
        """
        self._groups, self._lowest = groups, lowest
        self._cores = _Cores(pairs, weights)
        self._queue = [(-w / 1, min(pair), max(pair)) for pair, w in zip(pairs, weights, strict=True) if w >= lowest]
        heapify(self._queue)
        self._seen: set[tuple[float, int, int]] = set()

    def join_down_to(self, least: int) -> None:
        """Join all that a mean weight of at least `least` joins; the next call goes on from there, for a lower one."""
        cores, queue, seen, later = self._cores, self._queue, self._seen, []
        while queue and queue[0][0] <= -least:
            # An entry may be outdated, because its cores have grown since. It is then never too late in the queue: a
            # join can only lower a mean below the higher of the two, and only raise the last node. So an entry that
            # comes first and is up to date is the pair to join. An outdated one is queued again with its current mean.
            entry = heappop(queue)
            a, b = cores.find(entry[1]), cores.find(entry[2])
            if a == b:
                continue
            total, count = cores.between(a, b)
            ends = (cores.last[a], cores.last[b])
            current = (-total / count, min(ends), max(ends))
            if current != entry:
                if total >= self._lowest * count and current not in seen:
                    seen.add(current)
                    heappush(queue, current)
            elif total < least * count:  # by less than a float shows
                later.append(entry)
            elif self._groups.join(a, b):
                cores.join(a, b)
        for entry in later:
            heappush(queue, entry)


class _Cores:
    """Sets of nodes that weight alone holds together, and the sums of weights between them."""

    def __init__(self, pairs: list[tuple[int, int]], weights: list[int]) -> None:
        self._sums: dict[int, dict[int, int]] = {}
        for (a, b), weight in zip(pairs, weights, strict=True):
            self._sums.setdefault(a, {})[b] = weight
            self._sums.setdefault(b, {})[a] = weight
        self._parents = {node: node for node in self._sums}
        self._size = dict.fromkeys(self._sums, 1)
        self.last = dict(self._parents)

    def find(self, node: int) -> int:
        """Return the node that represents a node's core."""
        return _root(self._parents, node)

    def between(self, a: int, b: int) -> tuple[int, int]:
        """Return the sum of the weights between two cores, and the number of pairs between them."""
        return self._sums[a][b], self._size[a] * self._size[b]

    def join(self, a: int, b: int) -> None:
        """Make two cores one: its weight to any other core is the sum of theirs."""
        if len(self._sums[a]) < len(self._sums[b]):
            a, b = b, a
        row, added = self._sums[a], self._sums[b]
        del row[b], added[a]
        for other, weight in added.items():
            del self._sums[other][b]
            row[other] = self._sums[other][a] = row.get(other, 0) + weight
        added.clear()
        self._parents[b] = a
        self._size[a] += self._size[b]
        self.last[a] = max(self.last[a], self.last[b])
