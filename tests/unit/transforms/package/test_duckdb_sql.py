"""The macros and views of a package's DuckDB file, run on tables of any content, against a replay in plain Python."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.claims import Column
from schemas.package_tables import PackageTable
from transforms.package.duckdb_sql import comment_sql, dimension_columns, macro_sql, table_sql, view_sql

Change = tuple[str, str, int | None]
"""An item, what became of it, and its value."""
ITEMS = st.sampled_from("abc")
RELEASES = st.lists(st.lists(st.tuples(ITEMS, st.booleans(), st.integers(0, 9)), max_size=4), min_size=1, max_size=6)


def database() -> duckdb.DuckDBPyConnection:
    """Return a database with empty tables of the names that views and macros use."""
    opened = duckdb.connect()
    for statement in (
        "CREATE TABLE history (item_id VARCHAR, release INTEGER, change VARCHAR, value INTEGER)",
        "CREATE TABLE observations (item_id VARCHAR, concept VARCHAR, breakdown VARCHAR, value INTEGER)",
        "CREATE TABLE sources (item_id VARCHAR, claim_id VARCHAR, obligation VARCHAR, submission_id VARCHAR)",
        "CREATE TABLE submissions (submission_id VARCHAR, filename VARCHAR, received_at TIMESTAMP, rows INTEGER)",
        "CREATE TABLE concepts (concept VARCHAR, title_nb VARCHAR, title_nn VARCHAR, title_en VARCHAR)",
    ):
        opened.execute(statement)
    return opened


def rows_of(opened: duckdb.DuckDBPyConnection, sql: str) -> list[dict[str, Any]]:
    """Return the rows of a query, column -> value."""
    found = opened.execute(sql)
    names = [column[0] for column in found.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def replayed(releases: list[list[tuple[str, bool, int]]]) -> Iterator[tuple[list[Change], dict[str, int]]]:
    """Yield what each release changes, and the items after it. A wish: the item, whether it stays, its value."""
    items: dict[str, int] = {}
    for wishes in releases:
        wanted = {item: value if stays else None for item, stays, value in wishes}
        changes: list[Change] = []
        for item, value in wanted.items():
            if value is None and item in items:
                changes.append((item, "removed", items.pop(item)))
            elif value is not None and items.get(item) != value:
                changes.append((item, "changed" if item in items else "added", value))
                items[item] = value
        yield changes, dict(items)


@settings(max_examples=25)
@given(RELEASES)
@example([[("a", True, 1)], [("a", False, 0)], [("a", True, 1)], []])
def test_the_items_of_each_release_are_those_after_all_its_changes(
    releases: list[list[tuple[str, bool, int]]],
) -> None:
    opened, states = database(), []
    for statement in macro_sql():
        opened.execute(statement)
    every: list[tuple[int, Change]] = []
    for number, (changes, items) in enumerate(replayed(releases), start=1):
        states.append(items)
        every += [(number, change) for change in changes]
    # Rows in no order: the macros rely on none.
    for number, (item, change, value) in reversed(every):
        opened.execute("INSERT INTO history VALUES (?, ?, ?, ?)", [item, number, change, value])
    for number, items in enumerate(states, start=1):
        found = opened.execute("SELECT item_id, value FROM item_at(?)", [number]).fetchall()
        assert dict(found) == items
        assert len(found) == len(items)
    assert opened.execute("FROM item_at(0)").fetchall() == []
    for item in "abc":
        told = opened.execute("SELECT release, change FROM history_of(?)", [item]).fetchall()
        assert told == [(number, change) for number, (changed, change, _) in every if changed == item]
    assert not any("change" in row for row in rows_of(opened, "FROM item_at(1)"))


NAMES = st.text(st.sampled_from("ab\"'$.[]*~/0 ;-å\\"), min_size=1, max_size=6)


@settings(max_examples=25)
@given(st.dictionaries(NAMES, st.text(max_size=5), max_size=3))
@example({"a": "1", "A": "2"})
@example({"value": "x", "Concept": "y", "age": "z"})
@example({"*": "1", "\\": "2", "~1": "3", "dim_value": "4", "value": "5"})
@example({'a"b': "1", "a'b": "2", "a.b": "3"})
def test_each_dimension_is_a_column_of_its_own_and_no_name_is_run(codes: dict[str, str]) -> None:
    columns = dimension_columns(sorted(codes))
    opened = database()
    opened.execute("INSERT INTO observations VALUES ('i', 'costs', ?, NULL)", [json.dumps(codes)])
    opened.execute("INSERT INTO observations VALUES ('j', 'costs', '{}', 5)")
    opened.execute("INSERT INTO concepts VALUES ('costs', 'Kostnader', 'Kostnader', 'Costs')")
    for statement in view_sql(sorted(codes)):
        opened.execute(statement)
    facts = {row["item_id"]: row for row in rows_of(opened, "FROM facts")}
    assert {name: facts["i"][columns[name]] for name in codes} == codes
    assert all(facts["j"][columns[name]] is None for name in codes)
    assert (facts["i"]["withheld"], facts["j"]["withheld"]) == (True, False)
    assert facts["i"]["title_en"] == "Costs"
    assert len(set(columns.values())) == len(columns)
    assert not {"item_id", "concept", "value"} & {column.lower() for column in columns.values()}


def test_what_one_obligation_states_twice_is_not_reported_twice() -> None:
    opened = database()
    for statement in view_sql([]):
        opened.execute(statement)
    for item in "abc":
        opened.execute("INSERT INTO observations VALUES (?, 'costs', '{}', 1)", [item])
    for claim, (item, obligation) in enumerate(
        [("a", "x"), ("a", "x"), ("b", "y"), ("b", "x"), ("b", "y"), ("c", "z")]
    ):
        opened.execute("INSERT INTO sources VALUES (?, ?, ?, 's')", [item, str(claim), obligation])
    assert opened.execute("SELECT item_id, obligations FROM reported_twice").fetchall() == [("b", ["x", "y"])]


def test_the_claims_of_an_item_say_which_file_they_are_from() -> None:
    opened = database()
    for statement in macro_sql():
        opened.execute(statement)
    opened.execute("INSERT INTO submissions VALUES ('s', 'a.csv', TIMESTAMP '2025-01-02 03:04:05', 9)")
    rows = [("i", "2", "x", "s"), ("i", "1", "y", "gone"), ("j", "0", "x", "s")]
    for row in rows:
        opened.execute("INSERT INTO sources VALUES (?, ?, ?, ?)", list(row))
    found = opened.execute("SELECT claim_id, obligation, filename FROM claims_of('i')").fetchall()
    assert found == [("1", "y", None), ("2", "x", "a.csv")]


@pytest.mark.parametrize("folder", ["plain", "with [brackets]", "a*b?", "it's", 'a"b'])
def test_a_table_is_read_from_its_own_file_whatever_its_path(tmp_path: Path, folder: str) -> None:
    place = tmp_path / folder
    place.mkdir()
    pl.DataFrame({"my column": [1]}).write_parquet(place / "t.parquet")
    pl.DataFrame({"my column": [2]}).write_parquet(place / "u.parquet")
    means = "It's one row; 100 %"
    table = PackageTable("t", means, (Column("my column", pl.Int64(), means),))
    opened = duckdb.connect()
    opened.execute(table_sql(table, str(place / "t.parquet")))
    for statement in comment_sql(table):
        opened.execute(statement)
    assert opened.execute("FROM t").fetchall() == [(1,)]
    assert opened.execute("SELECT comment FROM duckdb_tables()").fetchall() == [(means,)]
    assert opened.execute("SELECT comment FROM duckdb_columns() WHERE table_name = 't'").fetchall() == [(means,)]


def test_every_view_and_macro_says_what_it_is_for() -> None:
    opened = database()
    for statement in (*view_sql(["age"]), *macro_sql()):
        opened.execute(statement)
    views = opened.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal AND comment IS NOT NULL").fetchall()
    macros = opened.execute(
        "SELECT function_name FROM duckdb_functions() WHERE NOT internal AND comment <> ''"
    ).fetchall()
    assert {name for (name,) in views} == {"observations_wide", "facts", "reported_twice"}
    assert {name for (name,) in macros} == {"item_at", "history_of", "claims_of"}
