"""The register from code lists: links become units, changes become edges, and names have every spelling."""

from datetime import date
from itertools import pairwise

import polars as pl
import pytest

from schemas.errors import RegisterError
from transforms.register.build import build_register
from transforms.register.lookup import Register

UNITS = {"kind": pl.String, "code": pl.String, "name": pl.String, "valid_from": pl.Date, "valid_to": pl.Date}
CHANGES = {
    "kind": pl.String,
    **{f"{side}_{field}": dtype for side in ("old", "new") for field, dtype in UNITS.items() if field != "kind"},
}
Y1, Y2, Y3, Y4 = (date(year, 1, 1) for year in (2000, 2010, 2020, 2024))
Row = tuple[object, ...]


def build(*units: Row, changes: tuple[Row, ...] = (), aliases: list[str | None] | None = None) -> Register:
    frame = pl.DataFrame(units, schema=UNITS, orient="row")
    if aliases is not None:
        frame = frame.with_columns(aliases=pl.Series(aliases, dtype=pl.String))
    return build_register(frame, pl.DataFrame(changes, schema=CHANGES, orient="row"))


def change(old: Row, new: Row, kind: str = "municipality") -> Row:
    return (kind, *old, *new)


def ids(register: Register) -> dict[tuple[str, date], str]:
    return {
        (code, start): unit for unit, code, start in register.units.select("unit_id", "code", "valid_from").iter_rows()
    }


def names(register: Register, code: str) -> set[str]:
    units = register.units.filter(code=code)["unit_id"].implode()
    return set(register.names.filter(pl.col("unit_id").is_in(units))["name"])


def edges(register: Register) -> list[tuple[str, str, str, bool]]:
    return register.edges.select("old_code", "new_code", "relation", "whole").sort("old_code", "new_code").rows()


def test_a_unit_has_the_id_of_its_link() -> None:
    register = build(("municipality", "0301", "Oslo", Y1, None), ("organisation", "974760673", "NAV", Y2, None))
    assert register.units.rows() == [
        ("municipality:0301@2000-01-01", "municipality", "0301", "Oslo", Y1, None),
        ("organisation:974760673", "organisation", "974760673", "NAV", Y2, None),
    ]
    assert register.edges.height == 0
    assert len(register.digest) == 16


def test_no_units_make_an_empty_register() -> None:
    assert [frame.height for frame in (build().units, build().names, build().edges)] == [0, 0, 0]


def test_a_chain_of_renumberings_is_one_unit_with_the_id_of_the_oldest_link() -> None:
    a, b, c = ("0101", "Halden", Y1, Y2), ("3001", "Halden", Y2, Y3), ("3101", "Halden", Y3, None)
    steps = (change(a, b), change(b, c))
    register = build(("municipality", *c), changes=steps)
    assert set(ids(register).values()) == {"municipality:0101@2000-01-01"}
    assert edges(register) == [("0101", "3001", "same", True), ("3001", "3101", "same", True)]
    assert register.edges["date"].to_list() == [Y2, Y3]
    again = build(("municipality", *c), changes=(steps[1], steps[0], steps[1]))
    assert again.digest == register.digest, "neither order nor repetition counts"


def test_a_long_chain_is_one_unit() -> None:
    years = [date(1900 + n, 1, 1) for n in range(21)]
    links = [(f"{n:04}", f"Name {n}", years[n], years[n + 1] if n < 19 else None) for n in range(20)]
    register = build(changes=tuple(change(*pair) for pair in pairwise(links)))
    assert set(ids(register).values()) == {"municipality:0000@1900-01-01"}
    assert register.units.height == 20


def test_merged_parts_add_up_to_the_whole() -> None:
    a, b, whole = ("01", "A", Y1, Y2), ("02", "B", Y1, Y2), ("03", "AB", Y2, None)
    register = build(changes=(change(a, whole), change(b, whole)))
    assert edges(register) == [("01", "03", "merged", True), ("02", "03", "merged", True)]
    assert len(set(ids(register).values())) == 3


def test_a_split_ends_a_unit_and_what_has_a_part_of_it_is_no_whole() -> None:
    old, left, right, third = ("01", "A", Y1, Y2), ("02", "B", Y2, None), ("03", "C", Y2, None), ("04", "D", Y1, Y2)
    register = build(changes=(change(old, left), change(old, right), change(third, right)))
    assert edges(register) == [
        ("01", "02", "split", False),
        ("01", "03", "split", False),
        ("04", "03", "merged", False),
    ]
    assert len(set(ids(register).values())) == 4


def test_one_code_of_two_kinds_is_two_units() -> None:
    a, b = ("03", "Oslo", Y1, Y2), ("04", "Oslo", Y2, None)
    register = build(("county", "03", "Oslo", Y1, None), changes=(change(a, b),))
    assert sorted(register.units["unit_id"].unique()) == ["county:03@2000-01-01", "municipality:03@2000-01-01"]


def test_an_undated_unit_is_valid_since_the_first_change_of_its_kind() -> None:
    a, b = ("01", "A", Y2, Y3), ("02", "B", Y3, None)
    register = build(
        ("municipality", "09", "Undated", None, None), ("municipality", "02", "Other name", None, None),
        changes=(change(a, b),),
    )  # fmt: skip
    assert ids(register)["09", Y2] == "municipality:09@2010-01-01"
    assert register.units.filter(code="02")["name"].to_list() == ["B"], "the changes state it"


