"""The release's checks: Great Expectations on what is about to be published, its suites made from the declared columns.

Great Expectations takes pandas, is slow on text and takes seconds to import: it is imported here only, where it runs
(`preload` does so in the background), and no row travels twice. A staged table is handed over as two narrow frames that
say exactly as much as its rows do:

kinds of rows  each distinct combination of the columns whose values are checked, every other column as a mark (True, or
               null where that matters; of a list whether it holds anything), with how many rows are so: not-null,
               value sets and logic hold for the rows if they hold here
keys           the key column with each distinct text replaced by a number of its own: unique if the texts are

Findings bear counts and column names, never a value. An expectation that the engine could not evaluate is a
`CheckEngineError`, not a finding.
"""

import functools
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import polars as pl

from infra.checks.expectations import SHAPES, Shape
from schemas.errors import StoreError

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
    record_ids: Mapping[str, int] = field(default_factory=dict)
    """Record kind -> distinct item ids over the whole of its table, whose rows are among `rows`."""
    remade: frozenset[str] = frozenset()
    """Tables that may shrink by any share: a decision or another model joined their items."""


class TableCheck:
    """The check of one published table, fed in chunks; a chunk holds whole partitions, for keys are unique in each."""

    def __init__(self, table: str, shape: Shape | None = None) -> None:
        """Begin with no rows; the shape of a record kind's table is told."""
        self.table = table
        self.shape = shape or SHAPES[table]
        self._kinds: list[pl.DataFrame] = []
        self._keys: list[pl.Series] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Take the rows of one chunk; keeps 4 bytes a row, and nothing is evaluated yet."""
        self._kinds.append(_kinds_of_rows(self.shape, rows))
        key = self.shape.key
        if key in rows.columns:
            self._keys.append(_numbered(rows[key]))

    def findings(self) -> list[Finding]:
        """Evaluate the suite and return one finding an expectation. Raises `CheckEngineError`."""
        if not self._kinds:
            return []
        kinds = pl.concat(self._kinds, how="diagonal_relaxed")
        suite = [_column_set(self.shape), *_suite(self.shape)]
        found = _validate(self.table, suite, _pandas(kinds), kinds[_ROWS].to_list())
        return [*found, *self._unique()] if found[0].success else found

    def _unique(self) -> list[Finding]:
        key, held = self.shape.key, 0
        if not self._keys:
            return []
        unique = [_expect("column_values_to_be_unique", "unique", column=key)]
        numbers = []
        for chunk in self._keys:  # numbers of a chunk are below its height: those of two chunks are apart by this
            numbers.append(chunk + held)
            held += chunk.len()
        return _validate(self.table, unique, _pandas(pl.concat(numbers).to_frame(key)))


def preload() -> threading.Thread:
    """Import the engine in the background (7 s) while other work is done; whoever needs it first waits for it."""
    thread = threading.Thread(target=_asset, name="preload-checks", daemon=True)
    thread.start()
    return thread


def check_rows(table: str, rows: pl.DataFrame | Iterable[pl.DataFrame], shape: Shape | None = None) -> list[Finding]:
    """Return the findings of one published table, whole or in chunks of whole partitions."""
    check = TableCheck(table, shape)
    for chunk in [rows] if isinstance(rows, pl.DataFrame) else rows:
        check.add(chunk)
    return check.findings()


def check_release(summary: ReleaseSummary, max_drop: float = 0.1) -> list[Finding]:
    """Return the findings on the whole release: ids unique, nothing lost, no table shrunk by more than `max_drop`.

    A table may shrink by any share when submissions have left, and so may one that was `remade`.
    """
    row = {
        **{f"{table} rows": n for table, n in summary.rows.items()},
        **{f"bucket {name}": n for name, n in summary.buckets.items()},
        "item ids": summary.item_ids,
        **{f"{kind} item ids": n for kind, n in summary.record_ids.items()},
        "unbalanced submissions": summary.unbalanced,
    }
    frame = _pandas(pl.DataFrame({k: [v] for k, v in row.items()}, schema=dict.fromkeys(row, pl.Int64)))
    findings = _validate("release", _release_suite(summary, max_drop), frame)
    # On one row of counts the counts themselves are what was found.
    return [replace(f, found=", ".join(f"{c}: {row[c]}" for c in f.column.split(", "))) for f in findings]


def _numbered(key: pl.Series) -> pl.Series:
    """Return each distinct text of a chunk as a number of its own, below the chunk's height."""
    if key.hash().n_unique() == key.len():  # what differs in its hash differs: no two are alike
        return pl.int_range(key.len(), dtype=pl.Int32, eager=True)
    return key.rank("dense").cast(pl.Int32) - 1


