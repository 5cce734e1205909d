"""Cells of figures as statistics publish them: symbols for no figure, marks of status after it, and whose rows it has.

`_missing_i` (Boolean) and `_flag_i` (String, null for none) are added for claim number i where it declares symbols or
marks; its cell then holds the bare figure, "" for none.
"""

import re
from functools import reduce
from operator import and_, or_

import polars as pl

from schemas.contract import ClaimSpec, Contract
from transforms.clean_text import clean
from transforms.normalisation.problems import Problem
from transforms.rejects import shown_codes


def read_marks(batch: pl.DataFrame, contract: Contract) -> pl.DataFrame:
    """Return the cleaned rows with symbols and marks taken out of the cells of figures, and what they state."""
    marked = [(i, claim) for i, claim in enumerate(contract.claims) if has_marks(claim)]
    if not marked:
        return batch
    columns: dict[str, pl.Expr] = {}
    for i, claim in marked:
        missing, flag, figure = _parts(claim)
        columns |= {f"_missing_{i}": missing, f"_flag_{i}": flag, claim.column: figure}
    return batch.with_columns(**columns)


def has_marks(claim: ClaimSpec) -> bool:
    """Return whether a claim declares symbols for no figure, or marks of status."""
    return any(claim.cell_form())


def _parts(claim: ClaimSpec) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Return whether a cell states that there is no figure, its status by its mark, and the figure's text."""
    text, figure, flag = pl.col(claim.column), pl.col(claim.column), pl.lit(None, pl.String)
    missing = _states_nothing(text, claim)
    if claim.flags:
        marks = {clean(mark): status for mark, status in claim.flags.items()}
        longest_first = sorted(marks, key=len, reverse=True)
        pattern = rf"^(.*?)\s*({'|'.join(re.escape(mark) for mark in longest_first)})$"
        flag = text.str.extract(pattern, 2).replace_strict(marks, default=None, return_dtype=pl.String)
        figure = pl.when(text.str.contains(pattern)).then(text.str.extract(pattern, 1)).otherwise(text)
        missing |= _states_nothing(figure, claim)
    return missing, pl.when(~missing).then(flag), pl.when(missing).then(pl.lit("")).otherwise(figure)


def _states_nothing(text: pl.Expr, claim: ClaimSpec) -> pl.Expr:
    found = text.is_in([clean(value) for value in claim.missing_values or ()])
    return found | text.str.contains(f"^(?:{claim.missing_pattern})$") if claim.missing_pattern else found


def is_missing(index: int, claim: ClaimSpec) -> pl.Expr:
    """Return whether a cell states that there is no figure."""
    return pl.col(f"_missing_{index}") if has_marks(claim) else pl.lit(value=False)


def applies(claim: ClaimSpec) -> pl.Expr | None:
    """Return whether each row makes a claim, by its `when`; None if every row does."""
    conditions = claim.conditions()
    if not conditions:
        return None
    return reduce(and_, [pl.col(c).is_in([clean(text) for text in texts]) for c, texts in conditions.items()])


def where_any(claims: list[ClaimSpec], bad: pl.Expr) -> pl.Expr:
    """Return `bad` where one of the claims applies."""
    found = [applies(claim) for claim in claims]
    conditions = [condition for condition in found if condition is not None]
    return bad & reduce(or_, conditions) if conditions and len(conditions) == len(found) else bad


def unclaimed_rows(contract: Contract) -> list[Problem]:
    """Return the problem of rows to which no claim applies, where every claim has a condition."""
    found = [applies(claim) for claim in contract.claims]
    conditions = [condition for condition in found if condition is not None]
    if len(conditions) < len(found):
        return []
    columns = list(dict.fromkeys(column for claim in contract.claims for column in claim.when or ()))
    known = [f"{c} {' or '.join(texts)}" for claim in contract.claims for c, texts in claim.conditions().items()]
    expected = shown_codes(list(dict.fromkeys(known)), "; ")
    hint = "use one of these texts, add a claim for this one, or name such rows under ignore_rows in the contract"
    text = pl.concat_str(columns, separator=" | ")
    return [Problem("unknown-code", columns[0], ~reduce(or_, conditions), text, expected, hint)]
