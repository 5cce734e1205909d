"""Reports made comparable: blocking keys, words with their weights, term frequencies. Pure Polars, no model fitting.

Two reports are compared if they share a blocking key. A key is a 64-bit hash of the parts of one blocking rule, so the
index of keys is the same whatever the types of the fields; 0 candidate pairs are lost by it, and a collision only costs
a comparison.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import polars as pl
import polars_hash as plh

from schemas.kind import FieldSpec, Key, Kind, Words
from transforms.identity import SEPARATOR
from transforms.linkage.model import Model

WORD: Final = r"[\p{L}\p{N}]{2,}"
"""What a word of a free text is: two letters or digits and more."""
LEAST_BITS: Final = 3.0
"""Words that more than an eighth of the texts hold say nothing about two of them."""
STEPS: Final = 10
"""A word's weight is kept in tenths of a bit, in the lowest `SPAN` of its number."""
SPAN: Final = 1024
SPACES: Final = r"\s{2,}|[^\S ]"
"""White space that folding makes one space."""
FOLDED: Final = ("text", "code", "list")
BLOCK: Final = "block_"
FREQUENCY: Final = "tf_"


def comparable(reports: pl.DataFrame, kind: Kind, model: Model | None = None) -> pl.DataFrame:
    """Return the reports as they are compared: report_id, reported_by, the compared fields, their frequencies, keys.

    Texts are folded (case, white space), numbers are floats, the words of free texts are numbers that bear their own
    weight; `tf_<field>` is the share of reports with that value, by the model's count. Without a model, words and
    frequencies are left out. Keys that the reports bring with them are taken as they are.
    """
    told = reports.lazy().with_columns(_folded(reports, compared_with(kind), kind))
    numbers = [pl.col(name).cast(pl.Float64) for name, f in _told(kind).items() if f.type in {"integer", "number"}]
    columns = ["report_id", "reported_by", *_told(kind)]
    if not {*key_columns(kind)} <= {*reports.columns}:
        told = told.with_columns(blocking_keys(kind))
    frame = told.with_columns(numbers).select(*columns, *key_columns(kind)).collect()
    if model is None:
        return frame
    for name, field in kind.compared().items():
        if isinstance(field.compare, Words):
            frame = _weighed_words(frame, name, model)
        elif field.term_frequency:
            frame = _with_frequency(frame, name, model)
    return frame


