"""Personal data: columns pseudonymised or dropped before anything else reads them, and person numbers elsewhere.

A pseudonym is the HMAC-SHA256 of a text under the key of its domain: a record kind, or `observations`. Within a domain
a person has one pseudonym, whatever contract the text arrived under; across domains nothing joins them.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import reduce
from operator import add, and_, or_
from typing import Final

import polars as pl

from schemas.contract import Contract
from schemas.contract_parts import Personal
from schemas.contract_record import RecordSpec
from schemas.kind import Kind
from transforms.normalisation.problems import Problem
from transforms.register.lookup import HYPHENS
from transforms.rejects import MASKED

STRICTEST_FIRST: Final[tuple[Personal, ...]] = ("drop", "pseudonymise", "keep")
OBSERVATIONS_DOMAIN: Final = "observations"
PSEUDONYM_HEX: Final = 32
PERSON_NUMBER_DIGITS: Final = 11
CONTROL_DIVISOR: Final = 11
_BIRTH: Final = "(?:[0-9]{6}|[0-9]{2}[ .]{1,2}[0-9]{2}[ .]{1,2}[0-9]{2})"
_PERSONAL: Final = "[0-9]{3} {0,2}[0-9]{2}"
_GROUPED: Final = "[0-9]{2}(?:[ .,']{1,2}[0-9]{3}){3}"
_CANDIDATE: Final = f"(?:^|[^0-9])(?:{_BIRTH}[ -]{{0,6}}{_PERSONAL}|{_GROUPED})(?:$|[^0-9])"
"""Eleven digits, in the groups in which people write them, and as a number with thousands separators."""
_WHOLE: Final = re.compile(r"[0-9]{6}[ -]?[0-9]{5}")
_CONTROLS: Final = ((3, 7, 6, 1, 8, 9, 4, 5, 2, 1), (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1))
"""The weights of the two control digits: each weighted sum is a multiple of 11."""
_MONTHS: Final = ((1, 12), (41, 52), (81, 92))
"""Real months; those of synthetic numbers are 40 or 80 higher."""
_DAYS: Final = ((1, 31), (41, 71))
"""Real days; those of D-numbers are 40 higher."""


def personal_columns(contract: Contract, kind: Kind | None) -> dict[str, Personal]:
    """Return the columns that hold personal data, and what is done with each: the strictest that is declared."""
    declared: list[tuple[str, Personal]] = list(contract.personal.items())
    declared += [
        (column, take.personal) for take in contract.takes() if take.personal for column in take.source_columns()
    ]
    if contract.record is not None and kind is not None:
        declared += _columns_by_kind(contract.record, kind)
    found: dict[str, Personal] = {}
    for how in reversed(STRICTEST_FIRST):
        found |= {column: how for column, given in declared if given == how}
    return found


def _columns_by_kind(record: RecordSpec, kind: Kind) -> Iterator[tuple[str, Personal]]:
    """Yield the columns of the kind's personal fields for which the contract itself declares nothing."""
    for name, take in record.fields.items():
        how = kind.fields[name].personal if name in kind.fields else None
        if how and not take.personal:
            yield from ((column, how) for column in take.source_columns())


def searched_columns(contract: Contract, kind: Kind | None) -> list[str]:
    """Return the mapped columns in which no person number may stand: the contract does not declare them as personal."""
    declared = personal_columns(contract, kind)
    return [column for column in contract.columns() if column not in declared]


def pseudonym_domain(contract: Contract) -> str:
    """Return the domain of a contract's pseudonyms."""
    return contract.record.kind if contract.record is not None else OBSERVATIONS_DOMAIN


def domain_key(key: str, domain: str) -> bytes:
    """Return the key of a domain, from which the installation's key cannot be found."""
    return hmac.digest(key.encode(), f"engang pseudonyms {domain}".encode(), "sha256")


def treat_personal(batch: pl.DataFrame, columns: Mapping[str, Personal], key: bytes | None) -> pl.DataFrame:
    """Return the rows with personal columns pseudonymised or emptied, as declared. key: that of the domain."""
    treated = [
        pl.lit("").alias(column) if how == "drop" else _pseudonyms(batch[column], key or b"")
        for column, how in columns.items()
        if how != "keep" and column in batch.columns
    ]
    return batch.with_columns(treated)


