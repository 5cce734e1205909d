"""Which units are parts of which: municipalities of counties, electoral districts and the nation."""

import datetime as dt

import polars as pl

from transforms.derivations.wholes import WHOLES, wholes_of

SINCE = dt.date(1980, 1, 1)


def units() -> pl.DataFrame:
    rows = [
        ("c", "county", "11", None),
        ("d", "electoral_district", "11", None),
        ("m1", "municipality", "1120", None),
        ("m2", "municipality", "1121", None),
        ("old", "municipality", "1199", dt.date(2020, 1, 1)),
        ("n", "nation", "0", None),
        ("abroad", "nation", "SE", None),
    ]
    columns = ["unit_id", "kind", "code", "valid_to"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(valid_from=pl.lit(SINCE))


def test_the_parts_of_a_county_on_a_day() -> None:
    found = wholes_of(units(), [dt.date(2019, 1, 1), dt.date(2024, 1, 1)])
    county = found.filter(whole="c").sort("period_start", "unit_id")
    assert county.select("unit_id", "parts").rows() == [("m1", 3), ("m2", 3), ("old", 3), ("m1", 2), ("m2", 2)]
    assert found.filter(whole="d").select("unit_id", "kind", "whole_kind").unique().sort("unit_id").rows() == [
        (name, "municipality", "electoral_district") for name in ("m1", "m2", "old")
    ]


def test_the_nation_has_its_municipalities_and_its_counties() -> None:
    found = wholes_of(units(), [dt.date(2024, 1, 1)]).filter(whole_kind="nation").sort("unit_id")
    assert found.select("whole", "unit_id", "kind", "parts").rows() == [
        ("n", "c", "county", 1), ("n", "m1", "municipality", 2), ("n", "m2", "municipality", 2),
    ]  # fmt: skip


def test_a_unit_is_part_of_a_whole_from_its_first_day_to_the_day_before_its_last() -> None:
    ended = dt.date(2020, 1, 1)
    days = [SINCE - dt.timedelta(days=1), SINCE, ended - dt.timedelta(days=1), ended]
    found = wholes_of(units(), days)
    assert found.filter(unit_id="old", whole="c")["period_start"].sort().to_list() == days[1:3]
    assert found.filter(unit_id="m1", whole="c")["period_start"].sort().to_list() == days[1:]


def test_only_counties_and_districts_have_codes_that_others_begin_with() -> None:
    more = pl.concat([units(), units().filter(unit_id="c").with_columns(unit_id=pl.lit("x"), kind=pl.lit("company"))])
    twice = pl.concat([more, more])
    found = wholes_of(twice, [dt.date(2024, 1, 1)])
    assert set(found["whole"]) == {"c", "d", "n"}
    assert set(found["unit_id"]) == {"c", "m1", "m2"}
    assert found.height == found.unique().height == 2 + 2 + 3


def test_a_municipality_of_another_county_is_no_part() -> None:
    far = units().filter(unit_id="m1").with_columns(unit_id=pl.lit("far"), code=pl.lit("0301"))
    found = wholes_of(pl.concat([units(), far]), [dt.date(2024, 1, 1)])
    assert found.filter(unit_id="far")["whole"].to_list() == ["n"]
    assert found.filter(whole="n", kind="municipality")["parts"].to_list() == [3, 3, 3]
    assert found.schema == WHOLES
