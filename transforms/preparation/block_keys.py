"""Blocking keys: a 64-bit hash of the parts of one blocking rule, or a list of them where a part has several values.

Two reports share a block if they have equal keys, or a key in common. Bins next to each other need no search: a report
in bin b has the keys b to b + n, so two reports share one exactly if their bins are at most n steps away.
"""

from collections.abc import Iterator
from typing import Final

import polars as pl
import polars_hash as plh

from schemas.blocking import QGRAM_LENGTH, BlockingRule, Key
from schemas.kind import Kind
from transforms.identity import SEPARATOR
from transforms.preparation.cleaning import model_numbers

WORD_PATTERN: Final = r"[\p{L}\p{N}]{2,}"
"""A word of a free text: two or more letters or digits."""
BLOCK_PREFIX: Final = "block_"
LIST_PREFIX: Final = "blocks_"
"""Columns of a rule with one key a report, and of one with several."""
UNIT_FORMAT: Final = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}
MONTHS_A_YEAR: Final = 12
_ROW: Final = "_row"


def key_columns(kind: Kind) -> list[str]:
    """Return the names of the key columns, one for each of `Kind.rules` (blocking rules, then identities)."""
    return [f"{LIST_PREFIX if kind.has_lists(n) else BLOCK_PREFIX}{n}" for n in range(len(kind.rules()))]


def scored_key_columns(kind: Kind) -> list[str]:
    """Return the key columns of the blocking rules, without those of the identities, which need no scoring."""
    return key_columns(kind)[: len(kind.blocking)]


def list_key_columns(kind: Kind) -> list[str]:
    """Return the key columns that hold lists."""
    return [name for name in key_columns(kind) if name.startswith(LIST_PREFIX)]


def with_blocking_keys(folded: pl.LazyFrame, kind: Kind) -> pl.LazyFrame:
    """Return the folded reports with a column for each rule: Int64 or List(Int64), null where a part has no value."""
    rules = zip(key_columns(kind), kind.rules(), strict=True)
    lists = {name: rule for name, rule in rules if name.startswith(LIST_PREFIX)}
    keyed = folded.with_columns(blocking_keys(kind))
    if not lists:
        return keyed
    rows = keyed.with_row_index(_ROW)
    for name, rule in lists.items():
        rows = rows.join(_key_lists(rows, rule).rename({"key": name}), on=_ROW, how="left", maintain_order="left")
    return rows.drop(_ROW)


def blocking_keys(kind: Kind) -> list[pl.Expr]:
    """Return `block_<n>` (Int64) of each rule with one key a report; null where one of its parts is null."""
    rules = zip(key_columns(kind), kind.rules(), strict=True)
    return [_key(rule).alias(name) for name, rule in rules if name.startswith(BLOCK_PREFIX)]


def distinct_words(text: pl.Expr) -> pl.Expr:
    """Return the distinct words of a folded text, as a list."""
    return text.str.extract_all(WORD_PATTERN).list.unique()


def part_values(rule: BlockingRule) -> Iterator[pl.Expr]:
    """Yield each part of a rule as text; the values of a part with several are joined by a blank."""
    for key in rule:
        if key.is_list:
            values = _list_part(key).list.drop_nulls().list.unique().list.sort()
            yield pl.when(values.list.len() > 0).then(values.list.join(" "))
        else:
            yield _part(key).cast(pl.String)


def _key_lists(rows: pl.LazyFrame, rule: BlockingRule) -> pl.LazyFrame:
    """Return _row, key: the distinct keys of each row, sorted; one for each combination of the parts' values."""
    names = [f"_part_{n}" for n in range(len(rule))]
    parts = [_list_part(key) if key.is_list else _part(key).cast(pl.String) for key in rule]
    values = rows.select(_ROW, *(part.alias(name) for name, part in zip(names, parts, strict=True)))
    for name, key in zip(names, rule, strict=True):
        if key.is_list:
            values = values.explode(name)
    keys = values.drop_nulls().select(_ROW, _hashed([pl.col(name) for name in names]).alias("key"))
    return keys.unique().group_by(_ROW).agg(pl.col("key").sort())


def _key(rule: BlockingRule) -> pl.Expr:
    parts = [_part(key).cast(pl.String) for key in rule]
    whole = pl.all_horizontal(part.is_not_null() for part in parts)
    return pl.when(whole).then(_hashed(parts))


def _hashed(parts: list[pl.Expr]) -> pl.Expr:
    joined = plh.concat_str(pl.concat_str(*parts, separator=SEPARATOR)).nchash.xxhash64()
    return joined.reinterpret(signed=True)


def _part(key: Key) -> pl.Expr:
    column = pl.col(key.field)
    if key.prefix is not None:
        return column.str.slice(0, key.prefix)
    if key.unit is not None:
        return column.dt.strftime(UNIT_FORMAT[key.unit])
    if key.width is not None:
        return (column.cast(pl.Float64) / key.width).floor().cast(pl.Int64)
    if key.longest_word is not None:
        words = distinct_words(column).list.sort()
        longest = pl.element().sort_by(pl.element().str.len_chars(), descending=True, maintain_order=True)
        by_length = words.list.eval(longest)
        return by_length.list.get(key.longest_word - 1, null_on_oob=True)
    return column


def _list_part(key: Key) -> pl.Expr:
    """Return the values of a part that may have several, as a list of texts."""
    column = pl.col(key.field)
    if key.other is not None:
        sides = [column, pl.col(key.other)]
        cut = sides if key.prefix is None else [side.str.slice(0, key.prefix) for side in sides]
        return pl.concat_list(cut)
    if key.near is not None:
        first = _bin(key)
        return pl.concat_list([(first + step).cast(pl.String) for step in range(key.near + 1)])
    if key.rare == "qgram":
        return _qgrams(column, key.length or QGRAM_LENGTH)
    return model_numbers(column) if key.rare == "model_number" else distinct_words(column)


def _bin(key: Key) -> pl.Expr:
    """Return the number of the bin that a date or number is in."""
    column = pl.col(key.field)
    if key.unit is None:
        return (column.cast(pl.Float64) / key.width).floor().cast(pl.Int64)
    year, month = column.dt.year().cast(pl.Int64), column.dt.month().cast(pl.Int64)
    days = column.cast(pl.Date).cast(pl.Int32).cast(pl.Int64)
    return {"day": days, "month": year * MONTHS_A_YEAR + month, "year": year}[key.unit]


def _qgrams(column: pl.Expr, length: int) -> pl.Expr:
    """Return all runs of so many letters and digits of a folded text, without its blanks and marks."""
    plain = column.str.replace_all(r"[^\p{L}\p{N}]+", "")
    pattern = f".{{{length}}}"
    return pl.concat_list([plain.str.slice(start).str.extract_all(pattern) for start in range(length)])
