"""The release's checks: Great Expectations on staged tables, with suites built from the declared columns.

Great Expectations takes pandas, is slow on text and takes seconds to import. It is imported only here, when it runs
(`preload` imports it in the background). Each staged table is condensed into two narrow frames that give the same
results as its rows:

kinds of rows  each distinct combination of the columns whose values are checked, with the number of its rows. Every
               other column is a mark: True, or null where nulls are checked; for a list whether it has elements.
               Not-null, value sets and logic hold for the rows if they hold here.
keys           how often the key of a row occurs in its chunk, with the number of such rows: unique if all occur once.

Findings have counts and column names, never a value. An expectation that the engine could not evaluate is a
`CheckEngineError`, not a finding.
"""

import functools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from infra.checks.expectations import SHAPES, Shape
from schemas.errors import CheckEngineError

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition

_ROWS: Final = "rows of this kind"
_configuring: Final = threading.Lock()
"""Held by who changes how the engine's expectations build their configuration."""


@dataclass(frozen=True)
class Finding:
    """The result of one expectation: columns and counts, no values."""

    table: str
    expectation: str
    column: str
    success: bool
    found: str
    expected: str


@dataclass(frozen=True)
class ReleaseSummary:
    """The counts of a staged release."""

    rows: Mapping[str, int]
    """Table -> rows, of `observations` and of the other tables that are compared with the previous release."""
    item_ids: int
    """Distinct item ids in all of `observations`."""
    delivered: int
    buckets: Mapping[str, int]
    """Bucket -> rows, over all submissions."""
    unbalanced: int
    """Submissions whose buckets do not add up to the rows they delivered."""
    rows_before: Mapping[str, int] | None = None
    """Table -> rows of the previous release; None for the first."""
    removed_submissions: int = 0
    """Submissions of the previous release that are not in this one: with any, a table may shrink."""
    record_ids: Mapping[str, int] = field(default_factory=dict)
    """Record kind -> distinct item ids in all of its table, whose rows are among `rows`."""
    may_shrink: frozenset[str] = frozenset()
    """Tables that may shrink by any share: a decision or another model joined their items."""
    unstated: Mapping[str, int] = field(default_factory=dict)
    """Table -> rows of the previous release that nothing states any more: all was corrected or withdrawn, or
    reports that arrived joined it to others."""


class TableCheck:
    """The check of one published table, fed in chunks of whole partitions: keys are unique within a partition."""

    def __init__(self, table: str, shape: Shape | None = None) -> None:
        """Begin with no rows. The table of a record kind needs its shape."""
        self.table = table
        self.shape = shape or SHAPES[table]
        self._kinds: list[pl.DataFrame] = []
        self._keys: list[pl.DataFrame] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Add the rows of one chunk: counts them, and evaluates nothing yet."""
        self._kinds.append(_kinds_of_rows(self.shape, rows))
        key = self.shape.key
        if key in rows.columns:
            self._keys.append(_times(rows[key]))

    def findings(self) -> list[Finding]:
        """Evaluate the suite and return one finding per expectation. Raises `CheckEngineError`."""
        if not self._kinds:
            return []
        kinds = pl.concat(self._kinds, how="diagonal_relaxed")
        suite = [_column_set(self.shape), *_suite(self.shape)]
        findings = _validate(self.table, suite, _pandas(kinds), kinds[_ROWS].to_list())
        return [*findings, *self._uniqueness()] if findings[0].success else findings

    def _uniqueness(self) -> list[Finding]:
        if not self._keys:
            return []
        keys = pl.concat(self._keys)
        once = [_expect("column_values_to_be_between", "unique", column=self.shape.key, max_value=1)]
        return _validate(self.table, once, _pandas(keys), keys[_ROWS].to_list())


def preload() -> threading.Thread:
    """Import the engine in the background (7 s) during other work; the first check waits for it."""
    thread = threading.Thread(target=_asset, name="preload-checks", daemon=True)
    thread.start()
    return thread


def check_release(summary: ReleaseSummary, max_drop: float = 0.1) -> list[Finding]:
    """Return the findings on the whole release: ids unique, no row lost, no table smaller by more than `max_drop`.

    A table may shrink by any share if submissions were removed, or if it is in `may_shrink`.
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
    # There is one row of counts: report the counts themselves.
    return [replace(f, found=", ".join(f"{c}: {row[c]}" for c in f.column.split(", "))) for f in findings]


