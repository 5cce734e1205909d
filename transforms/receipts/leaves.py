"""The leaves of the tree: what a release states of the rows of one submission, as JSON text.

A leaf states the bucket of each row that changed since the submission's leaf before (`previous`), a letter a row, and
how many of its rows each bucket has now. A leaf that is `whole` replaces all that was stated before it. `rest` is the
bucket of the rows without a letter where the submission's own state decides it (it was withdrawn, say); where it is
null, they are rejected or ignored. The nonce keeps who sees a leaf's hash from trying out what it may state.
"""

import base64
import hmac
import json
import zlib
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final

from transforms.receipts.fates import BUCKET_LETTERS, UNSTATED

HEAD_FORMAT: Final = "engang tree head 1"
"""What a signed head begins with: a signature of ours on anything else never passes for one."""
_QUICK: Final = 1
_BUCKETS: Final = {letter: bucket for bucket, letter in BUCKET_LETTERS.items()}


def leaf_text(
    submission: str,
    release: int,
    *,
    nonce: str,
    previous: int | None,
    whole: bool,
    rest: str | None,
    rows: Iterable[tuple[int, str]],
    buckets: Mapping[str, int],
) -> str:
    """Return the content of a leaf. rows: stretches of letters (`transforms.receipts.fates.stretches`)."""
    return canonical({
        "buckets": dict(buckets), "nonce": nonce, "previous": previous, "release": release, "rest": rest,
        "rows": list(rows), "submission": submission, "whole": whole or previous is None,
    })  # fmt: skip


def head_text(release: int, digest: str, size: int, root: bytes) -> str:
    """Return the head of a release's tree, as it is signed."""
    fields = {"digest": digest, "format": HEAD_FORMAT, "release": release, "root": root.hex(), "size": size}
    return canonical(fields)


def canonical(value: object) -> str:
    """Return JSON text that is the same for the same value: keys sorted, no blanks, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def nonce_of(secret: bytes, submission: str, release: int) -> str:
    """Return the nonce of a submission's leaf: the same when a night is repeated, and not to be guessed."""
    return hmac.digest(secret, f"{release} {submission}".encode(), "sha256").hex()


def packed(text: str) -> str:
    """Return a leaf's content as the ledger stores it: compressed, as text."""
    return base64.b64encode(zlib.compress(text.encode(), _QUICK)).decode()


def unpacked(stored: str) -> str:
    """Return the content of a leaf that is `packed`."""
    return zlib.decompress(base64.b64decode(stored)).decode()


def stated_rows(leaves: Iterable[Mapping[str, Any]]) -> tuple[dict[int, str], str | None]:
    """Return the bucket of each row that a submission's leaves, in order, state in the end; and the rest."""
    found: dict[int, str] = {}
    rest = None
    for leaf in leaves:
        if leaf["whole"]:
            found, rest = {}, leaf["rest"]
        for first, letters in leaf["rows"]:
            found |= {row: _BUCKETS[letter] for row, letter in enumerate(letters, first) if letter != UNSTATED}
    return found, rest


def fates_digest(states: Iterable[tuple[str, Mapping[int, str], str | None]]) -> str:
    """Return a digest of the buckets of all rows of some submissions, in their order; rejected rows are left out.

    states: submission, and what `stated_rows` returns of it. Of rejected rows only the first of a submission are
    listed, and none of one that was reread.
    """
    whole = sha256()
    for submission, rows, rest in states:
        letters = [(row, BUCKET_LETTERS[bucket]) for row, bucket in rows.items() if bucket != "rejected"]
        whole.update(sha256(canonical([submission, rest, sorted(letters)]).encode()).digest())
    return whole.hexdigest()[:32]
