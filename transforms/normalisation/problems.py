"""Problems: what can be wrong with a row, as expressions, and the rejects that they produce."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Self

import polars as pl

from schemas.claims import REJECT, empty
from schemas.contract import Contract
from transforms.normalisation.rules import NO_NUMBERS, RowRule, rule_breaks, rule_columns, rule_expectation
from transforms.rejects import bound_rejects, build_rejects, reject_columns


@dataclass(frozen=True)
class Problem:
    """One thing that can be wrong: which rows have it, and the message of their rejects.

    `bad` is Boolean, `found`, `expected` and `hint` are String, over the cells frame; `reason` is a code of `REASONS`
    or an expression that gives one. `sinks_file`: a row with the problem rejects its whole file.
    """

    reason: str | pl.Expr
    column: str | None
    bad: pl.Expr
    found: pl.Expr
    expected: str | pl.Expr
    hint: str | pl.Expr
    rule: str | None = None
    severity: str = "critical"
    sinks_file: bool = False

    @classmethod
    def of_rule(cls, rule: RowRule, contract: Contract, numbers: Mapping[str, pl.Expr] = NO_NUMBERS) -> Self:
        """Return the problem of breaking a contract's rule; `numbers` as `rule_breaks` takes them."""
        columns = rule_columns(rule)
        return cls(
            reason="duplicate-key" if rule.check == "unique" else "rule",
            column=columns[0],
            bad=rule_breaks(rule, contract, numbers),
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


@dataclass(frozen=True)
class Findings:
    """What is wrong with the rows of a batch.

    rejects: `REJECT`, of each problem the first ones listed and the others counted. rejected: the distinct
    (submission_id, row) of all critical ones. warned: submission_id, warnings (Int64) of all the others.
    """

    rejects: pl.DataFrame
    rejected: pl.DataFrame
    warned: pl.DataFrame

    @classmethod
    def none(cls) -> Self:
        """Return what is wrong with sound rows."""
        rejected = pl.DataFrame(schema={"submission_id": pl.String, "row": pl.Int32})
        return cls(empty(REJECT), rejected, pl.DataFrame(schema={"submission_id": pl.String, "warnings": pl.Int64}))

    @classmethod
    def of(cls, rejects: pl.DataFrame) -> Self:
        """Return what all the rejects (`REJECT`) of a step make of its rows; of many only the first are listed."""
        if rejects.is_empty():
            return cls.none()
        critical = pl.col("severity") == "critical"
        warned = rejects.filter(~critical).group_by("submission_id").agg(pl.len().cast(pl.Int64).alias("warnings"))
        return cls(bound_rejects(rejects), rejects.filter(critical).select("submission_id", "row").unique(), warned)

    def plus(self, other: Self) -> Self:
        """Return these and others."""
        frames = ("rejects", "rejected", "warned")
        return type(self)(*(pl.concat([getattr(self, name), getattr(other, name)]) for name in frames))


def find_rejects(cells: pl.DataFrame, problems: list[Problem], cell: str | None = None) -> Findings:
    """Return what is wrong with the rows: of each problem that a row has, one reject.

    `cells` has submission_id, row and every column that the problems use. cell: where rows are the cells of delivered
    rows, the column that holds them; of a problem with another column a delivered row has one reject.
    """
    found = _flagged(cells, problems) if problems else []
    if not found:
        return Findings.none()
    shown = [(p, flag if cell in {None, p.column} else _first_cells(cells, flag)) for p, flag in found]
    parts = [build_rejects(cells.filter(flag), p.reject_columns()) for p, flag in shown]
    return Findings(
        pl.concat(parts).sort("submission_id", "row", "column", "reason", maintain_order=True),
        _rejected_rows(cells, [flag for p, flag in found if p.severity == "critical"]),
        _warnings(cells, [flag for p, flag in shown if p.severity != "critical"]),
    )


def _flagged(cells: pl.DataFrame, problems: list[Problem]) -> list[tuple[Problem, pl.Series]]:
    """Return the problems that some row has, each with a flag for every row."""
    names = [f"_bad_{i}" for i in range(len(problems))]
    flags = cells.lazy().select(p.bad.fill_null(False).alias(f) for p, f in zip(problems, names, strict=True)).collect()
    return [(p, flags[f]) for p, f in zip(problems, names, strict=True) if flags[f].any()]


def _first_cells(cells: pl.DataFrame, flag: pl.Series) -> pl.Series:
    """Return a flag only for the first of the cells of a delivered row that have it."""
    rows = cells.select("submission_id", "delivered_row", flag.alias("bad"))
    return rows.select(
        pl.col("bad") & pl.struct("submission_id", "delivered_row", "bad").is_first_distinct()
    ).to_series()


def _rejected_rows(cells: pl.DataFrame, flags: list[pl.Series]) -> pl.DataFrame:
    if not flags:
        return Findings.none().rejected
    return cells.select("submission_id", "row").filter(reduce(or_, flags))


def _warnings(cells: pl.DataFrame, flags: list[pl.Series]) -> pl.DataFrame:
    ids = [cells.select("submission_id").filter(flag) for flag in flags]
    if not ids:
        return Findings.none().warned
    return pl.concat(ids).group_by("submission_id").agg(pl.len().cast(pl.Int64).alias("warnings"))
