"""Constrained average linkage: the part of `transforms.linkage.clustering` that goes pair by pair.

Nodes are 0, 1, ... in the order of their report ids; weights are whole numbers, so sums are exact and a mean is the
same however it was reached. Nothing here depends on the order in which pairs are given.
"""

from heapq import heapify, heappop, heappush


def _top(above: dict[int, int] | list[int], node: int) -> int:
    """Follow `above` from a node to the one that stands for all of its kind, and shorten the way."""
    while above[node] != node:
        above[node] = node = above[above[node]]
    return node


class Groups:
    """Which nodes are one item so far, and the marks that keep groups apart: no two groups that share a mark may join.

    A mark stands for a reporter that reports an item once, or for a pair that a decision keeps apart; `marks` holds,
    per node, mark -> the node itself. A group is named by its least node.
    """

    def __init__(self, marks: list[dict[int, int]]) -> None:
        """Begin with every node by itself; takes `marks` over."""
        self._marks = marks
        self._above = list(range(len(marks)))

    def find(self, node: int) -> int:
        """Return the least node of a node's group."""
        return _top(self._above, node)

    def join(self, a: int, b: int) -> bool:
        """Make one group of two nodes' groups; False, and nothing done, if a mark keeps them apart."""
        low, high = sorted((self.find(a), self.find(b)))
        if low == high:
            return True
        kept, added = self._marks[low], self._marks[high]
        if not kept.keys().isdisjoint(added.keys()):
            return False
        if len(kept) < len(added):
            kept, added = added, kept
        kept.update(added)
        self._marks[low] = kept
        self._above[high] = low
        return True

    def between(self, a: int, b: int) -> tuple[int, int, int]:
        """Return the least mark that keeps two nodes' groups apart and the two nodes that bear it."""
        ours, theirs = self._marks[self.find(a)], self._marks[self.find(b)]
        mark = min(ours.keys() & theirs.keys())
        low, high = sorted((ours[mark], theirs[mark]))
        return mark, low, high


def link(groups: Groups, pairs: list[tuple[int, int]], weights: list[int], least: int) -> None:
    """Join groups by weight: the two cores of the highest mean weight, if it is `least` or more, again and again.

    pairs: two nodes each, every pair once; a pair not given weighs 0, so `least` is above 0. A core is a set of nodes
    held together by weight alone; each node begins as one. Cores whose groups a mark keeps apart never join. Of equal
    means goes first the pair of cores whose last nodes are least.
    """
    cores = _Cores(pairs, weights)
    queue = [(-w / 1, min(pair), max(pair)) for pair, w in zip(pairs, weights, strict=True) if w >= least]
    heapify(queue)
    seen: set[tuple[float, int, int]] = set()
    while queue:
        # What stands in the queue is never later than its pair's own place: joining cores can only lower a mean below
        # the higher of theirs, and raise the last node. So what stands first and is up to date is the pair to join.
        first = heappop(queue)
        a, b = cores.of(first[1]), cores.of(first[2])
        if a == b:
            continue
        total, among = cores.between(a, b)
        ends = (cores.last[a], cores.last[b])
        place = (-total / among, min(ends), max(ends))
        if place == first:
            if groups.join(a, b):
                cores.join(a, b)
        elif total >= least * among and place not in seen:
            seen.add(place)
            heappush(queue, place)


class _Cores:
    """Which nodes weight alone holds together, and the sums of weights between them."""

    def __init__(self, pairs: list[tuple[int, int]], weights: list[int]) -> None:
        self._near: dict[int, dict[int, int]] = {}
        for (a, b), weight in zip(pairs, weights, strict=True):
            self._near.setdefault(a, {})[b] = weight
            self._near.setdefault(b, {})[a] = weight
        self._above = {node: node for node in self._near}
        self._size = dict.fromkeys(self._near, 1)
        self.last = dict(self._above)

    def of(self, node: int) -> int:
        """Return the node that stands for a node's core."""
        return _top(self._above, node)

    def between(self, a: int, b: int) -> tuple[int, int]:
        """Return the sum of the weights between two cores and the number of pairs it is over."""
        return self._near[a][b], self._size[a] * self._size[b]

    def join(self, a: int, b: int) -> None:
        """Make two cores one: its weight to any other is the sum of theirs."""
        if len(self._near[a]) < len(self._near[b]):
            a, b = b, a
        row, added = self._near[a], self._near[b]
        del row[b], added[a]
        for other, weight in added.items():
            del self._near[other][b]
            row[other] = self._near[other][a] = row.get(other, 0) + weight
        added.clear()
        self._above[b] = a
        self._size[a] += self._size[b]
        self.last[a] = max(self.last[a], self.last[b])
