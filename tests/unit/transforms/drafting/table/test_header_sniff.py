"""Where a table is in a grid of cells: after titles, below one or several header rows, above its notes."""

import pytest

from transforms.drafting.table.header_sniff import find_table

DATA = [["Oslo", "1", "2"], ["Bergen", "3", "4"], ["Klepp", "5", "6"]]


def test_the_first_row_names_the_columns() -> None:
    spot = find_table([["place", "a", "b"], *DATA])
    assert spot is not None
    assert (spot.header_rows, spot.names, spot.footer, spot.first_row) == ([1], ["place", "a", "b"], 0, 2)


def test_titles_come_before_the_header() -> None:
    spot = find_table([["Table 1", "", ""], ["", "", ""], ["place", "a", "b"], *DATA])
    assert spot is not None
    assert spot.header_rows == [3]
    assert "2 rows above are titles" in spot.evidence


def test_years_name_columns() -> None:
    spot = find_table([["place", "2019", "2020"], *DATA])
    assert spot is not None
    assert spot.names == ["place", "2019", "2020"]


def test_two_rows_name_the_columns_together() -> None:
    spot = find_table([["Title", "", ""], ["place", "count", ""], ["", "2019", "2020"], *DATA])
    assert spot is not None
    assert spot.header_rows == [2, 3]
    assert spot.names == ["place", "count 2019", "count 2020"]
    assert "2 rows name the columns together" in spot.evidence


def test_notes_at_the_end_are_counted() -> None:
    grid = [["place", "a", "b"], *DATA, ["", "", ""], ["Note: as of July", "", ""], ["Source: us", "", ""]]
    spot = find_table(grid)
    assert spot is not None
    assert spot.footer == 2


def test_a_table_of_texts_has_its_header_first() -> None:
    spot = find_table([["code", "name"], ["a", "Oslo"], ["b", "Bergen"]])
    assert spot is not None
    assert spot.header_rows == [1]


@pytest.mark.parametrize("grid", [[], [[""]], [["only", "title"]][:0], [["1", "2"], ["3", "4"]]])
def test_there_is_no_table_without_names(grid: list[list[str]]) -> None:
    assert find_table(grid) is None
