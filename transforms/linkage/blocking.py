"""Blocking keys, and reports prepared for comparison: folded texts, weighted words, term frequencies.

Two reports are compared if they share a blocking key. A key is a 64-bit hash of the parts of one blocking rule, so the
index has the same columns whatever the types of the fields. Hashing loses no candidate pair; a collision only costs a
comparison.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl
import polars_hash as plh

from schemas.comparisons import Words
from schemas.kind import FieldSpec, Key, Kind
from transforms.identity import SEPARATOR
from transforms.linkage.model import MatchModel

WORD_PATTERN: Final = r"[\p{L}\p{N}]{2,}"
"""A word of a free text: two or more letters or digits."""
MIN_WORD_BITS: Final = 3.0
"""Words in more than an eighth of the texts are ignored: sharing one is no evidence."""
WORD_STEPS_PER_BIT: Final = 10
"""A word's weight is stored in tenths of a bit."""
WORD_WEIGHT_SPAN: Final = 1024
"""A word as a number: its hash times this, plus its weight."""
SPACE_RUNS: Final = r"\s{2,}|[^\S ]"
"""White space that folding replaces by one space."""
FOLDED_TYPES: Final = ("text", "code", "list")
BLOCK_PREFIX: Final = "block_"
FREQUENCY_PREFIX: Final = "tf_"


def prepare_comparison(reports: pl.DataFrame, kind: Kind, model: MatchModel | None = None) -> pl.DataFrame:
    """Return report_id, reported_by, the compared fields, `tf_<field>` and the blocking keys, ready to be scored.

    Texts are folded (case, white space), numbers are floats, words of free texts are numbers that contain their weight.
    `tf_<field>` is the share of reports with the value, as counted in training. Without a model, texts stay texts and
    there are no frequencies. Key columns that `reports` has are used unchanged.
    """
    fields = _compared_fields(kind)
    folded = reports.lazy().with_columns(_folded(reports, comparison_fields(kind), kind))
    if not {*key_columns(kind)} <= {*reports.columns}:
        folded = folded.with_columns(blocking_keys(kind))
    numbers = [pl.col(name).cast(pl.Float64) for name, f in fields.items() if f.type in {"integer", "number"}]
    columns = ["report_id", "reported_by", *fields]
    frame = folded.with_columns(numbers).select(*columns, *key_columns(kind)).collect()
    if model is None:
        return frame
    for name, field in kind.compared().items():
        if isinstance(field.compare, Words):
            frame = _weighed_words(frame, name, model)
        elif field.term_frequency:
            frame = _with_frequency(frame, name, model)
    return frame


