"""A key that repeats inside one file: additive lines, an error, a warning, or the same statement twice."""

from typing import Final, Literal

import polars as pl

from schemas.claims import IDENTITY, VALUE_DIGITS
from transforms.normalisation.problems import Findings
from transforms.rejects import build_rejects, reject_columns

CLAIM_KEY: Final = ("submission_id", "item_id", "reported_by")
Repeat = Literal["sum", "error", "warn", "distinct"]
_ROW: Final = ["submission_id", "row"]
_SHOWN: Final = (*_ROW, "column", "original", "value", "decimals", *(c.name for c in IDENTITY), *CLAIM_KEY[1:])
"""What is read of a claim whose key repeats: of millions, all columns would not fit in memory twice."""


def handle_repeats(claims: pl.DataFrame, repeat: Repeat) -> tuple[pl.DataFrame, Findings]:
    """Return the accepted claims, and what is wrong with the others, for keys that repeat inside a submission.

    sum: repeating claims become `additive`. error: every row with such a key is rejected. warn: all are accepted, each
    with a warning. distinct: equal claims are accepted (as duplicates of each other), rows that differ are rejected.
    """
    hashed = claims.select(pl.struct(CLAIM_KEY).hash()).to_series()
    if hashed.n_unique() == claims.height:  # unique hashes prove unique keys; otherwise the keys themselves decide
        return claims, Findings.none()
    repeating = claims.select(pl.struct(CLAIM_KEY).is_duplicated()).to_series()
    if repeat == "sum":
        return _without_large_sums(claims.with_columns(repeating.alias("additive")))
    bad = claims.select(_SHOWN).filter(repeating)
    if repeat == "distinct":
        differs = pl.struct("value", "decimals").n_unique().over(CLAIM_KEY) > 1
        bad = bad.filter(differs)
    findings = _findings(bad, _repeated_key(repeat), warning=repeat == "warn")
    return (claims if repeat == "warn" else _without_rows(claims, bad)), findings


def _without_large_sums(claims: pl.DataFrame) -> tuple[pl.DataFrame, Findings]:
    """Return the claims without lines whose sum has more digits than a value may have."""
    lines, found = claims.select(_SHOWN).filter(claims["additive"]), Findings.none()
    columns = reject_columns(
        "out-of-range",
        found=pl.col("original"),
        expected=f"lines whose sum has at most {VALUE_DIGITS} digits",
        hint="correct the number",
        column=pl.col("column"),
        rule="repeat: sum",
    )
    # An exact sum that is too large would wrap around silently; of absolute values none is missed.
    total = pl.col("value").cast(pl.Float64).abs().sum().over(CLAIM_KEY)
    bad = lines.filter(total >= 10.0**VALUE_DIGITS)
    while bad.height:  # a row that goes may be a line of other sums too
        found = found.plus(_findings(bad, columns))
        keys = claims.join(bad, on=_ROW, how="semi").select(CLAIM_KEY)
        claims = _without_rows(claims, bad)
        bad = claims.select(_SHOWN).filter(claims["additive"]).join(keys, on=CLAIM_KEY, how="semi")
    return claims, found


def _without_rows(claims: pl.DataFrame, bad: pl.DataFrame) -> pl.DataFrame:
    return claims.join(bad.select(_ROW), on=_ROW, how="anti") if bad.height else claims


def _findings(bad: pl.DataFrame, columns: list[pl.Expr], *, warning: bool = False) -> Findings:
    """Return what is wrong with the rows of these claims: one reject a row."""
    if bad.is_empty():
        return Findings.none()
    rows = bad.unique(_ROW, keep="first").sort(_ROW)
    rejects, nothing = build_rejects(rows, columns), Findings.none()
    if not warning:
        return Findings(rejects, rows.select(_ROW), nothing.warned)
    warned = rows.group_by("submission_id").agg(pl.len().cast(pl.Int64).alias("warnings"))
    return Findings(rejects, nothing.rejected, warned)


def _repeated_key(repeat: Repeat) -> list[pl.Expr]:
    hint = (
        "add up the lines, or declare `repeat: sum` in the contract"
        if repeat == "error"
        else "keep the row that is right"
    )
    return reject_columns(
        "duplicate-key",
        found=pl.concat_str(*(column.name for column in IDENTITY), separator=" "),
        expected="each key once in a file",
        hint=hint,
        column=pl.col("column"),
        rule=f"repeat: {repeat}",
        severity="warning" if repeat == "warn" else "critical",
    )
