"""Norway's municipalities since 1838, their elections and their names, read from ../shared/data."""

from datetime import date

import polars as pl
import pytest

from infra.codelists import read_codelists
from tests.support.paths import DATA
from tests.support.unit_successors import successors
from transforms.register.build import build_register
from transforms.register.lookup import Register, resolve_units

CHANGES = DATA / "codelists" / "klass131_changes.csv"
ELECTIONS = ("2009", "2013", "2017", "2021")

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        not CHANGES.is_file(), reason=f"real input is absent: {CHANGES} (code lists of Norway's municipalities)"
    ),
]


@pytest.fixture(scope="module")
def register() -> Register:
    return build_register(*read_codelists(DATA / "codelists"))


@pytest.fixture(scope="module")
def elections() -> pl.DataFrame:
    rows = pl.read_parquet(DATA / "valg" / "valg_rows.parquet")
    return rows.select(year="valgaar", level="nivaa", code="nr", name="navn").unique()


def ask(register: Register, by: str, keys: pl.DataFrame, kind: str = "municipality") -> pl.DataFrame:
    """Resolve the key and date columns of a frame."""
    return resolve_units(register, keys.select(pl.lit(kind).alias("kind"), pl.lit(by).alias("by"), "key", "date"))


def one(register: Register, code: str, day: date) -> dict[str, str]:
    return ask(register, "code", pl.DataFrame({"key": [code], "date": [day]})).row(0, named=True)


def municipal(register: Register) -> pl.DataFrame:
    """Return the changes of the table; those of counties are of the core list."""
    return register.edges.filter(kind="municipality")


def of_year(register: Register, year: int, relation: str) -> pl.DataFrame:
    return municipal(register).filter((pl.col("date").dt.year() == year) & (pl.col("relation") == relation))


def test_every_change_loads_as_an_edge(register: Register) -> None:
    assert municipal(register).height == 2164
    assert municipal(register).group_by("relation").len().sort("relation").rows() == [
        ("merged", 639),
        ("same", 535),
        ("split", 990),
    ]


def test_every_code_on_every_day_is_what_the_table_says(register: Register) -> None:
    table = pl.read_csv(CHANGES, infer_schema=False)
    fields = ("code", "name", "valid_from", "valid_to")
    known = {tuple(row) for side in ("old", "new") for row in table.select(f"{side}_{f}" for f in fields).rows()}
    codes = sorted({code for code, *_ in known})
    days = [
        date(y, m, 1) for y in (1837, 1838, 1860, 1902, 1920, 1960, 1964, 1990, 2013, 2020, 2021, 2024) for m in (1, 7)
    ]
    days += [date(y, 12, 31) for y in (1963, 2019, 2023)]
    keys = pl.DataFrame({"key": codes}).join(pl.DataFrame({"date": days}), how="cross")
    found = ask(register, "code", keys)
    held: dict[tuple[str, str], str] = {}
    for code, name, start, end in known:
        held |= {(code, d): name for d in map(str, days) if start <= d < (end or "9")}
    expected = [held.get((code, str(day))) for code, day in keys.rows()]
    assert found["unit_name"].to_list() == expected
    assert (found["reason"].is_null() == found["unit_id"].is_not_null()).all()


def test_every_one_to_one_change_is_one_unit_and_every_other_change_is_none(register: Register) -> None:
    same = pl.col("old_unit") == pl.col("new_unit")
    assert register.edges.filter((pl.col("relation") == "same") != same).is_empty()


def test_every_merger_is_derivable_and_every_split_ambiguous_on_its_day(register: Register) -> None:
    recent = register.edges.filter((pl.col("date") >= date(1990, 1, 1)) & (pl.col("relation") != "same"))
    assert recent.height > 100
    checked = 0
    edges = recent.group_by("kind", "old_code", "date", "relation").agg(pl.col("new_code", "new_unit").sort())
    for kind, code, day, relation, new_codes, new_units in edges.iter_rows():
        if code in new_codes:  # a new unit has the code: a delivery on that day means the new one
            assert one(register, code, day)["unit_id"] in new_units
            continue
        found = successors(register, code, day, kind)
        assert found == [(new, "derivable" if relation == "merged" else "ambiguous") for new in new_codes]
        assert (len(found) == 1) == (relation == "merged")
        checked += 1
    assert checked > 100


def test_2020_had_43_mergers_and_2_splits_and_2024_one_split(register: Register) -> None:
    assert of_year(register, 2020, "merged")["new_unit"].n_unique() == 43
    assert sorted(of_year(register, 2020, "split")["old_code"].unique()) == ["1850", "5012"]
    assert of_year(register, 2024, "merged").is_empty()
    assert of_year(register, 2024, "split").select("old_code", "new_code").rows() == [
        ("1507", "1508"),
        ("1507", "1580"),
    ]


