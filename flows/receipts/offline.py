"""Checks a receipt of Engang offline: `python offline.py FILE`. Copy it: it needs Python and `cryptography` alone.

What a receipt shows besides its leaves and heads is not signed; this states only what is. Compare the public key and
the root of the tree that it prints with those that the publisher shows to everybody.
"""

import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

BUCKET_NAMES = ("published", "duplicate", "additive", "superseded", "withdrawn", "conflict", "rejected", "ignored")
SIGNED_FORMAT = "engang tree head 1"
BUCKET_BY_LETTER = dict(zip("PDASWCRI", BUCKET_NAMES, strict=True))


def climb(at: int, last: int, node: bytes, path: list[str]) -> tuple[str, str]:
    """Return the roots of two trees, of leaves up to `at` and up to `last`, by a path (RFC 9162, 2.1.3.2, 2.1.4.2)."""
    old = new = node
    for step in map(bytes.fromhex, path):
        if not last:
            raise ValueError("a path is too long")
        if at & 1 or at == last:
            old, new = (sha256(b"\x01" + step + root).digest() for root in (old, new))
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = sha256(b"\x01" + new + step).digest()
        at, last = at >> 1, last >> 1
    if last:
        raise ValueError("a path is too short")
    return old.hex(), new.hex()


def read_head(signed: dict[str, str]) -> dict[str, Any]:
    """Return the head of a release's tree, whose signature is good."""
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signed["public_key"]))
    key.verify(bytes.fromhex(signed["signature"]), signed["head"].encode())
    head = dict(json.loads(signed["head"]))
    if head["format"] != SIGNED_FORMAT:
        raise ValueError("what is signed is no head of a tree")
    return head


def check_extends(first: dict[str, Any], second: dict[str, Any], path: list[str]) -> None:
    """See that the tree of a later head begins with that of an earlier one."""
    size, last, steps = first["size"], second["size"] - 1, list(path)
    roots = (first["root"], first["root"] if size else second["root"])
    if 0 < size <= last:
        at = size - 1
        steps = [first["root"], *path] if size & at == 0 else steps
        while at & 1:
            at, last = at >> 1, last >> 1
        roots = climb(at, last, bytes.fromhex(steps[0]), steps[1:])
    if size > second["size"] or (path and size in {0, second["size"]}) or roots != (first["root"], second["root"]):
        raise ValueError("the later tree does not extend the earlier one")


def check_leaves(leaves: list[dict[str, Any]], head: dict[str, Any]) -> dict[str, Any]:
    """Return submission, release, buckets, rest and rows (row -> bucket) that the leaves of a submission state."""
    found: dict[str, Any] = {"previous": None, "submission": None, "rows": {}, "rest": None}
    for leaf in leaves:
        stated, index = json.loads(leaf["leaf"]), leaf["index"]
        root = climb(index, head["size"] - 1, sha256(b"\x00" + leaf["leaf"].encode()).digest(), leaf["path"])[1]
        if not 0 <= index < head["size"] or root != head["root"]:
            raise ValueError(f"leaf {index} is not in the tree")
        if stated["previous"] != found["previous"] or found["submission"] not in {None, stated["submission"]}:
            raise ValueError(f"leaf {index} does not follow the one before it")
        rows = {} if stated["whole"] else found["rows"]
        for first, letters in stated["rows"]:
            rows |= {row: BUCKET_BY_LETTER[letter] for row, letter in enumerate(letters, first) if letter != "."}
        rest = stated["rest"] if stated["whole"] else found["rest"]
        found = {**stated, "previous": index, "rows": rows, "rest": rest}
    return found


def check_receipt(receipt: dict[str, Any]) -> dict[str, Any]:
    """Return what a receipt proves: its head, and what its leaves state; raises an error if it proves nothing."""
    head = read_head(receipt["head"])
    if receipt.get("earlier"):
        check_extends(read_head(receipt["earlier"]["head"]), head, receipt["earlier"]["path"])
    return {"head": head, **check_leaves(receipt["leaves"], head)}


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        proved = check_receipt(given)
    except (InvalidSignature, ValueError, LookupError, TypeError, AttributeError) as error:
        sys.exit(f"NOT PROVED: {error or 'the signature is not good'}")
    sys.stdout.write(json.dumps({"public_key": given["head"]["public_key"], **proved}, indent=1) + "\n")
