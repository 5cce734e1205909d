"""Problems: what can be wrong with a row, as expressions, and the rejects that they produce."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Self

import polars as pl

from schemas.claims import REJECT, empty
from schemas.contract import Contract
from transforms.normalisation.rules import RowRule, rule_breaks, rule_columns, rule_expectation
from transforms.rejects import reject_columns


@dataclass(frozen=True)
class Problem:
    """One thing that can be wrong: which rows have it, and the message of their rejects.

    `bad` is Boolean, `found` and `expected` are String, over the cells frame; `reason` is a code of `REASONS` or an
    expression that gives one. `sinks_file`: a row with the problem rejects its whole file.
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
            expected=rule_expectation(rule),
            hint="correct the value and deliver again",
            rule=rule.id,
            severity=rule.severity,
            sinks_file=rule.rejects == "file" and rule.severity == "critical",
        )

    def reject_columns(self) -> list[pl.Expr]:
        """Return the columns of a reject for each row that has the problem."""
        return reject_columns(
            self.reason, found=self.found, expected=self.expected, hint=self.hint, column=self.column,
            rule=self.rule, severity=self.severity,
        )  # fmt: skip


def find_rejects(cells: pl.DataFrame, problems: list[Problem]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rejects of the rows that have problems, and the distinct (submission_id, row) of the critical ones.

    `cells` has submission_id, row and every column that the problems use. A row has one reject for each problem.
    """
    if not problems:
        return empty(REJECT), cells.select("submission_id", "row").clear()
    flags = [f"_bad_{i}" for i in range(len(problems))]
    flagged = cells.lazy().with_columns(p.bad.fill_null(False).alias(f) for p, f in zip(problems, flags, strict=True))
    bad = flagged.filter(reduce(or_, map(pl.col, flags))).collect()
    if not bad.height:
        return empty(REJECT), cells.select("submission_id", "row").clear()
    parts = [bad.filter(flag).select(p.reject_columns()) for p, flag in zip(problems, flags, strict=True)]
    critical = [part for part, p in zip(parts, problems, strict=True) if p.severity == "critical"]
    rejected = pl.concat([p.select("submission_id", "row") for p in critical]).unique() if critical else None
    rejects = pl.concat(parts).sort("submission_id", "row", "column", "reason", maintain_order=True)
    return rejects, cells.select("submission_id", "row").clear() if rejected is None else rejected