def blocking_index(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the rows of the blocking index: report_id and the blocking keys."""
    fields = {key.field for rule in kind.rules() for key in rule}
    return (
        reports.lazy().with_columns(_folded(reports, fields, kind)).select("report_id", *blocking_keys(kind)).collect()
    )


def comparison_fields(kind: Kind) -> list[str]:
    """Return the fields that `prepare_comparison` reads, in the kind's order."""
    fields = {*_compared_fields(kind), *(key.field for rule in kind.rules() for key in rule)}
    return [name for name in kind.fields if name in fields]


def key_columns(kind: Kind) -> list[str]:
    """Return the names of the key columns, one for each of `Kind.rules` (blocking rules, then identities)."""
    return [f"{BLOCK_PREFIX}{n}" for n in range(len(kind.rules()))]


def scored_key_columns(kind: Kind) -> list[str]:
    """Return the key columns of the blocking rules, without those of the identities, which need no scoring."""
    return key_columns(kind)[: len(kind.blocking)]


def declared_identities(index: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return report_id, key of the identities that reports declare; equal values of different rules are different keys.

    index: report_id and the key columns.
    """
    names = key_columns(kind)[len(kind.blocking) :]
    parts = [index.select("report_id", pl.format(f"{name}:{{}}", name).alias("key")).drop_nulls() for name in names]
    return pl.concat([pl.DataFrame(schema={"report_id": pl.String, "key": pl.String}), *parts])


def blocking_keys(kind: Kind) -> list[pl.Expr]:
    """Return `block_<n>` (Int64) for each rule; null where one of its parts is null."""
    return [_key(rule).alias(name) for rule, name in zip(kind.rules(), key_columns(kind), strict=True)]


def key_values(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the values of each rule as text: report_id, then `block_<n>` (List(String), one entry a part)."""
    folded = reports.with_columns(_folded(reports, kind.fields, kind))
    parts = ([_part(key).cast(pl.String) for key in rule] for rule in kind.rules())
    columns = zip(key_columns(kind), parts, strict=True)
    return folded.select("report_id", *(pl.concat_list(values).alias(name) for name, values in columns))


def block_sizes(keys: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return how many reports share each key: rule (Int32), key (Int64), reports (UInt32)."""
    parts = [
        keys.lazy().select(key=name).drop_nulls().group_by("key").agg(pl.len().alias("reports"))
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
    return keys.with_columns(
        pl.when(~pl.col(names[n]).is_in(values)).then(pl.col(names[n])).alias(names[n]) for n, values in by_rule.items()
    )


def distinct_words(text: pl.Expr) -> pl.Expr:
    """Return the distinct words of a folded text, as a list."""
    return text.str.extract_all(WORD_PATTERN).list.unique()


def _compared_fields(kind: Kind) -> dict[str, FieldSpec]:
    """Return the compared fields, and the longitude of each compared latitude."""
    longitudes = [f.compare.longitude for f in kind.compared().values() if f.compare and f.compare.by == "kilometres"]
    return kind.compared() | {name: kind.fields[name] for name in longitudes}


def _folded(reports: pl.DataFrame, names: Iterable[str], kind: Kind) -> Iterator[pl.Expr]:
    """Yield the folded expression of each text, code or list among the fields."""
    for name in names:
        if kind.fields[name].type == "list":
            yield pl.col(name).list.eval(pl.element().str.to_lowercase())
        elif kind.fields[name].type in FOLDED_TYPES:
            folded = _fold(reports[name]).str.strip_chars()
            yield pl.when(folded != "").then(folded).alias(name)


def _fold(texts: pl.Series) -> pl.Expr:
    """Return the texts in lower case, in composed Unicode form, with single spaces."""
    column = pl.col(texts.name)
    ascii_ = column.str.len_bytes() == column.str.len_chars()  # normalising, the slowest step, would not change these
    present = texts.to_frame().select(ascii_=ascii_.all(), spaces=column.str.contains(SPACE_RUNS).any())
    if present.row(0) == (True, False):
        return column.str.to_lowercase()  # most fields: the check is cheaper than replacing nothing
    composed = pl.coalesce(pl.when(ascii_).then(column), pl.when(~ascii_).then(column).str.normalize("NFKC"))
    return composed.str.to_lowercase().str.replace_all(SPACE_RUNS, " ")


def _key(rule: tuple[Key, ...]) -> pl.Expr:
    parts = [_part(key).cast(pl.String) for key in rule]
    joined = plh.concat_str(pl.concat_str(*parts, separator=SEPARATOR)).nchash.xxhash64()
    whole = pl.all_horizontal(part.is_not_null() for part in parts)
    return pl.when(whole).then(joined.reinterpret(signed=True))


def _part(key: Key) -> pl.Expr:
    column = pl.col(key.field)
    if key.prefix is not None:
        return column.str.slice(0, key.prefix)
    if key.unit is not None:
        return column.dt.strftime({"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}[key.unit])
    if key.width is not None:
        return (column.cast(pl.Float64) / key.width).floor().cast(pl.Int64)
    if key.longest_word is not None:
        words = distinct_words(column).list.sort()
        longest = pl.element().sort_by(pl.element().str.len_chars(), descending=True, maintain_order=True)
        by_length = words.list.eval(longest)
        return by_length.list.get(key.longest_word - 1, null_on_oob=True)
    return column


def _weighed_words(frame: pl.DataFrame, name: str, model: MatchModel) -> pl.DataFrame:
    """Replace a text by its words as numbers (`WORD_WEIGHT_SPAN`)."""
    learnt = model.words[name]
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
