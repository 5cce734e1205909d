"""The published register: dates, the unit above each, and what follows a unit that ended."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from infra.codelists import read_codelists
from schemas.claims import frame_schema
from schemas.description_tables import UNIT
from transforms.register.build import build_register
from transforms.register.hierarchy import unit_rows

LIST = """\
kind,code,name,valid_from,valid_to
municipality,1601,Trondheim,1838-01-01,2018-01-01
municipality,5001,Trondheim,2018-01-01,
municipality,0301,Oslo,1838-01-01,
municipality,1560,Tingvoll,1838-01-01,
organisation,971524960,Et foretak,2001-01-01,
"""
CHANGES = """\
old_code,old_name,old_valid_from,old_valid_to,new_code,new_name,new_valid_from,new_valid_to
1601,Trondheim,1838-01-01,2018-01-01,5001,Trondheim,2018-01-01,
"""


def rows(tmp_path: Path) -> pl.DataFrame:
    (tmp_path / "list.csv").write_text(LIST)
    (tmp_path / "changes.csv").write_text(CHANGES)
    return unit_rows(build_register(*read_codelists(tmp_path)))


def test_the_columns_are_as_declared(tmp_path: Path) -> None:
    found = rows(tmp_path)
    assert found.schema == frame_schema(UNIT)
    assert found.select("kind", "code", "valid_from").is_unique().all()


def test_a_municipality_is_below_the_county_of_its_time(tmp_path: Path) -> None:
    found = rows(tmp_path).filter(kind="municipality")
    assert found.select("code", "valid_from", "parent_id").rows() == [
        ("0301", date(1838, 1, 1), "county:03@1838-01-01"),
        ("1560", date(1838, 1, 1), "county:15@1838-01-01"),
        ("1601", date(1838, 1, 1), "county:16@1838-01-01"),
        ("5001", date(2018, 1, 1), "county:50@2018-01-01"),
    ]
    assert found.filter(name="Trondheim")["unit_id"].n_unique() == 1, "it was renumbered: one unit"
    assert found["succession"].null_count() == found.height


def test_a_unit_that_outlives_its_county_is_below_the_last_one(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(LIST)
    (tmp_path / "changes.csv").write_text(CHANGES)
    register = build_register(*read_codelists(tmp_path))
    units = [
        ("new", "county", "16", "Ny", date(1950, 1, 1), None),
        ("old", "county", "16", "Gammel", date(1900, 1, 1), date(1950, 1, 1)),
        ("unit", "municipality", "1601", "Trondheim", date(1940, 1, 1), None),
    ]
    found = unit_rows(replace(register, units=pl.DataFrame(units, register.units.schema, orient="row")))
    assert found.filter(unit_id="unit")["parent_id"].to_list() == ["new"]


def test_a_county_is_below_the_nation_and_what_ended_names_what_followed(tmp_path: Path) -> None:
    found = rows(tmp_path)
    nation = found.filter(kind="nation")["unit_id"].item()
    assert found.filter(kind="county")["parent_id"].unique().to_list() == [nation]
    ended = found.filter(kind="county", code="16").row(0, named=True)
    assert (ended["successors"], ended["succession"]) == (["county:50@2018-01-01"], "merged")
    split = found.filter(kind="county", code="30").row(0, named=True)
    assert (len(split["successors"]), split["succession"]) == (3, "split")


def test_other_units_have_no_unit_above_and_none_after(tmp_path: Path) -> None:
    alone = rows(tmp_path).filter(kind="organisation").row(0, named=True)
    assert (alone["parent_id"], alone["successors"], alone["valid_to"]) == (None, [], None)
