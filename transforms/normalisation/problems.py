"""Problems: what can be wrong with a row, as expressions, and the rejects they give."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Self

import polars as pl

from schemas.claims import REJECT, empty, frame_schema
from schemas.contract import Contract
from transforms.normalisation.rules import RowRule, expected, rule_breaks, rule_columns

FOUND_CHARACTERS = 200
"""How much of a delivered text a reject repeats: enough to find it, not enough to copy a file."""


@dataclass(frozen=True)
class Problem:
    """One thing that can be wrong: which rows have it, and what to say of them.

    `bad` is Boolean, `found` and `expected` are String, over the cells frame; `reason` a code of `REASONS` or an
    expression giving one.
    """

    reason: str | pl.Expr
    column: str | None
    bad: pl.Expr
    found: pl.Expr
    expected: str | pl.Expr
    hint: str
    rule: str | None = None
    severity: str = "critical"
    sinks_file: bool = False

    @classmethod
    def of_rule(cls, rule: RowRule, contract: Contract) -> Self:
        """Return the problem of breaking a contract's rule."""
        columns = rule_columns(rule)
        return cls(
            reason="duplicate-key" if rule.check == "unique" else "rule",
            column=columns[0],
            bad=rule_breaks(rule, contract),
            found=pl.concat_str(*(pl.col(c) for c in columns), separator=" | "),
            expected=expected(rule),
            hint="correct the value and deliver again",
            rule=rule.id,
            severity=rule.severity,
            sinks_file=rule.rejects == "file" and rule.severity == "critical",
        )


def rejects_of(cells: pl.DataFrame, problems: list[Problem]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rejects of the rows that have problems, and the distinct (submission_id, row) of the critical ones.

    `cells` has submission_id, row and whatever the problems speak of. A row with three problems gives three rejects.
    """
    if not problems:
        return empty(REJECT), cells.select("submission_id", "row").clear()
    flags = [f"_bad_{i}" for i in range(len(problems))]
    flagged = cells.lazy().with_columns(p.bad.fill_null(False).alias(f) for p, f in zip(problems, flags, strict=True))
    bad = flagged.filter(reduce(or_, map(pl.col, flags))).collect()
    if not bad.height:
        return empty(REJECT), cells.select("submission_id", "row").clear()
    parts = [bad.filter(flag).select(_row_of(p)) for p, flag in zip(problems, flags, strict=True)]
    critical = [part for part, p in zip(parts, problems, strict=True) if p.severity == "critical"]
    sunk = pl.concat([p.select("submission_id", "row") for p in critical]).unique() if critical else None
    rejects = pl.concat(parts).sort("submission_id", "row", "column", "reason", maintain_order=True)
    return rejects, cells.select("submission_id", "row").clear() if sunk is None else sunk


def _row_of(problem: Problem) -> list[pl.Expr]:
    told = {
        "submission_id": pl.col("submission_id"),
        "row": pl.col("row"),
        "column": _text(problem.column),
        "reason": _text(problem.reason),
        "rule": _text(problem.rule),
        "severity": _text(problem.severity),
        "found": problem.found.cast(pl.String).str.slice(0, FOUND_CHARACTERS),
        "expected": _text(problem.expected),
        "hint": _text(problem.hint),
    }
    return [told[name].cast(dtype).alias(name) for name, dtype in frame_schema(REJECT).items()]


def _text(value: str | pl.Expr | None) -> pl.Expr:
    return value if isinstance(value, pl.Expr) else pl.lit(value, dtype=pl.String)