def _kinds_of_rows(shape: Shape, rows: pl.DataFrame) -> pl.DataFrame:
    """Return each distinct combination of the checked values and marks once, with its number of rows."""
    told = {column: _told(shape, rows[column]) for column in rows.columns}
    whole = pl.lit(True).alias("")  # a table without checked columns still has one kind of row
    by = [whole, *(value for value in told.values() if value is not None)]
    kinds = rows.lazy().group_by(by).agg(pl.len().cast(pl.Int64).alias(_ROWS)).drop("")
    return kinds.with_columns(pl.lit(True).alias(column) for column, value in told.items() if value is None).collect()


def _told(shape: Shape, column: pl.Series) -> pl.Expr | None:
    """Return what is told of a column in each row: its value, or a mark; None if all rows are alike."""
    value = pl.col(column.name)
    if column.name in shape.looked_at():
        return value
    if column.name in {name for name, _, _ in shape.filled_where}:
        return value.list.len().clip(upper_bound=1).cast(pl.Int8)
    if shape.may_be_null(column.name) or not column.null_count():
        return None
    return pl.when(value.is_not_null()).then(True).alias(column.name)


def _expect(kind: str, expected: str, **kwargs: object) -> dict[str, Any]:
    """Return one expectation as the engine reads it, with what it expects in words."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"expected": expected}}


def _column_set(shape: Shape) -> dict[str, Any]:
    names = [*(c.name for c in shape.columns), _ROWS]
    return _expect("table_columns_to_match_set", "the declared columns", column_set=names, exact_match=True)


def _suite(shape: Shape) -> list[dict[str, Any]]:
    """Return the expectations of a table's kinds of rows, from its declared columns and the logic of its shape."""
    not_null, in_set, between = (
        "column_values_to_not_be_null",
        "column_values_to_be_in_set",
        "column_values_to_be_between",
    )
    above, where = "column_pair_values_a_to_be_greater_than_b", "row_condition"
    return [
        *(_expect(not_null, "not null", column=c.name) for c in shape.columns if not c.nullable),
        *(
            _expect(in_set, f"one of {', '.join(c.values)}", column=c.name, value_set=list(c.values))
            for c in shape.columns
            if c.values
        ),
        *(
            _expect(not_null, f"null only where {other} is {value}", column=column, **{where: _is(other, "!=", value)})
            for column, other, value in shape.null_only_where
        ),
        *(
            _expect(
                in_set, f"{told} {other} is {value}", column=column, value_set=[held], **{where: _is(other, op, value)}
            )
            for column, other, value in shape.filled_where
            for told, op, held in (("something where", "==", 1), ("nothing unless", "!=", 0))
        ),
        *(_expect(between, "at least 1", column=column, min_value=1) for column in shape.at_least_one),
        *(_expect(above, f"{a} >= {b}", column_A=a, column_B=b, or_equal=True) for a, b in shape.not_less_than),
    ]


def _is(column: str, operator: str, value: str) -> dict[str, Any]:
    """Return a row condition, `column != value` say; there a null is not it either."""
    return {"type": "comparison", "column": {"name": column}, "operator": operator, "parameter": value}


def _release_suite(summary: ReleaseSummary, max_drop: float) -> list[dict[str, Any]]:
    between, buckets = "column_values_to_be_between", [f"bucket {name}" for name in summary.buckets]
    ids = [("observations", "item ids", summary.item_ids)]
    ids += [(kind, f"{kind} item ids", n) for kind, n in summary.record_ids.items()]
    suite = [
        *(
            _expect(
                "column_pair_values_to_be_equal",
                f"as many rows as item ids: {n}",
                column_A=f"{table} rows",
                column_B=told,
            )
            for table, told, n in ids
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
        if table in summary.remade:
            continue
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
def _asset() -> Any:  # noqa: ANN401  as above
    """Return the batch definition that takes any frame, of a context that lives in memory only."""
    context = _engine().get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("staged").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def _validate(
    table: str, suite: list[dict[str, Any]], frame: object, counted: list[int] | None = None
) -> list[Finding]:
    """Run one checkpoint on one pandas frame; `counted` says how many rows each of its rows stands for."""
    gx, asset = _engine(), _asset()
    expectations = gx.ExpectationSuite(name=table, expectations=suite)
    # Straight on the batch: a checkpoint would say the same, and copy its definitions as often as it takes to do so.
    try:
        batch = asset.get_batch(batch_parameters={"dataframe": frame})
        run = batch.validate(expectations, result_format={"result_format": "COMPLETE" if counted else "BASIC"})
    except gx.exceptions.GreatExpectationsError as error:
        raise CheckEngineError(f"checks of {table}: the engine failed: {error}") from error
    results = [r.to_json_dict() for r in run.results]
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
