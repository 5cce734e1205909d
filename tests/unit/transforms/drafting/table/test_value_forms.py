"""How values are written: marks of numbers, codes of missing values, periods."""

import polars as pl
import pytest

from transforms.drafting.table.value_forms import (
    NumberForm,
    column_figures,
    find_number_form,
    mark_status,
    number_pattern,
    period_form,
)


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


@pytest.mark.parametrize(
    ("first", "last", "beyond"),
    [
        ("1800", "2199", ["1799", "2200", "203"]), ("1900H1", "2099h2", ["1899H1", "2019H3", "2019H0"]),
        ("1900Q1", "2099-k4", ["2019Q0", "2019Q5", "1899Q1"]), ("1900W00", "2099-u59", ["2019W60", "2019W5"]),
        ("1900-01", "2099-12", ["2019-00", "2019-13"]), ("1900M01", "2099M12", ["2019M00", "2019M13"]),
        ("190001", "209912", ["201900", "201913"]), ("1900-01-01", "2099-12-31", ["2019-20-01", "2019-01-40"]),
        ("01.01.1900", "31.12.2099", ["41.01.2019", "01.21.2019", "01-01-2019"]),
        ("19000101", "20991231", ["20191301", "20190100", "20190132"]), ("1999/00", "2098/99", ["2015/17", "2016/15"]),
    ],
)  # fmt: skip
def test_periods_have_a_first_and_a_last_text(first: str, last: str, beyond: list[str]) -> None:
    found = period_form("year", pl.Series([first, last]))
    assert found is not None
    for text in beyond:
        assert period_form("year", pl.Series([first, text])) is None


@pytest.mark.parametrize(
    ("name", "is_period"),
    [("aar", True), ("Budsjettår", False), ("the year", True), ("maaned", True), ("varer", False), ("nr_ar", True)],
)
def test_only_a_column_that_is_called_a_period_has_periods_of_digits(name: str, is_period: bool) -> None:
    assert (period_form(name, pl.Series(["2019", "2020"])) is not None) is is_period


@pytest.mark.parametrize(("numbers", "others", "figures"), [(6, 4, True), (5, 4, False), (12, 6, True), (20, 7, False)])
def test_three_fifths_of_a_column_of_figures_are_known_and_few_texts_are_not(
    numbers: int, others: int, figures: bool
) -> None:
    cells = [str(number) for number in range(numbers)] + [f"what {number}" for number in range(others)]
    found = column_figures(pl.Series(cells), NumberForm())
    assert (found is not None) is figures
    if found is not None:
        assert (found.numbers, len(found.other), found.suppressed) == (numbers, others, False)


PLAIN, SPACED, POINTS = NumberForm(), NumberForm(",", " "), NumberForm(",", ".")


@pytest.mark.parametrize(
    ("text", "form", "is_number"),
    [
        ("1234", PLAIN, True), ("1.5", PLAIN, True), ("1.", PLAIN, False), (".5", PLAIN, False), ("+5", PLAIN, True),
        ("--5", PLAIN, False), ("5-", PLAIN, False), ("1 234", SPACED, True), ("1 23", SPACED, False),
        ("12 34,5", SPACED, False), ("1234,5", SPACED, True), ("1234 567", SPACED, False), ("-1.234", POINTS, True),
    ],
)  # fmt: skip
def test_a_cell_is_a_number_if_all_of_it_is(text: str, form: NumberForm, is_number: bool) -> None:
    assert pl.Series([text]).str.contains(number_pattern(form)).item() is is_number


@pytest.mark.parametrize(
    ("mark", "status"), [("p", "P"), ("(e)", "E"), ("B", "B"), ("u)", "U"), ("*", "A"), ("r", "A"), ("%", "A")]
)
def test_letters_of_the_standard_are_statuses(mark: str, status: str) -> None:
    assert mark_status(mark) == status


def test_of_marks_that_fit_equally_well_the_fewest_are_taken_and_the_evidence_counts_them() -> None:
    found = find_number_form(pl.DataFrame({"n": ["1.5", "2.5", "1,5", "x.y"]}))
    assert (found.decimal, found.thousands) == (".", None)
    assert found.evidence == "2 of 3 numbers with a mark are written so, as '1.5'"
    assert find_number_form(pl.DataFrame({"n": ["1.2.3", "1,2,3"]})) == NumberForm()
