"""Three contract changes over the real files: what a dry run finds, what publishing changes, and plain Polars agree."""

import json
import tarfile
from dataclasses import replace

import polars as pl
import pytest

from flows import pipeline as steps
from flows.backfill.publish import finish_backfill, try_backfill
from flows.backfill.reread import BackfillRequest, start_backfill
from flows.installation import Installation
from flows.intake.archives import read_files
from flows.intake.deliveries import make_delivery
from flows.queries.sql import query
from infra.lake import delta as lake
from infra.ledger.open import open_ledger
from infra.settings import read_settings
from schemas.contract import CONTRACT_FOLDER
from tests.support.measured_tables import assert_from_scratch
from tests.support.paths import DATA

COUNT = DATA / "valg" / "deliveries-2013.tar.xz"
TABLES = {year: DATA / "valg" / "county_csv" / f"{year}.csv" for year in ("2009", "2013", "2017")}
FEES = {year: DATA / "eiti" / f"eiti-{year}" / "arealavgift" / "dataset.original.csv" for year in ("2009", "2011")}
SCALE = "    scale: 1000\n"
CODE = "          PDK: KRISTNE\n"
ADVANCE = """\
  - concept: votes_in_advance
    column: partier[].stemmer.resultat.antall.fhs
    reported_by: {value: Valgdirektoratet}
    unit_measure: {value: votes}
    breakdown:
      party: {column: "partier[].id.partikode"}
    missing: skip

rules:
"""
NO_EXAMPLES = '\nexamples: [{name: none, given: ""}]\n'
WRONG = {
    "eiti-arealavgift": ((SCALE, "    scale: 1\n"),),
    "valg-fylke-csv": ((CODE, "          PDK: PDK\n"),),
    "valg-resultat": (),
}
"""How the contracts were before they were corrected: a scale of 1 for 1000, a party under another code."""
RIGHT = {
    "eiti-arealavgift": (),
    "valg-fylke-csv": (),
    "valg-resultat": (("rules:\n", ADVANCE),),
}
"""And after: as they are shipped; the count with a column more."""

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not COUNT.exists(), reason=f"real input is absent: {DATA} (eiti, valg, codelists)"),
]


