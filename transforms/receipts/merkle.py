"""The Merkle tree of RFC 9162 (section 2.1) over SHA-256: its root, how it grows, and its proofs.

A tree of n leaves is kept as its peaks: the roots of its perfect subtrees, the largest first, one for each bit of n
that is set. They are enough to append to it. Proofs need the hashes of all leaves (`subtree_levels`).
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256

Levels = Sequence[Sequence[bytes]]
"""The hashes of all perfect subtrees: level k has those of 2^k leaves, in order; level 0 are the leaves."""


def leaf_hash(content: bytes) -> bytes:
    """Return the hash of a leaf."""
    return sha256(b"\x00" + content).digest()


def node_hash(first: bytes, second: bytes) -> bytes:
    """Return the hash of the node over two subtrees."""
    return sha256(b"\x01" + first + second).digest()


def append_leaves(peaks: Iterable[bytes], size: int, leaves: Iterable[bytes]) -> list[bytes]:
    """Return the peaks of a tree after leaves (hashes) are appended; `peaks` are those of the first `size` leaves."""
    grown = list(peaks)
    for count, leaf in enumerate(leaves, size):
        node, full = leaf, count
        while full & 1:
            node, full = node_hash(grown.pop(), node), full >> 1
        grown.append(node)
    return grown


def root_of(peaks: Sequence[bytes]) -> bytes:
    """Return the root of a tree from its peaks."""
    if not peaks:
        return sha256(b"").digest()
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def subtree_levels(leaves: Sequence[bytes]) -> Levels:
    """Return the hashes of all perfect subtrees over leaves (hashes)."""
    levels: list[Sequence[bytes]] = [leaves]
    while len(levels[-1]) > 1:
        row = levels[-1]
        levels.append([node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)])
    return levels


def subtree_root(levels: Levels, start: int, end: int) -> bytes:
    """Return the root over leaves start to end (not included); start is a multiple of the size rounded up to 2^k."""
    size = end - start
    if not size:
        return sha256(b"").digest()
    level = (size - 1).bit_length()
    if size == 1 << level:
        return levels[level][start >> level]
    middle = start + (1 << level - 1)
    return node_hash(subtree_root(levels, start, middle), subtree_root(levels, middle, end))


def inclusion_path(levels: Levels, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of the first `size` leaves (RFC 9162, 2.1.3.1)."""
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        in_first = index < middle
        path.append(subtree_root(levels, middle, end) if in_first else subtree_root(levels, start, middle))
        start, end = (start, middle) if in_first else (middle, end)
    return path[::-1]


def consistency_path(levels: Levels, first: int, second: int) -> list[bytes]:
    """Return the proof that the tree of `second` leaves begins with that of `first` leaves (RFC 9162, 2.1.4.1).

    It is empty if they are equally large, and for a first tree without leaves, which every tree extends.
    """
    path: list[bytes] = []
    start, end, whole = 0, second, True
    while first and end > first:
        middle = start + (1 << (end - start - 1).bit_length() - 1)
        if first <= middle:
            path.append(subtree_root(levels, middle, end))
            end = middle
        else:
            path.append(subtree_root(levels, start, middle))
            start, whole = middle, False
    if first and not whole:
        path.append(subtree_root(levels, start, end))
    return path[::-1]
