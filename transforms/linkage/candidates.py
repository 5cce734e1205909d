"""Candidate pairs: the blocking index, and which blocks exceed the size limit.

The candidate pairs of a release are a pure function of its standing reports: two reports that share a blocking key
which at most `largest_block` reports have. So when a report enters, changes or leaves, its own pairs are scored again,
and, where a block crosses the limit, the pairs of all its members.
"""

from functools import reduce
from operator import or_
from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.blocking import block_sizes, key_columns, scored_key_columns, without_capped_keys

BLOCKING_KEY: Final = {"rule": pl.Int32, "key": pl.Int64}


def distinct_blocking_keys(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the distinct blocking keys of some reports (`BLOCKING_KEY`)."""
    return block_sizes(reports, kind).select(*BLOCKING_KEY)


def shares_blocking_key(keys: pl.DataFrame, kind: Kind) -> pl.Expr:
    """Return the condition that a report has any of these blocking keys (`BLOCKING_KEY`)."""
    conditions = [pl.lit(False)]
    for n, name in enumerate(key_columns(kind)):
        values = keys.filter(pl.col("rule") == n)["key"]
        if values.len():
            conditions.append(pl.col(name).is_in(values.implode()))
    return reduce(or_, conditions).fill_null(False)


def capped_blocks(reports: pl.DataFrame, keys: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return those of the keys that more than `largest_block` of the reports have, as `blocks_over_limit`."""
    return blocks_over_limit(reports, kind).join(keys, on=list(BLOCKING_KEY), how="semi")


def blocks_over_limit(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the keys that more than `largest_block` of the reports have: rule, key, reports.

    An identity has no limit: its reports are linked in a star, not compared pair by pair.
    """
    large = (pl.col("reports") > kind.largest_block) & (pl.col("rule") < len(kind.blocking))
    return block_sizes(reports, kind).filter(large)


def has_partner(keys: pl.DataFrame, large: pl.DataFrame, kind: Kind) -> pl.Series:
    """Return, per row of the index, whether another report has one of its keys and the block is within the limit.

    The other rows are in no candidate pair and need no preparation.
    """
    blocks = without_capped_keys(keys, large, kind).select(scored_key_columns(kind))
    return blocks.select(
        pl.any_horizontal(
            pl.lit(False), *(pl.col(name).is_not_null() & pl.col(name).is_duplicated() for name in blocks.columns)
        )
    ).to_series()


def crossed_limit(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the keys (`BLOCKING_KEY`) that only one of two frames of `capped_blocks` has."""
    old, new = before.select(*BLOCKING_KEY), after.select(*BLOCKING_KEY)
    return pl.concat(
        [old.join(new, on=list(BLOCKING_KEY), how="anti"), new.join(old, on=list(BLOCKING_KEY), how="anti")]
    )
