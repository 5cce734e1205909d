"""The release's checks: Great Expectations on what is about to be published, its suites made from `schemas.claims`.

Great Expectations takes pandas, is slow on text and takes seconds to import: it is imported here only, where it runs
(`preload` does so in the background), and no row travels twice. A staged table is handed over as two narrow frames that
say exactly as much as its rows do:

kinds of rows  each distinct combination of the columns whose values are checked, every other column as a mark (True, or
               null), with how many rows are so: not-null, value sets and logic hold for the rows if they hold here
keys           the key column with each distinct text replaced by a number of its own: unique if the texts are

Findings bear counts and column names, never a value. An expectation that the engine could not evaluate is a
`CheckEngineError`, not a finding.
"""

import functools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import polars as pl
import pyarrow as pa

from schemas.claims import PUBLISHED
from schemas.errors import StoreError

KEYS: Final = {"observations": "item_id"}
"""Table -> the column in which nothing may stand twice."""
NULL_ONLY_WHERE: Final = {
    "observations": (("value", "agreement", "conflict"), ("value", "obs_status", "Q")),
    "changes": (("agreement_before", "change", "added"), ("agreement_after", "change", "removed")),
}
"""Table -> (column, other, value): the column is null only in rows whose other column has that value."""
AT_LEAST_ONE: Final = {"observations": ("reports", "reporters")}
"""Table -> columns that count something which is there."""
NOT_LESS_THAN: Final = {"observations": (("reports", "reporters"),)}
"""Table -> (column, other): the first is at least the other."""

_ROWS: Final = "rows of this kind"


class CheckEngineError(StoreError):
    """The engine could not evaluate an expectation: nothing is known of the data."""


@dataclass(frozen=True)
class Finding:
    """What one expectation found: no values, only columns and counts."""

    table: str
    expectation: str
    column: str
    success: bool
    found: str
    expected: str


@dataclass(frozen=True)
class ReleaseSummary:
    """A staged release in numbers."""

    rows: Mapping[str, int]
    """Table -> rows, of `observations` and others that are compared with the release before."""
    item_ids: int
    """Distinct item ids over the whole of `observations`."""
    delivered: int
    buckets: Mapping[str, int]
    """Bucket -> rows, over all submissions."""
    unbalanced: int
    """Submissions whose buckets do not add up to what they delivered."""
    rows_before: Mapping[str, int] | None = None
    """Table -> rows of the release before; None for the first."""
    left: int = 0
    """Submissions in the release before and not in this one: with any, a table may shrink."""


