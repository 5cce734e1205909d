"""Columns that become rows: a wide file makes the claims of the long file with the same figures, and loses no row."""

from collections import Counter
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from tests.support.shaped_deliveries import Received, received

CLAIM: Final = """
claims:
  - {concept: persons, column: value, reported_by: {option: sender}, unit_measure: {value: persons},
     breakdown: {sex: {column: sex, map: {M: m, F: f}}}, missing_values: [".."], flags: {"*": E}, missing: MISSING}
"""
REST: Final = (
    """
format: {type: csv, delimiter: ";"}
unit: {column: unit, kind: municipality}
period: {column: year, type: year}
"""
    + CLAIM
)
WIDE: Final = REST + 'unpivot: {pattern: "(?<sex>[MFX])(?<year>[0-9]+)"}'
CELLS: Final = ("5", "12*", "..", "", "x", "-3.5", ".. *", "1e3")
COLUMNS: Final = ("M2020", "F2020", "M2021", "F2021", "X2021", "M99999")
"""One column states a code that is not in the map, another a year that does not exist."""
FIGURE: Final = ("unit_id", "period_start", "breakdown", "value", "obs_status", "original")

units = st.sampled_from(["0301", "1103", "4601", "9999", ""])
tables = st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=5, unique=True).flatmap(
    lambda columns: st.tuples(
        st.just(columns),
        st.lists(st.tuples(units, *[st.sampled_from(CELLS)] * len(columns)), min_size=1, max_size=6),
    )
)
Table = tuple[list[str], list[tuple[str, ...]]]


def wide(table: Table, missing: str = "skip") -> Received:
    columns, rows = table
    lines = [";".join(["unit", *columns]), *(";".join(row) for row in rows)]
    return received(WIDE.replace("MISSING", missing), "\n".join(lines).encode())


def long(table: Table, missing: str = "skip") -> Received:
    columns, rows = table
    lines = ["unit;sex;year;value"]
    lines += [f"{row[0]};{c[0]};{c[1:]};{cell}" for row in rows for c, cell in zip(columns, row[1:], strict=True)]
    return received(REST.replace("MISSING", missing), "\n".join(lines).encode())


def filled(table: Table) -> bool:
    """Whether no row is empty: such a row is none, in a wide file as in a long one."""
    return all(any(row) for row in table[1])


@given(tables.filter(filled), st.sampled_from(["skip", "reject"]))
def test_a_wide_file_makes_the_claims_of_the_long_one(table: Table, missing: str) -> None:
    a, b = wide(table, missing), long(table, missing)
    assert Counter(a.done.claims.select(FIGURE).rows()) == Counter(b.done.claims.select(FIGURE).rows())


@given(tables.filter(filled), st.sampled_from(["skip", "reject"]))
def test_each_delivered_row_ends_in_one_bucket(table: Table, missing: str) -> None:
    columns, rows = table
    result, cells = wide(table, missing), long(table, missing).done
    width = len(columns)
    bad = {(row - 2) // width for (row,) in cells.rejects.filter(severity="critical").select("row").unique().rows()}
    made = {(row - 2) // width for (row,) in cells.claims.select("row").unique().rows()}
    assert result.buckets() == (len(made - bad), len(bad), len(rows) - len(made | bad))
    assert {row - 2 for row in result.done.claims.filter(lead=True)["row"]} == made - bad
    assert result.done.claims.filter(lead=True).height == len(made - bad)
    rejected = result.done.rejects.filter(severity="critical")["row"].drop_nulls()
    assert {row - 2 for row in rejected} == bad


@given(tables.filter(filled))
def test_a_figure_has_the_address_of_its_cell(table: Table) -> None:
    columns, rows = table
    claims = wide(table).done.claims
    for row, column, original in claims.select("row", "column", "original").rows():
        assert rows[row - 2][1 + columns.index(column)] == original
    assert claims.select("row", "position").is_unique().all()


@given(tables.filter(filled), st.permutations(range(len(COLUMNS))))
def test_the_order_of_rows_and_columns_changes_no_figure(table: Table, permutation: list[int]) -> None:
    columns, rows = table
    order = [i for i in permutation if i < len(columns)]
    other = [columns[i] for i in order], [(row[0], *(row[1 + i] for i in order)) for row in reversed(rows)]
    a, b = wide(table).done.claims, wide(other).done.claims
    assert Counter(a.select(FIGURE).rows()) == Counter(b.select(FIGURE).rows())
