"""Rows counted by bucket: each from its own frame, and files that a rule rejects as a whole."""

import polars as pl
import pytest

from transforms.normalisation.problems import Findings, Problem
from transforms.normalisation.row_counts import count_rows, sunk_files

CELLS = pl.DataFrame({"submission_id": [*"bbbba", "c"], "_ignored": [False, True, True, False, False, True]})


def counted(
    claimed: dict[str, tuple[int, int]],
    rejected: list[tuple[str, int]] | None = None,
    warned: list[tuple[str, int]] | None = None,
    sunk: tuple[str, ...] = (),
) -> list[tuple[object, ...]]:
    """Return submission, rows, ignored, claimed, claims, rejected and warnings."""
    content = pl.DataFrame(
        [(name, *each) for name, each in claimed.items()],
        schema={"submission_id": pl.String, "claimed": pl.Int64, "claims": pl.Int64},
        orient="row",
    )
    found = Findings(
        rejects=pl.DataFrame(),
        rejected=pl.DataFrame(rejected or [], schema={"submission_id": pl.String, "row": pl.Int32}, orient="row"),
        warned=pl.DataFrame(warned or [], schema={"submission_id": pl.String, "warnings": pl.Int64}, orient="row"),
    )
    whole = pl.DataFrame({"submission_id": list(sunk)}, schema={"submission_id": pl.String})
    counts = count_rows(CELLS, content, found, whole)
    names = ["rows", "ignored", "claimed", "claims", "rejected", "warnings"]
    assert all(counts.schema[name] == pl.Int64 for name in names)
    return counts.select("submission_id", *names).rows()


def test_each_submission_has_its_rows_by_bucket_in_order() -> None:
    assert counted({"a": (1, 2), "b": (1, 1)}, [("b", 5)], [("b", 2), ("b", 1)]) == [
        ("a", 1, 0, 1, 2, 0, 0), ("b", 4, 2, 1, 1, 1, 3), ("c", 1, 1, 0, 0, 0, 0),
    ]  # fmt: skip


def test_a_row_that_is_rejected_twice_is_one_row() -> None:
    assert counted({}, [("b", 5), ("b", 5), ("b", 6)])[1] == ("b", 4, 2, 0, 0, 2, 0)


def test_of_a_file_that_is_rejected_as_a_whole_all_but_the_ignored_rows_are_rejected() -> None:
    assert counted({}, [("b", 5)], sunk=("b", "c")) == [
        ("a", 1, 0, 0, 0, 0, 0), ("b", 4, 2, 0, 0, 2, 0), ("c", 1, 1, 0, 0, 0, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sinks", "sunk"), [({"r1": True, "r2": False}, ["a", "b"]), ({"r1": False, "r2": True}, ["c"]), ({}, [])]
)
def test_a_rule_that_rejects_files_sinks_those_that_break_it(sinks: dict[str, bool], sunk: list[str]) -> None:
    rejects = pl.DataFrame({"submission_id": [*"aabc"], "rule": ["r1", "r1", "r1", "r2"]})
    nothing = pl.lit(value=False)
    problems = [Problem("rule", None, nothing, nothing, "", "", rule, sinks_file=does) for rule, does in sinks.items()]
    assert sunk_files(rejects, problems)["submission_id"].sort().to_list() == sunk
