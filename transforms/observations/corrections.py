"""Corrections and withdrawals: which of a sender's own claims a later statement of the same sender takes out.

A statement is what one submission claims of one item by one reporter. Statements of one contract, sender and reporter
about one item are in order: by the report's own version (none is the oldest), then by `arrival`
(`transforms.submissions`), within a submission by action. The newest stands, or none if it is a withdrawal. Under
`correction: whole` the newest statement in a slot supersedes all older ones in it, whatever items they are about. The
claims of another sender, contract or reporter are never touched.
"""

from typing import Final

import polars as pl

from schemas.claims import ACTION_RANK

STATED: Final = ("version", "value", "decimals", "obs_status", "confidential", "reported_at", "precedence", "action")
"""What a statement says of its item: a later one that is equal in all of it adds nothing, and the first stays."""
_KEY: Final = ("group", "stream", "reported_by")
_OLDEST: Final = -(2**62)
_VERSION: Final = pl.col("version").fill_null(_OLDEST)


def corrected_buckets(claims: pl.DataFrame, items: pl.DataFrame) -> pl.Series:
    """Return `bucket` String of each claim: superseded, withdrawn, or duplicate (states again what stands); else null.

    claims: all counted claims of some whole items and slots, with `arrival` and `stream` of their submissions. items:
    `agreement.group_by_item` of them. Only claims that share item and stream with another are compared.
    """
    names = ("stream", "arrival", "reported_by", "slot_id", *STATED)
    several = items.filter(pl.col("reports") > 1)
    stream = claims["stream"].gather(several["at"])
    repeated = several.with_columns(stream).filter(pl.struct("group", "stream").is_duplicated())
    buckets = [_by_item(claims.select(names)[repeated["at"]].hstack(repeated.select("at", "group")))]
    if claims["slot_id"].count():
        buckets.append(_in_slots(claims.select("slot_id", "version", "arrival").with_row_index("at")))
    withdrawn = claims["action"] == "withdraw"
    if withdrawn.any():
        buckets.append(withdrawn.arg_true().alias("at").to_frame().with_columns(bucket=pl.lit("withdrawn")))
    # Of two the greater counts: a withdrawal stays one, and what a slot supersedes is no duplicate.
    found = pl.concat(buckets).group_by("at").agg(pl.col("bucket").max()).sort("at")
    return pl.repeat(None, claims.height, dtype=pl.String, eager=True).scatter(found["at"], found["bucket"])


def _in_slots(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `at`, `bucket` of the claims whose slot has a newer version or a later submission of that version."""
    slotted = rows.filter(pl.col("slot_id").is_not_null()).with_columns(_VERSION)
    newest = slotted.with_columns(pl.col("version").max().over("slot_id").alias("_newest"))
    last = pl.col("arrival").filter(pl.col("version") == pl.col("_newest")).max().over("slot_id")
    old = (pl.col("version") < pl.col("_newest")) | (pl.col("arrival") < last)
    return newest.filter(old).select("at", pl.lit("superseded").alias("bucket"))


def _by_item(rows: pl.DataFrame) -> pl.DataFrame:
    """Return `at`, `bucket` of the claims that are not in the standing statement of their key, or only repeat it.

    Of statements in a row that equal the newest one, the first stands.
    """
    rank = pl.col("action").replace_strict(ACTION_RANK, return_dtype=pl.Int8).alias("_rank")
    order = ("version", "arrival", "_rank")
    ordered = rows.with_columns(_VERSION, rank).sort(*_KEY, *order, "at")
    numbers = ordered.select(_key=pl.struct(_KEY).rle_id(), _n=pl.struct(*_KEY, *order).rle_id().cast(pl.Int64))
    ordered = ordered.hstack(numbers)  # `_n` numbers the statements, those of a key in a row
    # Several lines, and a statement of a slot, are compared with no other.
    alone = (pl.len().over("_n") > 1) | pl.col("slot_id").is_not_null()
    differs = alone | pl.any_horizontal(pl.col(c).ne_missing(pl.col(c).last().over("_key")) for c in STATED)
    newest, other = pl.col("_n").max().over("_key"), pl.col("_n").filter(differs).max().over("_key")
    standing = pl.min_horizontal(newest, pl.coalesce(other + 1, pl.col("_n").min().over("_key")))
    bucket = pl.when(pl.col("_n") < standing).then(pl.lit("superseded")).when(pl.col("_n") > standing)
    return ordered.select("at", bucket.then(pl.lit("duplicate")).alias("bucket")).drop_nulls("bucket")
