"""Ids: the hashes by which two claims belong to the same item, slot, submission or content.

Every hash is SHA-256 over the parts joined by the unit separator (0x1F), cut to its first hex digits: it is the same on
every machine, for ever. An item's id is the hash of its identity, so an id never changes its meaning.
"""

import hashlib
from typing import Final

import polars as pl
import polars_hash as plh

from schemas.claims import IDENTITY

SEPARATOR: Final = "\x1f"
ID_DIGITS: Final = 24
"""96 bits: among a thousand million items the probability that two share an id is 6e-12."""
NUMBER_DIGITS: Final = 15
"""So many hex digits are a number of 60 bits, which Int64 holds."""


def _sha(*parts: pl.Expr) -> pl.Expr:
    joined = pl.concat_str(*parts, separator=SEPARATOR)
    return plh.concat_str(joined).chash.sha2_256().str.slice(0, ID_DIGITS)


def item_id() -> pl.Expr:
    """Return `item_id` String: the hash of concept, unit, period, breakdown and unit of measure."""
    return _sha(*(pl.col(c.name).cast(pl.String) for c in IDENTITY)).alias("item_id")


def slot_id() -> pl.Expr:
    """Return `slot_id` String: the hash of sender, contract, unit, period, which `correction: whole` replaces."""
    parts = ("sender", "contract", "unit_id", "period_start", "period_end")
    return _sha(*(pl.col(p).cast(pl.String) for p in parts)).alias("slot_id")


def claim_id() -> pl.Expr:
    """Return `claim_id` String: submission, row and position; a claim keeps it for ever."""
    return pl.concat_str("submission_id", "row", "position", separator="-").alias("claim_id")


def submission_id(contract: str, sender: str, period: str | None, sha256: str, *stated: str) -> str:
    """Return a submission's id, 20 hex digits: the same bytes with the same options are the same submission.

    stated: what else the sender stated of it (as of which day, which submission it replaces); none by default.
    """
    parts = SEPARATOR.join((contract, sender, period or "", sha256, *stated))
    return hashlib.sha256(parts.encode()).hexdigest()[:20]


def report_id(*, sender: pl.Expr | None = None) -> pl.Expr:
    """Return `report_id` String: the hash of contract, reporter, report key, and `sender` where that is not null.

    It is equal in each delivery of a report.
    """
    parts = [pl.col("contract"), pl.col("reported_by"), pl.col("report_key")]
    shared = _sha(*parts)
    own = shared if sender is None else pl.when(sender.is_null()).then(shared).otherwise(_sha(*parts, sender))
    return own.alias("report_id")


def refounded_item_id() -> pl.Expr:
    """Return `item_id` String for an item founded by a report whose id is taken: the hash of report_id and `times`."""
    return _sha(pl.col("report_id"), pl.col("times").cast(pl.String)).alias("item_id")


def record_digest(text: pl.Expr) -> pl.Expr:
    """Return `content` String: the hash of a text that has the whole content of a record."""
    return _sha(text).alias("content")


def order_ids(ids: pl.Series) -> pl.DataFrame:
    """Return the rows of ids in the order of the ids: `at` (UInt32, the row), `first` (Boolean, the first of its id).

    Ids are sorted by the number that their first digits are, at a fifth of the cost. Where that is not the order of the
    texts, the texts decide: two ids may agree so far, and a sender can search for two that do.
    """
    numbers = ids.str.head(NUMBER_DIGITS).str.to_integer(base=16, strict=False)
    at = numbers.arg_sort()
    texts = ids.gather(at)
    if numbers.null_count() or (texts < texts.shift()).any():
        at = ids.arg_sort()
        texts = ids.gather(at)
    return pl.DataFrame({"at": at, "first": texts.ne_missing(texts.shift())})


def count_distinct(ids: pl.Series) -> int:
    """Return how many distinct texts there are; if their hashes are all distinct, only these are counted."""
    found = ids.hash().n_unique()
    return found if found == ids.len() else ids.n_unique()


def in_sample(column: str, share: float) -> pl.Expr:
    """Return whether a text is in a sample: about this share of all texts, by their hash, so the same ones for ever."""
    return plh.col(column).nchash.xxhash64() <= int(share * (2**64 - 1))


LANES: Final = ("lane_0", "lane_1", "lane_2", "lane_3")


def lanes(*parts: pl.Expr) -> list[pl.Expr]:
    """Return four UInt64 expressions, 32 bits each, whose sums over rows are a digest independent of the row order.

    Two independent 64-bit hashes (xxHash64, wyhash) of the parts, each in halves: sums of up to 2^32 rows stay exact,
    and the share of removed rows can be subtracted. Null parts count as the empty text.
    """
    text = plh.concat_str(_joined(*parts)).nchash
    return _halves(text.xxhash64(), text.wyhash())


def frame_lanes(rows: pl.DataFrame, *parts: pl.Expr) -> pl.DataFrame:
    """Return the `lanes` of rows as a frame: each row's text is built and hashed once, at a third of the cost.

    A part may be a series of the same height, as a literal; at least one part is a column of the rows.
    """
    text = plh.col("text").nchash
    hashed = rows.select(_joined(*parts).alias("text")).select(text.xxhash64().alias("xx"), text.wyhash().alias("wy"))
    return hashed.select(_halves(pl.col("xx"), pl.col("wy")))


def _joined(*parts: pl.Expr) -> pl.Expr:
    return pl.concat_str(*(p.cast(pl.String).fill_null("") for p in parts), separator=SEPARATOR)


def _halves(*hashes: pl.Expr) -> list[pl.Expr]:
    halves = [half for hashed in hashes for half in (hashed & 0xFFFFFFFF, hashed // 2**32)]
    return [half.alias(lane) for half, lane in zip(halves, LANES, strict=True)]


def digest(sums: tuple[int, ...]) -> str:
    """Return the digest, 32 hex digits, of summed lanes."""
    return hashlib.sha256(",".join(map(str, sums)).encode()).hexdigest()[:32]
