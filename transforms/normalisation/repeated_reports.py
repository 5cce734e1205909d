"""A report key that repeats inside one file: parts of one report, or two reports under one number."""

from typing import Final

import polars as pl

from schemas.claims import REJECT, empty
from schemas.contract import Contract
from schemas.kind import Kind
from transforms.rejects import reject_columns


def handle_repeated_reports(
    rows: pl.DataFrame, key: tuple[str, ...], contract: Contract, kind: Kind
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the accepted rows and the rejects (`REJECT`) for report keys that repeat inside a submission.

    Rows that are equal in the columns of `key` are one delivery of one report. sum: they are its parts. error: all are
    rejected. warn: they are its parts, each with a warning. Without `repeat` they are its parts, unless they differ in
    an identity field of the kind: then the number was given to two things, and all are rejected.
    """
    if contract.repeat == "sum":
        return rows, empty(REJECT)
    bad = rows.filter(rows.select(pl.struct(key).is_duplicated()).to_series())
    if contract.repeat is None:
        identities = [name for name, spec in kind.fields.items() if spec.role == "identity"]
        differs = [pl.col(name).drop_nulls().n_unique().over(key) > 1 for name in identities]
        bad = bad.filter(pl.any_horizontal(differs)) if differs else bad.clear()
    if not bad.height:
        return rows, empty(REJECT)
    rejects = bad.select(_reject(contract)).sort("submission_id", "row")
    return rows if contract.repeat == "warn" else rows.join(bad, on=["submission_id", "row"], how="anti"), rejects


_EXPECTED: Final = {None: "one thing under one report key", "error": "each report key once in a file"}


def _reject(contract: Contract) -> list[pl.Expr]:
    return reject_columns(
        "duplicate-key",
        found=pl.concat_str("reported_by", "report_key", separator=" "),
        expected=_EXPECTED.get(contract.repeat, _EXPECTED["error"]),
        hint="give each report its own key; where rows are parts of one report, declare `repeat: sum` in the contract",
        column=pl.lit(contract.record.report_key[0] if contract.record else None, dtype=pl.String),
        rule=f"repeat: {contract.repeat or 'parts'}",
        severity="warning" if contract.repeat == "warn" else "critical",
    )
