"""How values are written: marks of numbers, codes of missing values, periods."""

import polars as pl
import pytest

from transforms.drafting.table.value_forms import NumberForm, column_figures, find_number_form, mark_status, period_form


@pytest.mark.parametrize(
    ("cells", "decimal", "thousands"),
    [
        (["1", "20", "-3"], ".", None),
        (["1.5", "2.25"], ".", None),
        (["1,5", "2,25"], ",", None),
        (["1 234", "12 345 678", "5"], ",", " "),
        (["1\u00a0234,5", "7"], ",", " "),
        (["1.234.567", "2,5"], ",", "."),
        (["1,234,567", "2.5"], ".", ","),
        (["1'234'567.5"], ".", "'"),
        (["\u22121,5", "n/a"], ",", None),
    ],
)
def test_the_marks_are_those_by_which_the_most_cells_are_numbers(
    cells: list[str], decimal: str, thousands: str | None
) -> None:
    found = find_number_form(pl.DataFrame({"n": cells}))
    assert (found.decimal, found.thousands) == (decimal, thousands)


def test_a_table_without_columns_has_no_marks() -> None:
    assert find_number_form(pl.DataFrame()) == NumberForm()


def test_figures_in_percent_are_numbers_with_a_mark() -> None:
    texts = pl.Series("share", ["6,8 %", "7,1%", "12\u00a0%", ""])
    form = find_number_form(pl.DataFrame([texts]))
    assert (form.decimal, form.thousands) == (",", None)
    found = column_figures(texts, form)
    assert found is not None
    assert (found.numbers, found.empty, found.marks, found.other) == (3, 1, ["%"], [])
    assert column_figures(pl.Series(["1a", "2a"]), form) is None, "codes"


def test_a_column_of_figures_has_numbers_and_codes_of_missing_values() -> None:
    found = column_figures(pl.Series(["1", "2", "..", "", "<5", "3", "4", "NA"]), NumberForm())
    assert found is not None
    assert (found.numbers, found.empty, found.missing, found.suppressed) == (4, 1, ["..", "NA"], True)


@pytest.mark.parametrize("cells", [[""], ["a", "b"], ["..", ".."], ["1", "x1", "y2", "z3"]])
def test_other_columns_hold_no_figures(cells: list[str]) -> None:
    assert column_figures(pl.Series(cells), NumberForm()) is None


def test_marks_after_numbers_are_told_from_other_texts() -> None:
    found = column_figures(pl.Series(["1 000*", "2 (r)", "3p", "4", "5 kr", "**"]), NumberForm(",", " "))
    assert found is not None
    assert (found.marks, found.missing, found.other) == (["(r)", "*", "p"], ["**"], ["5 kr"])
    assert [mark_status(mark) for mark in found.marks] == ["A", "A", "P"]


@pytest.mark.parametrize(
    ("name", "text", "form"),
    [
        ("year", "2019", {"type": "year"}),
        ("år", "2019", {"type": "year"}),
        ("count", "2019", None),
        ("when", "2019K4", {"type": "quarter"}),
        ("when", "2019H2", {"type": "half_year"}),
        ("when", "2019U52", {"type": "week"}),
        ("when", "2019/20", {"type": "school_year"}),
        ("when", "1999-2000", {"type": "school_year"}),
        ("when", "2015-19", None),
        ("when", "2019-12", {"type": "month"}),
        ("when", "2019M12", {"type": "month", "format": "%YM%m"}),
        ("month", "201912", {"type": "month", "format": "%Y%m"}),
        ("nr", "201912", None),
        ("when", "2019-12-31", {"type": "day"}),
        ("when", "31.12.2019", {"type": "day", "format": "%d.%m.%Y"}),
        ("dato", "20191231", {"type": "day", "format": "%Y%m%d"}),
        ("when", "soon", None),
        ("year", "", None),
    ],
)
def test_a_column_of_periods_has_one_form(name: str, text: str, form: dict[str, str] | None) -> None:
    assert period_form(name, pl.Series([text, text])) == form


def test_a_period_that_is_missing_in_a_row_is_none() -> None:
    assert period_form("year", pl.Series(["2019", ""])) is None
