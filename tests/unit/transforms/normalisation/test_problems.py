"""What is wrong with rows, as findings: rejects, the distinct rejected rows, and warnings by submission."""

from typing import Any, Final

import polars as pl
import pytest

from schemas.claims import REJECT, frame_schema
from schemas.contract import Contract, Format
from schemas.contract_rules import RangeRule
from transforms.normalisation.problems import Findings, Problem, find_rejects
from transforms.normalisation.row_counts import count_rows, sunk_files
from transforms.rejects import REJECTS_KEPT, reject_columns

CELLS: Final = pl.DataFrame(
    {
        "submission_id": ["s", "s", "s", "t", "t"],
        "row": pl.Series([2, 3, 4, 2, 3], dtype=pl.Int32),
        "n": ["1", "x", "", "x", None],
        "_ignored": [False, False, True, False, False],
    }
)


def problem(bad: pl.Expr, reason: str = "not-a-number", **fields: Any) -> Problem:
    return Problem(reason, "n", bad, pl.col("n"), "a number", "correct it", **fields)


IS_X: Final = pl.col("n") == "x"
IS_EMPTY: Final = pl.col("n") == ""


def test_sound_rows_have_no_findings() -> None:
    for problems in ([], [problem(pl.lit(False))], [problem(pl.col("n") == "y")]):
        found = find_rejects(CELLS, problems)
        assert found.rejects.schema == frame_schema(REJECT)
        assert (found.rejects.height, found.rejected.height, found.warned.height) == (0, 0, 0)


def test_a_row_has_one_reject_for_each_problem_and_is_rejected_once() -> None:
    found = find_rejects(CELLS, [problem(IS_X), problem(IS_EMPTY, "missing-value"), problem(IS_X, "out-of-range")])
    assert found.rejects.select("submission_id", "row", "reason").rows() == [
        ("s", 3, "not-a-number"), ("s", 3, "out-of-range"), ("s", 4, "missing-value"), ("t", 2, "not-a-number"),
        ("t", 2, "out-of-range"),
    ]  # fmt: skip
    assert found.rejected.rows() == [("s", 3), ("s", 4), ("t", 2)]
    assert found.warned.height == 0


def test_a_warning_rejects_nothing_and_is_counted_by_submission() -> None:
    found = find_rejects(CELLS, [problem(IS_X, severity="warning"), problem(IS_EMPTY, severity="warning")])
    assert (found.rejects.height, found.rejected.height) == (3, 0)
    assert sorted(found.warned.rows()) == [("s", 2), ("t", 1)]


def test_findings_of_rejects_that_are_built_elsewhere() -> None:
    columns = reject_columns("rule", found=pl.col("n"), expected="e", hint="h", severity="warning")
    warnings = Findings.of(CELLS.select(columns))
    assert (warnings.rejected.height, sorted(warnings.warned.rows())) == (0, [("s", 3), ("t", 2)])
    twice = CELLS.select(reject_columns("rule", found=pl.col("n"), expected="e", hint="h"))
    critical = Findings.of(pl.concat([twice, twice]))
    assert (sorted(critical.rejected.rows()), critical.warned.height) == (
        CELLS.select("submission_id", "row").rows(),
        0,
    )
    assert Findings.of(twice.clear()).rejects.schema == frame_schema(REJECT)
    many = Findings.of(pl.concat([twice.head(1)] * (REJECTS_KEPT + 5)))
    assert (many.rejects.height, many.rejects["found"][-1]) == (REJECTS_KEPT + 1, "5 more")
    both = warnings.plus(critical)
    assert [frame.height for frame in (both.rejects, both.rejected, both.warned)] == [15, 5, 2]


def counts(findings: Findings, sunk: pl.DataFrame, **claimed: int) -> list[tuple[int, ...]]:
    content = pl.DataFrame(
        [(name, n, 2 * n, 7) for name, n in claimed.items()],
        schema={"submission_id": pl.String, "claimed": pl.UInt32, "claims": pl.UInt32, "lane_0": pl.UInt64},
        orient="row",
    )
    counted = count_rows(CELLS, content, findings, sunk)
    assert counted["submission_id"].to_list() == ["s", "t"]
    assert {counted.schema[name] for name in ("rows", "ignored", "claimed", "claims", "rejected", "warnings")} == {
        pl.Int64
    }
    names = ("rows", "ignored", "claimed", "claims", "rejected", "warnings", "lane_0")
    return counted.select(names).rows()


def test_rows_are_counted_by_bucket_each_from_its_own_frame() -> None:
    found = find_rejects(CELLS, [problem(IS_X), problem(IS_X, "out-of-range"), problem(IS_X, severity="warning")])
    none = CELLS.select("submission_id").clear()
    assert counts(found, none, s=1) == [(3, 1, 1, 2, 1, 1, 7), (2, 0, 0, 0, 1, 1, 0)]
    assert counts(Findings.none(), none, s=2, t=2) == [(3, 1, 2, 4, 0, 0, 7), (2, 0, 2, 4, 0, 0, 7)]


def test_warnings_of_several_steps_are_added_up() -> None:
    once = find_rejects(CELLS, [problem(IS_X, severity="warning")])
    none = CELLS.select("submission_id").clear()
    assert [row[5] for row in counts(once.plus(once).plus(once), none)] == [3, 3]


def test_a_file_that_is_rejected_whole_loses_every_row_that_is_not_ignored() -> None:
    sinking = problem(IS_EMPTY, rule="r1", sinks_file=True)
    found = find_rejects(CELLS, [sinking, problem(pl.col("submission_id") == "t", rule="r2")])
    sunk = sunk_files(found.rejects, [sinking])
    assert sunk["submission_id"].to_list() == ["s"]
    assert counts(found, sunk) == [(3, 1, 0, 0, 2, 0, 0), (2, 0, 0, 0, 2, 0, 0)]
    assert sunk_files(found.rejects, [problem(IS_EMPTY, rule="r1")]).height == 0


@pytest.mark.parametrize(
    ("keys", "sinks"),
    [
        ({}, False),
        ({"rejects": "file"}, True),
        ({"severity": "warning"}, False),
    ],
)
def test_a_rule_rejects_the_whole_file_where_it_is_declared_so(keys: dict[str, str], sinks: bool) -> None:
    rule = RangeRule.model_validate({"id": "r1", "check": "range", "column": "n", "min": 0, **keys})
    found = Problem.of_rule(rule, Contract.model_construct(format=Format(type="csv")))
    assert (found.rule, found.column, found.reason, found.sinks_file) == ("r1", "n", "rule", sinks)
    assert CELLS.select(found.bad).to_series().to_list() == [False, True, False, True, False]


@pytest.mark.parametrize("bad", [pl.lit(None, pl.Boolean), pl.col("n").str.contains("y")])
def test_what_is_not_known_to_be_wrong_is_no_problem(bad: pl.Expr) -> None:
    assert find_rejects(CELLS, [problem(bad)]).rejects.height == 0
