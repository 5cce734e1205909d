"""The fate of each delivered row, as one number: its submission's arrival, the row, the bucket that it ended in.

Numbers are a tenth of the cost of texts, and in order they are the rows of each submission in the order of the file.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl

from schemas.claims import BUCKETS

BUCKET_LETTERS: Final = dict(zip(BUCKETS, "PDASWCRI", strict=True))
"""Bucket -> the letter that stands for it in a leaf."""
UNSTATED: Final = "."
"""The letter of a row that a leaf states nothing of."""
BUCKET_CODES: Final = {bucket: code for code, bucket in enumerate(BUCKETS)}
BUCKET_OF_CODE: Final = dict(enumerate(BUCKETS))
NO_FATES: Final = pl.Series("fate", [], dtype=pl.UInt64)
FATE_SUBMISSION: Final = pl.Schema({
    "submission_id": pl.String, "arrival": pl.UInt32, "rest": pl.String, "whole": pl.Boolean, "reread": pl.Boolean,
})  # fmt: skip
"""The columns of `fate_submissions`."""
_ROW: Final = 4
_ARRIVAL: Final = 36
"""How many bits are below a row, and below an arrival."""
_LONGEST_GAP: Final = 16
"""Rows that a leaf states nothing of, up to so many in a row, do not begin a new stretch."""
_LETTERS: Final = np.frombuffer("".join(BUCKET_LETTERS.values()).encode(), np.uint8)


def fate(code: pl.Expr) -> pl.Expr:
    """Return `fate` UInt64 of rows with `arrival`, `row` and the code of their bucket (`BUCKET_CODES`)."""
    place = pl.col("arrival").cast(pl.UInt64) * 2**_ARRIVAL + pl.col("row").cast(pl.UInt64) * 2**_ROW
    number: pl.Expr = place + code.cast(pl.UInt64)
    return number.alias("fate")


def bucket_code(bucket: pl.Expr) -> pl.Expr:
    """Return the code of a bucket's name."""
    return bucket.replace_strict(BUCKET_CODES, return_dtype=pl.UInt8)


def fate_submissions(submissions: pl.DataFrame, *, everything: bool) -> pl.DataFrame:
    """Return what the fates of a night are about: `FATE_SUBMISSION`, one row a submission.

    rest: the bucket of all rows that are neither rejected nor ignored, where the submission's own state decides it.
    whole: whether what the last release stated of its rows holds no more: it enters, is reread, has a rest, or
    everything is consolidated again. submissions: as marked by `transforms.submissions`.
    """
    idle = (pl.col("status") == "live") & ~pl.col("counts")
    rest = (
        pl.when(pl.col("status").is_in(["withdrawn", "rejected"])).then("status")
        .when(idle & pl.col("replaced_by").is_null()).then(pl.lit("duplicate"))
        .when(idle).then(pl.lit("superseded"))
    )  # fmt: skip
    reread = pl.col("reread") if "reread" in submissions.columns else pl.lit(value=False)
    enters = pl.col("counts") & (~pl.col("in_release") | reread | pl.lit(everything))
    whole = (enters | rest.is_not_null()).alias("whole")
    return submissions.select("submission_id", "arrival", rest.alias("rest"), whole, reread.alias("reread"))


def changed_fates(before: pl.Series | None, after: pl.Series, submissions: pl.DataFrame) -> pl.Series:
    """Return the fates that differ from before, and all of submissions that are stated whole (`fate_submissions`)."""
    if before is None or before.is_empty():
        return after
    whole = submissions.filter("whole")["arrival"].cast(pl.UInt64)
    return after.filter(~after.is_in(before.implode()) | (after // 2**_ARRIVAL).is_in(whole.implode()))


def fates_by_submission(fates: pl.Series) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield each submission's arrival, rows (ascending) and codes of their buckets."""
    if fates.is_empty():
        return
    numbers = fates.sort().to_numpy()
    arrivals = numbers >> np.uint64(_ARRIVAL)
    starts = np.flatnonzero(arrivals[1:] != arrivals[:-1]) + 1
    for start, end in zip([0, *starts], [*starts, len(numbers)], strict=True):
        own = (numbers[start:end] & np.uint64(2**_ARRIVAL - 1)).view(np.int64)
        yield int(arrivals[start]), own >> _ROW, own & (2**_ROW - 1)


def stretches(rows: np.ndarray, codes: np.ndarray) -> list[tuple[int, str]]:
    """Return rows, ascending, as stretches: the first row, and a letter for it and for each one after it."""
    found = []
    breaks = np.flatnonzero(rows[1:] - rows[:-1] > _LONGEST_GAP) + 1
    for start, end in zip([0, *breaks], [*breaks, len(rows)], strict=True):
        first, length = int(rows[start]), int(rows[end - 1] - rows[start]) + 1
        letters = _LETTERS[codes[start:end]]
        if length > end - start:
            stated = np.full(length, ord(UNSTATED), np.uint8)
            stated[rows[start:end] - first] = letters
            letters = stated
        found.append((first, letters.tobytes().decode("ascii")))
    return found
