"""Rejects: the rows of the table `rejects` (`schemas.claims.REJECT`), each built here and nowhere else."""

from typing import Final

import polars as pl

from schemas.claims import REJECT, frame_schema
from schemas.errors import SubmissionError

FOUND_CHARACTERS: Final = 200
"""How much of a delivered text a reject repeats: enough to find it, not enough to copy a file."""
VISIBLE_NUL: Final = "␀"
"""Stands for the NUL character, which no database stores."""


def cut(text: str) -> str:
    """Return the text as a message may repeat it: at most 200 characters, NUL made visible."""
    return text[:FOUND_CHARACTERS].replace("\0", VISIBLE_NUL)


def reject_columns(  # noqa: PLR0913  one argument for each thing that a reject states
    reason: str | pl.Expr,
    *,
    found: pl.Expr,
    expected: str | pl.Expr,
    hint: str,
    column: str | pl.Expr | None = None,
    rule: str | None = None,
    severity: str = "critical",
) -> list[pl.Expr]:
    """Return the columns of `REJECT` for the rows of a frame that has submission_id and row.

    `reason` is a code of `REASONS`; text is a constant, an expression is evaluated for each row.
    """
    values = {
        "submission_id": pl.col("submission_id"),
        "row": pl.col("row"),
        "column": _text(column),
        "reason": _text(reason),
        "rule": _text(rule),
        "severity": _text(severity),
        "found": found.cast(pl.String).str.slice(0, FOUND_CHARACTERS).str.replace_all("\0", VISIBLE_NUL, literal=True),
        "expected": _text(expected),
        "hint": _text(hint),
    }
    return [values[name].cast(dtype).alias(name) for name, dtype in frame_schema(REJECT).items()]


def reject_fields(error: SubmissionError, row: int | None) -> dict[str, object]:
    """Return the critical reject of one row, or of a whole file, as a mapping without submission_id."""
    return {
        "row": row, "column": error.column, "reason": error.code, "rule": None, "severity": "critical",
        "found": cut(error.found), "expected": error.expected, "hint": error.hint,
    }  # fmt: skip


def file_reject(submission_id: str, error: SubmissionError) -> pl.DataFrame:
    """Return the one reject (`REJECT`) of a file that cannot be read."""
    fields = {"submission_id": submission_id, **reject_fields(error, error.row)}
    return pl.DataFrame([fields], schema=frame_schema(REJECT))


def _text(value: str | pl.Expr | None) -> pl.Expr:
    return value if isinstance(value, pl.Expr) else pl.lit(value, dtype=pl.String)
