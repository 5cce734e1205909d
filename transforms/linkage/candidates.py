"""Which pairs of reports a night must look at: the blocking index in frames.

The pairs of a release are a pure function of its standing reports: two share a blocking value that no more than
`largest_block` reports share. So when a report comes, changes or goes, what has to be scored again is what it takes
part in, and, where a block grows or shrinks over the limit, what all its members take part in.
"""

from functools import reduce
from operator import or_
from typing import Final

import polars as pl

from schemas.kind import Kind
from transforms.linkage.blocking import block_sizes, key_columns, scored_columns, without_blocks

KEYS: Final = {"rule": pl.Int32, "key": pl.Int64}


def keys_of(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the distinct blocking values of some reports: rule (Int32), key (Int64)."""
    return block_sizes(reports, kind).select(*KEYS)


def sharing(keys: pl.DataFrame, kind: Kind) -> pl.Expr:
    """Return whether a report shares any of these blocking values (rule, key)."""
    shared = [pl.lit(False)]
    for n, name in enumerate(key_columns(kind)):
        values = keys.filter(pl.col("rule") == n)["key"]
        if values.len():
            shared.append(pl.col(name).is_in(values.implode()))
    return reduce(or_, shared).fill_null(False)


def capped(reports: pl.DataFrame, keys: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return those of the keys that more than `largest_block` of the reports share, as `over_limit`."""
    return over_limit(reports, kind).join(keys, on=list(KEYS), how="semi")


def over_limit(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the keys that more than `largest_block` of the reports share: rule, key, reports.

    An identity is never capped: its reports are tied one to another, not compared each with each.
    """
    large = (pl.col("reports") > kind.largest_block) & (pl.col("rule") < len(kind.blocking))
    return block_sizes(reports, kind).filter(large)


def meeting(keys: pl.DataFrame, large: pl.DataFrame, kind: Kind) -> pl.Series:
    """Return of each row of the index whether another report shares a block with it that is not over the limit.

    No pair is found of the others: they need not be made comparable.
    """
    blocks = without_blocks(keys, large, kind).select(scored_columns(kind))
    return blocks.select(
        pl.any_horizontal(
            pl.lit(False), *(pl.col(name).is_not_null() & pl.col(name).is_duplicated() for name in blocks.columns)
        )
    ).to_series()


def flipped(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the keys (rule, key) that are capped in one of two frames of `capped` and not in the other."""
    old, new = before.select(*KEYS), after.select(*KEYS)
    return pl.concat([old.join(new, on=list(KEYS), how="anti"), new.join(old, on=list(KEYS), how="anti")])
