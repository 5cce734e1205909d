"""Rejects are bounded, the counts of what is not listed add up, and nobody's number is repeated."""

import polars as pl
import pytest

from schemas.claims import REJECT, frame_schema
from schemas.errors import SubmissionError
from transforms.rejects import (
    FOUND_CHARACTERS,
    MASKED,
    REJECTS_KEPT,
    bound_rejects,
    build_rejects,
    count_reject,
    cut,
    file_reject,
    reject_columns,
)

COLUMNS = reject_columns(
    pl.col("why"), found=pl.col("cell"), expected="a number", hint="correct it", column="n", severity="critical"
)


def rows(count: int, submission: str = "s", why: str = "not-a-number") -> pl.DataFrame:
    ids = pl.Series("row", range(2, count + 2), dtype=pl.Int32)
    return pl.DataFrame(
        {"submission_id": [submission] * count, "row": ids, "cell": ["x"] * count, "why": [why] * count}
    )


def counted(rejects: pl.DataFrame) -> list[tuple[object, ...]]:
    return rejects.filter(pl.col("row").is_null()).select("submission_id", "column", "reason", "found").rows()


def test_a_few_rejects_are_listed_one_by_one() -> None:
    assert build_rejects(rows(3), COLUMNS, most=3)["row"].to_list() == [2, 3, 4]


def test_beyond_the_limit_rejects_are_counted_by_submission_column_and_reason() -> None:
    given = pl.concat([rows(5), rows(2, why="out-of-range"), rows(4, "t")])
    rejects = build_rejects(given, COLUMNS, most=3)
    assert rejects.schema == frame_schema(REJECT)
    assert rejects.filter(pl.col("row").is_not_null())["submission_id"].to_list() == ["s"] * 3 + ["t"] * 3
    assert counted(rejects) == [
        ("s", "n", "not-a-number", "2 more"),
        ("s", "n", "out-of-range", "2 more"),
        ("t", "n", "not-a-number", "1 more"),
    ]


def test_counts_stand_in_one_order_whatever_the_order_of_the_rows() -> None:
    names = [f"s{n:02}" for n in range(40)]
    given = pl.concat([rows(2, name) for name in (*names[20:], *names[:20])])
    assert [one[0] for one in counted(build_rejects(given, COLUMNS, most=1))] == names


def test_counts_of_several_steps_are_added_up() -> None:
    first, second = build_rejects(rows(5), COLUMNS, most=3), build_rejects(rows(9), COLUMNS, most=2)
    rejects = bound_rejects(pl.concat([first, second]), most=4)
    assert rejects["row"].drop_nulls().to_list() == [2, 3, 4, 2]
    assert counted(rejects) == [("s", "n", "not-a-number", "10 more")]
    assert bound_rejects(rejects, most=4).equals(rejects)


def test_a_delivered_text_that_looks_like_a_count_is_none() -> None:
    given = rows(3).with_columns(cell=pl.Series(["7 more", None, "x"]))
    assert bound_rejects(build_rejects(given, COLUMNS), most=3)["found"].to_list() == ["7 more", None, "x"]
    assert counted(bound_rejects(build_rejects(given, COLUMNS), most=1)) == [("s", "n", "not-a-number", "2 more")]


def test_any_number_of_unknown_columns_is_counted_in_one_line() -> None:
    names = pl.Series("cell", [f"c{i}" for i in range(50)])
    columns = reject_columns("unknown-column", found=pl.col("cell"), expected="e", hint="h", column=pl.col("cell"))
    rejects = bound_rejects(rows(50).with_columns(names).select(columns), most=10)
    assert counted(rejects) == [("s", None, "unknown-column", "40 more")]


@pytest.mark.parametrize("number", ["15876500520", "158765 00520", "158765-00520"])
def test_a_person_number_is_never_repeated(number: str) -> None:
    given = rows(2).with_columns(cell=pl.Series([f"født {number}, Os", "123456789012"]))
    assert build_rejects(given, COLUMNS)["found"].to_list() == [f"født {MASKED}, Os", "123456789012"]
    assert cut(f"født {number}, Os") == f"født {MASKED}, Os"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * 200, "x" * 200), ("x" * 201, "x" * 200), ("a\0b", "a␀b"), ("", ""),
        ("x" * 195 + " 15876500520", "x" * 195 + f" {MASKED}"[:5]),  # masked before it is cut: no digit is left
        ("x" * 788 + " 15876500520", "x" * 200), ("1587650052", "1587650052"), ("158765005201", "158765005201"),
        ("15876500520;15876500520;158765 00520", f"{MASKED};{MASKED};{MASKED}"),
    ],
)  # fmt: skip
def test_a_message_repeats_two_hundred_characters_of_a_text(text: str, shown: str) -> None:
    assert cut(text) == shown
    given = rows(1).with_columns(cell=pl.Series([text]))
    assert build_rejects(given, COLUMNS)["found"].to_list() == [shown]


def test_the_reject_of_a_whole_file_says_what_its_error_says() -> None:
    error = SubmissionError("unreadable", "a\0b", "a CSV file", "Deliver it again.", row=3, column="n")
    row = file_reject("s", error).row(0, named=True)
    assert row == {
        "submission_id": "s", "row": 3, "column": "n", "reason": "unreadable", "rule": None, "severity": "critical",
        "found": "a␀b", "expected": "a CSV file", "hint": "Deliver it again.",
    }  # fmt: skip
    assert file_reject("s", error).schema == frame_schema(REJECT)


def test_a_reject_that_counts_is_counted_on() -> None:
    fields = [{"submission_id": "s", **count_reject("n", "not-a-number", more)} for more in (3, 4)]
    rejects = bound_rejects(pl.DataFrame(fields, schema=frame_schema(REJECT)), most=1)
    assert counted(rejects) == [("s", "n", "not-a-number", "7 more")]
    assert rejects["severity"].to_list() == ["critical"]


def test_its_limits_are_those_that_senders_know() -> None:
    assert (REJECTS_KEPT, FOUND_CHARACTERS) == (1000, 200)
