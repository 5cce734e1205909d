"""What an unknown code or name may mean: units that are written nearly so."""

from datetime import date

import polars as pl
import pytest

from transforms.register.build import build_register
from transforms.register.lookup import Register
from transforms.register.near_units import MOST_KEYS, skeleton, suggest_units
from transforms.rejects import REJECTS_KEPT

NATIONS = {
    "CIV": "Cote d'Ivoire", "LCA": "St. Lucia", "GMB": "Gambia, The", "COD": "Congo, Dem. Rep.", "COG": "Congo, Rep.",
    "KOR": "Korea, Rep.", "KGZ": "Kyrgyz Republic", "LAO": "Lao PDR", "BOL": "Bolivia", "CUW": "Curacao",
    "FRA": "France", "0578": "Norge",
}  # fmt: skip


def register(names: dict[str, str] = NATIONS) -> Register:
    rows = [("nation", code, name) for code, name in names.items()] + [("municipality", "0301", "Oslo")]
    units = pl.DataFrame(rows, ["kind", "code", "name"], orient="row").with_columns(
        valid_from=date(1900, 1, 1), valid_to=pl.lit(None, pl.Date)
    )
    sides = {f"{side}_{part}": pl.String for side in ("old", "new") for part in ("code", "name")}
    dates = {f"{side}_{part}": pl.Date for side in ("old", "new") for part in ("valid_from", "valid_to")}
    return build_register(units, pl.DataFrame(schema={"kind": pl.String, **sides, **dates}))


def suggestion(key: str, by: str = "name", kind: str = "nation", names: dict[str, str] = NATIONS) -> str:
    unknown = pl.DataFrame({"kind": [kind], "by": [by], "key": [key]})
    return str(suggest_units(register(names), unknown)["suggestion"].item())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Côte d\u2019Ivoire", "CIV Cote d'Ivoire"), ("Saint Lucia", "LCA St. Lucia"), ("Gambia", "GMB Gambia, The"),
        ("Republic of Korea", "KOR Korea, Rep."), ("Kyrgyzstan", "KGZ Kyrgyz Republic"), ("Curaçao", "CUW Curacao"),
        ("Lao People's Democratic Republic", "LAO Lao PDR"), ("Bolivia (Plurinational State of)", "BOL Bolivia"),
        ("Fraance", "FRA France"),
    ],
)  # fmt: skip
def test_a_name_that_is_written_in_another_way(name: str, near: str) -> None:
    assert suggestion(name).startswith(f"did you mean {near}")


def test_two_units_that_are_as_near_are_both_given() -> None:
    both = {"COG Congo, Rep.", "COD Congo, Dem. Rep."}
    assert set(suggestion("Congo").removeprefix("did you mean ").removesuffix("?").split(" or ")) == both


def test_of_several_the_two_nearest_are_given_of_equals_those_of_the_least_codes() -> None:
    names = {"1": "Sande", "2": "Sanda", "3": "Sand", "4": "Sandu"}
    assert suggestion("Sandx", names=names) == "did you mean 3 Sand or 1 Sande?"


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("Sultanate of Oman", True),  # all four parts of the shorter name
        ("Sultanate of Ama", False),  # all three
        ("Boliven Plurinational State", True),  # five letters of the beginning
        ("Bolixen Plurinational State", False),
    ],
)
def test_a_name_is_near_by_enough_of_its_parts_or_by_its_beginning(name: str, near: bool) -> None:
    names = {"OMN": "Oman", "AMA": "Ama", "BOL": "Bolivia"}
    assert suggestion(name, names=names).startswith("did you mean") is near


def test_a_code_without_its_zeros_or_in_other_letters() -> None:
    assert suggestion("301", "code", "municipality") == "did you mean 0301 Oslo?"
    assert suggestion("578", "code") == "did you mean 0578 Norge?"
    assert suggestion("fra", "code") == "did you mean FRA France?"


def test_a_key_of_another_kind_or_form() -> None:
    other = "it is the code of municipality 0301 Oslo: is `unit.kind` of the contract right?"
    assert suggestion("0301", "code") == other
    assert suggestion("France", "code").startswith("it is the name of FRA France: `by: name`")
    assert suggestion("FRA").startswith("it is the code of FRA France: `by: code`")


def test_what_is_near_to_none_and_a_kind_without_units() -> None:
    assert suggestion("Atlantis") == "no unit is written nearly so:"
    assert suggestion("Xyz", "code") == "no unit is written nearly so:"
    assert suggestion("7", "code", "parish").startswith("the code lists have no unit of this kind")


def test_many_unknown_keys_cost_little() -> None:
    keys = pl.DataFrame({"key": [f"Nowhere {i}" for i in range(50_000)]})
    unknown = keys.select(pl.lit("nation").alias("kind"), pl.lit("name").alias("by"), "key")
    assert suggest_units(register(), unknown).height == MOST_KEYS


def test_an_empty_key_has_no_suggestion() -> None:
    unknown = pl.DataFrame({"kind": ["nation"], "by": ["name"], "key": [" "]})
    assert suggest_units(register(), unknown).is_empty()


def test_a_skeleton_has_no_accents_signs_or_short_words() -> None:
    names = pl.DataFrame({"n": ["Ærøskøbing", "Bosnia & Herzegovina", "St. Kitts-and-Nevis", "The Gambia"]})
    assert names.select(skeleton(pl.col("n")))["n"].to_list() == [
        "aeroskobing", "bosnia herzegovina", "saint kitts nevis", "gambia",
    ]  # fmt: skip


def test_units_are_looked_up_for_as_many_keys_as_rejects_are_listed() -> None:
    assert MOST_KEYS == REJECTS_KEPT == 1000
