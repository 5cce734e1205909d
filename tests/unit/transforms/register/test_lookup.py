from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from infra.codelists import CORE_LIST, read_codelists
from infra.settings import DEMO_CODELISTS
from schemas.errors import RegisterError
from tests.support.unit_successors import successors
from transforms.register.build import build_register
from transforms.register.lookup import Register, known_keys, normalise_name, resolve_units

UNITS = {"kind": pl.String, "code": pl.String, "name": pl.String, "valid_from": pl.Date, "valid_to": pl.Date}
CHANGES = {
    "kind": pl.String,
    **{f"{side}_{field}": dtype for side in ("old", "new") for field, dtype in UNITS.items() if field != "kind"},
}
LATE = "unit-not-valid"
Y1900, Y2019, Y2020, Y2024 = (date(year, 1, 1) for year in (1900, 2019, 2020, 2024))


def units_of(*rows: tuple[str, str, str, date | None, date | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=UNITS, orient="row")


def changes_of(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame([("municipality", *row) for row in rows], schema=CHANGES, orient="row")


def ask(register: Register, kind: str, by: str, *keys: tuple[str | None, date | None]) -> pl.DataFrame:
    schema = {"kind": pl.String, "by": pl.String, "key": pl.String, "date": pl.Date}
    return resolve_units(register, pl.DataFrame([(kind, by, *key) for key in keys], schema=schema, orient="row"))


@pytest.fixture(scope="module")
def demo() -> Register:
    return build_register(*read_codelists(DEMO_CODELISTS))


def test_code_is_the_unit_of_its_date_and_a_renumbering_keeps_the_unit(demo: Register) -> None:
    found = ask(
        demo, "municipality", "code", ("0101", date(2019, 12, 31)), ("3001", Y2020), ("3101", Y2024), (" 0301 ", Y2020)
    )
    assert found["unit_id"].to_list() == ["municipality:0101@1967-01-01"] * 3 + ["municipality:0301@1948-01-01"]
    assert found["unit_code"].to_list() == ["0101", "3001", "3101", "0301"]
    assert found["reason"].null_count() == found["expected"].null_count() == 4


def test_blanks_around_a_code_of_another_system_do_not_count() -> None:
    units = units_of(("county", "03", "Oslo", Y2020, None)).with_columns(codes=pl.lit("code:iso=NO-03"))
    found = ask(build_register(units, changes_of()), "county", "code:iso", (" NO-03 ", Y2020), ("03", Y2020))
    assert found["unit_code"].to_list() == ["03", None]


@pytest.mark.parametrize(
    ("code", "day", "reason", "expected"),
    [
        ("0101", Y2020, LATE, "valid 1967-01-01 to 2020-01-01; on 2020-01-01 the same unit is 3001 Halden"),
        ("3101", Y2020, LATE, "valid from 2024-01-01; on 2020-01-01 the same unit is 3001 Halden"),
        ("0136", Y2024, LATE, "valid 1838-01-01 to 2020-01-01; on 2024-01-01 it is part of 3103 Moss"),
        ("4624", Y2019, LATE, "valid from 2020-01-01; on 2019-01-01 there was 1241 Fusa, 1243 Os (Hordaland)"),
        ("1507", Y2024, "ambiguous-unit", "one of 1508 Ålesund, 1580 Haram; valid 2020-01-01 to 2024-01-01"),
        ("0301", Y1900, LATE, "valid from 1948-01-01; on 1900-01-01 the register has nothing of it"),
        ("0301", None, LATE, "valid from 1948-01-01; no date is given"),
        ("301", Y2020, "unknown-unit", "a unit of the register: municipality by code"),
        (None, Y2020, "unknown-unit", "a unit of the register: municipality by code"),
    ],
)  # fmt: skip
def test_code_without_a_unit_says_why(demo: Register, code: str, day: date, reason: str, expected: str) -> None:
    found = ask(demo, "municipality", "code", (code, day)).row(0, named=True)
    assert (found["unit_id"], found["reason"], found["expected"]) == (None, reason, expected)


@pytest.mark.parametrize(("years", "tells"), [
    (((1900, 1920), (1950, 1960)), "valid 1900-01-01 to 1920-01-01 and 1950-01-01 to 1960-01-01"),
    (((1900, 1920), (1920, 1960)), "valid 1900-01-01 to 1960-01-01"),  # they touch
    (((1900, 1920), (1950, 1960), (2010, None)),
     "valid 1900-01-01 to 1920-01-01 and 1950-01-01 to 1960-01-01 and from 2010-01-01"),
])  # fmt: skip
def test_a_code_that_was_used_again_tells_each_time(years: tuple[tuple[int, int | None], ...], tells: str) -> None:
    spans = [(date(begin, 1, 1), end and date(end, 1, 1)) for begin, end in years]
    rows = [("municipality", "0199", f"N{n}", begin, end or None) for n, (begin, end) in enumerate(spans)]
    register = build_register(units_of(*rows, ("municipality", "0198", "E", Y1900, None)), changes_of())
    asked = ask(register, "municipality", "code", ("0199", date(1970, 1, 1)), ("0198", date(1800, 1, 1)))
    assert asked["expected"].to_list() == [
        f"{tells}; on 1970-01-01 the register has nothing of it",
        "valid from 1900-01-01; on 1800-01-01 the register has nothing of it",
    ]


@pytest.mark.parametrize(
    ("name", "day", "code"),
    [
        ("Herøy (Nordland)", Y2024, "1818"),
        ("herøy(møre og romsdal)", Y2024, "1515"),
        ("Os (Hedmark)", date(2013, 1, 1), "0441"),
        ("Os", Y2020, "3430"),
        ("Kautokeino", date(2013, 1, 1), "2011"),
        ("GUOVDAGEAIDNU", Y2024, "5612"),
        ("Guovdageaidnu Kautokeino", Y2024, "5612"),
        ("Kautokeino/Guovdageaidnu", Y2024, "5612"),
        ("Kautokeino (Finnmárku)", Y2024, "5612"),
        ("Klepp\u00a0(Rogaland)", Y2024, "1120"),
    ],
)
def test_name_resolves_with_its_county_or_half_of_a_pair(demo: Register, name: str, day: date, code: str) -> None:
    found = ask(demo, "municipality", "name", (name, day)).row(0, named=True)
    assert (found["unit_code"], found["reason"]) == (code, None)


def test_a_name_of_many_units_lists_a_few() -> None:
    register = build_register(
        units_of(*((("county", f"{n:02}", "Essex", Y1900, None)) for n in range(9))), changes_of()
    )
    found = ask(register, "county", "name", ("Essex", Y2024)).row(0, named=True)
    assert found["expected"] == "one of " + ", ".join(f"{n:02} Essex" for n in range(6)) + " and 3 more"


@pytest.mark.parametrize(
    ("name", "day", "reason", "expected"),
    [
        ("Herøy", Y2024, "ambiguous-unit", "one of 1515 Herøy (Møre og Romsdal), 1818 Herøy (Nordland)"),
        ("Os", date(2013, 1, 1), "ambiguous-unit", "one of 0441 Os (Hedmark), 1243 Os (Hordaland)"),
        ("Herøy (Rogaland)", Y2024, "unknown-unit", "a unit of the register: municipality by name"),
        ("Kautokeno", Y2024, "unknown-unit", "a unit of the register: municipality by name"),
        ("Haram", date(2021, 1, 1), LATE, "valid from 2024-01-01; on 2021-01-01 there was 1507 Ålesund"),
        ("Rygge", Y2020, LATE, "valid 1838-01-01 to 2020-01-01; on 2020-01-01 it is part of 3002 Moss"),
    ],
)  # fmt: skip
def test_name_is_never_guessed(demo: Register, name: str, day: date, reason: str, expected: str) -> None:
    found = ask(demo, "municipality", "name", (name, day)).row(0, named=True)
    assert (found["unit_id"], found["reason"], found["expected"]) == (None, reason, expected)


def test_nation_and_counties_are_always_there(demo: Register) -> None:
    assert ask(demo, "nation", "code", ("0", Y2020))["unit_name"].item() == "Norge"
    assert ask(demo, "nation", "name", ("norge", Y2020), ("Norway", Y2020))["unit_code"].to_list() == ["0", "0"]
    names = ("Troms Romsa", "Finnmark Finnmárku", "Sogn og Fjordane")
    for kind, day in (("county", Y2019), ("electoral_district", Y2024)):
        assert ask(demo, kind, "name", *((n, day) for n in names))["unit_code"].to_list() == ["19", "20", "14"]
    assert ask(demo, "county", "name", ("Troms", Y2024))["unit_code"].item() == "55"
    assert ask(demo, "county", "code", ("11", Y2024), ("03", Y2020))["unit_name"].to_list() == ["Rogaland", "Oslo"]


@pytest.mark.parametrize(
    ("code", "day", "expected"),
    [
        ("01", Y2020, "valid 1838-01-01 to 2020-01-01; on 2020-01-01 it is part of 30 Viken"),
        ("16", date(2018, 1, 1), "valid 1838-01-01 to 2018-01-01; on 2018-01-01 it is part of 50 Trøndelag"),
        ("19", Y2020, "valid 1838-01-01 to 2020-01-01; on 2020-01-01 it is part of 54 Troms og Finnmark"),
        ("34", Y2019, "valid from 2020-01-01; on 2019-01-01 there was 04 Hedmark, 05 Oppland"),
        ("30", Y2024, "one of 31 Østfold, 32 Akershus, 33 Buskerud"),
    ],
)
def test_counties_end_with_the_reforms(demo: Register, code: str, day: date, expected: str) -> None:
    found = ask(demo, "county", "code", (code, day)).row(0, named=True)
    assert found["unit_id"] is None
    assert found["expected"].startswith(expected)


def test_organisation_numbers_are_checked(demo: Register) -> None:
    right = ("988 077 917", "988077917", "NO988077917MVA", "988.077.917", "no 988 077 917 mva")
    wrong = (
        "988077918",
        "98807791",
        "98807791X",
        "000000000",
        "999999999",
        "123456785",
        "9.88077917E+08",
        "988077917.0",
        None,
    )
    found = ask(demo, "organisation", "organisation_number", *((n, Y2020) for n in (*right, *wrong)))
    assert found["unit_id"].to_list() == ["organisation:988077917"] * len(right) + [None] * len(wrong)
    assert found["unit_name"].to_list() == ["988077917"] * len(right) + [None] * len(wrong)
    reasons = [None] * len(right) + ["bad-check-digit", *["unknown-code"] * 7, "unknown-unit"]
    assert found["reason"].to_list() == reasons


def test_a_key_is_known_at_whatever_time_by_its_kind(demo: Register) -> None:
    def known(kind: str | None, by: str, *keys: str | None) -> list[bool | None]:
        return known_keys(demo, kind, by, pl.Series(keys, dtype=pl.String)).to_list()

    assert known("municipality", "code", " 0301 ", "9998", None) == [True, False, None]
    assert known("company", "code", "0301") == [False]
    assert known(None, "code", "0301") == [True]
    assert known("municipality", "name", "OSLO", "Utopia") == [True, False]


def test_resolve_keeps_rows_columns_and_order(demo: Register) -> None:
    keys = pl.DataFrame(
        {
            "kind": ["municipality", "organisation", "municipality", "municipality"],
            "by": ["name", "organisation_number", "code", "name"],
            "key": ["Klepp", "988077917", "1120", "Klepp"],
            "date": [Y2020] * 4,
            "note": ["a", "b", "c", "d"],
        }
    )
    found = resolve_units(demo, keys)
    assert_frame_equal(found.select(keys.columns), keys)
    assert found.columns == [*keys.columns, "unit_id", "unit_code", "unit_name", "reason", "expected"]
    assert found["unit_code"].to_list() == ["1120", "988077917", "1120", "1120"]
    assert resolve_units(demo, keys.clear()).height == 0


def test_successors_are_the_same_derivable_or_ambiguous(demo: Register) -> None:
    assert successors(demo, "0101", Y2024) == [("3101", "same")]
    assert successors(demo, "0136", Y2024) == [("3103", "derivable")]
    assert successors(demo, "1507", Y2024) == [("1508", "ambiguous"), ("1580", "ambiguous")]
    assert successors(demo, "1508", date(2021, 1, 1)) == []


def test_edges_say_what_a_change_was_and_whether_the_whole_is_its_parts(demo: Register) -> None:
    edges = demo.edges.filter(pl.col("kind") != "county")  # those of the core list are always there
    relations = edges.group_by("relation").len().sort("relation")
    assert relations.rows() == [("merged", 4), ("same", 6), ("split", 2)]
    same = demo.edges.filter(pl.col("relation") == "same")
    assert same["old_unit"].equals(same["new_unit"])
    part = (Y1900, Y2020)
    partly = changes_of(
        ("01", "A", *part, "11", "X", Y2020, None),
        ("02", "B", *part, "11", "X", Y2020, None),
        ("02", "B", *part, "12", "Y", Y2020, None),
    )
    edges = build_register(units_of(), partly).edges
    assert edges.select("old_code", "new_code", "relation", "whole").sort("old_code", "new_code").rows() == [
        ("01", "11", "merged", False),
        ("02", "11", "split", False),
        ("02", "12", "split", False),
    ]


def test_parts_of_a_split_that_meet_again_are_derivable() -> None:
    a, b, c = Y1900, date(1950, 1, 1), date(2000, 1, 1)
    rows = [("01", "A", a, b, new, name, b, c) for new, name in (("02", "B"), ("03", "C"))]
    rows += [(old, name, b, c, "04", "D", c, None) for old, name in (("02", "B"), ("03", "C"))]
    register = build_register(units_of(), changes_of(*rows))
    assert successors(register, "01", date(1960, 1, 1)) == [("02", "ambiguous"), ("03", "ambiguous")]
    assert successors(register, "01", c) == [("04", "derivable")]


def test_code_that_no_change_names_is_valid_as_long_as_the_changes_reach_back() -> None:
    changes = changes_of(("01", "A", Y1900, Y2020, "02", "A", Y2020, None))
    undated = units_of(("municipality", "03", "C", None, None), ("municipality", "01", "A today", None, None))
    register = build_register(undated, changes)
    found = ask(register, "municipality", "code", ("03", Y1900), ("03", Y2024), ("01", Y2020))
    assert found["reason"].to_list() == [None, None, "unit-not-valid"]


@pytest.mark.parametrize(
    ("units", "changes", "message"),
    [
        ([("01", "A", Y1900, None), ("01", "B", Y2020, None)], [], "'01' from 1900-01-01 overlaps"),
        ([("01", "A", Y2020, Y1900)], [], "ends before it begins"),
        ([("01", "A", Y2020, None), ("01", "B", Y2020, None)], [], "different names"),
        ([("01", "A", Y2020, None), ("01", "A", Y2020, Y2024)], [], "different ends"),
        ([("01", "A", None, None)], [], "has no date"),
        ([("01", None, Y2020, None)], [], "has no code or no name"),
        ([], [("01", "A", Y1900, Y2020, "02", "A", Y2024, None)], "must begin when the old one ends"),
        ([], [("01", "A", Y1900, None, "02", "A", Y2024, None)], "must begin when the old one ends"),
    ],
)
def test_unsound_list_is_an_error(
    units: list[tuple[object, ...]], changes: list[tuple[object, ...]], message: str
) -> None:
    listed = pl.DataFrame([("municipality", *u) for u in units], schema=UNITS, orient="row")
    with pytest.raises(RegisterError, match=message):
        build_register(listed, changes_of(*changes))


def test_names_are_compared_without_case_and_width() -> None:
    names = pl.Series(["  NORD\u00a0  Odal ", "\uff2f\uff53", "Straße"])
    assert normalise_name(pl.lit(names)).pipe(pl.select).to_series().to_list() == ["nord odal", "os", "strasse"]


def test_digest_follows_the_content_and_nothing_else() -> None:
    units, changes = read_codelists(DEMO_CODELISTS)
    digest = build_register(units, changes).digest
    assert len(digest) == 16
    assert build_register(units.reverse(), pl.concat([changes, changes.head(2)]).reverse()).digest == digest
    assert build_register(units.head(-1), changes).digest != digest


def test_snapshot_files_are_known_by_their_header(tmp_path: Path) -> None:
    (tmp_path / "deeper").mkdir()
    (tmp_path / "notes.csv").write_text("who;what\na;b\n", encoding="utf-8")
    (tmp_path / "list.csv").write_text(
        "kind;code;name;valid_from;valid_to\nschool;1;Åsen;2000-01-01;\n", encoding="latin-1"
    )
    klass = "code,parentCode,level,name,shortName,notes,validFrom,validTo\n"
    klass += '"0001",,1,Ås,,,2000-01-01,\n"9999",,1,Uoppgitt,,,,\n"07",,1,Fylke,,,2000-01-01,\n'
    (tmp_path / "deeper" / "klass.csv").write_text(klass, encoding="utf-8-sig")
    units, changes = read_codelists(tmp_path)
    core = CORE_LIST.read_text(encoding="utf-8").count("\n") - 1
    assert units.tail(-core).select("kind", "code", "name").rows() == [
        ("municipality", "0001", "Ås"),
        ("school", "1", "Åsen"),
    ]
    assert changes["kind"].unique().to_list() == ["county"]  # of the core list


def test_snapshot_that_says_nothing_or_nonsense_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegisterError, match="found no code list in"):
        read_codelists(tmp_path / "absent")
    (tmp_path / "list.csv").write_text("kind,code,name,valid_from,valid_to\nschool,1,A,1.1.2000,\n", encoding="utf-8")
    with pytest.raises(RegisterError, match=r"list\.csv"):
        read_codelists(tmp_path)