def _times(key: pl.Series) -> pl.DataFrame:
    """Return how often the texts of a chunk occur in it, under the key's name, and how many rows have such a text."""
    if key.hash().n_unique() == key.len():  # all hashes differ, so all texts do
        return pl.DataFrame({key.name: [1], _ROWS: [key.len()]}, schema=dict.fromkeys((key.name, _ROWS), pl.Int64))
    times = key.to_frame().group_by(key.name).len().select(pl.col("len").cast(pl.Int64).alias(key.name))
    return times.group_by(key.name).agg((pl.col(key.name).first() * pl.len()).cast(pl.Int64).alias(_ROWS))


def _kinds_of_rows(shape: Shape, rows: pl.DataFrame) -> pl.DataFrame:
    """Return each distinct combination of checked values and marks, with its number of rows."""
    values = {column: _checked_value(shape, rows[column]) for column in rows.columns}
    whole = pl.lit(True).alias("")  # a table without checked columns still has one kind of row
    by = [whole, *(value for value in values.values() if value is not None)]
    kinds = rows.lazy().group_by(by).agg(pl.len().cast(pl.Int64).alias(_ROWS)).drop("")
    constant = (column for column, value in values.items() if value is None)
    return kinds.with_columns(pl.lit(True).alias(column) for column in constant).collect()


def _checked_value(shape: Shape, column: pl.Series) -> pl.Expr | None:
    """Return what the checks need of a column in each row: its value or a mark; None if it is the same in all rows."""
    value = pl.col(column.name)
    if column.name in shape.checked_columns():
        return value
    if column.name in {name for name, _, _ in shape.filled_where}:
        return value.list.len().clip(upper_bound=1).cast(pl.Int8)
    if shape.may_be_null(column.name) or not column.null_count():
        return None
    return pl.when(value.is_not_null()).then(True).alias(column.name)


def _expect(kind: str, expected: str, **kwargs: object) -> dict[str, Any]:
    """Return one expectation in the engine's format, with the expectation in words."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {"expected": expected}}


def _column_set(shape: Shape) -> dict[str, Any]:
    names = [*(c.name for c in shape.columns), _ROWS]
    return _expect("table_columns_to_match_set", "the declared columns", column_set=names, exact_match=True)


def _suite(shape: Shape) -> list[dict[str, Any]]:
    """Return the expectations on a table's kinds of rows, from its declared columns and its shape."""
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
                in_set, f"{text} {other} is {value}", column=column, value_set=[mark], **{where: _is(other, op, value)}
            )
            for column, other, value in shape.filled_where
            for text, op, mark in (("something where", "==", 1), ("nothing unless", "!=", 0))
        ),
        *(_expect(between, "at least 1", column=column, min_value=1) for column in shape.at_least_one),
        *(_expect(above, f"{a} >= {b}", column_A=a, column_B=b, or_equal=True) for a, b in shape.not_less_than),
    ]


def _is(column: str, operator: str, value: str) -> dict[str, Any]:
    """Return a row condition such as `column != value`, which holds for null too."""
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
                column_B=id_column,
            )
            for table, id_column, n in ids
        ),
        _expect(
            "multicolumn_sum_to_equal",
            f"the {summary.delivered} rows delivered",
            column_list=buckets,
            sum_total=summary.delivered,
        ),
        _expect(between, "no submission", column="unbalanced submissions", max_value=0),
    ]
    before = {} if summary.removed_submissions or summary.rows_before is None else summary.rows_before
    for table, rows in before.items():
        if table in summary.may_shrink:
            continue
        unstated = min(rows, summary.unstated.get(table, 0))
        least = rows - unstated - int((rows - unstated) * max_drop)
        without = f", {unstated} of them corrected, withdrawn or joined since" if unstated else ""
        expected = f"at least {least}: {rows} in the previous release{without}, and no submission was removed"
        suite.append(_expect(between, expected, column=f"{table} rows", min_value=least))
    return suite