class TableCheck:
    """The check of one published table, fed in chunks; a chunk holds whole partitions, for keys are unique in each."""

    def __init__(self, table: str) -> None:
        """Begin with no rows."""
        self.table = table
        self._kinds: list[pl.DataFrame] = []
        self._keys: list[pa.Array] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Take the rows of one chunk; keeps 4 bytes a row, and nothing is evaluated yet."""
        self._kinds.append(_kinds_of_rows(self.table, rows))
        key = KEYS.get(self.table)
        if key in rows.columns:
            self._keys.append(rows[key].to_arrow().dictionary_encode().indices)

    def findings(self) -> list[Finding]:
        """Evaluate the suite and return one finding an expectation. Raises `CheckEngineError`."""
        if not self._kinds:
            return []
        kinds = pl.concat(self._kinds, how="diagonal_relaxed")
        suite = [_column_set(self.table), *_suite(self.table)]
        found = _validate(self.table, suite, _pandas(kinds), kinds[_ROWS].to_list())
        return [*found, *self._unique()] if found[0].success else found

    def _unique(self) -> list[Finding]:
        chunks = [
            _validate(self.table, [_unique_key(self.table)], pa.table({KEYS[self.table]: k}).to_pandas())
            for k in self._keys
        ]
        failed = [f for chunk in chunks for f in chunk if not f.success]
        return failed or [f for chunk in chunks[:1] for f in chunk]


def preload() -> threading.Thread:
    """Import the engine in the background (7 s) while other work is done; whoever needs it first waits for it."""
    thread = threading.Thread(target=_context, name="preload-checks", daemon=True)
    thread.start()
    return thread


def check_rows(table: str, rows: pl.DataFrame | Iterable[pl.DataFrame]) -> list[Finding]:
    """Return the findings of one published table, whole or in chunks of whole partitions."""
    check = TableCheck(table)
    for chunk in [rows] if isinstance(rows, pl.DataFrame) else rows:
        check.add(chunk)
    return check.findings()


def check_release(summary: ReleaseSummary, max_drop: float = 0.1) -> list[Finding]:
    """Return the findings on the whole release: ids unique, nothing lost, no table shrunk by more than `max_drop`.

    A table may shrink by any share when submissions have left.
    """
    row = {
        **{f"{table} rows": n for table, n in summary.rows.items()},
        **{f"bucket {name}": n for name, n in summary.buckets.items()},
        "item ids": summary.item_ids,
        "unbalanced submissions": summary.unbalanced,
    }
    frame = _pandas(pl.DataFrame({k: [v] for k, v in row.items()}, schema=dict.fromkeys(row, pl.Int64)))
    findings = _validate("release", _release_suite(summary, max_drop), frame)
    # On one row of counts the counts themselves are what was found.
    return [replace(f, found=", ".join(f"{c}: {row[c]}" for c in f.column.split(", "))) for f in findings]


def _kinds_of_rows(table: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Return each distinct combination of the checked values and marks once, with its number of rows."""
    looked_at = {c.name for c in PUBLISHED[table] if c.values} | set(AT_LEAST_ONE.get(table, ()))
    looked_at |= {other for _, other, _ in NULL_ONLY_WHERE.get(table, ())}
    values = [c for c in rows.columns if c in looked_at]
    gaps = [c for c in rows.columns if c not in looked_at and rows[c].null_count()]
    marks = [pl.when(pl.col(c).is_not_null()).then(True).alias(c) for c in gaps]
    full = [c for c in rows.columns if c not in looked_at and c not in gaps]
    whole = pl.lit(True).alias("")  # a table without checked columns still has one kind of row
    kinds = rows.lazy().group_by(whole, *values, *marks).agg(pl.len().cast(pl.Int64).alias(_ROWS)).drop("")
    return kinds.with_columns(pl.lit(True).alias(c) for c in full).collect()


def _expect(kind: str, expected: str, **kwargs: object) -> dict[str, Any]:
    """Return one expectation as the engine reads it, with what it expects in words."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"expected": expected}}


def _column_set(table: str) -> dict[str, Any]:
    names = [*(c.name for c in PUBLISHED[table]), _ROWS]
    return _expect("table_columns_to_match_set", "the declared columns", column_set=names, exact_match=True)


def _unique_key(table: str) -> dict[str, Any]:
    return _expect("column_values_to_be_unique", "unique", column=KEYS[table])


def _suite(table: str) -> list[dict[str, Any]]:
    """Return the expectations of a table's kinds of rows, from its declared columns and the logic above."""
    not_null, in_set = "column_values_to_not_be_null", "column_values_to_be_in_set"
    columns = PUBLISHED[table]
    return [
        *(_expect(not_null, "not null", column=c.name) for c in columns if not c.nullable),
        *(
            _expect(in_set, f"one of {', '.join(c.values)}", column=c.name, value_set=list(c.values))
            for c in columns
            if c.values
        ),
        *(
            _expect(not_null, f"null only where {other} is {value}", column=column, row_condition=_is_not(other, value))
            for column, other, value in NULL_ONLY_WHERE.get(table, ())
        ),
        *(
            _expect("column_values_to_be_between", "at least 1", column=column, min_value=1)
            for column in AT_LEAST_ONE.get(table, ())
        ),
        *(
            _expect("column_pair_values_a_to_be_greater_than_b", f"{a} >= {b}", column_A=a, column_B=b, or_equal=True)
            for a, b in NOT_LESS_THAN.get(table, ())
        ),
    ]


def _is_not(column: str, value: str) -> dict[str, Any]:
    """Return the row condition `column != value`; a null is not it either."""
    return {"type": "comparison", "column": {"name": column}, "operator": "!=", "parameter": value}


