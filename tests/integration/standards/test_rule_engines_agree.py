"""Great Expectations and the Polars rules flag the same rows of the same fixture, rule kind by rule kind."""

import functools
import random
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from fractions import Fraction
from typing import Any

import great_expectations as gx
import pandas as pd
import polars as pl
import pytest
from pydantic import TypeAdapter

from schemas.claims import VALUE
from schemas.contract import ChangeRule, Contract, Format, Rule
from transforms.normalisation.rules import change_breaks, rule_breaks

ADAPTER: TypeAdapter[Rule] = TypeAdapter(Rule)
NUMBERS = ["0", "-0", "1", "-1", "10", "10,5", "-10,000000001", "1 000", "1\u00a0000,5", "\u22123", "9" * 28, "0,1"]
CELLS = [
    None,
    "",
    " ",
    "\u00a0",
    "x",
    "X",
    "0301",
    " 0301 ",
    "1e3",
    "NaN",
    "--1",
    "blåbær",
    "Guovdageaidnu",
    "\u0661",
    "é",
]
DECIMALS = 10
"""The most that a number of the fixtures, or the half of one, has."""
Expectation = dict[str, Any]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """Return 400 rows of two submissions: every special cell beside every other kind."""
    draw = random.Random(20241122)
    pool = NUMBERS + CELLS
    cells = {name: [draw.choice(pool) for _ in range(400)] for name in ("a", "b")}
    return pl.DataFrame({"submission_id": ["s", "t"] * 200, **cells})


def cell(text: str | None) -> str | None:
    """Return what a cell says, None for nothing."""
    return (text or "").strip() or None


def value(text: str | None) -> Decimal | None:
    """Read a number by Python alone."""
    plain = re.sub("[ \u00a0]", "", cell(text) or "").replace(",", ".").replace("\u2212", "-")
    return Decimal(plain) if re.fullmatch("-?[0-9]+([.][0-9]+)?", plain) else None


@functools.cache
def engine() -> Any:
    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    asset = context.data_sources.add_pandas("fixture").add_dataframe_asset("frame")
    return asset.add_batch_definition_whole_dataframe("whole")


def gx_flags(frame: pd.DataFrame, *expectations: Expectation) -> set[int]:
    """Return the rows that break any of these, by Great Expectations."""
    batch = engine().get_batch(batch_parameters={"dataframe": frame})
    suite = gx.ExpectationSuite(name="agree", expectations=list(expectations))
    run = batch.validate(suite, result_format={"result_format": "COMPLETE"})
    # An engine error fails too, but knows no rows.
    assert all(r.success or r.result.get("unexpected_index_list") for r in run.results), run
    return {int(i) for r in run.results for i in r.result.get("unexpected_index_list") or ()}


def expect(kind: str, **kwargs: object) -> Expectation:
    return {"type": f"expect_{kind}", "kwargs": kwargs, "meta": {}}


def texts(rows: pl.DataFrame) -> pd.DataFrame:
    """Return the cells for Great Expectations: text, None for an empty one."""
    return pd.DataFrame({c: pd.Series([cell(t) for t in rows[c]], dtype=object) for c in ("a", "b")})


def values(rows: pl.DataFrame) -> pd.DataFrame:
    """Return the numbers for Great Expectations, None for what is none."""
    return pd.DataFrame({c: pd.Series([value(t) for t in rows[c]], dtype=object) for c in ("a", "b")})