def _pseudonyms(texts: pl.Series, key: bytes) -> pl.Series:
    """Return the pseudonyms of texts; an empty text has none."""
    distinct = [text for text in texts.unique().drop_nulls() if text.strip()]
    found = [hmac.digest(key, _canonical(text).encode(), hashlib.sha256).hex()[:PSEUDONYM_HEX] for text in distinct]
    return texts.replace_strict(distinct, found, default=texts, return_dtype=pl.String)


def _canonical(text: str) -> str:
    """Return what is the same for two ways of writing a text: blanks, Unicode's forms, the blank in a person number."""
    plain = " ".join(unicodedata.normalize("NFC", text).split())
    return re.sub(r"[ -]", "", plain) if _WHOLE.fullmatch(plain) else plain


def person_number_problems(rows: pl.DataFrame, columns: Iterable[str]) -> list[Problem]:
    """Return the problem of a Norwegian person number in a cell, for each column with one; it quotes none.

    columns: those to search, cleaned. Numbers count whose day, month and control digits are right: real and D-numbers,
    and synthetic ones (month + 40, month + 80).
    """
    found = ((column, _person_number_rows(rows[column])) for column in columns)
    return [_person_number(column, at, rows.height) for column, at in found if at.len()]


def _person_number_rows(texts: pl.Series) -> pl.Series:
    """Return the places of the texts with a person number."""
    none = pl.Series([], dtype=pl.UInt32)
    if texts.dtype != pl.String:
        return none
    long = texts.str.len_bytes() >= PERSON_NUMBER_DIGITS
    if not long.any():
        return none  # as cheap as can be: the texts of most columns are shorter
    plain = pl.when(pl.col("text").str.contains("[^ -~]")).then(_plain("text")).otherwise("text")
    candidates = texts.to_frame("text").lazy().with_row_index("at").filter(long).with_columns(plain.alias("text"))
    candidates = candidates.filter(pl.col("text").str.contains(_CANDIDATE))
    # A match includes the character after it, which may be the one before the next: so each is there twice.
    spread = pl.col("text").str.replace_all("([^0-9])", "$1$1").str.extract_all(_CANDIDATE)
    numbers = candidates.select("at", spread.alias("text")).explode("text")
    sound = is_person_number(pl.col("text").str.replace_all("[^0-9]", ""))
    return numbers.filter(sound).collect()["at"].unique()


def _plain(column: str) -> pl.Expr:
    """Return texts with plain digits, blanks and hyphens."""
    return pl.col(column).str.normalize("NFKC").str.replace_all(HYPHENS, "-")


def _person_number(column: str, at: pl.Series, rows: int) -> Problem:
    bad = pl.repeat(False, rows, dtype=pl.Boolean, eager=True).scatter(at, values=True)
    return Problem(
        "person-number",
        column,
        pl.lit(bad),
        pl.lit(MASKED),
        "no person number outside the columns that the contract declares as personal",
        "declare the column under `personal` of the contract (`keep` if such numbers are none), and erase the "
        "submission if it may not be held",
    )


def is_person_number(digits: pl.Expr) -> pl.Expr:
    """Return whether a text of eleven digits is a Norwegian person number."""
    each = [digits.str.slice(n, 1).cast(pl.Int32, strict=False) for n in range(PERSON_NUMBER_DIGITS)]
    controls = [
        reduce(add, (digit * weight for digit, weight in zip(each, weights, strict=False))) % CONTROL_DIVISOR == 0
        for weights in _CONTROLS
    ]
    day, month = each[0] * 10 + each[1], each[2] * 10 + each[3]
    dated = [
        reduce(or_, [part.is_between(*ends) for ends in spans]) for part, spans in ((day, _DAYS), (month, _MONTHS))
    ]
    return reduce(and_, [*controls, *dated]).fill_null(False)


def masked_rejects(rejects: pl.DataFrame) -> pl.DataFrame:
    """Return the rejects of a delivery of personal data: of what was found in a cell, only how long it is."""
    cell = pl.col("column").is_not_null() & pl.col("row").is_not_null() & (pl.col("reason") != "person-number")
    length = pl.format("[{} characters]", pl.col("found").str.len_chars())
    return rejects.with_columns(
        pl.when(cell & pl.col("found").is_not_null()).then(length).otherwise("found").alias("found")
    )
