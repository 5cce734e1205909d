"""Corrections and withdrawals: which of a sender's own claims a later statement of the same sender takes out.

A statement is what one submission claims of one item by one reporter. Statements of one contract, sender and reporter
about one item are in order: by the report's own version (none is the oldest), then by `arrival`
(`transforms.submissions`), within a submission by action. The newest stands, or none if it is a withdrawal. Where it
has no version, an older statement of the same value is no correction but a repetition, and stands too. Under
`correction: whole` the newest statement in a slot supersedes all older ones in it, whatever items they are about. The
claims of another sender, contract or reporter are never touched.
"""

from typing import Final

import polars as pl

from schemas.claims import ACTION_RANK

STATED: Final = ("version", "value", "decimals", "obs_status", "confidential", "reported_at", "precedence", "action")
"""What a statement says of its item: of versions, a later one that is equal in all of it adds nothing."""
REPEATED: Final = ("value", "obs_status", "confidential", "precedence")
"""What a statement without a version repeats, however exactly it is written."""
_KEY: Final = ("group", "stream", "reported_by")
_OLDEST: Final = -(2**62)
_VERSION: Final = pl.col("version").fill_null(_OLDEST)


def corrected_buckets(claims: pl.DataFrame, items: pl.DataFrame) -> pl.Series:
    """Return `bucket` String of each claim: superseded, withdrawn, or duplicate (states again what stands); else null.

    claims: all counted claims of some whole items and slots, with `arrival` and `stream` of their submissions. items:
    `agreement.group_by_item` of them. Only claims that share item and stream with another are compared.
    """
    names = ("stream", "arrival", "reported_by", "slot_id", "additive", *STATED)
    several = items.filter(pl.col("reports") > 1)
    stream = claims["stream"].gather(several["at"])
    pair = pl.col("group").cast(pl.UInt64) * 2**32 + pl.col("stream")
    repeated = several.with_columns(stream).filter(pair.is_duplicated())
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
    """Return `at`, `bucket` of the claims that are not in a standing statement of their key.

    If the newest has a version, the first of those in a row that equal it stands and the others are duplicates. If not,
    all that repeat its value stand, as far back as the last one that replaces or withdraws.
    """
    rank = pl.col("action").replace_strict(ACTION_RANK, return_dtype=pl.Int8).alias("_rank")
    order = ("version", "arrival", "_rank")
    ordered = rows.with_columns(_VERSION, rank).sort(*_KEY, *order, "at")
    numbers = ordered.select(_key=pl.struct(_KEY).rle_id(), _n=pl.struct(*_KEY, *order).rle_id().cast(pl.Int64))
    ordered = ordered.hstack(numbers)  # `_n` numbers the statements, those of a key in a row
    number, newest = pl.col("_n"), pl.col("_n").max().over("_key")
    versioned = pl.col("version").last().over("_key") != _OLDEST
    standing = pl.min_horizontal(newest, _first_equal())
    old = pl.when(versioned).then(number < standing).otherwise((number < newest) & ~_repetitions(ordered))
    bucket = pl.when(old).then(pl.lit("superseded")).when(versioned & (number > standing)).then(pl.lit("duplicate"))
    return ordered.select("at", bucket.alias("bucket")).drop_nulls("bucket")


def _first_equal() -> pl.Expr:
    """Return the number of the first of the statements in a row that equal the newest of the key in all they state.

    Several lines, and a statement of a slot, are compared with no other.
    """
    alone = (pl.len().over("_n") > 1) | pl.col("slot_id").is_not_null()
    differs = alone | pl.any_horizontal(_differs(name) for name in STATED)
    return pl.coalesce(pl.col("_n").filter(differs).max().over("_key") + 1, pl.col("_n").min().over("_key"))


def _repetitions(ordered: pl.DataFrame) -> pl.Series:
    """Return of each claim whether its statement repeats the newest of its key; lines of a sum state their sum.

    A newest statement whose own lines differ is repeated by none.
    """
    total = pl.when("additive").then(pl.col("value").sum().over("_n")).otherwise("value")
    rows = ordered.with_columns(total.alias("value"))
    rows = rows.with_columns(_other=pl.any_horizontal(_differs(name) for name in REPEATED))
    ends = (pl.col("action") != "append") | pl.col("slot_id").is_not_null()
    since = pl.col("_n").filter(ends).max().over("_key").fill_null(-1)
    mixed = (pl.col("_other") & (pl.col("_n") == pl.col("_n").max().over("_key"))).any().over("_key")
    other = pl.col("_other").any().over("_n")
    return rows.select(~other & ~mixed & (pl.col("_n") >= since)).to_series()


def _differs(name: str) -> pl.Expr:
    """Return whether a claim differs from the last of its key."""
    return pl.col(name).ne_missing(pl.col(name).last().over("_key"))
