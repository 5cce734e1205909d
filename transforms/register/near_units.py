"""What an unknown code or name of a unit may mean: the units that are written nearly so, for the hint of its reject."""

from typing import Final

import polars as pl

from transforms.register.lookup import Register, normalise_name

MOST_KEYS: Final = 1000
"""For how many unknown keys units are looked up: more rejects are not listed."""
SHOWN: Final = 2
"""How many units a hint names."""
_NOTHING_NEAR: Final = "no unit is written nearly so:"
_NO_SUCH_KIND: Final = "the code lists have no unit of this kind: add a list, or correct `unit.kind` of the contract;"
_KEY: Final = ("kind", "by", "key")
_GRAM: Final = 3
_LEAST_LIKENESS: Final = 0.5
_LEAST_COVER: Final = 0.8
_LEAST_SHARED: Final = 4
"""A name is near if half of all parts of three letters are shared, or four fifths of the shorter one's, at least 4."""
_FALL: Final = 0.65
"""How near the best unit others must be to be named too."""
_BEGINNING: Final = 5
_LETTERS: Final = {"ø": "o", "æ": "ae", "đ": "d", "ł": "l", "\u0131": "i", "þ": "th", "ð": "d", "œ": "oe"}
_WORDS: Final = {
    r"\bst\b": "saint", r"\bste\b": "sainte", "&": " and ", r"\brep\b": "republic", r"\bdem\b": "democratic",
    r"\bfed\b": "federated", r"\bsts\b": "states", r"\bis\b": "islands",
    r"\b(?:the|of|and|municipality|kommune)\b": " ",
}  # fmt: skip


def suggest_units(register: Register, unknown: pl.DataFrame) -> pl.DataFrame:
    """Return the rows, at most `MOST_KEYS`, with `suggestion`: a sentence that names near units, or that none is near.

    unknown: distinct kind, by, key. Codes that differ in zeros at their beginning, keys of another kind and names where
    codes are expected are found, and names that are written in another way.
    """
    keys = unknown.filter(pl.col("key").str.strip_chars() != "").sort("kind", "by", "key").head(MOST_KEYS)
    keys = keys.with_columns(skeleton=skeleton(pl.col("key")))
    units = register.units.select("kind", "code", "name").unique()
    units = units.with_columns(skeleton=skeleton(pl.col("name")))
    found = [_same_digits(keys, units), _other_kind(keys, units), _other_form(keys, units), _near_names(keys, units)]
    known = pl.col("kind").is_in(units["kind"].unique().implode())
    none = pl.when(known).then(pl.lit(_NOTHING_NEAR)).otherwise(pl.lit(_NO_SUCH_KIND))
    found.append(keys.select(*_KEY, suggestion=none))
    return pl.concat(found).unique(_KEY, keep="first", maintain_order=True)


def skeleton(name: pl.Expr) -> pl.Expr:
    """Return a name without what is written in several ways: case, accents, punctuation, short words, abbreviations."""
    text = normalise_name(name).str.normalize("NFKD").str.replace_all(r"\p{M}", "")
    text = text.str.replace_many(list(_LETTERS), list(_LETTERS.values())).str.replace_all(r"['`\x{2019}\x{b4}]", "")
    text = text.str.replace_all(r"[.,()/\[\]-]", " ")
    for pattern, word in _WORDS.items():
        text = text.str.replace_all(pattern, word)
    return text.str.replace_all(r"\s+", " ").str.strip_chars()


def _listed(pairs: pl.DataFrame, sentence: str) -> pl.DataFrame:
    """Return kind, by, key, suggestion from pairs of a key and a unit's `code` and `name`, the best first."""
    shown = pl.format("{} {}", "code", "name").head(SHOWN).str.join(" or ")
    return pairs.group_by(_KEY, maintain_order=True).agg(pl.format(sentence, shown).first().alias("suggestion"))


