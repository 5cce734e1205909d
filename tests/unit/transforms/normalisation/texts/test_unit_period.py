"""Units of a delivery: codes of another system or of another day, successors, own kinds, and what a reject suggests."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from schemas.contract import Unit
from tests.support.shaped_deliveries import UNITS, received
from transforms.register.build import build_register
from transforms.register.lookup import Register

TEXT = """
format: {type: csv}
unit: UNIT
period: {column: year, type: year}
claims:
  - {concept: persons, column: n, reported_by: {option: sender}, unit_measure: {value: persons}}
"""
DAYS = {"a": date(1900, 1, 1), "b": date(2015, 1, 1), "c": date(2020, 1, 1)}


def register() -> Register:
    """Two counties with codes of two systems; 46113 was renumbered in 2015, 0101 and 0102 became 0199 in 2020."""
    units = pl.DataFrame(
        [
            ("county", "46102", "Oglala Lakota", DAYS["b"], None, "code:OLD=SD7|code:NEW=x2"),
            ("municipality", "0199", "Nye Halden", DAYS["c"], None, None),
            ("state", "TX", "Texas", DAYS["a"], None, None),
        ],
        ["kind", "code", "name", "valid_from", "valid_to", "codes"], orient="row",
    )  # fmt: skip
    changes = pl.DataFrame(
        [
            ("county", "46113", "Shannon", DAYS["a"], DAYS["b"], "46102", "Oglala Lakota", DAYS["b"], None),
            ("municipality", "0101", "Halden", DAYS["a"], DAYS["c"], "0199", "Nye Halden", DAYS["c"], None),
            ("municipality", "0102", "Aremark", DAYS["a"], DAYS["c"], "0199", "Nye Halden", DAYS["c"], None),
        ],
        ["kind", *(f"{side}_{part}" for side in ("old", "new") for part in ("code", "name", "valid_from", "valid_to"))],
        orient="row",
    )  # fmt: skip
    return build_register(units, changes)


def resolved(unit: str, *rows: str) -> tuple[list[Any], list[Any]]:
    """Return unit_id and unit_code of the claims, and reason and hint of the rejects."""
    data = "\n".join(["unit;year;n", *(f"{row};1" for row in rows)]).encode()
    result = received(TEXT.replace("UNIT", unit), data, register())
    return result.claims("unit_id", "unit_code"), result.rejects("reason", "hint")


def test_a_table_may_use_the_codes_of_one_day_for_all_its_periods() -> None:
    made, rejects = resolved("{column: unit, kind: county}", "46102;2012", "46102;2016")
    assert [reason for reason, _ in rejects] == ["unit-not-valid"]
    made, rejects = resolved('{column: unit, kind: county, valid_on: "2019-01-01"}', "46102;2012", "46102;2016")
    assert made == [("county:46113@1900-01-01", "46102")] * 2
    assert rejects == []


def test_an_ended_code_may_denote_the_one_unit_that_follows_it() -> None:
    made, rejects = resolved("{column: unit, kind: municipality}", "0101;2021")
    assert (made, [reason for reason, _ in rejects]) == ([], ["unit-not-valid"])
    made, _ = resolved("{column: unit, kind: municipality, ended: successor}", "0101;2021", "0101;2019")
    assert made == [("municipality:0199@2020-01-01", "0199"), ("municipality:0101@1900-01-01", "0101")]
    assert resolved("{column: unit, kind: county, ended: successor}", "46113;2016")[0][0][1] == "46102"
    _, rejects = resolved("{column: unit, kind: municipality, ended: successor}", "0199;2012")
    assert [reason for reason, _ in rejects] == ["unit-not-valid"]


def test_codes_of_another_system_are_looked_up_in_that_system() -> None:
    assert resolved("{column: unit, kind: county, system: OLD}", "SD7;2016")[0] == [
        ("county:46113@1900-01-01", "46102")
    ]
    assert resolved("{column: unit, kind: county, system: NEW}", "SD7;2016")[0] == []
    assert [r for r, _ in resolved("{column: unit, kind: county, system: OLD}", "SD7;2012")[1]] == ["unit-not-valid"]


def test_a_code_list_may_have_kinds_of_its_own() -> None:
    assert resolved("{column: unit, kind: state}", "TX;2016")[0] == [("state:TX@1900-01-01", "TX")]
    reason, hint = resolved("{column: unit, kind: parish}", "7;2016")[1][0]
    assert reason == "unknown-unit"
    assert hint.startswith("the code lists have no unit of this kind: add a list")


def test_a_reject_of_an_unknown_unit_suggests_near_ones() -> None:
    hints = dict(received(TEXT.replace("UNIT", "{column: unit, kind: municipality}"),
                          b"unit;year;n\n301;2000;1\nOslo;2000;1\n77;2000;1\n").rejects("found", "hint"))  # fmt: skip
    assert hints["301"] == "did you mean 0301 Oslo? correct the code or name, or the register"
    assert hints["Oslo"].startswith("it is the name of 0301 Oslo: `by: name`")
    assert hints["77"] == "no unit is written nearly so: correct the code or name, or the register"


def test_a_unit_of_several_columns_with_zeros_before_them() -> None:
    text = TEXT.replace("UNIT", "{columns: [s, c], pad: [2, 2], kind: municipality}")
    result = received(text, b"s;c;year;n\n3;1;2000;1\n3;;2000;1\n99;1;2000;1\n")
    assert result.claims("unit_name") == [(UNITS["0301"],)]
    assert result.rejects("row", "column", "reason", "found") == [
        (3, "s", "missing-value", ""), (4, "s", "unknown-unit", "9901"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"kind": "municpality"}, "unknown kind 'municpality'; did you mean 'municipality'"),
        ({"kind": "Big City"}, "kind 'Big City' is no name"),
        ({"kind": "county", "valid_on": "2019-02-30"}, "day is out of range"),
        ({"kind": "county", "by": "name", "system": "M49"}, "system is for `by: code`"),
    ],
)
def test_keys_that_do_not_fit_are_errors(keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Unit(column="u", **keys)
