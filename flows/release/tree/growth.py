"""The tree of a release: a leaf for each submission of whose rows it states anything new, and the signed head."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from flows.installation import Installation
from flows.release.staged import StagedRelease
from infra import signing
from infra.ledger import tree as ledger_tree
from infra.ledger.releases import Release
from transforms.receipts.fates import BUCKET_LETTERS, fates_by_submission, stretches
from transforms.receipts.leaves import head_text, leaf_text, nonce_of, packed
from transforms.receipts.merkle import append_leaves, leaf_hash, root_of

LEAF: Final = pl.Schema({"leaf": pl.Int64, "submission_id": pl.String, "hash": pl.String, "content": pl.String})
"""A leaf that is appended; `release` is added when it is written."""


@dataclass(frozen=True)
class GrownTree:
    """What a release appends to the tree (`LEAF`), and its head: head (text), signature, public_key, peaks."""

    leaves: pl.DataFrame
    head: dict[str, Any]


def grow_tree(
    installation: Installation, staged: StagedRelease, last: Release | None, digest: str, recounted: Iterable[str]
) -> GrownTree:
    """Return the tree of a staged release: that of the last one, and a leaf for each submission that changed.

    They are in the order of their submissions, so the same night repeated gives the same tree, signature and all.
    recounted: the submissions of which any bucket counts other rows than in the last release.
    """
    key = signing.read_signing_key(installation.settings)
    before = last.get("tree_head") if last else None
    if before is None:  # the first tree has all rows that were ever delivered
        before, recounted = {"peaks": [], "size": 0}, staged.buckets["submission_id"].unique()
    size, peaks = before["size"], [bytes.fromhex(peak) for peak in before["peaks"]]
    texts = list(_leaves(installation, staged, recounted, signing.nonce_secret(key)))
    hashes = [leaf_hash(text.encode()) for _, text in texts]
    peaks = append_leaves(peaks, size, hashes)
    rows = [
        (number, submission, hashed.hex(), packed(text))
        for number, ((submission, text), hashed) in enumerate(zip(texts, hashes, strict=True), size)
    ]
    size += len(rows)
    head = head_text(staged.release, digest, size, root_of(peaks))
    return GrownTree(
        pl.DataFrame(rows, LEAF, orient="row"),
        {
            "head": head,
            "signature": signing.sign(key, head),
            "public_key": signing.public_key(key),
            "peaks": [peak.hex() for peak in peaks],
            "size": size,
        },
    )


def _leaves(
    installation: Installation, staged: StagedRelease, recounted: Iterable[str], secret: bytes
) -> Iterator[tuple[str, str]]:
    """Yield each changed submission and the content of its leaf, in the order of submissions."""
    stated = {arrival: stretches(*fates) for arrival, *fates in fates_by_submission(_joined(staged.fates))}
    changed = pl.col("arrival").is_in(list(stated)) | pl.col("submission_id").is_in(list(recounted))
    submissions = staged.submissions.filter(changed).sort("submission_id")
    ids = submissions["submission_id"].to_list()
    counts = _counts(staged.buckets.join(submissions, on="submission_id", how="semi"))
    listed = _listed_rejects(installation, submissions, counts)
    previous = ledger_tree.last_leaves(installation.engine, ids)
    for row in submissions.iter_rows(named=True):
        id_ = row["submission_id"]
        yield id_, leaf_text(
            id_, staged.release,
            nonce=nonce_of(secret, id_, staged.release), previous=previous.get(id_), whole=row["whole"],
            rest=row["rest"], rows=[*stated.get(row["arrival"], ()), *listed.get(id_, ())], buckets=counts.get(id_, {}),
        )  # fmt: skip


def _joined(fates: list[pl.Series]) -> pl.Series:
    return pl.concat(fates) if fates else pl.Series(dtype=pl.UInt64)


def _counts(buckets: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Return submission -> bucket -> rows, of buckets that have any."""
    found: dict[str, dict[str, int]] = {}
    for id_, bucket, rows in buckets.filter(pl.col("rows") != 0).select("submission_id", "bucket", "rows").iter_rows():
        found.setdefault(id_, {})[bucket] = rows
    return found


def _listed_rejects(
    installation: Installation, submissions: pl.DataFrame, counts: Mapping[str, Mapping[str, int]]
) -> dict[str, list[tuple[int, str]]]:
    """Return the rejected rows that are listed of submissions that are stated whole, as stretches of one row.

    Not of one that is reread: what its new reading rejects is in force once the release is published.
    """
    whole = submissions.filter(pl.col("whole") & ~pl.col("reread"))["submission_id"]
    wanted = [id_ for id_ in whole if counts.get(id_, {}).get("rejected")]
    found: dict[str, list[tuple[int, str]]] = {}
    if wanted:
        rows = ledger_tree.read_listed_rejects(installation.engine, wanted).sort("submission_id", "row")
        for id_, row in rows.iter_rows():
            found.setdefault(id_, []).append((row, BUCKET_LETTERS["rejected"]))
    return found
