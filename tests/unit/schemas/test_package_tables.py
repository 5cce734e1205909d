"""The tables of a package: what their declarations name is there, for every record kind that is shipped."""

from schemas.kind import KIND_FOLDER, load_kinds
from schemas.package_tables import COMMON_TABLES, package_tables


def test_keys_orders_and_references_are_columns() -> None:
    kinds = load_kinds(KIND_FOLDER).values()
    tables = {table.name: table for table in package_tables(kinds)}
    assert len(tables) == len(COMMON_TABLES) + 5 * len(kinds)
    for table in tables.values():
        columns = [column.name for column in table.columns]
        assert len(set(columns)) == len(columns)
        assert {*table.key, *table.order, *table.refers} <= set(columns), table.name
        assert "partition" not in columns or table.order[0] == "partition", "months follow each other"
        assert all(column in tables[other].key for column, other in table.refers.items()), table.name
        assert table.means[0].isupper()
        assert not table.means.endswith(".")
