"""A report key that repeats inside one file: parts of one report, whose sums must fit, or two reports of one number."""

from typing import Final

import polars as pl

from schemas.claims import REJECT, VALUE_DIGITS, empty
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


def reject_large_sums(
    rows: pl.DataFrame, key: tuple[str, ...], contract: Contract, kind: Kind
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows and the rejects (`REJECT`): of reports in which the sum of a field has too many digits.

    Rows that are equal in the columns of `key` are parts of one report.
    """
    found = [empty(REJECT)]
    for name in summed_fields(contract, kind):
        # An exact sum that is too large would wrap around silently; of absolute values none is missed.
        total = pl.col(name).cast(pl.Float64).abs().sum().over(key)
        bad = rows.filter(total >= _LIMITS[kind.fields[name].type], pl.len().over(key) > 1)
        if bad.height:
            found.append(bad.select(_large_sum(name, _column(name, contract))).sort("submission_id", "row"))
            rows = rows.join(bad, on=["submission_id", "row"], how="anti")
    return rows, pl.concat(found)


def withhold_short_sums(
    rows: pl.DataFrame, lost: pl.DataFrame, contract: Contract, kind: Kind
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows without the values of sums that lack a rejected part, and a warning (`REJECT`) for each report.

    lost: the rejected rows with their report_id, and of each summed field its text as `_text_NAME`.
    """
    found = [empty(REJECT)]
    for name in summed_fields(contract, kind):
        short = lost.filter(pl.col(f"_text_{name}") != "").select(_REPORT).drop_nulls().unique()
        parts = rows.filter(pl.col(name).is_not_null()).join(short, on=_REPORT, how="semi")
        if parts.is_empty():
            continue
        reports = parts.unique(_REPORT, keep="first", maintain_order=True).sort("submission_id", "row")
        found.append(reports.select(_short_sum(name, _column(name, contract))))
        places = short.with_columns(_short=pl.lit(value=True))
        rows = rows.join(places, on=_REPORT, how="left", maintain_order="left")
        rows = rows.with_columns(pl.when(pl.col("_short").is_null()).then(name).alias(name)).drop("_short")
    return rows, pl.concat(found)


def summed_fields(contract: Contract, kind: Kind) -> list[str]:
    """Return the fields of a contract's record that are summed over the parts of a report."""
    fields = contract.record.fields if contract.record else {}
    return [name for name in fields if kind.fields[name].parts == "sum"]


def _column(name: str, contract: Contract) -> str | None:
    return next(iter(contract.record.fields[name].source_columns()), None) if contract.record else None


_REPORT: Final = ["submission_id", "report_id"]
_LIMITS: Final = {"number": 10.0**VALUE_DIGITS, "integer": 2.0**63}
"""The least absolute value that a field of this type cannot hold."""


def _large_sum(name: str, column: str | None) -> list[pl.Expr]:
    return reject_columns(
        "out-of-range",
        found=pl.col(name),
        expected=f"parts whose sum of {name} has at most {VALUE_DIGITS} digits, and 18 if it is a whole number",
        hint="correct the number",
        column=column,
        rule="parts: sum",
    )


def _short_sum(name: str, column: str | None) -> list[pl.Expr]:
    return reject_columns(
        "rejected-twin",
        found=pl.lit(None, pl.String),
        expected=f"a sum of {name} of which every part can be read",
        hint="correct the rejected row of the report, and deliver the file again; the sum is left empty",
        column=column,
        rule="parts: sum",
        severity="warning",
    )
