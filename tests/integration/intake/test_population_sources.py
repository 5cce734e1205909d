"""Five publications of the same figures, each received as published under one contract: counts and conflicts.

No file's text is repaired. The United Nations' 71 years and the Census' 164 columns are one delivery each.
"""

from dataclasses import replace
from typing import Final

import polars as pl
import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import receive
from flows.overlap.prefill.backtest import backtest_drafts
from flows.overlap.prefill.draft import draw_up_draft
from flows.overlap.release_statements import statements_of
from flows.pipeline import nightly
from flows.releases import find_release, read_table
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.settings import read_settings
from tests.support.paths import DATA, ROOT
from transforms.discovery.series import series_of
from transforms.discovery.suspected import suspected_overlap
from transforms.examples.example_results import example_problems
from transforms.overlap.pairs import overlap_of

SOURCES: Final = DATA / "population"
FILES: Final = {
    "census-csv": "co-est2019-alldata.csv.gz",
    "census-xlsx": "co-est2019-annres.xlsx",
    "usda-xlsx": "PopulationEstimates.xlsx",
    "world-bank": "wb_population.csv",
    "un-wpp": "wpp2019.xlsx",
}

pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.real,
    pytest.mark.skipif(not SOURCES.is_dir(), reason=f"real input is absent: {SOURCES}"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give an installation with the trial's code lists, in which Norway is theirs and not the core list's."""
    folder = tmp_path_factory.mktemp("population")
    settings = replace(
        read_settings(folder),
        contracts=ROOT / "tests" / "support" / "population",
        codelists=SOURCES,
        core_units=False,
        ledger_url=f"sqlite:///{folder / 'ledger.db'}",
    )
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(settings.ledger_url))


@pytest.fixture(scope="module")
def receipts(home: Installation) -> dict[str, Receipt]:
    """Give the receipt of each file as published, once all are received and a release of them is published."""
    deliveries = [
        Delivery(name, (SOURCES / name).read_bytes(), contract, home.contracts[contract].sender.default or "")
        for contract, name in FILES.items()
    ]
    found = {receipt.contract: receipt for batch in receive(home, deliveries) for receipt in batch}
    assert nightly(home, export="never").published
    return found


@pytest.fixture(scope="module")
def facts(home: Installation, receipts: dict[str, Receipt]) -> pl.DataFrame:
    """Give the published population, with its year."""
    assert receipts, "all files are received"
    observations = read_table(home, "observations", find_release(home)).filter(concept="population").collect()
    return observations.with_columns(year=pl.col("period_start").dt.year())


def test_each_file_is_received_whole(receipts: dict[str, Receipt]) -> None:
    counts = {c: (r.delivered, r.claims, r.rejected, r.ignored) for c, r in receipts.items()}
    assert counts == {
        "census-csv": (3193, 95_790, 0, 0),
        "census-xlsx": (3149, 31_420, 0, 7),
        "usda-xlsx": (3282, 28_992, 0, 8),
        "world-bank": (17_195, 17_195, 0, 0),
        "un-wpp": (289, 15_336, 19, 54),
    }


def test_counties_and_states_from_2010_to_2020(facts: pl.DataFrame) -> None:
    """The table for people repeats the file of all components: two reports by one reporter, none of them differs."""
    counties = facts.filter((pl.col("unit_kind") == "county") & (pl.col("year") <= 2020))
    found = counties.group_by("year", "agreement", "reports", "reporters").len().sort("year", "agreement").rows()
    both = [[(year, "complete", 2, 1, 3142), (year, "single", 1, 1, 51)] for year in range(2010, 2020)]
    assert found == [row for pair in both for row in pair] + [(2020, "single", 1, 1, 3274)]


def test_nations_from_1950_to_2020(facts: pl.DataFrame) -> None:
    """The World Bank and the United Nations state other figures for nearly every nation and year that both have."""
    nations = facts.filter(unit_kind="nation")
    assert nations.group_by("agreement", "reports").len().sort("agreement").rows() == [
        ("conflict", 2, 13_143), ("consistent", 2, 3), ("single", 1, 6239),
    ]  # fmt: skip
    united_nations = nations.filter(pl.col("year").is_between(1950, 1959))
    assert united_nations.group_by("year").len().sort("year").rows() == [(year, 216) for year in range(1950, 1960)]


def test_each_name_that_is_left_is_in_no_code_list_and_has_a_hint(
    home: Installation, receipts: dict[str, Receipt]
) -> None:
    rejects = ledger_submissions.read_rejects(home.engine, receipts["un-wpp"].submission_id)
    hints = dict(rejects.select("found", "hint").rows())
    assert len(hints) == rejects.filter(reason="unknown-unit").height == 19
    assert hints["Niue"] == "no unit is written nearly so: correct the code or name, or the register"
    assert hints["French Guiana"].startswith("did you mean PYF French Polynesia?")
    assert all("did you mean" in hint or "no unit is written nearly so" in hint for hint in hints.values())


def test_the_examples_of_the_contracts_hold(home: Installation) -> None:
    assert home.broken_contracts == {}
    for contract in home.contracts.values():
        for example in contract.examples:
            assert example_problems(contract, example, None, home.register) == []


def test_publications_that_share_no_concept_are_found_to_be_the_same(home: Installation, facts: pl.DataFrame) -> None:
    """The Census' two tables are one count; the UN and the World Bank estimate what they share, each in its own way."""
    assert facts.height, "all files are published"
    stated = statements_of(home, find_release(home))
    overlap = overlap_of(stated).group_by("obligation_a", "obligation_b").agg(pl.col("items", "agreeing").sum())
    assert set(overlap.rows()) == {("census-csv", "census-xlsx", 31_420, 31_420), ("un-wpp", "world-bank", 13_146, 2)}
    found = suspected_overlap(series_of(stated.with_columns(concept=pl.format("{} of {}", "concept", "obligation"))))
    (row,) = found.to_dicts()
    assert (row["kind"], row["concept_a"], row["concept_b"]) == (
        "same", "population of census-csv", "population of census-xlsx"
    )  # fmt: skip
    assert (row["common"], row["agreeing"], row["scale"], row["shift"]) == (31_420, 31_420, 1.0, 0)


def test_drafts_from_what_another_publication_had_stated_before(home: Installation, facts: pl.DataFrame) -> None:
    """The Census' table is what its file is; the World Bank's figures are nearly never those of the United Nations."""
    assert facts.height, "all files are published"
    names = ("cells", "filled", "compared", "exact")
    table, nations = backtest_drafts(home, "census-xlsx"), backtest_drafts(home, "un-wpp")
    assert [table[name] for name in names] == [31_420, 31_420, 31_420, 31_420]
    assert table["bound"] == pytest.approx(0.05 ** (1 / 3142))
    assert [nations[name] for name in names] == [15_336, 13_146, 13_146, 2]
    draft = draw_up_draft(home, "census-xlsx", "01001", "2019")
    assert (draft.passes, draft.filled, draft.suffix) == (True, 1, "xlsx")
    assert draft.sources[0]["value"] == "55869"
    assert draft.sources[0]["source"] == "census-csv"
