"""The day on which the units of a file exist: of each period, or one for all, as in tables of the newest division."""

import polars as pl
import pytest

from infra.codelists import read_codelists
from transforms.drafting.contract.unit_days import with_valid_day
from transforms.drafting.contract.unit_guess import UnitGuess
from transforms.register.build import build_register
from transforms.register.lookup import Register

BY_CODE = UnitGuess({"column": "nr", "kind": "municipality", "by": "code"}, ("nr",), "codes")


@pytest.fixture(scope="module")
def register(tmp_path_factory: pytest.TempPathFactory) -> Register:
    rows = ["municipality,0301,Oslo,1900-01-01,", "municipality,1103,Stavanger,1900-01-01,2015-01-01",
            "municipality,1199,Ny,2015-01-01,"]  # fmt: skip
    folder = tmp_path_factory.mktemp("codelists")
    (folder / "units.csv").write_text("\n".join(["kind,code,name,valid_from,valid_to", *rows, ""]), encoding="utf-8")
    return build_register(*read_codelists(folder))


def day_of(register: Register, codes: list[str], years: list[str], *, by_row: bool) -> str | None:
    texts = pl.DataFrame({"nr": codes} | ({"year": years} if by_row else {}))
    found = with_valid_day(BY_CODE, texts, ("year", []) if by_row else (None, years), register)
    return found.take.get("valid_on")


def test_columns_of_years_with_the_units_of_the_last_one(register: Register) -> None:
    years = ["pop_2010", "pop_2019"]
    assert day_of(register, ["0301", "1199"], years, by_row=False) == "2019-01-01"
    assert day_of(register, ["301", "1103"], years, by_row=False) == "2010-01-01"
    assert day_of(register, ["0301"], years, by_row=False) is None
    assert day_of(register, ["1103", "1199"], years, by_row=False) is None, "no day has both"
    assert day_of(register, ["0301", "9999"], years, by_row=False) is None, "what no register has is no reason"


def test_rows_of_units_in_their_own_periods_need_none(register: Register) -> None:
    assert day_of(register, ["1103", "1199"], ["2010", "2019"], by_row=True) is None
    assert day_of(register, ["1199", "1199"], ["2010", "2019"], by_row=True) == "2019-01-01"


def test_the_sender_and_provisional_units_have_no_day(register: Register) -> None:
    texts = pl.DataFrame({"nr": ["1199"]})
    for guess in (
        UnitGuess({"option": "sender", "kind": "organisation", "by": "name"}, (), ""),
        UnitGuess({"column": "nr", "kind": "other", "by": "name", "provisional": True}, ("nr",), ""),
    ):
        assert with_valid_day(guess, texts, (None, ["2010"]), register) is guess
