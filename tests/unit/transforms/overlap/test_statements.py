"""Statements: additive lines are one statement, a withheld line withholds it."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pytest

from schemas.claims import OBSERVATION, SOURCE, frame_schema
from schemas.overlap import DERIVABLE_FROM
from transforms.overlap.statements import ITEM_COLUMNS, read_figures, read_stated_items, read_statements


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


def line(value: object, relation: str = "additive", **differs: object) -> dict[str, object]:
    """Return a source of item `i` under obligation `a`."""
    number = None if value is None else Decimal(str(value))
    stated_by = {"reported_by": "r", "submission_id": "s", "contract": "c", "sender": "d"}
    return {**stated_by, "value": number, "relation": relation, **differs}


@pytest.mark.parametrize(
    ("lines", "values"),
    [
        ([line(1), line(2)], [3]),
        ([line(1), line(2, reported_by="x")], [1, 2]),
        ([line(1), line(2, submission_id="t")], [1, 2]),
        ([line(1), line(2, obligation="b")], [1, 2]),
        ([line(1), line(2, "single")], [1, 2]),
        ([line(1, "single"), line(1, "complete")], [1, 1]),
        ([line(None, "single")], [None]),
        ([line(1), line(None), line(2, obligation="b")], [2, None]),
    ],
)
def test_lines_are_one_statement_by_reporter_obligation_and_file(
    lines: list[dict[str, object]], values: list[int | None]
) -> None:
    found = read_statements(*tables(lines))
    assert found["value"].sort(nulls_last=True).to_list() == values
    assert found["reports"].to_list() == [len(values)] * len(values)
    figures = read_figures(*tables(lines))
    assert figures["value"].sort(nulls_last=True).to_list() == values
    assert "item_id" not in figures.columns
    assert set(figures.columns) == {"obligation", "reported_by", "value", *ITEM_COLUMNS} - {"item_id"}


def test_a_sum_is_as_vague_and_as_tolerated_as_its_vaguest_line() -> None:
    (row,) = read_statements(*tables([line(1000, decimals=-2), line(500, decimals=0)])).to_dicts()
    assert (row["lower"], row["upper"]) == (Decimal("1449.5"), Decimal("1550.5"))
    (row,) = read_statements(*tables([line(100, tolerance=10_000), line(100, tolerance=None)])).to_dicts()
    assert (row["lower"], row["upper"]) == (198, 202)
    assert (row["contract"], row["sender"]) == ("c", "d")


def test_a_statement_of_an_item_that_is_not_there_is_left_out() -> None:
    lines = [line(1, "single"), line(2, "single", item_id="gone")]
    assert read_statements(*tables(lines))["value"].to_list() == [1]
    assert read_figures(*tables(lines))["value"].to_list() == [1]


def edges(*parts: str) -> pl.DataFrame:
    """Return edges of the roll-up that makes `i` the sum of these items."""
    return pl.DataFrame([("i", "r", part) for part in parts], schema=frame_schema(DERIVABLE_FROM), orient="row")


def stated(
    *lines: dict[str, object], parts: tuple[str, ...] = (), hidden: tuple[str, ...] = ()
) -> tuple[int, list[str]]:
    """Return how many items obligation `a` has alone, and whose statements of items are read."""
    sources, items = tables(list(lines))
    places = pl.concat([items.with_columns(item_id=pl.lit(name)) for name in ("i", *parts)])
    reporters = places.with_columns(pl.when(pl.col("item_id") == "i").then(1).alias("reporters").cast(pl.UInt32))
    found = read_stated_items(sources, reporters, "a", edges(*parts), hidden)
    whose = found.statements.select(pl.col("obligation") + " " + pl.col("item_id")).to_series().sort().to_list()
    return int(found.alone["items"].sum()), whose


@pytest.mark.parametrize(
    ("lines", "alone", "whose"),
    [
        ([line(1, "single")], 1, []),
        ([line(1, "complete"), line(1, "complete", reported_by="x")], 1, []),
        ([line(1)], 0, ["a i"]),
        ([line(None, "single")], 0, ["a i"]),
        ([line(1, "conflict")], 0, ["a i"]),
        ([line(1, "single"), line(1, "single", obligation="b")], 0, ["a i", "b i"]),
    ],
)
def test_only_items_that_are_stated_plainly_and_by_nobody_else_are_counted_unread(
    lines: list[dict[str, object]], alone: int, whose: list[str]
) -> None:
    assert stated(*lines) == (alone, whose)


def test_the_parts_of_a_sum_are_read_and_what_is_hidden_is_not() -> None:
    lines = [
        line(3, "single"),
        line(1, "single", obligation="b", item_id="p"),
        line(2, "single", obligation="c", item_id="q"),
    ]
    assert stated(*lines, parts=("p", "q")) == (0, ["a i", "b p", "c q"])
    assert stated(*lines, parts=("p", "q"), hidden=("b",)) == (0, ["a i", "c q"])
    assert stated(*lines, parts=("p",)) == (0, ["a i", "b p"])