def _release_suite(summary: ReleaseSummary, max_drop: float) -> list[dict[str, Any]]:
    between, buckets = "column_values_to_be_between", [f"bucket {name}" for name in summary.buckets]
    suite = [
        _expect(
            "column_pair_values_to_be_equal",
            f"as many rows as item ids: {summary.item_ids}",
            column_A="observations rows",
            column_B="item ids",
        ),
        _expect(
            "multicolumn_sum_to_equal",
            f"the {summary.delivered} rows delivered",
            column_list=buckets,
            sum_total=summary.delivered,
        ),
        _expect(between, "no submission", column="unbalanced submissions", max_value=0),
    ]
    before = {} if summary.left or summary.rows_before is None else summary.rows_before
    for table, rows in before.items():
        least = rows - int(rows * max_drop)
        told = f"at least {least}: {rows} in the release before, and no submission has left"
        suite.append(_expect(between, told, column=f"{table} rows", min_value=least))
    return suite


def _pandas(frame: pl.DataFrame) -> object:
    return frame.to_arrow().to_pandas()


def _engine() -> Any:  # noqa: ANN401  the module itself; its own types are incomplete
    import great_expectations  # noqa: PLC0415  takes 7 s: only where it runs

    return great_expectations


@functools.cache
def _context() -> tuple[Any, Any]:
    """Return a context that lives in memory only, and the batch definition that takes any frame."""
    context = _engine().get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("staged").add_dataframe_asset("frame")
    return context, asset.add_batch_definition_whole_dataframe("whole")


def _validate(
    table: str, suite: list[dict[str, Any]], frame: object, counted: list[int] | None = None
) -> list[Finding]:
    """Run one checkpoint on one pandas frame; `counted` says how many rows each of its rows stands for."""
    gx, (context, batch) = _engine(), _context()
    expectations = context.suites.add_or_update(gx.ExpectationSuite(name=table, expectations=suite))
    validation = context.validation_definitions.add_or_update(
        gx.ValidationDefinition(name=table, data=batch, suite=expectations)
    )
    detail = {"result_format": "COMPLETE" if counted else "BASIC"}
    checkpoint = gx.Checkpoint(name=table, validation_definitions=[validation], result_format=detail)
    try:
        run = context.checkpoints.add_or_update(checkpoint).run(batch_parameters={"dataframe": frame})
    except gx.exceptions.GreatExpectationsError as error:
        raise CheckEngineError(f"checks of {table}: the engine failed: {error}") from error
    results = [r.to_json_dict() for validated in run.run_results.values() for r in validated.results]
    results.sort(key=lambda r: r["expectation_config"]["type"] != "expect_table_columns_to_match_set")
    first = _finding(table, results[0], counted)
    if not first.success:
        return [first]  # what looks at a column that is not there can only fail the engine
    return [first, *(_finding(table, result, counted) for result in results[1:])]


def _finding(table: str, result: dict[str, Any], counted: list[int] | None) -> Finding:
    config, detail = result["expectation_config"], result["result"]
    column = _columns_named(config["kwargs"])
    _raise_engine_error(f"checks of {table}: {config['type']} on {column or 'the table'}", result["exception_info"])
    found = _found(detail, counted)
    return Finding(table, config["type"], column, bool(result["success"]), found, config["meta"]["expected"])


def _columns_named(kwargs: dict[str, Any]) -> str:
    named = kwargs.get("column_list") or [kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs]
    return ", ".join(named)


def _raise_engine_error(what: str, info: dict[str, Any]) -> None:
    """Raise if the engine did: it tells so once, or once a metric."""
    for each in [info] if "raised_exception" in info else info.values():
        if each["raised_exception"]:
            raise CheckEngineError(f"{what}: the engine failed: {each['exception_message']}")


def _found(detail: dict[str, Any], counted: list[int] | None) -> str:
    """Say which columns, or how many rows, are not as expected."""
    mismatched = detail.get("details", {}).get("mismatched")
    if mismatched:
        return "; ".join(f"{kind} {', '.join(names)}" for kind, names in sorted(mismatched.items()))
    bad, rows = detail.get("unexpected_count", 0), detail.get("element_count", 0)
    if counted:
        bad, rows = sum(counted[i] for i in detail.get("unexpected_index_list") or ()), sum(counted)
    return f"not so in {bad} of {rows} rows" if bad else "as expected"
