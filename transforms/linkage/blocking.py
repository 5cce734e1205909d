"""Blocking keys, and reports prepared for comparison: folded texts, weighted words, term frequencies.

Two reports are compared if they share a blocking key. A key is a 64-bit hash of the parts of one blocking rule, so the
index has the same columns whatever the types of the fields. Hashing loses no candidate pair; a collision only costs a
comparison.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl
import polars_hash as plh

from schemas.comparisons import Contact, Cosine, Names, Words, counts_words
from schemas.kind import FieldSpec, Kind
from transforms.linkage.model import MatchModel
from transforms.preparation.block_keys import (
    BLOCK_PREFIX,
    LIST_PREFIX,
    WORD_PATTERN,
    blocking_keys,
    distinct_words,
    key_columns,
    list_key_columns,
    part_values,
    scored_key_columns,
    with_blocking_keys,
)
from transforms.preparation.cleaning import clean_folded, fold
from transforms.preparation.derived import derived_values, joined_texts, steps_of, words_column
from transforms.preparation.reporters import linked_reporter

MIN_WORD_BITS: Final = 3.0
"""Words in more than an eighth of the texts are ignored: sharing one is no evidence."""
WORD_STEPS_PER_BIT: Final = 10
"""A word's weight is stored in tenths of a bit."""
WORD_WEIGHT_SPAN: Final = 1024
"""A word as a number: its hash times this, plus its weight."""
FOLDED_TYPES: Final = ("text", "code", "list")
FREQUENCY_PREFIX: Final = "_tf_"
"""Begins the name of a column of frequencies; no field has such a name."""


def prepare_comparison(reports: pl.DataFrame, kind: Kind, model: MatchModel | None = None) -> pl.DataFrame:
    """Return report_id, reported_by, the compared fields, `_tf_<field>` and the blocking keys, ready to be scored.

    Texts are folded (case, white space), numbers are floats, words of free texts are numbers that contain their weight.
    `_tf_<field>` is the share of reports with the value, as counted in training. Without a model, texts stay texts and
    there are no frequencies. Key columns that `reports` has are used unchanged.
    """
    fields, derived = _compared_fields(kind), derived_values(kind)
    folded = reports.lazy().with_columns(_folded(reports, comparison_fields(kind), kind))
    if not {*key_columns(kind)} <= {*reports.columns}:
        folded = with_blocking_keys(folded, kind)
    if kind.comparisons or derived:
        folded = folded.with_columns(joined_texts(kind)).with_columns(e.alias(name) for name, e in derived.items())
    numbers = [pl.col(name).cast(pl.Float64) for name, f in fields.items() if f.type in {"integer", "number"}]
    columns = [pl.col("report_id"), linked_reporter(kind), *map(pl.col, (*fields, *derived, *key_columns(kind)))]
    frame = folded.with_columns(numbers).select(columns).collect()
    return frame if model is None else with_counted(frame, kind, model)


def with_counted(frame: pl.DataFrame, kind: Kind, model: MatchModel) -> pl.DataFrame:
    """Return a frame that was prepared without a model with what this one counted: weights of words, frequencies."""
    for name, field in kind.compared().items():
        if counts_words(field.compare):
            frame = _weighed_words(frame, name, words_column(name, field.compare), model)
        if field.term_frequency and not isinstance(field.compare, Words | Cosine):
            frame = _with_frequency(frame, name, model)
    return frame


