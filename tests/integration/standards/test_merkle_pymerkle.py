"""The tree against pymerkle, an independent implementation: every root, every path to it, every consistency.

It wants an older cachetools than ours, so it is installed into a folder of its own. Its proofs of consistency have
another form than RFC 9162's: of them it confirms what ours claim, that the earlier root is one of the later tree.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.receipts.offline import check_extends
from transforms.receipts.merkle import (
    append_leaves,
    consistency_path,
    inclusion_path,
    leaf_hash,
    root_of,
    subtree_levels,
)

MOST = 70
PINNED = ("pymerkle==7.0.0", "cachetools==7.2.1")
PROGRAM = f"""
import json
from pymerkle import InmemoryTree, verify_consistency
tree = InmemoryTree(algorithm="sha256")
for n in range({MOST}):
    tree.append_entry(bytes([n]))
sizes = range(1, {MOST} + 1)
roots = [tree.get_state(size) for size in sizes]
paths = [[tree.prove_inclusion(at + 1, size).serialize()["path"] for at in range(size)] for size in sizes]
for later in sizes:
    for prior in range(1, later + 1):
        verify_consistency(roots[prior - 1], roots[later - 1], tree.prove_consistency(prior, later))
print(json.dumps({{"roots": [root.hex() for root in roots], "paths": paths}}))
"""


@pytest.fixture(scope="module")
def pymerkle(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Give what pymerkle, installed by itself, has of trees of 1 to `MOST` leaves."""
    folder = Path(os.environ.get("PYMERKLE_FOLDER") or tmp_path_factory.mktemp("pymerkle"))
    if not (folder / "pymerkle").exists():
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, *PINNED]
        subprocess.run(pip, check=True)
    env = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


@pytest.mark.slow
def test_the_tree_is_that_of_an_independent_implementation(pymerkle: dict[str, Any]) -> None:
    leaves = [leaf_hash(bytes([n])) for n in range(MOST)]
    levels = subtree_levels(leaves)
    roots = [root_of(append_leaves([], 0, leaves[:size])).hex() for size in range(1, MOST + 1)]
    assert roots == pymerkle["roots"]
    for size, paths in enumerate(pymerkle["paths"], 1):
        for index, (leaf, *path) in enumerate(paths):
            assert leaf == leaves[index].hex()
            assert path == [node.hex() for node in inclusion_path(levels, index, size)]
        for first in range(1, size + 1):
            heads = ({"size": n, "root": pymerkle["roots"][n - 1]} for n in (first, size))
            check_extends(*heads, [node.hex() for node in consistency_path(levels, first, size)])