def _pandas(frame: pl.DataFrame) -> object:
    return frame.to_arrow().to_pandas()


def _engine() -> ModuleType:
    import great_expectations  # takes 7 s: only where it runs

    return great_expectations


@functools.cache
def _asset() -> "BatchDefinition[None]":
    """Return a batch definition that takes any frame, in an in-memory context."""
    context = _engine().get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("staged").add_dataframe_asset("frame")
    whole: BatchDefinition[None] = asset.add_batch_definition_whole_dataframe("whole")
    return whole


@contextmanager
def _configured_once() -> Iterator[None]:
    """Build the configuration of each expectation once while the block runs: that is the same, in half the time."""
    # The engine builds it from the expectation's fields each time it needs one of them, a hundred times for each. An
    # expectation is held with its configuration, so that no other one can get its identity.
    expectation, known = _engine().expectations.Expectation, {}
    with _configuring:
        build = expectation.configuration

        def _configuration(self: object) -> object:
            if id(self) not in known:
                known[id(self)] = self, build.fget(self)
            return known[id(self)][1]

        expectation.configuration = property(_configuration)
        try:
            yield
        finally:
            expectation.configuration = build


def _validate(
    table: str, suite: list[dict[str, Any]], frame: object, row_counts: list[int] | None = None
) -> list[Finding]:
    """Validate one pandas frame; `row_counts` is the number of rows that each of its rows represents."""
    gx, asset = _engine(), _asset()
    expectations = gx.ExpectationSuite(name=table, expectations=suite)
    # Validates the batch directly: a checkpoint has the same result and copies all definitions first.
    try:
        batch = asset.get_batch(batch_parameters={"dataframe": frame})
        with _configured_once():
            run = batch.validate(expectations, result_format={"result_format": "COMPLETE" if row_counts else "BASIC"})
    except gx.exceptions.GreatExpectationsError as error:
        raise CheckEngineError(f"checks of {table}: the engine failed: {error}") from error
    results = [r.to_json_dict() for r in run.results]
    results.sort(key=lambda r: r["expectation_config"]["type"] != "expect_table_columns_to_match_set")
    first = _finding(table, results[0], row_counts)
    if not first.success:
        return [first]  # expectations on missing columns can only make the engine fail
    return [first, *(_finding(table, result, row_counts) for result in results[1:])]


def _finding(table: str, result: dict[str, Any], row_counts: list[int] | None) -> Finding:
    config, detail = result["expectation_config"], result["result"]
    column = _column_names(config["kwargs"])
    _raise_engine_error(f"checks of {table}: {config['type']} on {column or 'the table'}", result["exception_info"])
    found = _found(detail, row_counts)
    return Finding(table, config["type"], column, bool(result["success"]), found, config["meta"]["expected"])


def _column_names(kwargs: dict[str, Any]) -> str:
    names = kwargs.get("column_list") or [kwargs[k] for k in ("column", "column_A", "column_B") if k in kwargs]
    return ", ".join(names)


def _raise_engine_error(what: str, info: dict[str, Any]) -> None:
    """Raise if the engine raised: its info is one dictionary, or one per metric."""
    for each in [info] if "raised_exception" in info else info.values():
        if each["raised_exception"]:
            raise CheckEngineError(f"{what}: the engine failed: {each['exception_message']}")


def _found(detail: dict[str, Any], row_counts: list[int] | None) -> str:
    """Return, as text, which columns or how many rows are not as expected."""
    mismatched = detail.get("details", {}).get("mismatched")
    if mismatched:
        return "; ".join(f"{kind} {', '.join(names)}" for kind, names in sorted(mismatched.items()))
    bad, rows = detail.get("unexpected_count", 0), detail.get("element_count", 0)
    if row_counts:
        bad, rows = sum(row_counts[i] for i in detail.get("unexpected_index_list") or ()), sum(row_counts)
    return f"not so in {bad} of {rows} rows" if bad else "as expected"
