"""Which column names the unit: tried against the register, by code, by name, with zeros, as two columns together."""

import polars as pl
import pytest

from infra.codelists import read_codelists
from transforms.drafting.contract.unit_guess import guess_unit
from transforms.register.build import build_register
from transforms.register.lookup import Register

CODES = [f"{n:04d}" for n in (301, 1103, *range(4601, 4640))]


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Register:
    rows = [f"municipality,{code},Place {code},1900-01-01," for code in CODES]
    rows += [f"county,{code:05d},County {code},1900-01-01," for code in range(1001, 1031)]
    folder = tmp_path_factory.mktemp("codelists")
    (folder / "units.csv").write_text("\n".join(["kind,code,name,valid_from,valid_to", *rows, ""]), encoding="utf-8")
    return build_register(*read_codelists(folder))


def table(**columns: list[str]) -> pl.DataFrame:
    return pl.DataFrame(columns)


def test_codes_of_the_register(register: Register) -> None:
    found = guess_unit(table(nr=CODES, value=[str(n) for n in range(len(CODES))]), register)
    assert found.take == {"column": "nr", "kind": "municipality", "by": "code"}
    assert f"{len(CODES)} of its {len(CODES)} distinct texts are codes" in found.evidence


def test_names_and_what_the_register_does_not_know(register: Register) -> None:
    names = [f"PLACE {code}" for code in CODES] + ["Hele landet"]
    found = guess_unit(table(sted=names), register)
    assert found.take == {"column": "sted", "kind": "municipality", "by": "name"}
    assert found.unknown == ("Hele landet",)


def test_codes_that_lost_their_zeros(register: Register) -> None:
    found = guess_unit(table(kommunenr=[code.lstrip("0") for code in CODES]), register)
    assert found.take == {"column": "kommunenr", "kind": "municipality", "by": "code", "pad": 4}


def test_a_code_with_its_name_in_one_cell(register: Register) -> None:
    texts = ["K-0301 Oslo", *(f"{code} Place" for code in CODES[1:]), "Hele landet"]
    found = guess_unit(table(region=texts), register)
    assert (found.take["kind"], found.take["by"], found.unknown) == ("municipality", "code", ("Hele landet",))
    assert pl.Series(texts).str.extract(found.take["extract"], 1).to_list() == [*CODES, None]


def test_two_columns_make_a_code(register: Register) -> None:
    counties = [str(n) for n in range(1, 31)]
    found = guess_unit(table(STATE=["1"] * 30, COUNTY=counties, value=counties), register)
    assert found.take == {"columns": ["STATE", "COUNTY"], "kind": "county", "by": "code", "pad": [2, 3]}
    assert found.columns == ("STATE", "COUNTY")


def test_short_codes_need_a_column_of_that_name(register: Register) -> None:
    assert guess_unit(table(month=["01", "02", "03"]), register).columns == ()
    assert guess_unit(table(fylke=["03", "03"]), register).take["kind"] == "county"


def test_organisation_numbers(register: Register) -> None:
    found = guess_unit(table(orgnr=["974760673", "971526920"], n=["1", "2"]), register)
    assert found.take == {"column": "orgnr", "kind": "organisation", "by": "organisation_number"}


def test_names_that_no_register_has_become_provisional_units(register: Register) -> None:
    found = guess_unit(table(navn=["Grip Energi AS", "Nordskjær Olje AS"], n=["1", "2"]), register)
    assert found.take == {"column": "navn", "kind": "organisation", "by": "name", "provisional": True}


def test_without_a_unit_it_is_the_sender(register: Register) -> None:
    found = guess_unit(table(art=["lønn", "drift"], n=["1", "2"]), register)
    assert found.take["option"] == "sender"
    assert found.columns == ()


def test_a_person_may_name_the_column(register: Register) -> None:
    found = guess_unit(table(nr=CODES, who=["x"] * len(CODES)), register, "who")
    assert found.take["column"] == "who"