@pytest.mark.parametrize(
    ("code", "day", "candidates"),
    [
        ("1850", date(2020, 1, 1), "one of 1806 Narvik, 1875 Hábmer - Hamarøy; "),
        ("5012", date(2021, 9, 13), "one of 5055 Heim, 5056 Hitra, 5059 Orkland; "),
        ("1507", date(2024, 1, 1), "one of 1508 Ålesund, 1580 Haram; "),
    ],
)
def test_split_is_never_mapped(register: Register, code: str, day: date, candidates: str) -> None:
    found = one(register, code, day)
    assert (found["unit_id"], found["reason"]) == (None, "ambiguous-unit")
    assert found["expected"].startswith(candidates)


def test_reused_codes_are_different_units(register: Register) -> None:
    assert one(register, "1806", date(1960, 1, 1))["unit_name"] == "Svolvær"
    assert one(register, "1806", date(2021, 1, 1))["unit_name"] == "Narvik"
    for code, before, after in (("1806", 1960, 2021), ("0701", 1960, 2013), ("0712", 1960, 2019), ("2024", 1860, 1950)):
        units = [one(register, code, date(year, 7, 1))["unit_id"] for year in (before, after)]
        assert None not in units
        assert units[0] != units[1]


@pytest.mark.parametrize("year", ELECTIONS)
def test_every_code_of_the_elections_resolves(register: Register, elections: pl.DataFrame, year: str) -> None:
    for level, kind in (("kommune", "municipality"), ("fylke", "electoral_district"), ("land", "nation")):
        of_level = elections.filter((pl.col("level") == level) & (pl.col("year") == year))
        found = ask(register, "code", of_level.select(key="code", date=pl.date(int(year), 1, 1)), kind)
        assert found["reason"].null_count() == found.height > 0
        assert found["unit_id"].n_unique() == of_level["code"].n_unique()
        if kind != "municipality":
            found_by_name = ask(register, "name", of_level.select(key="name", date=pl.date(int(year), 1, 1)), kind)
            assert found_by_name["unit_id"].equals(found["unit_id"])


@pytest.mark.parametrize("year", ["2013", "2017", "2018", "2019", "2020"])
def test_every_code_of_the_yearly_lists_resolves(register: Register, year: str) -> None:
    wide = DATA / "codelists" / "kommunekoder" / "alle_kommunenummer_fra2013_til2020_wide.csv"
    listed = pl.read_csv(wide.read_bytes().decode("latin-1").encode(), separator=";", infer_schema=False)
    codes = listed[f"kommunenummer_{year}"].drop_nulls().unique().sort()
    found = ask(register, "code", pl.DataFrame({"key": codes}).with_columns(date=pl.date(int(year), 1, 1)))
    # 9999 is the list's "not stated".
    assert found.filter(pl.col("reason").is_not_null())["key"].to_list() == ["9999"]
    assert found["unit_id"].drop_nulls().n_unique() == codes.len() - 1


def test_every_name_of_the_broadcaster_is_the_right_municipality(register: Register, elections: pl.DataFrame) -> None:
    nrk = pl.read_csv(DATA / "valg" / "nrk_stortingsvalg2013.tsv", separator="\t", infer_schema=False)
    names = nrk.select(key="Municipality").unique().with_columns(date=pl.date(2013, 1, 1))
    found = ask(register, "name", names)
    assert found["reason"].null_count() == found.height == 428
    official = elections.filter((pl.col("year") == "2013") & (pl.col("level") == "kommune")).select(
        "code", official="name"
    )
    counties = elections.filter((pl.col("year") == "2013") & (pl.col("level") == "fylke")).select(
        prefix="code", county="name"
    )
    both = found.join(official, left_on="unit_code", right_on="code", how="full")
    assert both.height == 428
    assert both.null_count().select("key", "official").row(0) == (0, 0)
    both = both.with_columns(prefix=pl.col("unit_code").str.head(2)).join(counties, on="prefix")
    equal = pl.col("key") == pl.col("official")
    with_county = pl.col("key") == pl.format("{} ({})", "official", "county")
    half = pl.col("official").str.split(" ").list.contains(pl.col("key")) & ~equal
    assert both.select(equal.sum(), with_county.sum().alias("county"), half.sum().alias("half")).row(0) == (410, 12, 6)


def test_name_that_several_bear_names_the_candidates(register: Register) -> None:
    names = ("Os", "Våler", "Nes", "Sande", "Herøy", "Bø")
    found = ask(register, "name", pl.DataFrame({"key": names}).with_columns(date=pl.date(2013, 1, 1)))
    assert found["reason"].unique().to_list() == ["ambiguous-unit"]
    assert found["expected"][0] == "one of 0441 Os (Hedmark), 1243 Os (Hordaland)"
