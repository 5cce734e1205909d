"""The role of each column: period, unit, figures, the dimensions without which a key would repeat."""

import polars as pl
import pytest

from infra.codelists import read_codelists
from infra.settings import DEMO_CODELISTS
from transforms.drafting.contract.column_roles import ColumnRoles, Wishes, find_roles
from transforms.register.build import build_register
from transforms.register.lookup import Register

UNITS = ["0301", "1120", "1121"]


@pytest.fixture(scope="module")
def register() -> Register:
    return build_register(*read_codelists(DEMO_CODELISTS))


def roles(register: Register, wishes: Wishes = Wishes(), **columns: list[str]) -> ColumnRoles:  # noqa: B008
    return find_roles(pl.DataFrame(columns), register, wishes)


def test_a_long_table(register: Register) -> None:
    found = roles(
        register, kommune=UNITS * 2, navn=["Oslo", "Klepp", "Time"] * 2, aar=["2019"] * 3 + ["2020"] * 3,
        antall=["1,5", "2,5", "", "3,5", "..", "4,5"],
    )  # fmt: skip
    assert found.period == {"column": "aar", "type": "year"}
    assert found.unit.columns == ("kommune",)
    assert list(found.figures) == ["antall"]
    assert (found.numbers.decimal, found.figures["antall"].empty, found.figures["antall"].missing) == (",", 1, [".."])
    assert (found.dimensions, found.repeats, found.unused) == ([], 0, ["navn"])
    assert "3" not in found.why["antall"].split("numbers")[0]


def test_a_dimension_is_needed_where_keys_repeat(register: Register) -> None:
    found = roles(register, kommune=UNITS[:1] * 4, kjonn=["F", "M"] * 2, alder=["0-5", "0-5", "6-9", "6-9"],
                  tekst=["a", "b", "c", "d"], n=["1", "2", "3", "4"])  # fmt: skip
    assert found.dimensions
    assert found.repeats == 0


def test_an_empty_cell_makes_no_dimension_so_lines_repeat(register: Register) -> None:
    found = roles(register, kommune=UNITS[:1] * 2, prosjekt=["a", ""], n=["1", "2"])
    assert (found.dimensions, found.repeats, found.unused) == ([], 1, ["prosjekt"])


def test_numbers_that_are_codes_are_no_figures(register: Register) -> None:
    found = roles(register, kommune=UNITS * 2, art=["10", "10", "10", "11", "11", "11"],
                  art_tekst=["lønn"] * 3 + ["drift"] * 3, postnr=["0150", "4350", "4340"] * 2,
                  n=["1", "2", "3", "4", "5", "6"])  # fmt: skip
    assert list(found.figures) == ["n"]
    assert found.dimensions in (["art"], ["art_tekst"])


def test_years_in_names_become_rows(register: Register) -> None:
    numbers = ["1", "2", "3"]
    found = roles(register, kommune=UNITS, pop_2019=numbers, pop_2020=numbers, births_2019=numbers, births_2020=numbers,
                  base=numbers)  # fmt: skip
    assert found.series == {"pop": ["pop_2019", "pop_2020"], "births": ["births_2019", "births_2020"]}
    assert found.period is None
    assert "base" not in found.figures


def test_one_year_in_a_name_is_no_series(register: Register) -> None:
    found = roles(register, kommune=UNITS, budsjett_2013=["1", "2", "3"])
    assert (found.series, list(found.figures)) == ({}, ["budsjett_2013"])


def test_names_of_units_are_the_same_in_upper_and_lower_case(register: Register) -> None:
    found = roles(register, navn=["Grip AS", "GRIP AS"], type=["a", "b"], n=["1", "2"])
    assert found.dimensions == ["type"]


def test_a_person_names_the_columns(register: Register) -> None:
    wishes = Wishes(unit_column="who", period_column="when")
    found = roles(register, wishes, kommune=UNITS, who=["x", "y", "z"], when=["2019-01", "2019-02", "2019-03"],
                  n=["1", "2", "3"])  # fmt: skip
    assert found.unit.columns == ("who",)
    assert found.period == {"column": "when", "type": "month"}
    unread = roles(register, wishes, who=["x"], when=["soon"], n=["1"])
    assert unread.period == {"column": "when", "type": "year"}
