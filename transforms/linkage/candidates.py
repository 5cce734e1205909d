"""Candidate pairs: the blocking index, and which blocks exceed the size limit.

The candidate pairs of a release are a pure function of its standing reports: two reports that share a blocking key
which at most as many reports have as the rule's limit (`Kind.block_limits`: a rare word's own, else `largest_block`).
So when a report enters, changes or leaves, its own pairs are scored again, and, where a block crosses the limit, the
pairs of all its members. Whether a word is rare is no more than that: its block is within the limit.
"""

from functools import reduce
from operator import or_
from typing import Any, Final

import polars as pl

from schemas.blocking import rule_in_words
from schemas.kind import Kind
from transforms.linkage.blocking import (
    LIST_PREFIX,
    block_sizes,
    key_columns,
    key_values,
    list_key_columns,
    scored_key_columns,
    without_capped_keys,
)

JOINT_KEYS: Final = "joint_keys"
"""The column of the keys of all rules with several keys a report."""
RULE_SALT: Final = 0x5851F42D4C957F2D
"""Keys of the n-th rule are mixed with n times this, so that equal values of two rules differ."""
BLOCK_WARNING: Final = {"kind": pl.String, "what": pl.String, "detail": pl.String, "count": pl.Int64}
BLOCKING_KEY: Final = {"rule": pl.Int32, "key": pl.Int64}


