"""Real elections as two obligations: what counties report follows from what municipalities report."""

import datetime as dt

import polars as pl
import pytest

from infra.codelists import read_codelists
from schemas.claims import BOUND, VALUE
from schemas.concepts import load_vocabulary
from schemas.contract import load_contracts
from tests.support.paths import DATA
from transforms.derivations.derive import Derived, derive
from transforms.derivations.wholes import wholes_of
from transforms.identity import item_id
from transforms.overlap.dossier import Dossier, draw_verdict
from transforms.overlap.replacements import replacements
from transforms.prefill.compare import compare_drafts, counts_of
from transforms.prefill.known import ITEM, known_values
from transforms.prefill.sums import with_sums
from transforms.register.build import build_register

COUNTS = DATA / "valg" / "valg_rows.parquet"
YEARS = (2009, 2013, 2017)
LEVELS = {"fylke": "electoral_district", "kommune": "municipality"}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not COUNTS.is_file(), reason=f"real input is absent: {COUNTS}"),
]


@pytest.fixture(scope="module")
def units() -> pl.DataFrame:
    return build_register(*read_codelists(DATA / "codelists")).units


@pytest.fixture(scope="module")
def counts(units: pl.DataFrame) -> pl.DataFrame:
    """Give the votes of each party, by municipality and electoral district, as statements of two obligations."""
    newest = pl.col("rapport_generert") == pl.col("rapport_generert").max().over("valgaar", "nivaa", "nr")
    rows = pl.read_parquet(COUNTS).filter(pl.col("nivaa").is_in(list(LEVELS)), newest)
    year = pl.col("valgaar").cast(pl.Int32)
    placed = rows.filter(year.is_in(YEARS)).select(
        concept=pl.lit("votes"),
        obligation="nivaa",
        unit_kind=pl.col("nivaa").replace_strict(LEVELS),
        unit_code="nr",
        period_start=pl.date(year, 1, 1),
        period_end=pl.date(year + 1, 1, 1),
        breakdown=pl.concat_str(pl.lit('{"party":"'), "partikode", pl.lit('"}')),
        unit_measure=pl.lit("votes"),
        value=pl.col("stemmer").cast(VALUE),
        reported_by=pl.lit("count"),
        submission_id="nivaa",
    )
    known = units.select("unit_id", "valid_from", "valid_to", unit_kind="kind", unit_code="code")
    valid = (pl.col("valid_from") <= pl.col("period_start")) & (
        pl.col("valid_to").is_null() | (pl.col("valid_to") > pl.col("period_start"))
    )
    found = placed.join(known, on=["unit_kind", "unit_code"]).filter(valid)
    assert found.height == placed.height
    bounds = [pl.col("value").cast(BOUND).alias(name) for name in ("lower", "upper")]
    return found.with_columns(item_id(), *bounds)


def derived(counts: pl.DataFrame, units: pl.DataFrame) -> Derived:
    items = counts.with_columns(decimals=pl.lit(None, pl.Int16), conf_status=pl.lit("F"))
    days = [dt.date(year, 1, 1) for year in YEARS]
    return derive(items, load_vocabulary(), wholes_of(units, days))


def dossier(counts: pl.DataFrame, obligation: str, edges: pl.DataFrame) -> Dossier:
    stated = counts.with_columns(reports=pl.len().over("item_id"))
    return draw_verdict(replacements(stated, obligation, edges), obligation, (None, None))


def test_the_county_is_the_sum_of_its_municipalities_in_every_cell(counts: pl.DataFrame, units: pl.DataFrame) -> None:
    found = derived(counts, units)
    reported = found.items.join(counts, on="item_id", how="semi")
    tally = reported.group_by(pl.col("period_start").dt.year(), "relation").len().sort("period_start")
    assert tally.rows() == [(2009, "equal", 297), (2013, "equal", 348), (2017, "equal", 372)]
    county = dossier(counts, "fylke", found.edges)
    assert (county.verdict, county.items, county.summed, county.agreeing) == ("droppable_exact", 1017, 1017, 1017)
    assert county.bound_items == pytest.approx(0.05 ** (1 / 1017))
    assert county.bound == county.bound_units == pytest.approx(0.05 ** (1 / 19))
    municipal = dossier(counts, "kommune", found.edges)
    assert (municipal.verdict, municipal.items, municipal.covered) == ("not_droppable", 22754, 0)


@pytest.mark.parametrize(
    ("level", "added", "verdict"),
    [
        ("fylke", 1, "droppable_within_tolerance"),
        ("kommune", 1, "droppable_within_tolerance"),
        ("kommune", 1000, "droppable_in_part"),
    ],
)
def test_one_planted_cell_flips_the_verdict(
    counts: pl.DataFrame, units: pl.DataFrame, level: str, added: int, verdict: str
) -> None:
    first = counts.filter(pl.col("obligation") == level, pl.col("value") > 0)["item_id"].min()
    value = pl.when(pl.col("item_id") == first).then(pl.col("value") + added).otherwise("value").cast(VALUE)
    planted = counts.with_columns(value.alias("value"), *(value.cast(BOUND).alias(n) for n in ("lower", "upper")))
    found = derived(planted, units)
    assert found.items.filter(relation="conflict").select("rule").rows() == [("units:municipality",)]
    county = dossier(planted, "fylke", found.edges)
    assert (county.verdict, county.agreeing, len(county.differing_items)) == (verdict, 1016, 1)


def test_a_draft_of_the_county_is_the_sum_of_its_municipalities(counts: pl.DataFrame, units: pl.DataFrame) -> None:
    stated = counts.with_columns(
        sender="obligation", unit_name="unit_code", personal=pl.lit(value=False), received_at=pl.datetime(2025, 1, 1)
    )
    own, others = (stated.filter((pl.col("obligation") == "fylke") == mine) for mine in (True, False))
    known = known_values(others, others.select(ITEM.names()), "fylke", {})
    wholes = wholes_of(units, [dt.date(year, 1, 1) for year in YEARS])
    places = own.select("unit_id", "unit_kind", "unit_code", "unit_name", "period_start").unique(maintain_order=True)
    drafts = with_sums(known, own.clear(), places, load_vocabulary(), wholes)
    compared = compare_drafts(drafts, own, load_contracts()["valg-fylke-csv"])
    found = counts_of(compared.with_columns(due="period_start"))
    assert [row["exact"] for row in found["periods"]] == [297, 348, 372]
    assert [found[name] for name in ("cells", "filled", "derived", "exact")] == [1017] * 4
    assert found["bound"] == found["bound_units"] == pytest.approx(0.05 ** (1 / 19))
