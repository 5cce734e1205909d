"""The rows that a contract ignores, and why: which of its keys each is ignored by."""

from functools import reduce
from operator import or_
from typing import Final

import polars as pl

from schemas.contract import ClaimSpec, Contract, IgnoreRows
from transforms.clean_text import clean
from transforms.normalisation.texts.figure_cells import applies, has_marks, is_missing
from transforms.rejects import shown_codes

IGNORED: Final = pl.Schema({"submission_id": pl.String, "reason": pl.String, "rows": pl.Int64})
"""How many rows of each submission are ignored, by reason."""
NOTES: Final = "after the last row that is read: `skip_footer` or `until_empty_row`"
EMPTY_FIGURES: Final = "no figure: its cells are empty (`missing: skip`)"
NO_CLAIM: Final = "no figure: no claim is for such rows (`when`)"
_TEXTS_SHOWN: Final = 3


def ignored_rows(contract: Contract) -> list[pl.Expr]:
    """Return a Boolean for each entry of `ignore_rows`: whether a row is ignored by it."""
    return [_is_ignored(rows) for rows in contract.ignore_rows]


def any_ignored(contract: Contract) -> pl.Expr:
    """Return whether an entry of `ignore_rows` ignores a row."""
    return reduce(or_, ignored_rows(contract), pl.lit(value=False))


def _is_ignored(rows: IgnoreRows) -> pl.Expr:
    column = pl.col(rows.column)
    found = column.is_in([clean(text) for text in rows.values])
    if rows.all_but:
        found |= ~column.is_in([clean(text) for text in rows.all_but])
    return found | column.str.contains(f"^(?:{rows.pattern})$") if rows.pattern else found


def count_ignored(cells: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return how many rows are ignored, by reason (`IGNORED`). cells: every row, with `_ignored`.

    Of a delivered row whose cells became rows the first one's reason counts, if all are ignored.
    """
    row = "delivered_row" if "delivered_row" in cells.columns else "row"
    ignored = cells.filter("_ignored")
    if ignored.is_empty():
        return IGNORED.to_frame()
    if row == "delivered_row":
        read = cells.filter(~pl.col("_ignored")).select("submission_id", row).unique()
        ignored = ignored.join(read, on=["submission_id", row], how="anti", maintain_order="left")
    reasons = ignored.select("submission_id", row, _reason(contract).alias("reason"))
    reasons = reasons.unique(["submission_id", row], keep="first", maintain_order=True)
    return reasons.group_by("submission_id", "reason").agg(pl.len().cast(pl.Int64).alias("rows")).sort(pl.all())


def joined_counts(frames: list[pl.DataFrame]) -> dict[str, dict[str, int]]:
    """Return submission -> reason -> rows, the most frequent reason first. frames: each `IGNORED`."""
    rows = pl.concat([IGNORED.to_frame(), *frames]).group_by("submission_id", "reason").agg(pl.col("rows").sum())
    found: dict[str, dict[str, int]] = {}
    for submission, reason, count in rows.sort(-pl.col("rows"), "reason").iter_rows():
        found.setdefault(submission, {})[reason] = count
    return found


def _reason(contract: Contract) -> pl.Expr:
    """Return why a row is ignored: the first entry of `ignore_rows` that has it, else what its figures lack."""
    entries = zip(ignored_rows(contract), contract.ignore_rows, strict=True)
    reasons = [pl.when(found).then(pl.lit(_shown_entry(rows))) for found, rows in entries]
    return pl.coalesce(*reasons, _lack(contract))


def _shown_entry(rows: IgnoreRows) -> str:
    """Return an entry of `ignore_rows` as a reader of the contract finds it."""
    parts = [shown_codes([repr(text) for text in rows.values[:_TEXTS_SHOWN]])] if rows.values else []
    parts += ["..."] if len(rows.values) > _TEXTS_SHOWN else []
    parts += [f"what matches {rows.pattern}"] if rows.pattern else []
    parts += ["all but the listed texts"] if rows.all_but else []
    return f"`ignore_rows` of column {rows.column} ({', '.join(parts)}): {rows.why}"


def _lack(contract: Contract) -> pl.Expr:
    """Return why no claim is made of a row, though nothing is wrong with it."""
    if not contract.claims:
        return pl.lit(None, pl.String)
    claims = list(enumerate(contract.claims))
    missing = reduce(or_, [is_missing(i, claim) & _applies(claim) for i, claim in claims])
    applied = reduce(or_, [_applies(claim) for _, claim in claims])
    stated = pl.lit(_shown_missing([claim for _, claim in claims if has_marks(claim)]))
    return pl.when(missing).then(stated).when(applied).then(pl.lit(EMPTY_FIGURES)).otherwise(pl.lit(NO_CLAIM))


def _applies(claim: ClaimSpec) -> pl.Expr:
    condition = applies(claim)
    return pl.lit(value=True) if condition is None else condition


def _shown_missing(claims: list[ClaimSpec]) -> str:
    """Return what the texts are that stand for no figure, and in which columns."""
    texts = [repr(text) for claim in claims for text in claim.missing_values or ()]
    texts += [f"what matches {claim.missing_pattern}" for claim in claims if claim.missing_pattern]
    shown, columns = (list(dict.fromkeys(each)) for each in (texts, [claim.column for claim in claims]))
    return f"no figure: a missing value ({shown_codes(shown)}) in {shown_codes(columns)}"
