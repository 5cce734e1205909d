"""Which column of a table names the reporting unit: each is tried against the register, by code and by name."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any, Final

import polars as pl

from transforms.register.lookup import Register, known_keys, resolve_units

LEAST_KNOWN: Final = 0.5
"""Share of a column's distinct texts that the register knows, so that the column is taken for the unit."""
SHORT_CODE: Final = 2
"""Characters of codes that mean anything: only the name of their column shows whether they are units."""
KINDS_NAMED: Final = {
    "county": re.compile(r"fylke|county|region", re.IGNORECASE),
    "electoral_district": re.compile(r"fylke|valgdistrikt|valkrins|district", re.IGNORECASE),
}
"""Kind with short codes -> the names of columns that hold them."""
MOST_WIDTHS: Final = 2
LEAST_NUMBERS_VALID: Final = 0.9
LEAST_STATED: Final = 0.9
"""Share of the rows that state their unit, at least."""
CODE_AND_NAME: Final = r"^(?:K-)?([0-9]{2,6})[ .:_-]+\p{L}.*"
"""A code with its name in one cell, as `0301 Oslo`: its group is the code."""
FEW_UNITS: Final = 3
"""Distinct texts below which only a column whose name speaks of units is one."""
UNKNOWN_SHOWN: Final = 3
MANY_UNITS: Final = 15
"""Distinct units from which a match by chance is unlikely."""
MOST_LOOKED_UP: Final = 20_000
UNIT_NAMES: Final = re.compile(
    r"kommun|fylke|knr|(^|[_ ])kname|unit|enhet|municip|county|country|countries|nation|state|region|fips|area|"
    r"geograph|land$|organi[sz]|org[_ .-]?n|selskap|company|companies|foretak|virksomhet(snavn)?$|institu|skole|school|"
    r"operator|body",
    re.IGNORECASE,
)
NAME_COLUMNS: Final = re.compile(
    r"^(navn|name|nama|namn|tittel|title|enhet|unit)([_ -].*)?$|[_ ]?(navn|name)$", re.IGNORECASE
)
CODE_PARTS: Final = re.compile(r"state|county|fylke|kommun|fips|region|district|land", re.IGNORECASE)


@dataclass(frozen=True)
class UnitGuess:
    """A source of the unit as a contract writes it, its columns, and the evidence.

    unknown: the distinct texts that the register does not know, with which rows are rejected.
    """

    take: dict[str, Any]
    columns: tuple[str, ...]
    evidence: str
    score: float = 0.0
    unknown: tuple[str, ...] = ()


def guess_unit(texts: pl.DataFrame, register: Register, column: str | None = None) -> UnitGuess:
    """Return the likeliest source of the unit; without one the sender itself. column: the one that a person names."""
    columns = [column] if column else texts.columns
    found = [guess for name in columns for guess in _of_column(texts[name], register)]
    if column is None:
        found += _of_pairs(texts, register)
    if found:
        return max(found, key=lambda guess: guess.score)
    return _by_name_only(texts, register, column)


def _of_column(texts: pl.Series, register: Register) -> Iterator[UnitGuess]:
    """Yield what a column may be: codes or names of a kind of unit, codes without their zeros, organisation numbers."""
    filled = texts.filter(texts != "")
    stated = filled.unique(maintain_order=True).head(MOST_LOOKED_UP)
    if filled.len() < LEAST_STATED * texts.len() or not (stated.len() >= FEW_UNITS or UNIT_NAMES.search(texts.name)):
        return
    yield from _organisations(texts.name, stated, register)
    for kind in register.units["kind"].unique().sort():
        for by in ("code", "name"):
            yield from _known(texts.name, {"kind": kind, "by": by}, (stated, stated), register)
        if (codes := stated.str.extract(CODE_AND_NAME, 1)).null_count() <= (1 - LEAST_KNOWN) * stated.len():
            take = {"kind": kind, "by": "code", "extract": CODE_AND_NAME}
            yield from _known(texts.name, take, (codes.fill_null(stated), stated), register)
        if stated.str.contains("^[0-9]+$").all():
            yield from _padded(texts.name, kind, stated, register)


def _padded(name: str, kind: str, stated: pl.Series, register: Register) -> Iterator[UnitGuess]:
    """Yield what a column of digits may be if the zeros before them were lost."""
    for width in _code_widths(register, kind):
        if longest_text(stated) <= width and not (stated.str.len_chars() == width).all():
            take = {"kind": kind, "by": "code", "pad": width}
            yield from _known(name, take, (stated.str.zfill(width), stated), register)


def _known(
    name: str, take: dict[str, Any], keys: tuple[pl.Series, pl.Series], register: Register, prefix: str = "column"
) -> Iterator[UnitGuess]:
    """Yield a guess if the register knows enough of the keys. keys: as looked up, and as delivered."""
    looked_up, delivered = keys
    if (
        longest_text(looked_up) <= SHORT_CODE
        and take["by"] == "code"
        and not KINDS_NAMED.get(take["kind"], UNIT_NAMES).search(name)
    ):
        return  # every list has such codes
    known = known_keys(register, take["kind"], take["by"], looked_up).fill_null(False)
    share = float(known.sum()) / known.len()
    if share < LEAST_KNOWN:
        return
    score = share + 0.3 * bool(UNIT_NAMES.search(name)) + 0.3 * (known.len() >= MANY_UNITS)
    score += 0.05 * (take["by"] == "code") - 0.02 * ("pad" in take)
    current = known_keys(_current(register), take["kind"], take["by"], looked_up).fill_null(False)
    score += 0.02 * float(current.sum()) / current.len()  # of two kinds with the same codes the one that has them still
    unknown = delivered.filter(~known)
    count = f"{int(known.sum())} of its {known.len()} distinct texts"
    why = f"{count} are {take['by']}s of the register's {take['kind']} units"
    if unknown.len():
        why += f"; not {', '.join(map(repr, unknown.head(UNKNOWN_SHOWN)))}" + (
            " ..." if unknown.len() > UNKNOWN_SHOWN else ""
        )
    yield UnitGuess({prefix: name, **take}, (name,), why, score, tuple(unknown))