def whole(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return numbers as whole ones in the same order, exactly: the engine takes 0.1 s to report a `Decimal`."""
    scaled_numbers = {c: [scaled(n) for n in numbers[c]] for c in numbers}
    return pd.DataFrame(scaled_numbers, index=numbers.index, dtype=object)


def scaled(number: Decimal | None) -> int | None:
    """Return a number times a power of ten, so that no decimals are left."""
    if number is None:
        return None
    exact = Fraction(number) * 10**DECIMALS
    assert exact.denominator == 1
    return int(exact)


def is_number(column: str) -> Expectation:
    return expect(
        "column_values_to_match_regex",
        column=column,
        regex="^[-\u2212]?(?:[0-9]+|[0-9]{1,3}(?:[ \u00a0][0-9]{3})+)(?:,[0-9]{1,9})?$",
    )


def in_range(rows: pl.DataFrame) -> set[int]:
    between = expect("column_values_to_be_between", column="a", min_value=-1, max_value=10)
    # Python compares a decimal with a float exactly, but the engine wants one type: floats of this fixture are apart
    # from -1 and 10 by more than their error.
    return gx_flags(texts(rows), is_number("a")) | gx_flags(values(rows).astype(float), between)


def one_of(rows: pl.DataFrame) -> set[int]:
    return gx_flags(texts(rows), expect("column_values_to_be_in_set", column="a", value_set=["0301", "é", "blåbær"]))


def matching(rows: pl.DataFrame) -> set[int]:
    return gx_flags(texts(rows), expect("column_values_to_match_regex", column="a", regex=r"^(?:[0-9]{4}|x|é)$"))


def required(rows: pl.DataFrame) -> set[int]:
    return gx_flags(texts(rows), expect("column_values_to_not_be_null", column="a"))


def unique(rows: pl.DataFrame) -> set[int]:
    wanted = expect("compound_columns_to_be_unique", column_list=["a", "b"], ignore_row_if="all_values_are_missing")
    frame = texts(rows)
    submissions = rows["submission_id"].to_pandas()
    return {i for one in ("s", "t") for i in gx_flags(frame[submissions == one], wanted)}


def compared(rest: str, right: str, *, or_equal: bool) -> Callable[[pl.DataFrame], set[int]]:
    def flags(rows: pl.DataFrame) -> set[int]:
        pair = expect(
            "column_pair_values_a_to_be_greater_than_b",
            column_A=rest,
            column_B=right,
            or_equal=or_equal,
            ignore_row_if="either_value_is_missing",
        )
        return gx_flags(texts(rows), is_number("a"), is_number("b")) | gx_flags(whole(values(rows)), pair)

    return flags


def equal(rows: pl.DataFrame) -> set[int]:
    pair = expect("column_pair_values_to_be_equal", column_A="a", column_B="b", ignore_row_if="either_value_is_missing")
    return gx_flags(texts(rows), is_number("a"), is_number("b")) | gx_flags(whole(values(rows)), pair)


def unequal(rows: pl.DataFrame) -> set[int]:
    """Return the pairs that are equal: there is no expectation of the opposite, so what it does not flag."""
    pairs = values(rows).dropna()
    same = set(pairs.index) - equal_pairs(pairs)
    return gx_flags(texts(rows), is_number("a"), is_number("b")) | same


def equal_pairs(pairs: pd.DataFrame) -> set[int]:
    return gx_flags(whole(pairs), expect("column_pair_values_to_be_equal", column_A="a", column_B="b"))


CASES: list[tuple[dict[str, Any], Callable[[pl.DataFrame], set[int]]]] = [
    ({"check": "range", "column": "a", "min": -1, "max": 10}, in_range),
    ({"check": "in", "column": "a", "values": ["0301", "é", "blåbær"]}, one_of),
    ({"check": "pattern", "column": "a", "pattern": "[0-9]{4}|x|é"}, matching),
    ({"check": "required", "column": "a"}, required),
    ({"check": "unique", "columns": ["a", "b"]}, unique),
    ({"check": "compare", "left": "a", "op": ">", "right": "b"}, compared("a", "b", or_equal=False)),
    ({"check": "compare", "left": "a", "op": ">=", "right": "b"}, compared("a", "b", or_equal=True)),
    ({"check": "compare", "left": "a", "op": "<", "right": "b"}, compared("b", "a", or_equal=False)),
    ({"check": "compare", "left": "a", "op": "<=", "right": "b"}, compared("b", "a", or_equal=True)),
    ({"check": "compare", "left": "a", "op": "=", "right": "b"}, equal),
    ({"check": "compare", "left": "a", "op": "!=", "right": "b"}, unequal),
]


@pytest.mark.parametrize(("declared", "by_gx"), CASES, ids=lambda x: x["check"] if isinstance(x, dict) else "")
def test_both_engines_flag_the_same_rows(
    rows: pl.DataFrame, declared: dict[str, Any], by_gx: Callable[[pl.DataFrame], set[int]]
) -> None:
    rule = ADAPTER.validate_python({"id": "r1", **declared})
    assert not isinstance(rule, ChangeRule)
    contract = Contract.model_construct(format=Format(type="csv", decimal=",", thousands=" "))
    by_polars = rows.select(rule_breaks(rule, contract).arg_true()).to_series()
    flagged = set(by_polars.to_list())
    assert 0 < len(flagged) < rows.height, "the fixture has rows of both sorts"
    assert flagged == by_gx(rows)


def draws() -> Iterator[Decimal | None]:
    draw = random.Random(7)
    pool = [None, *(Decimal(x) for x in ("0", "100", "-100", "150", "150.000000001", "50", "49.9", "1", "9e27"))]
    while True:
        yield draw.choice(pool)


def test_both_engines_flag_the_same_changes() -> None:
    cells = draws()
    pairs = [(next(cells), next(cells)) for _ in range(300)]
    claims = pl.DataFrame(pairs, schema={"value": VALUE, "previous": VALUE}, orient="row")
    rule = ADAPTER.validate_python({"id": "r1", "check": "change", "concept": "c", "max_share": "0.5"})
    assert isinstance(rule, ChangeRule)
    half = [None if p is None else abs(p) / 2 for _, p in pairs]
    frame = pd.DataFrame(
        {
            "value": pd.Series([v for v, _ in pairs], dtype=object),
            "least": pd.Series(
                [None if p is None else p - h for (_, p), h in zip(pairs, half, strict=True)], dtype=object
            ),
            "most": pd.Series(
                [None if p is None else p + h for (_, p), h in zip(pairs, half, strict=True)], dtype=object
            ),
        }
    )
    pair = {"or_equal": True, "ignore_row_if": "either_value_is_missing"}
    greater = "column_pair_values_a_to_be_greater_than_b"
    by_gx = gx_flags(
        whole(frame),
        expect(greater, column_A="value", column_B="least", **pair),
        expect(greater, column_A="most", column_B="value", **pair),
    )
    flagged = set(claims.select(change_breaks(rule).arg_true()).to_series().to_list())
    assert 0 < len(flagged) < len(pairs)
    assert flagged == by_gx
