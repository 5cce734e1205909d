"""Comparison levels that are conditions of their own: of e-mail, telephone, dates by part, names, sound, model numbers.

Each is a label and an SQL condition on the two sides, `_l` and `_r`, of prepared columns. A model's digest covers both.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from schemas.comparisons import Compare, Contact, DateParts, Email, ModelNumbers, Names, Phonetic, Telephone
from transforms.preparation.derived import derived_name

Level = tuple[str, str]
"""A label, and its SQL condition."""
LAST_DIGITS: Final = 8
"""Digits at the end of a telephone number that are the number itself, without country."""


@dataclass(frozen=True)
class Compared:
    """What is compared: its name, the fields that it reads, and the whole comparison."""

    name: str
    sources: tuple[str, ...]
    compare: Compare


def fixed_levels(compared: Compared, compare: Compare) -> list[Level]:
    """Return the levels between equal and different; none for a comparison that Splink's own levels express."""
    build = LEVELS.get(compare.by)
    return [] if build is None else [*build(compared, compare)]


def _sides(column: str) -> tuple[str, str]:
    return f'"{column}_l"', f'"{column}_r"'


def _phonetic(compared: Compared, _: Phonetic) -> Iterator[Level]:
    this, other = _sides(derived_name("sound", compared.name))
    yield "sound alike", f"{this} = {other}"


def _email(compared: Compared, compare: Email) -> Iterator[Level]:
    this, other = (f"split_part({side}, '@', 1)" for side in _sides(compared.name))
    yield "the same mailbox, another provider", f"{this} = {other} AND {this} <> ''"
    for level in compare.levels:
        yield f"mailboxes alike to {level}", f"jaro_winkler_similarity({this}, {other}) >= {level}"


def _telephone(compared: Compared, compare: Telephone) -> Iterator[Level]:
    this, other = _sides(compared.name)
    for digits in compare.digits:
        long = f"length({this}) >= {digits} AND length({other}) >= {digits}"
        yield f"the last {digits} digits the same", f"{long} AND {this}[-{digits}:] = {other}[-{digits}:]"
    yield "one digit wrong", f"damerau_levenshtein({this}, {other}) <= 1"


def _date_parts(compared: Compared, compare: DateParts) -> Iterator[Level]:
    this, other = _sides(derived_name("date", compared.name))
    year, month, day = ("[1:4]", "[5:6]", "[7:8]")
    same = [f"{this}{part} = {other}{part}" for part in (year, month, day)]
    exchanged = f"{same[0]} AND {this}{month} = {other}{day} AND {this}{day} = {other}{month}"
    two = " + ".join(f"({condition})::int" for condition in same)
    yield "day and month exchanged", exchanged
    yield "one digit wrong", f"damerau_levenshtein({this}, {other}) <= 1"
    yield "two parts the same", f"{two} >= 2"
    yield "the same year", same[0]
    if compare.years:
        numbers = [f"try_cast({side}{year} AS INTEGER)" for side in (this, other)]
        yield f"at most {compare.years} years from each other", f"abs({' - '.join(numbers)}) <= {compare.years}"


def _model_numbers(compared: Compared, _: ModelNumbers) -> Iterator[Level]:
    this, other = _sides(derived_name("numbers", compared.name))
    begins = "starts_with(x, y) OR starts_with(y, x)"
    yield "a model number the same", f"list_has_any({this}, {other})"
    yield (
        "model numbers begin alike",
        f"len(list_filter({this}, lambda x: len(list_filter({other}, lambda y: {begins})) > 0)) > 0",
    )


def _names(compared: Compared, compare: Names) -> Iterator[Level]:
    (given, given_r), (surname, surname_r) = (_sides(field) for field in compared.sources)
    whole, whole_r = (f"replace({side}, ' ', '')" for side in _sides(compared.name))
    turned = f"replace(concat({surname}, {given}), ' ', '')"
    turned_r = f"replace(concat({surname_r}, {given_r}), ' ', '')"
    yield "given name and surname exchanged", f"{given} = {surname_r} AND {surname} = {given_r}"
    yield "run together", f"{whole} IN ({whole_r}, {turned_r}) OR {turned} = {whole_r}"
    if compare.alone:
        short = f"least(length({given}), length({given_r})) = 1"
        yield "the given name an initial", f"{surname} = {surname_r} AND {given}[1] = {given_r}[1] AND {short}"
    for level in compare.levels:
        straight = _alike(level, (given, given_r), (surname, surname_r))
        yield f"both alike to {level}", f"({straight}) OR ({_alike(level, (given, surname_r), (surname, given_r))})"
    missing, one = [], []
    for same, others in (((surname, surname_r), (given, given_r)), ((given, given_r), (surname, surname_r))):
        one.append(f"{same[0]} = {same[1]}")
        missing.append(f"({same[0]} = {same[1]} AND ({others[0]} IS NULL OR {others[1]} IS NULL))")
    yield "one the same, the other missing", " OR ".join(missing)
    if compare.alone:
        pairs = ((given, given_r), (given, surname_r), (surname, given_r))
        yield "the given name alike", " OR ".join(_alike(compare.levels[-1], pair) for pair in pairs)
        yield "a given name missing", f"{given} IS NULL OR {given_r} IS NULL"
    else:
        yield "one the same", " OR ".join(one)


def _alike(level: float, *pairs: tuple[str, str]) -> str:
    return " AND ".join(f"jaro_winkler_similarity({this}, {other}) >= {level}" for this, other in pairs)


def contact_missing(compared: Compared, compare: Contact) -> str:
    """Return the condition under which two reports have neither an address nor a number that both have."""
    sides = [_sides(column) for column in (derived_name("address", compared.name), compare.telephone)]
    return " AND ".join(f"({this} IS NULL OR {other} IS NULL)" for this, other in sides)


def _contact(compared: Compared, compare: Contact) -> Iterator[Level]:
    address, number = _sides(derived_name("address", compared.name)), _sides(compare.telephone)
    ends = " = ".join(f"{side}[-{LAST_DIGITS}:]" for side in number)
    same_number = f"{ends} AND least(length({number[0]}), length({number[1]})) >= {LAST_DIGITS}"
    yield "one of them the same", f"{address[0]} = {address[1]} OR ({same_number})"
    near = f"damerau_levenshtein({number[0]}, {number[1]}) <= 1 OR {_alike(compare.levels[0], address)}"
    yield "one of them nearly the same", near
    for level in compare.levels[1:]:
        yield f"addresses alike to {level}", _alike(level, address)


LEVELS: Final[dict[str, Callable[[Compared, Any], Iterator[Level]]]] = {
    "phonetic": _phonetic,
    "email": _email,
    "telephone": _telephone,
    "date_parts": _date_parts,
    "model_numbers": _model_numbers,
    "names": _names,
    "contact": _contact,
}
"""The `by` of a comparison -> its levels between equal and different."""
