"""Constrained average linkage: the part of `transforms.linkage.clustering` that goes pair by pair.

Nodes are 0, 1, ... in the order of their report ids. Weights are whole numbers, so sums are exact and a mean does not
depend on the order of addition. Nothing here depends on the order in which pairs are given.
"""

from heapq import heapify, heappop, heappush


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
    """Join groups by weight: repeatedly the two cores of the highest mean weight, as long as it is at least `least`.

    pairs: each pair of nodes once; a pair that is not given weighs 0, so `least` is above 0. A core is a set of nodes
    that weight alone holds together; each node starts as one. Cores whose groups share a mark never join. Of equal
    means, the pair of cores whose last nodes are least goes first.
    """
    cores = _Cores(pairs, weights)
    queue = [(-w / 1, min(pair), max(pair)) for pair, w in zip(pairs, weights, strict=True) if w >= least]
    heapify(queue)
    seen: set[tuple[float, int, int]] = set()
    while queue:
        # An entry may be outdated, because its cores have grown since. It is then never too late in the queue: a join
        # can only lower a mean below the higher of the two, and only raise the last node. So an entry that comes first
        # and is up to date is the pair to join. An outdated one is queued again with its current mean.
        entry = heappop(queue)
        a, b = cores.find(entry[1]), cores.find(entry[2])
        if a == b:
            continue
        total, count = cores.between(a, b)
        ends = (cores.last[a], cores.last[b])
        current = (-total / count, min(ends), max(ends))
        if current == entry:
            if groups.join(a, b):
                cores.join(a, b)
        elif total >= least * count and current not in seen:
            seen.add(current)
            heappush(queue, current)


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