def _same_digits(keys: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    bare = pl.col("key").str.strip_chars().str.to_lowercase().str.strip_chars_start("0")
    codes = units.select("kind", "code", "name", bare=pl.col("code").str.to_lowercase().str.strip_chars_start("0"))
    wanted = keys.filter(pl.col("by") == "code").select(*_KEY, bare=bare)
    pairs = wanted.join(codes.sort("code"), on=["kind", "bare"], maintain_order="left_right")
    return _listed(pairs.filter(pl.col("key") != pl.col("code")), "did you mean {}?")


def _other_kind(keys: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    wanted = keys.filter(pl.col("by") == "code").select(*_KEY, code=pl.col("key").str.strip_chars())
    pairs = wanted.join(units.select("code", "name", other="kind"), on="code").sort(*_KEY, "other", "name")
    pairs = pairs.filter(pl.col("kind") != pl.col("other")).with_columns(code=pl.format("{} {}", "other", "code"))
    return _listed(pairs, "it is the code of {}: is `unit.kind` of the contract right?")


def _other_form(keys: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """Return suggestions for names where codes are expected, and codes where names are."""
    names = keys.filter(pl.col("by") == "code").join(units, on=["kind", "skeleton"]).sort(*_KEY, "code")
    codes = keys.filter(pl.col("by") == "name").select(*_KEY, code=pl.col("key").str.strip_chars())
    codes = codes.join(units, on=["kind", "code"]).sort(*_KEY, "name")
    return pl.concat([
        _listed(names, "it is the name of {}: `by: name` in the contract reads names"),
        _listed(codes, "it is the code of {}: `by: code` in the contract reads codes"),
    ])  # fmt: skip


def _near_names(keys: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """Return suggestions for names by the parts of three letters that they share."""
    wanted = keys.filter((pl.col("by") == "name") & (pl.col("skeleton") != ""))
    units = units.filter(pl.col("kind").is_in(wanted["kind"].unique().implode()))
    begun = _same_beginning(wanted, units).with_columns(begun=True)
    parts = _grams(wanted.select(*_KEY, "skeleton"))
    known = _grams(units)
    shared = (
        parts.join(known, on=["kind", "gram"]).group_by(*_KEY, "code", "name", "grams", "grams_right").len("shared")
    )
    both, least = pl.col("grams") + pl.col("grams_right"), pl.min_horizontal("grams", "grams_right")
    scored = shared.with_columns(likeness=2 * pl.col("shared") / both, cover=pl.col("shared") / least)
    covered = (pl.col("cover") >= _LEAST_COVER) & (pl.col("shared") >= _LEAST_SHARED)
    scored = scored.join(begun, on=[*_KEY, "code", "name"], how="left")
    near = scored.filter((pl.col("likeness") >= _LEAST_LIKENESS) | covered | pl.col("begun"))
    near = near.filter(pl.col("begun") | (pl.col("likeness") >= _FALL * pl.col("likeness").max().over(_KEY)))
    order = [*_KEY, "begun", "likeness", "code", "name"]
    falling = [name in {"begun", "likeness"} for name in order]
    return _listed(near.sort(order, descending=falling, nulls_last=True), "did you mean {}?")


def _same_beginning(wanted: pl.DataFrame, units: pl.DataFrame) -> pl.DataFrame:
    """Return pairs of a key and a unit whose names begin with the same word, or five letters, as few others do."""
    word = pl.col("skeleton").str.extract(r"^(\S+)")
    found = []
    for begin in (word, pl.when(word.str.len_chars() >= _BEGINNING).then(word.str.head(_BEGINNING))):
        known = units.select("kind", "code", "name", begin=begin)
        pairs = wanted.select(*_KEY, begin=begin).join(known, on=["kind", "begin"])
        found.append(pairs.filter(pl.len().over(_KEY) <= SHOWN).drop("begin"))
    return pl.concat(found).unique()


def _grams(names: pl.DataFrame) -> pl.DataFrame:
    """Return a row for each distinct part of three letters of the words of each name, and how many it has."""
    words = names.with_columns(word=pl.format(" {} ", pl.col("skeleton").str.replace_all(" ", "  ")))
    letters = words.with_row_index("of").with_columns(letter=pl.col("word").str.split("")).explode("letter")
    following = [pl.col("letter").shift(-i).over("of") for i in range(_GRAM)]
    grams = letters.with_columns(gram=pl.concat_str(following)).drop("letter", "word", "skeleton")
    grams = grams.filter(pl.col("gram").is_not_null() & (pl.col("gram").str.strip_chars() != "")).unique()
    return grams.with_columns(grams=pl.len().over("of")).drop("of")
