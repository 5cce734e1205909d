"""Which units are parts of which: municipalities of counties, electoral districts and the nation."""

import datetime as dt

import polars as pl

from transforms.derivations.wholes import wholes_of

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