def _current(register: Register) -> Register:
    """Return the units and names that are valid without an end."""
    return replace(
        register,
        units=register.units.filter(pl.col("valid_to").is_null()),
        names=register.names.filter(pl.col("valid_to").is_null()),
    )


def longest_text(texts: pl.Series) -> int:
    """Return how many characters the longest text has."""
    longest = texts.str.len_chars().max()
    return longest if isinstance(longest, int) else 0


def _organisations(name: str, stated: pl.Series, register: Register) -> Iterator[UnitGuess]:
    digits = stated.str.replace_all(r"[\s.]", "")
    if digits.str.contains("^(NO)?[0-9]{9}(MVA)?$").mean() != 1:
        return
    keys = pl.DataFrame({"key": stated}).with_columns(
        kind=pl.lit("organisation"), by=pl.lit("organisation_number"), date=pl.lit(None, pl.Date)
    )
    valid = resolve_units(register, keys)["unit_id"].is_not_null()
    if float(valid.sum()) >= LEAST_NUMBERS_VALID * valid.len():
        why = (
            f"{int(valid.sum())} of its {valid.len()} distinct texts are organisation numbers with a right check digit"
        )
        take = {"column": name, "kind": "organisation", "by": "organisation_number"}
        yield UnitGuess(take, (name,), why, 1.5, tuple(stated.filter(~valid)))


def _code_widths(register: Register, kind: str) -> list[int]:
    """Return how many digits the codes of a kind have, the most frequent first; of other codes none."""
    codes = register.units.filter(pl.col("kind") == kind)["code"].drop_nulls()
    widths = codes.filter(codes.str.contains("^[0-9]+$")).str.len_chars().value_counts(sort=True)
    return widths.to_series().head(MOST_WIDTHS).to_list()


def _of_pairs(texts: pl.DataFrame, register: Register) -> Iterator[UnitGuess]:
    """Yield pairs of columns of digits that make codes together, each padded: state and county."""
    digits = [n for n in texts.columns if CODE_PARTS.search(n) and texts[n].str.contains("^[0-9]{1,4}$").all()]
    for first, second in permutations(digits, 2):
        lengths = [longest_text(texts[name]) for name in (first, second)]
        for kind in register.units["kind"].unique().sort():
            for width in _code_widths(register, kind):
                for last in range(lengths[1], width - lengths[0] + 1):
                    take = {"kind": kind, "by": "code", "pad": [width - last, last]}
                    yield from _joined(texts, (first, second), take, register)


def _joined(
    texts: pl.DataFrame, columns: tuple[str, str], take: dict[str, Any], register: Register
) -> Iterator[UnitGuess]:
    parts = [texts[name].str.zfill(width) for name, width in zip(columns, take["pad"], strict=True)]
    keys = (parts[0] + parts[1]).unique()
    for guess in _known(columns[0], take, (keys, keys), register):
        yield UnitGuess({"columns": list(columns), **take}, columns, guess.evidence, guess.score, guess.unknown)


def _by_name_only(texts: pl.DataFrame, register: Register, column: str | None) -> UnitGuess:
    """Return a column of names that no register has, or the sender: then the whole file is about who delivers it."""
    likely = [n for n in texts.columns if NAME_COLUMNS.search(n) or UNIT_NAMES.search(n)]
    names = [column] if column else likely
    for name in names:
        stated = texts[name].filter(texts[name] != "")
        letters = stated.str.contains(r"\p{L}{2}").mean() or 0.0
        if stated.len() == texts.height and (column or (letters == 1 and 2 * stated.n_unique() >= stated.len() ** 0.5)):
            take = {"column": name, "kind": "organisation", "by": "name", "provisional": True}
            why = "no column fits a code or name of the register; this one has names, which become provisional units"
            return UnitGuess(take, (name,), why)
    why = f"no column names a unit: the figures are taken to be about the sender itself. {_constant_unit(register)}"
    return UnitGuess({"option": "sender", "kind": "organisation", "by": "name", "provisional": True}, (), why)


def _constant_unit(register: Register) -> str:
    """Return how a contract states one unit for all rows, with a unit that is the only one of its kind as example."""
    current = _current(register).units.filter(pl.col("code").is_not_null())
    alone = current.filter(pl.col("code").n_unique().over("kind") == 1).sort("kind").head(1)
    for kind, code, name in alone.select("kind", "code", "name").iter_rows():
        example = f'`{{value: "{code}", kind: {kind}}}` is {name}'
        return f"If all are about one other unit, write that one here as a constant: {example}"
    return "If all are about one other unit, write that one here as a constant: `{value: CODE, kind: KIND}`"
