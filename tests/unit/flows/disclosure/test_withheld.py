"""What is left out of rows that leave the installation: values of items and concepts that not everybody may see."""

from decimal import Decimal

import polars as pl
import pytest

from flows.disclosure.withheld import VALUE_COLUMNS, without_concepts, without_values

NUMBER = pl.Decimal(28, 9)
ITEMS = pl.DataFrame(
    {
        "item_id": ["a", "b", "c", "d"],
        "concept": ["rare", "rare", "plain", None],
        "value": [Decimal(4), Decimal(5), Decimal(1), Decimal(1)],
        "decimals": [0, 0, None, 2],
        "conf_status": ["F", "F", "C", None],
    },
    schema_overrides={"value": NUMBER},
)
CHANGES = pl.DataFrame(
    {
        "item_id": ["a", "b", "c"],
        "concept": ["rare", "plain", None],
        "value_before": [Decimal(4), Decimal(4), Decimal(4)],
        "value_after": [Decimal(5), None, Decimal(9)],
    },
    schema_overrides={"value_before": NUMBER, "value_after": NUMBER},
)


def test_the_values_of_hidden_items_are_withheld_and_marked() -> None:
    shown = without_values(ITEMS, "observations", pl.Series("item_id", ["b", "c", "z"]))
    assert shown["value"].to_list() == [4, None, None, 1]
    assert shown["decimals"].to_list() == [0, None, None, 2]
    assert shown["conf_status"].to_list() == ["F", "C", "C", None]
    assert shown.drop("value", "decimals", "conf_status").equals(ITEMS.select("item_id", "concept"))


def test_every_column_that_shows_a_value_is_withheld() -> None:
    for table, names in VALUE_COLUMNS.items():
        rows = pl.DataFrame({"item_id": ["a", "b"], **{name: ["1", "2"] for name in names}})
        rows = rows.with_columns(conf_status=pl.lit("F")) if table == "observations" else rows
        shown = without_values(rows, table, pl.Series("item_id", ["a"]))
        assert shown.select(names).rows() == [(None,) * len(names), ("2",) * len(names)], table
        assert without_values(rows, table, pl.Series("item_id", [], pl.String)).equals(rows), table


@pytest.mark.parametrize(
    ("concepts", "before"), [([], [4, 4, 4]), (["rare"], [None, 4, None]), (["plain", "rare"], [None, None, None])]
)
def test_values_of_closed_concepts_and_of_items_of_none_are_left_out(
    concepts: list[str], before: list[int | None]
) -> None:
    assert without_concepts(CHANGES, "changes", concepts)["value_before"].to_list() == before
