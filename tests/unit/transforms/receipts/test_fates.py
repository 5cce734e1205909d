"""The fate of each row as a number, what of it is stated, and how it is written."""

from typing import Any

import polars as pl
import pytest

from schemas.claims import BUCKETS
from transforms.receipts.fates import (
    BUCKET_CODES,
    BUCKET_LETTERS,
    NO_FATES,
    bucket_code,
    changed_fates,
    fate,
    fate_submissions,
    fates_by_submission,
    stretches,
)

LAST_ROW = 2**31 - 1


def fates(*rows: tuple[int, int, str]) -> pl.Series:
    frame = pl.DataFrame(list(rows), {"arrival": pl.UInt32, "row": pl.Int32, "bucket": pl.String}, orient="row")
    return frame.select(fate(bucket_code(pl.col("bucket")))).to_series()


def read(numbers: pl.Series) -> dict[int, list[tuple[int, str]]]:
    return {arrival: stretches(rows, codes) for arrival, rows, codes in fates_by_submission(numbers)}


def test_letters_and_codes_stand_for_all_buckets() -> None:
    assert tuple(BUCKET_CODES) == tuple(BUCKET_LETTERS) == BUCKETS
    assert len(set(BUCKET_LETTERS.values())) == len(BUCKETS) < 16, "a code has four bits"


def test_rows_of_any_number_keep_their_place_and_bucket() -> None:
    rows = [(2**28 - 1, LAST_ROW, "ignored"), (7, 2, "conflict"), (0, 0, "published"), (7, 3, "duplicate")]
    assert read(fates(*rows)) == {0: [(0, "P")], 7: [(2, "CD")], 2**28 - 1: [(LAST_ROW, "I")]}
    assert read(NO_FATES) == {}


def test_a_stretch_goes_over_short_gaps() -> None:
    rows = [(1, row, "published") for row in (2, 3, 5, 21, 38, 20_000_005)]
    assert read(fates(*rows)) == {1: [(2, "PP.P" + "." * 15 + "P"), (38, "P"), (20_000_005, "P")]}


def test_what_is_as_before_is_not_stated_again_unless_its_submission_is_stated_whole() -> None:
    before = fates((1, 2, "published"), (1, 3, "published"), (2, 2, "published"))
    after = fates((1, 2, "published"), (1, 3, "conflict"), (2, 2, "published"), (3, 2, "duplicate"))
    submissions = pl.DataFrame(
        {"arrival": [1, 2, 3], "whole": [False, True, True]}, {"arrival": pl.UInt32, "whole": pl.Boolean}
    )
    assert read(changed_fates(before, after, submissions)) == {1: [(3, "C")], 2: [(2, "P")], 3: [(2, "D")]}
    assert changed_fates(None, after, submissions).equals(after)
    assert changed_fates(NO_FATES, after, submissions).equals(after)


@pytest.mark.parametrize(
    ("stated", "rest", "whole"),
    [
        ({}, None, False),
        ({"in_release": False}, None, True),
        ({"reread": True}, None, True),
        ({"counts": False, "status": "withdrawn"}, "withdrawn", True),
        ({"counts": False, "status": "rejected"}, "rejected", True),
        ({"counts": False}, "duplicate", True),
        ({"counts": False, "replaced_by": "s2"}, "superseded", True),
        ({"counts": False, "status": "pinned"}, None, False),
    ],
)
def test_a_submission_s_state_decides_what_is_stated_of_it(
    stated: dict[str, Any], rest: str | None, whole: bool
) -> None:
    row = {
        "submission_id": "s1", "arrival": 4, "status": "live", "counts": True, "in_release": True, "replaced_by": None,
        "reread": False, **stated,
    }  # fmt: skip
    frame = pl.DataFrame([row], schema_overrides={"arrival": pl.UInt32, "replaced_by": pl.String})
    assert fate_submissions(frame, everything=False).row(0) == ("s1", 4, rest, whole, row["reread"])
    every = fate_submissions(frame.drop("reread"), everything=True).row(0)
    assert every == ("s1", 4, rest, row["counts"] or rest is not None, False)