def contract(name: str, changes: tuple[tuple[str, str], ...], version: int = 1) -> str:
    """Return a shipped contract, changed; one that is changed reads otherwise than the shipped examples say."""
    text = (CONTRACT_FOLDER / f"{name}.yml").read_text(encoding="utf-8")
    if changes:
        text = text.partition("\nexamples:\n")[0] + NO_EXAMPLES
    for old, new in (*changes, ("version: 1\n", f"version: {version}\n")):
        assert old in text
        text = text.replace(old, new, 1 if old.startswith(("version", "rules")) else -1)
    return text


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give the home in which the files are read by the contracts as they were."""
    folder = tmp_path_factory.mktemp("real") / "home"
    (folder / "contracts").mkdir(parents=True)
    for name, changes in WRONG.items():
        (folder / "contracts" / f"{name}.yml").write_text(contract(name, changes), encoding="utf-8")
    settings = replace(
        read_settings(folder), codelists=DATA / "codelists", contracts=folder / "contracts",
        ledger_url=f"sqlite:///{folder}/ledger.db",
    )  # fmt: skip
    lake.open_lake(settings.lake)
    home = Installation(settings, open_ledger(settings.ledger_url))
    files = [("valg-resultat", None, COUNT)]
    files += [("valg-fylke-csv", year, path) for year, path in TABLES.items()]
    files += [("eiti-arealavgift", year, path) for year, path in FEES.items()]
    deliveries = [
        make_delivery(home, filename, data, name, sender=None, period=period)
        for name, period, path in files
        for filename, data in read_files(path, settings)
    ]
    assert sum(len(receipts) for receipts in steps.receive(home, deliveries)) == 448 + 3 + 2
    assert steps.nightly(home, export="never").published
    return home


def changed(home: Installation, name: str) -> pl.DataFrame:
    """Try a backfill of a contract out and publish it; return what it changed, with each item's unit and party.

    Columns: change, period, unit (code, or name where there is none), party, before, after.
    """
    rules = home.settings.home / f"{name}-new.yml"
    rules.write_text(contract(name, RIGHT[name], 2), encoding="utf-8")
    number = start_backfill(home, BackfillRequest(name, rules=rules)).number
    assert number is not None
    before = _items(home)
    tried = try_backfill(home, number)
    found = pl.read_parquet(tried.file)
    assert _items(home).equals(before)
    done = finish_backfill(home, number)
    assert done.as_tried
    assert pl.read_parquet(done.file).equals(found)
    assert done.night is not None
    published = query(home, "SELECT item_id, change, release FROM changes").filter(release=done.night.release)
    assert published.drop("release").sort("item_id").equals(found.select("item_id", "change").sort("item_id"))
    assert_from_scratch(home)
    items = pl.concat([before, _items(home)]).unique("item_id")
    rows = found.join(items, on="item_id").with_columns(party=pl.col("breakdown").str.json_path_match("$.party"))
    print(f"{name}: {done.diff['submissions']} submissions, {done.diff['changes']}")
    return rows.select("change", "period", "unit", "party", "before", "after").sort(pl.all())


def _items(home: Installation) -> pl.DataFrame:
    sql = "SELECT item_id, coalesce(unit_code, unit_name) AS unit, breakdown FROM observations ORDER BY item_id"
    return query(home, sql)


def test_a_column_newly_mapped(home: Installation) -> None:
    rows = []
    with tarfile.open(COUNT) as archive:
        for member in archive:
            if (file := archive.extractfile(member)) is not None:
                delivery = json.load(file)
                rows += [
                    ("added", "2013-01", delivery["id"]["nr"], party["id"]["partikode"], None,
                     f"{party['stemmer']['resultat']['antall']['fhs']} (single)")
                    for party in delivery["partier"]
                ]  # fmt: skip
    expected = pl.DataFrame(rows, schema=("change", "period", "unit", "party", "before", "after"), orient="row")
    assert expected.height == 8174
    assert changed(home, "valg-resultat").equals(expected.cast({"before": pl.String}).sort(pl.all()))


def test_a_code_map_corrected(home: Installation) -> None:
    count = query(
        home,
        "SELECT unit_code AS unit, CAST(value AS BIGINT) AS counted FROM observations "
        "WHERE concept = 'votes' AND unit_kind = 'electoral_district' AND breakdown LIKE '%\"KRISTNE\"%'",
    )
    assert count.height == 19  # in 2013, by the count alone: the table calls it otherwise
    rows = pl.concat(
        pl.read_csv(path, separator=";", infer_schema=False, truncate_ragged_lines=True).select(
            pl.lit(f"{year}-01").alias("period"), pl.nth(0).alias("unit"), party="Partikode",
            votes=pl.col("Antall stemmer totalt").cast(pl.Int64),
        )
        for year, path in TABLES.items()
    ).filter(party="PDK")  # fmt: skip
    removed = rows.select(pl.lit("removed").alias("change"), "period", "unit", "party", _single("votes", "before"))
    joined = rows.join(count.with_columns(period=pl.lit("2013-01")), on=["period", "unit"], how="left")
    counted = pl.col("counted").is_not_null()
    same = pl.when(pl.col("counted") == pl.col("votes")).then(pl.lit("complete")).otherwise(pl.lit("conflict"))
    now = joined.select(
        pl.when(counted).then(pl.lit("changed")).otherwise(pl.lit("added")).alias("change"),
        "period", "unit", pl.lit("KRISTNE").alias("party"), _single("counted", "before"),
        pl.when(counted).then(pl.format("{} ({})", "counted", same)).otherwise(_single("votes", "x")).alias("after"),
    )  # fmt: skip
    expected = pl.concat([removed.with_columns(after=pl.lit(None, pl.String)), now])
    assert expected["change"].value_counts().sort("change").rows() == [("added", 19), ("changed", 19), ("removed", 38)]
    assert changed(home, "valg-fylke-csv").equals(expected.sort(pl.all()))


def _single(column: str, name: str) -> pl.Expr:
    return pl.format("{} (single)", column).alias(name)


def test_a_scale_fixed_from_1_to_1000(home: Installation) -> None:
    own, theirs = pl.col("own"), pl.col("theirs")
    rows = pl.concat(
        pl.read_csv(path, separator=";", infer_schema=False, quote_char=None).select(
            pl.lit(f"{year}-01").alias("period"),
            *(
                pl.nth(n).str.strip_chars('" ').alias(name)
                for n, name in ((0, "unit"), (1, "own"), (2, "theirs"))
            ),
        )
        for year, path in FEES.items()
    ).with_columns(pl.col("own", "theirs").replace("", None).cast(pl.Int64))  # fmt: skip
    rows = rows.filter(own.is_not_null() | theirs.is_not_null())

    def figure(scale: int) -> pl.Expr:
        value = pl.coalesce("own", "theirs") * scale
        both = own.is_not_null() & theirs.is_not_null()
        return (
            pl.when(both & (own != theirs)).then(pl.lit("withheld (conflict)"))
            .when(both).then(pl.format("{} (complete)", value))
            .otherwise(pl.format("{} (single)", value))
        )  # fmt: skip

    expected = rows.select(
        pl.lit("changed").alias("change"), "period", "unit", pl.lit(None, pl.String).alias("party"),
        figure(1).alias("before"), figure(1000).alias("after"),
    )  # fmt: skip
    assert expected.height > 30
    assert changed(home, "eiti-arealavgift").equals(expected.sort(pl.all()))