def blocking_index(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the rows of the blocking index: report_id and the blocking keys."""
    fields = {name for rule in kind.rules() for key in rule for name in key.fields()}
    folded = reports.lazy().with_columns(_folded(reports, fields, kind))
    return with_blocking_keys(folded, kind).select("report_id", *key_columns(kind)).collect()


def comparison_fields(kind: Kind) -> list[str]:
    """Return the fields that `prepare_comparison` reads, in the kind's order."""
    fields = {*_compared_fields(kind), *(name for rule in kind.rules() for key in rule for name in key.fields())}
    fields |= {name for joint in (kind.comparisons or {}).values() for name in joint.fields}
    return [name for name in kind.fields if name in fields]


def declared_identities(index: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return report_id, key of the identities that reports declare; equal values of different rules are different keys.

    index: report_id and the key columns.
    """
    names = key_columns(kind)[len(kind.blocking) :]
    parts = [index.select("report_id", pl.format(f"{name}:{{}}", name).alias("key")).drop_nulls() for name in names]
    return pl.concat([pl.DataFrame(schema={"report_id": pl.String, "key": pl.String}), *parts])


def key_values(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the values of each rule as text: report_id, then `block_<n>` (List(String), one entry a part)."""
    folded = reports.with_columns(_folded(reports, kind.fields, kind))
    parts = ([*part_values(rule)] for rule in kind.rules())
    columns = zip(key_columns(kind), parts, strict=True)
    return folded.select("report_id", *(pl.concat_list(values).alias(name) for name, values in columns))


def block_sizes(keys: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return how many reports share each key: rule (Int32), key (Int64), reports (UInt32)."""
    parts = [
        _each_key(keys.lazy().select(key=name)).drop_nulls().group_by("key").agg(pl.len().alias("reports"))
        .select(pl.lit(n, dtype=pl.Int32).alias("rule"), "key", "reports")
        for n, name in enumerate(key_columns(kind))
    ]  # fmt: skip
    if not parts:
        return pl.DataFrame(schema={"rule": pl.Int32, "key": pl.Int64, "reports": pl.UInt32})
    return pl.concat(parts).collect()


def without_capped_keys(keys: pl.DataFrame, capped: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the frame with the capped keys (rule, key) set to null, so that they bring no pair together."""
    if not capped.height:
        return keys
    by_rule = {n: capped.filter(pl.col("rule") == n)["key"].implode() for n in capped["rule"].unique()}
    names = key_columns(kind)
    return keys.with_columns(_without_keys(names[n], values) for n, values in by_rule.items())


def _without_keys(name: str, keys: pl.Expr | pl.Series) -> pl.Expr:
    """Return a key column without these keys; null where none remains."""
    if not name.startswith(LIST_PREFIX):
        return pl.when(~pl.col(name).is_in(keys)).then(pl.col(name)).alias(name)
    others = pl.col(name).list.eval(pl.element().filter(~pl.element().is_in(keys)))
    return pl.when(others.list.len() > 0).then(others).alias(name)


def _each_key(keys: pl.LazyFrame) -> pl.LazyFrame:
    """Return a row a key, where a report has several."""
    return keys.explode("key") if keys.collect_schema()["key"] == pl.List(pl.Int64) else keys


def _compared_fields(kind: Kind) -> dict[str, FieldSpec]:
    """Return what is compared, the longitude of each compared latitude, and the fields that are read one by one."""
    compared = kind.compared()
    longitudes = [f.compare.longitude for f in compared.values() if f.compare and f.compare.by == "kilometres"]
    joints = (kind.comparisons or {}).values()
    single = [name for joint in joints if isinstance(joint.compare, Names | Contact) for name in joint.fields]
    return compared | {name: kind.fields[name] for name in (*longitudes, *single)}


def _folded(reports: pl.DataFrame, names: Iterable[str], kind: Kind) -> Iterator[pl.Expr]:
    """Yield the folded expression of each text, code or list among the fields."""
    for name in names:
        if kind.fields[name].type == "list":
            yield pl.col(name).list.eval(pl.element().str.to_lowercase())
        elif kind.fields[name].type in FOLDED_TYPES:
            folded, steps = fold(reports[name]).str.strip_chars(), steps_of(kind.fields[name])
            yield (clean_folded(folded, steps) if steps else pl.when(folded != "").then(folded)).alias(name)


def _weighed_words(frame: pl.DataFrame, field: str, name: str, model: MatchModel) -> pl.DataFrame:
    """Replace the text of a column by its words as numbers (`WORD_WEIGHT_SPAN`), by the field's weights."""
    learnt = model.words[field]
    bits = _lookup_table(learnt.bits, "word", "bits")
    frame = frame.with_row_index("_row")
    words = frame.lazy().select("_row", distinct_words(pl.col(name)).alias("word")).explode("word").drop_nulls()
    weighed = words.join(bits.lazy(), on="word", how="left").with_columns(pl.col("bits").fill_null(learnt.rarest))
    hashed = plh.col("word").nchash.xxhash64() % 2**40
    token = hashed.cast(pl.Int64) * WORD_WEIGHT_SPAN + (pl.col("bits") * WORD_STEPS_PER_BIT).round().cast(pl.Int64)
    tokens = weighed.filter(pl.col("bits") >= MIN_WORD_BITS).group_by("_row").agg(token.sort().alias(name)).collect()
    return frame.drop(name).join(tokens, on="_row", how="left", maintain_order="left").drop("_row")


def _with_frequency(frame: pl.DataFrame, name: str, model: MatchModel) -> pl.DataFrame:
    learnt = model.frequencies[name]
    known = _lookup_table(learnt.shares, "_text", "_tf")
    as_text = frame.with_columns(pl.col(name).cast(pl.String).alias("_text"))
    joined = as_text.join(known, on="_text", how="left", maintain_order="left")
    share = pl.when(pl.col(name).is_not_null()).then(pl.col("_tf").fill_null(learnt.rarest))
    return joined.with_columns(share.alias(f"{FREQUENCY_PREFIX}{name}")).drop("_text", "_tf")


def _lookup_table(values: dict[str, float], key: str, value: str) -> pl.DataFrame:
    return pl.DataFrame({key: list(values), value: list(values.values())}, schema={key: pl.String, value: pl.Float64})


__all__ = [
    "BLOCK_PREFIX", "FOLDED_TYPES", "FREQUENCY_PREFIX", "LIST_PREFIX", "MIN_WORD_BITS", "WORD_PATTERN",
    "WORD_STEPS_PER_BIT", "WORD_WEIGHT_SPAN", "block_sizes", "blocking_index", "blocking_keys", "comparison_fields",
    "declared_identities", "distinct_words", "key_columns", "key_values", "list_key_columns", "prepare_comparison",
    "scored_key_columns", "with_counted", "without_capped_keys",
]  # fmt: skip
