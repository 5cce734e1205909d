"""Statements: additive lines are one statement, a withheld line withholds it."""

import datetime as dt
from decimal import Decimal

import polars as pl

from schemas.claims import OBSERVATION, SOURCE, frame_schema
from transforms.overlap.statements import read_statements


def tables(lines: list[dict[str, object]]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    sources = pl.DataFrame([{"item_id": "i", "obligation": "a", **line} for line in lines], infer_schema_length=None)
    schema = frame_schema(SOURCE)
    missing = [pl.lit(None, dtype=schema[name]).alias(name) for name in schema if name not in sources.columns]
    item = {"item_id": "i", "concept": "beds", "period_start": dt.date(2024, 1, 1)}
    items = pl.DataFrame(
        [{name: item.get(name) for name in frame_schema(OBSERVATION)}], schema=frame_schema(OBSERVATION)
    )
    return sources.with_columns(missing).cast(schema).lazy(), items.lazy()


def test_lines_are_summed_and_their_interval_widens() -> None:
    lines: list[dict[str, object]] = [
        {"submission_id": "s", "value": Decimal(value), "decimals": -3, "relation": "additive"}
        for value in (2000, 3000)
    ]
    (row,) = read_statements(*tables(lines)).to_dicts()
    assert (row["value"], row["lower"], row["upper"]) == (5000, 4000, 6000)


def test_a_tolerance_widens_the_interval() -> None:
    claim = {"submission_id": "s", "value": Decimal(200), "decimals": 0, "tolerance": 10_000, "relation": "single"}
    (row,) = read_statements(*tables([claim])).to_dicts()
    assert (row["lower"], row["upper"]) == (198, 202)


def test_a_withheld_line_withholds_the_sum() -> None:
    lines: list[dict[str, object]] = [
        {"submission_id": "s", "value": value, "relation": "additive"} for value in (Decimal(2), None)
    ]
    (row,) = read_statements(*tables(lines)).to_dicts()
    assert (row["value"], row["lower"], row["concept"]) == (None, None, "beds")


def test_a_single_claim_is_a_statement() -> None:
    (row,) = read_statements(
        *tables([{"submission_id": "s", "value": Decimal("1.5"), "relation": "single"}])
    ).to_dicts()
    assert (row["value"], row["lower"], row["upper"], row["obligation"]) == (
        Decimal("1.5"),
        Decimal("1.5"),
        Decimal("1.5"),
        "a",
    )
