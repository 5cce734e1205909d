"""Checks of the tree: its heads against its leaves, and what its leaves state of the rows that a release counts."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from infra import signing
from infra.ledger import releases as ledger_releases
from infra.ledger import tree as ledger_tree
from infra.ledger.sql import id_chunks
from transforms.receipts.leaves import fates_digest, stated_rows, unpacked
from transforms.receipts.merkle import append_leaves, leaf_hash, root_of


@dataclass(frozen=True)
class TreeCheck:
    """What was found of the tree: how many heads it has, what is wrong with it, a digest of what its leaves state."""

    heads: int
    faults: list[str]
    fates: str


def check_tree(engine: sa.Engine, ids: Collection[str]) -> TreeCheck:
    """Check every head and leaf; the digest is of the rows of these submissions, as `fates_digest`."""
    heads = ledger_tree.read_tree_heads(engine)
    size = max((json.loads(text)["size"] for text in heads["tree_head"]), default=0)
    hashes = ledger_tree.read_leaf_hashes(engine, size)
    faults = list(_faults_of_heads(engine, heads.rows(), hashes))
    fates = fates_digest(_states(engine, ids, size, faults))
    return TreeCheck(heads.height, faults, fates)


def _faults_of_heads(engine: sa.Engine, heads: list[tuple[int, str]], hashes: list[bytes]) -> Iterator[str]:
    """Yield what is wrong with the heads, the oldest first: each is of the tree that the leaves make up to it."""
    digests = dict(ledger_releases.read_releases(engine).select("release", "digest").iter_rows())
    peaks: list[bytes] = []
    size = 0
    for number, text in heads:
        stored = json.loads(text)
        head = json.loads(stored["head"])
        peaks = append_leaves(peaks, size, hashes[size : stored["size"]])
        size = stored["size"]
        stated = (head["release"], head["digest"], head["size"], head["root"])
        if stated != (number, digests[number], size, root_of(peaks).hex()):
            yield f"release {number}: the head of its tree is not that of its leaves"
        if not signing.is_signed(stored["public_key"], stored["head"], stored["signature"]):
            yield f"release {number}: the head of its tree has no good signature"


def _states(
    engine: sa.Engine, ids: Collection[str], size: int, faults: list[str]
) -> Iterator[tuple[str, dict[int, str], str | None]]:
    """Yield what the leaves of each submission state in the end; add leaves that are not what their hash is of."""
    for some_ids in id_chunks(ids):
        leaves: dict[str, list[dict[str, Any]]] = {id_: [] for id_ in some_ids}
        for row in ledger_tree.read_leaves(engine, some_ids, size).iter_rows(named=True):
            text = unpacked(row["content"])
            if leaf_hash(text.encode()).hex() != row["hash"]:
                faults.append(f"leaf {row['leaf']} is not what its hash is of")
            leaves[row["submission_id"]].append(json.loads(text))
        for id_ in some_ids:
            yield id_, *stated_rows(leaves[id_])
