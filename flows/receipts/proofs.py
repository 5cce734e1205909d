"""Proofs from the tree of all releases: that leaves are in it, and that a later tree extends an earlier one."""

import json
from typing import Any, Final

from flows.installation import Installation
from infra.ledger import tree as ledger_tree
from infra.ledger.releases import Release
from schemas.errors import UsageError
from transforms.receipts.leaves import unpacked
from transforms.receipts.merkle import Levels, consistency_path, inclusion_path, subtree_levels

RECEIPT_FORMAT: Final = "engang receipt 1"
SIGNED: Final = ("head", "signature", "public_key")
"""The parts of a stored head that a receipt has."""


def signed_head(release: Release) -> dict[str, Any]:
    """Return the signed head of a release's tree and its size; `UsageError` for a release of an older version."""
    head = release.get("tree_head")
    if head is None:
        raise UsageError(
            f"release {release['release']} has no tree: it is of an older version of Engang. The next `engang nightly` "
            "makes one"
        )
    return head


def list_heads(installation: Installation) -> list[dict[str, Any]]:
    """Return release, size, root, public_key, signature, head of each release that has a tree, oldest first."""
    found = []
    for number, text in ledger_tree.read_tree_heads(installation.engine).iter_rows():
        stored = json.loads(text)
        root = json.loads(stored["head"])["root"]
        found.append(
            {"release": number, "size": stored["size"], "root": root} | {name: stored[name] for name in SIGNED}
        )
    return found


def prove(
    installation: Installation, release: Release, submission: str | None, since: Release | None = None
) -> dict[str, Any]:
    """Return what `flows.receipts.offline` checks: format, head, leaves, earlier.

    leaves: index, leaf (its content) and path of each leaf of the submission; none without one. earlier: the head of
    release `since` and the proof that the tree extends it. Raises `UsageError` for a submission that was erased.
    """
    stored = signed_head(release)
    size = stored["size"]
    levels = subtree_levels(ledger_tree.read_leaf_hashes(installation.engine, size))
    leaves = [] if submission is None else _leaves(installation, submission, size, levels)
    head = {name: stored[name] for name in SIGNED}
    return {"format": RECEIPT_FORMAT, "head": head, "leaves": leaves, "earlier": _earlier(since, size, levels)}


def _leaves(installation: Installation, submission: str, size: int, levels: Levels) -> list[dict[str, Any]]:
    rows = ledger_tree.read_leaves(installation.engine, [submission], size)
    if rows["content"].null_count():
        raise UsageError(f"submission {submission} was erased: what became of its rows is not kept")
    return [
        {
            "index": row["leaf"],
            "leaf": unpacked(row["content"]),
            "path": [node.hex() for node in inclusion_path(levels, row["leaf"], size)],
        }
        for row in rows.iter_rows(named=True)
    ]


def _earlier(since: Release | None, size: int, levels: Levels) -> dict[str, Any] | None:
    if since is None:
        return None
    stored = signed_head(since)
    if stored["size"] > size:
        raise UsageError(f"release {since['release']} is the later one: name an earlier one")
    path = consistency_path(levels, stored["size"], size)
    return {"head": {name: stored[name] for name in SIGNED}, "path": [node.hex() for node in path]}