@pytest.mark.parametrize(
    ("units", "problem"),
    [
        ([("municipality", "01", None, Y1, None)], "municipality '01' from 2000-01-01 has no code or no name"),
        ([("municipality", None, "A", Y1, None)], "municipality None from 2000-01-01 has no code or no name"),
        (
            [("municipality", "01", "A", None, None)],
            "municipality '01' from None has no date: give valid_from, or the table of changes",
        ),
        (
            [("municipality", "01", "A", Y1, None), ("municipality", "01", "B", Y1, None)],
            "municipality '01' from 2000-01-01 has different names",
        ),
        (
            [("municipality", "01", "A", Y1, Y2), ("municipality", "01", "A", Y1, Y3)],
            "municipality '01' from 2000-01-01 has different ends",
        ),
        ([("municipality", "01", "A", Y2, Y1)], "municipality '01' from 2010-01-01 ends before it begins"),
        ([("municipality", "01", "A", Y2, Y2)], "municipality '01' from 2010-01-01 ends before it begins"),
        (
            [("municipality", "01", "A", Y1, Y3), ("municipality", "01", "A", Y2, None)],
            "municipality '01' from 2000-01-01 overlaps the code's next validity",
        ),
        (
            [("municipality", "01", "A", Y1, None), ("municipality", "01", "A", Y2, None)],
            "municipality '01' from 2000-01-01 overlaps the code's next validity",
        ),
    ],
)
def test_an_inconsistent_list_names_its_first_error(units: list[Row], problem: str) -> None:
    with pytest.raises(RegisterError) as caught:
        build(*units)
    assert str(caught.value) == f"the code list is inconsistent: {problem} (1 such)"


def test_a_code_may_be_used_again_from_the_day_on_which_it_ended() -> None:
    register = build(("municipality", "01", "A", Y1, Y2), ("municipality", "01", "B", Y2, None))
    assert ids(register) == {
        ("01", Y1): "municipality:01@2000-01-01",
        ("01", Y2): "municipality:01@2010-01-01",
    }


def test_a_change_without_a_gap_or_an_overlap() -> None:
    old, late, early = ("01", "A", Y1, Y2), ("02", "B", Y3, None), ("02", "B", Y1, None)
    for new in (late, early):
        with pytest.raises(RegisterError) as caught:
            build(changes=(change(old, new),))
        assert str(caught.value) == (
            "a change of municipality '01' to '02': the new one must begin when the old one ends (1 such)"
        )
    with pytest.raises(RegisterError, match=r"\(2 such\)"):
        build(changes=(change(old, late), change(("03", "C", Y1, None), ("04", "D", Y3, None))))


def test_a_name_has_every_spelling() -> None:
    register = build(("municipality", "4601", "Herøy (Møre og Romsdal)", Y1, None))
    assert names(register, "4601") == {"herøy (møre og romsdal)", "herøy"}
    register = build(("municipality", "5437", "Kárášjohka / Karasjok", Y1, None))
    assert names(register, "5437") == {
        "kárášjohka - karasjok", "karasjok - kárášjohka", "kárášjohka karasjok", "karasjok kárášjohka", "kárášjohka",
        "karasjok",
    }  # fmt: skip


def test_an_alias_is_a_name_too_and_an_empty_one_is_none() -> None:
    register = build(
        ("nation", "NO", "Norge", Y1, None), ("nation", "SE", "Sverige", Y1, None), aliases=["Noreg||", None]
    )
    assert names(register, "NO") == {"norge", "noreg"}
    assert names(register, "SE") == {"sverige"}


def test_a_name_with_its_county_is_valid_while_both_are() -> None:
    register = build(
        ("municipality", "1535", "Os", Y1, Y4), ("county", "15", "Møre", Y2, Y3), ("county", "16", "Nord", Y1, None),
    )  # fmt: skip
    placed = register.names.filter(name="os (møre)").select("unit_id", "valid_from", "valid_to").rows()
    assert placed == [("municipality:1535@2000-01-01", Y2, Y3)]
    assert register.names.filter(name="os (nord)").height == 0


def test_a_county_that_ended_before_adds_no_name() -> None:
    register = build(("municipality", "1535", "Os", Y2, None), ("county", "15", "Møre", Y1, Y2))
    assert names(register, "1535") == {"os"}
    register = build(("municipality", "1535", "Os", Y2, None), ("county", "15", "Møre", Y1, None))
    assert register.names.filter(name="os (møre)").select("valid_from", "valid_to").rows() == [(Y2, None)]


def test_a_code_of_another_system_is_a_name_and_a_code_and_without_either_none() -> None:
    units = pl.DataFrame([("municipality", "0301", "Oslo", Y1, None)], schema=UNITS, orient="row")
    listed = units.with_columns(codes=pl.lit("iso = NO-03|iso=NO-03|nuts=|| |lau"))
    codes = build_register(listed, pl.DataFrame(schema=CHANGES)).codes
    assert codes.select("kind", "unit_id", "system", "code").rows() == [
        ("municipality", "municipality:0301@2000-01-01", "iso", "NO-03"),
    ]  # fmt: skip