def distinct_blocking_keys(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the distinct blocking keys of some reports (`BLOCKING_KEY`)."""
    return block_sizes(reports, kind).select(*BLOCKING_KEY)


def shares_blocking_key(keys: pl.DataFrame, kind: Kind) -> pl.Expr:
    """Return the condition that a report has any of these blocking keys (`BLOCKING_KEY`)."""
    conditions = [pl.lit(False)]
    for n, name in enumerate(key_columns(kind)):
        values = keys.filter(pl.col("rule") == n)["key"]
        if values.len() and name.startswith(LIST_PREFIX):
            conditions.append(pl.col(name).list.eval(pl.element().is_in(values.implode())).list.any())
        elif values.len():
            conditions.append(pl.col(name).is_in(values.implode()))
    return reduce(or_, conditions).fill_null(False)


def capped_blocks(reports: pl.DataFrame, keys: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return those of the keys that more of the reports have than the limit, as `blocks_over_limit`."""
    return blocks_over_limit(reports, kind).join(keys, on=list(BLOCKING_KEY), how="semi")


def blocks_over_limit(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the keys that more of the reports have than the rule's limit: rule, key, reports.

    reports: all there are, if the limits follow from them (`most_pairs`). An identity has no limit: its reports are
    linked in a star, not compared pair by pair.
    """
    sizes = block_sizes(reports, kind)
    limits = enumerate(limited_kind(kind, sizes, reports.height).block_limits())
    large = [(pl.col("rule") == n) & (pl.col("reports") > limit) for n, limit in limits]
    return sizes.filter(pl.any_horizontal(pl.lit(False), *large))


def limited_kind(kind: Kind, sizes: pl.DataFrame, reports: int) -> Kind:
    """Return the kind with the limits of blocks that its `most_pairs` allows; itself, if it declares none.

    sizes: `block_sizes` of all reports. A limit is the rule's own, or the greatest power of two below it with which the
    rule brings few enough pairs together. So it seldom changes, and follows from the reports whatever their order.
    """
    if kind.is_limited:
        return kind
    most = (kind.most_pairs or 0) * reports
    return kind.limited(
        _limit(sizes.filter(rule=n)["reports"], limit, most) for n, limit in enumerate(kind.block_limits())
    )


def _limit(sizes: pl.Series, limit: int, most: float) -> int:
    """Return the greatest limit with which blocks of these sizes hold at most so many pairs."""
    counts = sizes.cast(pl.Int64)
    while limit > 1:
        within = counts.filter(counts <= limit)
        if (within * (within - 1) // 2).sum() <= most:
            return limit
        limit = 2 ** ((limit - 1).bit_length() - 1)
    return 1


def has_partner(keys: pl.DataFrame, large: pl.DataFrame, kind: Kind) -> pl.Series:
    """Return, per row of the index, whether another report has one of its keys and the block is within the limit.

    The other rows are in no candidate pair and need no preparation.
    """
    blocks = without_capped_keys(keys, large, kind).select(scored_key_columns(kind))
    shared = [_is_shared(blocks[name]) for name in blocks.columns]
    return blocks.select(pl.any_horizontal(pl.lit(False), *shared)).to_series()


def _is_shared(keys: pl.Series) -> pl.Series:
    """Return, per row, whether another row has one of its keys."""
    if keys.dtype != pl.List(pl.Int64):
        return keys.is_not_null() & keys.is_duplicated()
    rows = keys.to_frame("key").with_row_index("row").explode("key").drop_nulls()
    shared = rows.filter(pl.col("key").is_duplicated())["row"].unique()
    return pl.int_range(keys.len(), dtype=pl.UInt32, eager=True).is_in(shared.implode())


def crossed_limit(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the keys (`BLOCKING_KEY`) that only one of two frames of `capped_blocks` has."""
    old, new = before.select(*BLOCKING_KEY), after.select(*BLOCKING_KEY)
    return pl.concat(
        [old.join(new, on=list(BLOCKING_KEY), how="anti"), new.join(old, on=list(BLOCKING_KEY), how="anti")]
    )


def with_joint_keys(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the reports with the keys of all rules that have several a report as one list, `JOINT_KEYS`.

    One rule then finds each of their pairs once (`pair_rules`).
    """
    salted = [
        pl.col(name).list.eval(pl.element() ^ ((n + 1) * RULE_SALT) % 2**63).fill_null([])
        for n, name in enumerate(scored_key_columns(kind))
        if name.startswith(LIST_PREFIX)
    ]
    if not salted:
        return reports
    return reports.with_columns(pl.concat_list(salted).alias(JOINT_KEYS)).drop(list_key_columns(kind))


def pair_rules(kind: Kind, condition: str = "") -> list[str | dict[str, Any]]:
    """Return the rules that find the candidate pairs among reports `with_joint_keys`, as Splink takes them.

    condition: SQL that is added to each rule. The rule of lists is the last: it finds no pair that another one finds.
    """
    rules: list[str | dict[str, Any]] = [
        f"l.{name} = r.{name}{condition}" for name in scored_key_columns(kind) if not name.startswith(LIST_PREFIX)
    ]
    if any(name.startswith(LIST_PREFIX) for name in scored_key_columns(kind)):
        joint = f"l.{JOINT_KEYS} = r.{JOINT_KEYS}{condition}"
        rules.append({"blocking_rule": joint, "arrays_to_explode": [JOINT_KEYS], "sql_dialect": "duckdb"})
    return rules


def reports_by_key(reports: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the reports that have a key of this column, with `_key` (Int64); a row for each, where it holds lists."""
    rows = reports.with_columns(pl.col(name).alias("_key"))  # no field has that name
    return (rows.explode("_key") if name.startswith(LIST_PREFIX) else rows).filter(pl.col("_key").is_not_null())


def shares_key(name: str) -> str:
    """Return the SQL condition that two reports share a key of this column."""
    return f"list_has_any(l.{name}, r.{name})" if name.startswith(LIST_PREFIX) else f"l.{name} = r.{name}"


def block_warnings(oversized: pl.DataFrame, index: pl.DataFrame, reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the blocks over the limit as warnings (`BLOCK_WARNING`), none with a personal value.

    A block of one value has its own: its rule, its value unless personal, how many reports it has. Those of a rule with
    several values a report (rare words) have one together: how many values are not used, and the largest block.
    """
    rows = []
    for rule, key, count in oversized.sort("reports", "rule", "key", descending=[True, False, False]).iter_rows():
        column = key_columns(kind)[rule]
        if column.startswith(LIST_PREFIX):
            continue
        member = index.filter(pl.col(column) == key).head(1).select("report_id").join(reports, on="report_id")
        shown = not kind.personal and member.height
        value = ", ".join(key_values(member, kind)[column].item(0)) if shown else "not shown"
        rows.append((kind.kind, "block over the limit", f"{rule_in_words(kind.rules()[rule])} = {value}", count))
    several = oversized.group_by("rule").agg(pl.len().alias("blocks"), pl.col("reports").max()).sort("rule")
    for rule, blocks, largest in several.iter_rows():
        if key_columns(kind)[rule].startswith(LIST_PREFIX):
            detail = f"{rule_in_words(kind.rules()[rule])}: more than {kind.block_limits()[rule]} reports share a value"
            rows.append((kind.kind, "values not used for blocking", f"{detail}, at most {largest}", blocks))
    return pl.DataFrame(rows, schema=BLOCK_WARNING, orient="row")
