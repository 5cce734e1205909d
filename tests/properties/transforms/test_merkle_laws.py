"""Laws of the tree for all sizes to 70: every proof holds, of nothing else, and growing gives what building gives."""

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.receipts.offline import check_extends, climb
from transforms.receipts.merkle import (
    append_leaves,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    subtree_levels,
)

MOST = 70
LEAVES = [leaf_hash(bytes([n])) for n in range(MOST)]
LEVELS = subtree_levels(LEAVES)
ROOTS = [root_of(append_leaves([], 0, LEAVES[:size])) for size in range(MOST + 1)]


def head(size: int) -> dict[str, Any]:
    return {"size": size, "root": ROOTS[size].hex()}


def path_of(index: int, size: int) -> list[str]:
    return [node.hex() for node in inclusion_path(LEVELS, index, size)]


def defined_root(leaves: list[bytes]) -> bytes:
    """Return the root as RFC 9162 defines it, 2.1.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = max(2**power for power in range(7) if 2**power < len(leaves))
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:])).digest()


def test_roots_are_as_defined_and_growing_in_any_steps_gives_them() -> None:
    assert [defined_root(LEAVES[:size]) for size in range(MOST + 1)] == ROOTS
    for size in range(MOST + 1):
        peaks = append_leaves([], 0, LEAVES[:size])
        assert root_of(append_leaves(peaks, size, LEAVES[size:])) == ROOTS[MOST]


def test_every_leaf_is_proved_to_be_in_every_tree_that_has_it() -> None:
    for size in range(1, MOST + 1):
        for index in range(size):
            assert climb(index, size - 1, LEAVES[index], path_of(index, size))[1] == ROOTS[size].hex()


def test_every_tree_is_proved_to_extend_every_smaller_one() -> None:
    for second in range(MOST + 1):
        for first in range(second + 1):
            check_extends(head(first), head(second), [n.hex() for n in consistency_path(LEVELS, first, second)])


@settings(max_examples=25)
@given(data=st.data())
def test_a_proof_is_of_its_leaf_its_place_and_its_tree_alone(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, MOST))
    index, other = data.draw(st.integers(0, size - 1)), data.draw(st.integers(0, MOST - 1))
    path = path_of(index, size)
    tried = [(index, size, other, path), (other, size, index, path), (index, other + 1, index, path)]
    tried += [(index, size, index, path[:-1]), (index, size, index, [*path, path[0] if path else "00" * 32])]
    for at, of, leaf, steps in tried:
        same = (at, of, leaf, steps) == (index, size, index, path)
        try:
            found = climb(at, of - 1, LEAVES[leaf], steps)[1] if at < of else ""
        except ValueError:
            found = ""
        # the last leaf of a tree may have the path of another place: that its place is right is what the size decides
        assert same or found != ROOTS[of].hex() or (leaf == index and steps == path)


@settings(max_examples=25)
@given(data=st.data())
def test_a_tree_that_was_rewritten_extends_nothing(data: st.DataObject) -> None:
    first = data.draw(st.integers(1, MOST - 1))
    second = data.draw(st.integers(first, MOST))
    at = data.draw(st.integers(0, first - 1))
    rewritten = [leaf if n != at else leaf_hash(b"other") for n, leaf in enumerate(LEAVES)]
    levels = subtree_levels(rewritten)
    later = {"size": second, "root": root_of(append_leaves([], 0, rewritten[:second])).hex()}
    for proof in (consistency_path(levels, first, second), consistency_path(LEVELS, first, second)):
        with pytest.raises(ValueError, match=r"extend|path"):
            check_extends(head(first), later, [node.hex() for node in proof])
    with pytest.raises(ValueError, match="extend"):
        check_extends(head(second), head(first - 1), [])
