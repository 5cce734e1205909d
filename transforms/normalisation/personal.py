"""Personal data: columns pseudonymised or dropped before anything else reads them, and person numbers elsewhere.

A pseudonym is the HMAC-SHA256 of a text under the key of its domain: a record kind, or `observations`. Within a domain
a person has one pseudonym, whatever contract the text arrived under; across domains nothing joins them.
"""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add, and_, or_
from typing import Final

import polars as pl

from schemas.claims import REJECT, empty
from schemas.contract import Contract
from schemas.contract_parts import Personal
from schemas.kind import Kind
from transforms.rejects import reject_columns

STRICTEST_FIRST: Final[tuple[Personal, ...]] = ("drop", "pseudonymise", "keep")
OBSERVATIONS_DOMAIN: Final = "observations"
PSEUDONYM_HEX: Final = 32
PERSON_NUMBER_DIGITS: Final = 11
CONTROL_DIVISOR: Final = 11
_CANDIDATE: Final = r"(?:^|[^0-9])[0-9]{6}[ -]{0,2}[0-9]{5}(?:$|[^0-9])"
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
        for name, take in contract.record.fields.items():
            how = kind.fields[name].personal if name in kind.fields else None
            declared += [(column, how) for column in take.source_columns() if how and not take.personal]
    found: dict[str, Personal] = {}
    for how in reversed(STRICTEST_FIRST):
        found |= {column: how for column, given in declared if given == how}
    return found


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


def person_number_alarms(batch: pl.DataFrame, columns: Iterable[str]) -> pl.DataFrame:
    """Return a warning (`REJECT`) for each column and submission with a Norwegian person number; it quotes none.

    columns: those to search. Numbers count whose day, month and control digits are right: real and D-numbers, and
    synthetic ones (month + 40, month + 80).
    """
    alarms = [empty(REJECT)]
    for column in columns:
        if batch[column].dtype != pl.String:
            continue
        length = pl.col(column).str.len_bytes() >= PERSON_NUMBER_DIGITS
        if not batch.select(length.any()).item():
            continue  # as cheap as can be: the texts of most columns are shorter
        long = batch.lazy().filter(length)
        # A match includes the character after it, which may be the one before the next: so each is there twice.
        spread = pl.col(column).str.replace_all("([^0-9])", "$1$1")
        texts = long.filter(pl.col(column).str.contains(_CANDIDATE)).select(
            "submission_id", "row", spread.str.extract_all(_CANDIDATE).alias("_number")
        )
        numbers = texts.filter(pl.col("_number").list.len() > 0).explode("_number")
        found = numbers.filter(is_person_number(pl.col("_number").str.replace_all("[^0-9]", "")))
        rows = found.group_by("submission_id").agg(pl.col("row").min(), pl.col("row").n_unique().alias("_rows"))
        alarms.append(rows.sort("submission_id").select(_alarm(column)).collect())
    return pl.concat(alarms)


def _alarm(column: str) -> list[pl.Expr]:
    hint = f"declare the column under `personal` of the contract, and erase what is delivered already: {column}"
    return reject_columns(
        "person-number",
        found=pl.format("a person number in {} rows", "_rows"),
        expected="none outside the columns that the contract declares as personal",
        hint=hint,
        column=column,
        severity="warning",
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