def keyed(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the reports as the blocking index has them: report_id and the blocking keys."""
    read = {key.field for rule in kind.rules() for key in rule}
    return reports.lazy().with_columns(_folded(reports, read, kind)).select("report_id", *blocking_keys(kind)).collect()


def compared_with(kind: Kind) -> list[str]:
    """Return the fields that `comparable` reads, in the kind's order."""
    read = {*_told(kind), *(key.field for rule in kind.rules() for key in rule)}
    return [name for name in kind.fields if name in read]


def key_columns(kind: Kind) -> list[str]:
    """Return the names of the blocking key columns, one for each of `Kind.rules`."""
    return [f"{BLOCK}{n}" for n in range(len(kind.rules()))]


def scored_columns(kind: Kind) -> list[str]:
    """Return those of the rules by which pairs are found to be scored: all but the identities."""
    return key_columns(kind)[: len(kind.blocking)]


def blocking_keys(kind: Kind) -> list[pl.Expr]:
    """Return `block_<n>` Int64 for each rule: null where a part is."""
    return [_key(rule).alias(name) for rule, name in zip(kind.rules(), key_columns(kind), strict=True)]


def key_values(reports: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return what each rule reads of each report, in words: report_id, then `block_<n>` List(String), a part each."""
    folded = reports.with_columns(_folded(reports, kind.fields, kind))
    parts = ([_part(key).cast(pl.String) for key in rule] for rule in kind.rules())
    named = zip(key_columns(kind), parts, strict=True)
    return folded.select("report_id", *(pl.concat_list(values).alias(name) for name, values in named))


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


def without_blocks(keys: pl.DataFrame, capped: pl.DataFrame, kind: Kind) -> pl.DataFrame:
    """Return the frame with the capped keys (rule, key) set to null: no pair is found through them."""
    if not capped.height:
        return keys
    by_rule = {n: capped.filter(pl.col("rule") == n)["key"].implode() for n in capped["rule"].unique()}
    names = key_columns(kind)
    return keys.with_columns(
        pl.when(~pl.col(names[n]).is_in(gone)).then(pl.col(names[n])).alias(names[n]) for n, gone in by_rule.items()
    )


def words_of(text: pl.Expr) -> pl.Expr:
    """Return the distinct words of a folded text, as a list."""
    return text.str.extract_all(WORD).list.unique()


def _told(kind: Kind) -> dict[str, FieldSpec]:
    """Return the compared fields, and the longitudes that a compared latitude names."""
    longitudes = [f.compare.longitude for f in kind.compared().values() if f.compare and f.compare.by == "kilometres"]
    return kind.compared() | {name: kind.fields[name] for name in longitudes}


def _folded(reports: pl.DataFrame, names: Iterable[str], kind: Kind) -> Iterator[pl.Expr]:
    """Give those of the fields that are folded as they are compared."""
    for name in names:
        if kind.fields[name].type == "list":
            yield pl.col(name).list.eval(pl.element().str.to_lowercase())
        elif kind.fields[name].type in FOLDED:
            folded = _spaced(reports[name]).str.strip_chars()
            yield pl.when(folded != "").then(folded).alias(name)


def _spaced(texts: pl.Series) -> pl.Expr:
    """Return the texts in lower case, composed, every white space in them one space."""
    column = pl.col(texts.name)
    ascii_ = column.str.len_bytes() == column.str.len_chars()  # what normalising would not change: it costs most
    found = texts.to_frame().select(ascii_=ascii_.all(), spaces=column.str.contains(SPACES).any())
    if found.row(0) == (True, False):
        return column.str.to_lowercase()  # as most fields are: to look costs less than to change nothing
    composed = pl.coalesce(pl.when(ascii_).then(column), pl.when(~ascii_).then(column).str.normalize("NFKC"))
    return composed.str.to_lowercase().str.replace_all(SPACES, " ")


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
        words = words_of(column).list.sort()
        longest = pl.element().sort_by(pl.element().str.len_chars(), descending=True, maintain_order=True)
        by_length = words.list.eval(longest)
        return by_length.list.get(key.longest_word - 1, null_on_oob=True)
    return column


def _weighed_words(frame: pl.DataFrame, name: str, model: Model) -> pl.DataFrame:
    """Replace a text by its words as numbers: hash, and the word's weight in tenths of a bit below it."""
    counted = model.words[name]
    bits = _looked_up(counted.bits, "word", "bits")
    frame = frame.with_row_index("_row")
    words = frame.lazy().select("_row", words_of(pl.col(name)).alias("word")).explode("word").drop_nulls()
    weighed = words.join(bits.lazy(), on="word", how="left").with_columns(pl.col("bits").fill_null(counted.rarest))
    hashed = plh.col("word").nchash.xxhash64() % 2**40
    token = hashed.cast(pl.Int64) * SPAN + (pl.col("bits") * STEPS).round().cast(pl.Int64)
    tokens = weighed.filter(pl.col("bits") >= LEAST_BITS).group_by("_row").agg(token.sort().alias(name)).collect()
    return frame.drop(name).join(tokens, on="_row", how="left", maintain_order="left").drop("_row")


def _with_frequency(frame: pl.DataFrame, name: str, model: Model) -> pl.DataFrame:
    counted = model.frequencies[name]
    known = _looked_up(counted.shares, "_text", "_tf")
    named = frame.with_columns(pl.col(name).cast(pl.String).alias("_text"))
    joined = named.join(known, on="_text", how="left", maintain_order="left")
    share = pl.when(pl.col(name).is_not_null()).then(pl.col("_tf").fill_null(counted.rarest))
    return joined.with_columns(share.alias(f"{FREQUENCY}{name}")).drop("_text", "_tf")


def _looked_up(values: dict[str, float], key: str, value: str) -> pl.DataFrame:
    return pl.DataFrame({key: list(values), value: list(values.values())}, schema={key: pl.String, value: pl.Float64})
