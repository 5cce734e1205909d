"""Values that comparisons derive from a field, as columns of their own next to it."""

from collections.abc import Iterator
from typing import Final

import polars as pl

from schemas.comparisons import Compare, Contact, FirstOf, parts_of
from schemas.kind import CleanStep, FieldSpec, Kind
from transforms.preparation.cleaning import clean_folded, model_numbers, phonetic_key

DAY_FIRST: Final = r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})$"
"""A date as text, the day first."""


def derived_name(what: str, name: str) -> str:
    """Return the name of a derived column; no field has such a name."""
    return f"_{what}_{name}"


def words_column(name: str, compare: Compare | None) -> str:
    """Return the column that holds the weighed words of a field: its own, unless its text is compared too."""
    return derived_name("words", name) if isinstance(compare, FirstOf) else name


def steps_of(field: FieldSpec) -> tuple[CleanStep, ...]:
    """Return the cleaning steps of a field: those it declares; a telephone number is its digits."""
    digits: tuple[CleanStep, ...] = ("digits",) if any(p.by == "telephone" for p in parts_of(field.compare)) else ()
    return (*(field.clean or ()), *digits)


def joined_texts(kind: Kind) -> Iterator[pl.Expr]:
    """Yield the text of each comparison over several fields, from the folded fields."""
    compared = kind.compared()
    for name, joint in (kind.comparisons or {}).items():
        texts = [pl.col(field) for field in joint.fields]
        joined = pl.concat_str(texts, separator=" ", ignore_nulls=True)
        yield clean_folded(joined, steps_of(compared[name])).alias(name)


def derived_values(kind: Kind) -> dict[str, pl.Expr]:
    """Return the derived columns of all comparisons, by name, from the folded texts and values."""
    found: dict[str, pl.Expr] = {}
    for name, field in kind.compared().items():
        for part in parts_of(field.compare):
            if part.by == "phonetic":
                found[derived_name("sound", name)] = phonetic_key(pl.col(name))
            if part.by == "model_numbers":
                numbers = model_numbers(pl.col(name))
                found[derived_name("numbers", name)] = pl.when(numbers.list.len() > 0).then(numbers)
            if part.by == "date_parts":
                found[derived_name("date", name)] = _date_digits(name, field)
            if isinstance(part, Contact):
                found[derived_name("address", name)] = _address(kind.sources_of(name), part)
            if part.by in {"words", "cosine"} and isinstance(field.compare, FirstOf):
                found[words_column(name, field.compare)] = pl.col(name)
    return found


def _address(fields: tuple[str, ...], compare: Contact) -> pl.Expr:
    """Return the parts of an address as one text; null where there is none."""
    parts = [pl.col(name) for name in fields if name != compare.telephone]
    text = pl.concat_str(parts, separator=" ", ignore_nulls=True)
    return pl.when(text != "").then(text)


def _date_digits(name: str, field: FieldSpec) -> pl.Expr:
    """Return a date as eight digits, the year first; null where a text has not eight."""
    if field.type == "date":
        return pl.col(name).dt.strftime("%Y%m%d")
    text = pl.col(name)
    day, month, year = (text.str.extract(DAY_FIRST, group).str.zfill(2) for group in (1, 2, 3))
    digits = pl.coalesce(pl.concat_str(year, month, day), text.str.replace_all("[^0-9]+", ""))
    return pl.when(digits.str.len_bytes() == len("20240131")).then(digits)
