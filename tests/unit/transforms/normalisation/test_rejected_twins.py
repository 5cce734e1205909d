"""Rows that share a key with a rejected row are rejected with it, and so is whatever depends on them."""

import datetime as dt

import polars as pl
import pytest

from schemas.claims import REJECT, frame_schema
from transforms.normalisation.rejected_twins import reject_twins
from transforms.normalisation.repeated_keys import Repeat

DAY = dt.date(2024, 1, 1)


def claims(*rows: tuple[str, int, str | None, str | None]) -> pl.DataFrame:
    """Return claims from submission, row, item and reporter."""
    frame = pl.DataFrame(
        rows,
        schema={"submission_id": pl.String, "row": pl.Int32, "item_id": pl.String, "reported_by": pl.String},
        orient="row",
    )
    return frame.with_columns(
        column=pl.lit("amount"), concept=pl.lit("paid"), unit_id=pl.lit("u"), period_start=pl.lit(DAY),
        period_end=pl.lit(DAY), breakdown=pl.lit("{}"), unit_measure=pl.lit("NOK"),
    )  # fmt: skip


def places(rows: pl.DataFrame) -> list[tuple[str, int]]:
    return rows.select("submission_id", "row").rows()


ACCEPTED = claims(("s1", 2, "x", "a"), ("s1", 3, "y", "a"), ("s1", 4, "x", "b"), ("s2", 2, "x", "a"))


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ("sum", "a sum of which every line can be read"),
        ("error", "each key once in a file"),
        ("distinct", "rows of one key that are all equal"),
    ],
)
def test_a_twin_is_the_same_item_by_the_same_reporter_in_the_same_file(repeat: Repeat, expected: str) -> None:
    assert repeat != "warn"
    rest, rejects = reject_twins(ACCEPTED, claims(("s1", 9, "x", "a")), repeat)
    assert places(rest) == [("s1", 3), ("s1", 4), ("s2", 2)]
    assert rejects.row(0, named=True) == {
        "submission_id": "s1",
        "row": 2,
        "column": "amount",
        "reason": "rejected-twin",
        "rule": f"repeat: {repeat}",
        "severity": "critical",
        "found": "paid u 2024-01-01 2024-01-01 {} NOK",
        "expected": expected,
        "hint": "correct the rejected row of the same key, and deliver the file again",
    }
    assert rejects.height == 1
    assert rejects.schema == frame_schema(REJECT)


def test_nothing_rejected_leaves_all() -> None:
    rest, rejects = reject_twins(ACCEPTED, ACCEPTED.clear(), "sum")
    assert rest.equals(ACCEPTED)
    assert rejects.height == 0
    assert rejects.schema == frame_schema(REJECT)
    rest, rejects = reject_twins(ACCEPTED.clear(), claims(("s1", 9, "x", "a")), "error")
    assert (rest.height, rejects.height) == (0, 0)


def test_a_row_with_several_claims_is_rejected_once_and_with_all_of_them() -> None:
    row = claims(("s1", 2, "x", "a"), ("s1", 2, "y", "a"), ("s1", 3, "z", "a"))
    row = row.with_columns(column=pl.Series(["first", "second", "third"]))
    rest, rejects = reject_twins(row, claims(("s1", 9, "x", "a"), ("s1", 9, "y", "a")), "error")
    assert (places(rest), places(rejects)) == ([("s1", 3)], [("s1", 2)])
    assert rejects["column"].to_list() == ["first"]


def test_what_is_rejected_may_be_a_line_of_other_sums() -> None:
    lines = claims(
        ("s1", 5, "z", "a"), ("s1", 4, "y", "a"), ("s1", 4, "z", "a"), ("s1", 3, "x", "a"), ("s1", 3, "y", "a")
    )
    lost = claims(("s1", 2, "x", "a"))
    for given in (lines, lines.reverse()):
        rest, rejects = reject_twins(given, lost, "sum")
        assert rest.height == 0
        assert places(rejects) == [("s1", 3), ("s1", 4), ("s1", 5)]
    rest, _ = reject_twins(lines.filter(pl.col("row") != 4), lost, "sum")
    assert places(rest) == [("s1", 5)]


def test_lost_lines_of_unknown_sums_are_a_warning_of_the_file() -> None:
    lost = claims(("s2", 9, None, "a"), ("s1", 7, None, "a"), ("s1", 7, "x", None), ("s1", 8, "q", None))
    rest, rejects = reject_twins(ACCEPTED, lost, "sum")
    assert rest.height == ACCEPTED.height
    assert rejects.select("submission_id", "row", "column", "severity", "found", "expected").rows() == [
        (
            "s1",
            None,
            None,
            "warning",
            "2 rejected rows whose key cannot be read",
            "sums of which every line can be read",
        ),
        (
            "s2",
            None,
            None,
            "warning",
            "1 rejected rows whose key cannot be read",
            "sums of which every line can be read",
        ),
    ]
    assert rejects["reason"].unique().to_list() == ["rejected-twin"]


@pytest.mark.parametrize("repeat", ["error", "distinct"])
def test_a_key_that_cannot_be_read_has_no_twins(repeat: Repeat) -> None:
    assert repeat != "warn"
    rest, rejects = reject_twins(claims(("s1", 2, "x", "a")), claims(("s1", 3, None, "a")), repeat)
    assert (rest.height, rejects.height) == (1, 0)
