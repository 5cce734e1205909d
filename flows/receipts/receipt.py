"""The receipt of a submission: what a release did with each of its rows, and the proof of it."""

import re
from dataclasses import dataclass
from typing import Any, Final

from flows.installation import Installation
from flows.receipts.items import items_of_rows
from flows.receipts.offline import check_receipt
from flows.receipts.proofs import prove
from flows.releases import find_release, published_release
from infra.lake import access as lake_access
from infra.ledger import submissions as ledger_submissions
from schemas.contract import IDENTIFIER
from schemas.errors import UsageError

LISTED: Final = 20
"""How many rows a receipt lists unless more are asked for."""


@dataclass(frozen=True)
class ReceiptRequest:
    """What a receipt is of: a submission in a release (the current one by default), the rows to list, its proofs.

    row: this row alone. every: all rows, not the first ones. since: prove that the tree extends that of this release.
    """

    submission: str
    release: int | None = None
    row: int | None = None
    every: bool = False
    since: int | None = None


@lake_access.scan_errors()
def submission_receipt(installation: Installation, request: ReceiptRequest) -> dict[str, Any]:
    """Return a receipt: what `flows.receipts.offline` checks, and what it is about.

    The proof: format, head, leaves, earlier. Besides: submission, contract, sender, filename, received_at, release,
    delivered, buckets (rows by bucket), rows (row, bucket, `flows.receipts.items.items_of_rows`), stated (how many rows
    have a bucket of their own), proved. Raises `UsageError` for a submission that the release has not.
    """
    release = find_release(installation, request.release)
    since = None if request.since is None else published_release(installation, request.since)
    submission = _submission(installation, request.submission)
    proof = prove(installation, release, request.submission, since)
    if not proof["leaves"]:
        raise UsageError(
            f"release {release['release']} has nothing of submission {request.submission}: it has no rows, or waits "
            "for `engang nightly`"
        )
    proved = check_receipt(proof)
    chosen = _chosen_rows(proved, request)
    items = items_of_rows(installation, release, submission, list(chosen))
    shown = ("submission_id", "contract", "sender", "filename", "received_at", "delivered")
    about = {name.removesuffix("_id"): submission[name] for name in shown}
    rows = [{"row": row, "bucket": bucket, "items": items.get(row, [])} for row, bucket in chosen.items()]
    return {
        **about,
        "release": release["release"],
        "buckets": proved["buckets"],
        "rest": proved["rest"],
        "stated": len(proved["rows"]),
        "rows": rows,
        **proof,
    }


def tree_extension(installation: Installation, first: int, second: int | None) -> dict[str, Any]:
    """Return the proof that the tree of a later release (the current one by default) extends that of an earlier one."""
    return prove(installation, find_release(installation, second), None, published_release(installation, first))


def _submission(installation: Installation, submission: str) -> dict[str, Any]:
    ids = [submission] if re.fullmatch(IDENTIFIER, submission) else []
    known = ledger_submissions.read_submissions(installation.engine, ids=ids)
    if known.is_empty():
        raise UsageError(f"no submission {submission!r}: ask `engang query` for the submission_id of submissions")
    return known.row(0, named=True)


def _chosen_rows(proved: dict[str, Any], request: ReceiptRequest) -> dict[int, str]:
    """Return the rows to list, in order, with their buckets."""
    rows: dict[int, str] = proved["rows"]
    if request.row is not None:
        return {request.row: rows.get(request.row) or _unlisted_bucket(proved, request.row)}
    ordered = sorted(rows)
    return {row: rows[row] for row in (ordered if request.every else ordered[:LISTED])}


def _unlisted_bucket(proved: dict[str, Any], row: int) -> str:
    """Return where a row is that has no bucket of its own; `UsageError` if there is no such row."""
    possible = [name for name in (proved["rest"], "rejected", "ignored") if name and proved["buckets"].get(name)]
    if row < 1 or not possible:
        raise UsageError(f"no row {row} was delivered: the first record of a file is row 2")
    return " or ".join(dict.fromkeys(possible))
