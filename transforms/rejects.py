"""Rejects: the rows of the table `rejects` (`schemas.claims.REJECT`), each built here and nowhere else.

A submission has a bounded number of them. Those beyond it are counted: one reject without a row for each column and
reason. What is counted of a submission never depends on how many rejects are listed.
"""

import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from schemas.claims import REJECT, frame_schema
from schemas.errors import SubmissionError

FOUND_CHARACTERS: Final = 200
"""How much of a delivered text a reject repeats: enough to find it, not enough to copy a file."""
REJECTS_KEPT: Final = 1000
"""How many rejects of one submission are listed; the others are counted."""
COUNTED: Final = "{} more"
"""What `found` holds in the reject that counts those that are not listed."""
COUNTED_EXPECTED: Final = "the same as in the rows that are listed"
COUNTED_HINT: Final = "Correct these rows too; only the first ones are listed."
_COUNTED_PATTERN: Final = r"^([0-9]+) more$"
_COUNTED_KEY: Final = ("submission_id", "column", "reason", "rule", "severity")
_ELEVEN_DIGITS: Final = r"[0-9]{6}[ -]?[0-9]{5}"
_PERSON_NUMBER: Final = rf"(^|[^0-9]){_ELEVEN_DIGITS}($|[^0-9])"
"""A text with the form of a Norwegian person number: a reject never repeats it."""
MASKED: Final = "[11 digits]"
LOST_LINES: Final = "{} rejected rows whose key cannot be read"
WHOLE_SUMS: Final = "sums of which every line can be read"
LOST_LINES_HINT: Final = "Any sum of the file may lack one of these lines: correct them and deliver the file again."
"""What a warning states of the sums of a file of which rows were rejected that may be lines of any of them."""
VISIBLE_NUL: Final = "␀"
"""Stands for the NUL character, which no database stores."""
CODES_SHOWN: Final = 12
"""How many codes of a map a reject lists: what fits a line."""


def shown_codes(known: Sequence[str], between: str = ", ") -> str:
    """Return the codes that a message shows: a few, of however many."""
    return between.join(known[:CODES_SHOWN]) + (" …" if len(known) > CODES_SHOWN else "")


def cut(text: str) -> str:
    """Return the text as a message may repeat it: at most 200 characters, NUL made visible, person numbers masked."""
    masked = re.sub(rf"(?<![0-9]){_ELEVEN_DIGITS}(?![0-9])", MASKED, text[: 4 * FOUND_CHARACTERS])
    return masked[:FOUND_CHARACTERS].replace("\0", VISIBLE_NUL)


def _shown(found: pl.Expr) -> pl.Expr:
    """Return the texts as `cut` does."""
    text = found.cast(pl.String).str.slice(0, 4 * FOUND_CHARACTERS)
    hidden = text
    for _ in range(2):  # a match takes the character behind it: of numbers in a row every other one is left at first
        hidden = hidden.str.replace_all(_PERSON_NUMBER, "${1}" + MASKED + "${2}")
    masked = pl.when(text.str.contains(_PERSON_NUMBER)).then(hidden).otherwise(text)
    return masked.str.slice(0, FOUND_CHARACTERS).str.replace_all("\0", VISIBLE_NUL, literal=True)


def reject_columns(
    reason: str | pl.Expr,
    *,
    found: pl.Expr,
    expected: str | pl.Expr,
    hint: str | pl.Expr,
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
        "found": _shown(found),
        "expected": _text(expected),
        "hint": _text(hint),
    }
    return [values[name].cast(dtype).alias(name) for name, dtype in frame_schema(REJECT).items()]


def build_rejects(rows: pl.DataFrame, columns: list[pl.Expr], most: int = REJECTS_KEPT) -> pl.DataFrame:
    """Return a reject (`columns`, from `reject_columns`) for each row; beyond `most` of a submission they are counted.

    Only the listed ones are built: rejects of millions of rows would need more memory than the rows themselves.
    """
    if rows.height <= most:
        return rows.select(columns)
    rank = pl.int_range(pl.len()).over("submission_id")
    rest = rows.filter(rank >= most)
    listed = rows.filter(rank < most).select(columns)
    key = [column for column in columns if column.meta.output_name() in _COUNTED_KEY]
    counts = rest.lazy().select(*key, pl.lit(1).alias("more")).group_by(_COUNTED_KEY).agg(pl.col("more").sum())
    return pl.concat([listed, _counting(counts.collect()).select(listed.columns)])


def bound_rejects(rejects: pl.DataFrame, most: int = REJECTS_KEPT) -> pl.DataFrame:
    """Return at most `most` rejects (`REJECT`) of each submission, and the counts of the others.

    Each of its columns and reasons has one more reject that counts them, those that were counted before included.
    """
    counted = pl.col("row").is_null() & pl.col("found").str.contains(_COUNTED_PATTERN)
    if rejects.height <= most and not rejects.select(counted.any()).item():
        return rejects
    more = pl.when(counted).then(pl.col("found").str.extract(_COUNTED_PATTERN).cast(pl.Int64, strict=False))
    rejects = rejects.with_columns(more.alias("more"))
    listed, before = rejects.filter(pl.col("more").is_null()), rejects.filter(pl.col("more").is_not_null())
    rank = pl.int_range(pl.len()).over("submission_id")
    rest = pl.concat([listed.filter(rank >= most).with_columns(more=pl.lit(1, pl.Int64)), before])
    # A file may have any number of unknown columns: those that are not listed are counted together.
    column = pl.when(pl.col("reason") != "unknown-column").then("column").alias("column")
    counts = rest.with_columns(column).group_by(_COUNTED_KEY).agg(pl.col("more").sum())
    names = frame_schema(REJECT).names()
    return pl.concat([listed.filter(rank < most).select(names), _counting(counts).select(names)])


def _counting(counts: pl.DataFrame) -> pl.DataFrame:
    """Return the rejects that count others: from the columns of `_COUNTED_KEY`, and `more`."""
    return counts.sort(_COUNTED_KEY).with_columns(
        pl.lit(None, pl.Int32).alias("row"),
        pl.format(COUNTED, "more").alias("found"),
        pl.lit(COUNTED_EXPECTED).alias("expected"),
        pl.lit(COUNTED_HINT).alias("hint"),
    )


def reject_fields(error: SubmissionError, row: int | None) -> dict[str, object]:
    """Return the critical reject of one row, or of a whole file, as a mapping without submission_id."""
    return {
        "row": row, "column": error.column, "reason": error.code, "rule": None, "severity": "critical",
        "found": cut(error.found), "expected": error.expected, "hint": error.hint,
    }  # fmt: skip


def count_reject(column: str | None, reason: str, more: int) -> dict[str, object]:
    """Return the critical reject that counts rows which are not listed, as `reject_fields` does."""
    return {
        "row": None, "column": column, "reason": reason, "rule": None, "severity": "critical",
        "found": COUNTED.format(more), "expected": COUNTED_EXPECTED, "hint": COUNTED_HINT,
    }  # fmt: skip


def file_reject(submission_id: str, error: SubmissionError) -> pl.DataFrame:
    """Return the one reject (`REJECT`) of a file that cannot be read."""
    fields = {"submission_id": submission_id, **reject_fields(error, error.row)}
    return pl.DataFrame([fields], schema=frame_schema(REJECT))


def _text(value: str | pl.Expr | None) -> pl.Expr:
    return value if isinstance(value, pl.Expr) else pl.lit(value, dtype=pl.String)
