"""What is expected of each published table, of which columns."""

import polars as pl

from infra.checks.expectations import SHAPES, Shape, shapes
from schemas.claims import Column
from tests.support.mishap_frames import KIND

COLUMNS = tuple(
    Column(name, pl.String, "What", nullable=name in {"free", "null"}, values=("x",) if name == "code" else ())
    for name in ("code", "text", "free", "null", "list", "one", "two", "count", "more", "less")
)
SHAPE = Shape(
    COLUMNS,
    null_only_where=(("null", "one", "x"),),
    filled_where=(("list", "two", "x"),),
    at_least_one=("count",),
    not_less_than=(("more", "less"),),
)


def test_the_values_of_a_column_are_checked_where_a_condition_needs_them() -> None:
    assert SHAPE.checked_columns() == {"code", "one", "two", "count", "more", "less"}
    assert Shape(COLUMNS[1:]).checked_columns() == set()


def test_a_column_may_be_null_in_any_row_unless_a_condition_says_in_which() -> None:
    assert [column.name for column in COLUMNS if SHAPE.may_be_null(column.name)] == ["free"]


def test_conditions_are_about_columns_of_their_table_and_nulls_about_those_that_may_be_null() -> None:
    for shape in (*SHAPES.values(), *shapes(KIND).values()):
        names = {column.name for column in shape.columns}
        about = {column for column, _, _ in (*shape.null_only_where, *shape.filled_where)}
        assert shape.checked_columns() | about <= names
        assert shape.key is None or shape.key in names
        assert {column for column, _, _ in shape.null_only_where} <= {c.name for c in shape.columns if c.nullable}


def test_what_was_added_has_nothing_before_and_what_was_removed_nothing_after() -> None:
    wanted = {(f"{column}_{side}", change) for side, change in (("before", "added"), ("after", "removed"))
              for column in ("agreement", "reports")}  # fmt: skip
    found = shapes(KIND)[f"{KIND.kind}_changes"].null_only_where
    assert {(column, change) for column, _, change in found} == wanted
