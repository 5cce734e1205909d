"""The real files, delivered, published and asked: one home, in which everything comes, is corrected and goes.

Release 1 holds the elections, release 2 all but one EITI file, release 3 everything.
"""

import json
import random
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.archives import read_files
from flows.intake.deliveries import Delivery, make_delivery
from flows.intake.receipt import Receipt
from flows.intake.registration import list_rejects, withdraw
from flows.overlap.dossier import draw_up_dossier
from flows.overlap.prefill.backtest import backtest_drafts
from flows.overlap.prefill.draft import draw_up_draft
from flows.overlap.release_statements import statements_of
from flows.queries.observation_story import ObservationStory, explain_observation
from flows.queries.sql import query
from flows.release.verify import lake_digest, verify
from flows.releases import find_release
from infra.lake import delta as lake
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from infra.ledger.open import open_ledger
from infra.settings import read_settings
from tests.support.overlap_statements import shuffled
from tests.support.paths import DATA
from transforms.discovery.exceptions import differing_places
from transforms.discovery.series import series_of
from transforms.discovery.series_figures import SeriesFigures
from transforms.discovery.suspected import suspected_overlap

EITI = {
    (path.parts[-3].removeprefix("eiti-"), path.parts[-2]): path
    for path in sorted((DATA / "eiti").glob("eiti-*/*/dataset.original.csv"))
}
COUNTS = {year: DATA / "valg" / f"deliveries-{year}.tar.xz" for year in ("2013", "2021")}
TABLES = {year: DATA / "valg" / "county_csv" / f"{year}.csv" for year in ("2009", "2013", "2017", "2021")}
LATE = ("2009", "skatt")
"""The file that comes last, is withdrawn and comes again."""

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not (DATA / "eiti").is_dir(), reason=f"real input is absent: {DATA} (eiti, valg, codelists)"),
]


@dataclass
class Home:
    """An installation and the digest of each of its releases."""

    installation: Installation
    digests: dict[int, str] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)

    def submit(self, deliveries: Iterable[Delivery]) -> list[Receipt]:
        """Receive, and return the receipts of these."""
        receipts = [receipt for batch in steps.receive(self.installation, deliveries) for receipt in batch]
        self.receipts += receipts
        return receipts

    def nightly(self) -> steps.Night:
        """Publish; the lake holds what the ledger says."""
        done = steps.nightly(self.installation, export="never")
        assert done.release is not None
        assert done.digest is not None
        self.digests[done.release] = done.digest
        return done

    def ask(self, sql: str, release: int = 3) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        return query(self.installation, sql, release).rows()

    def count(self, sql: str, release: int = 3) -> dict[object, object]:
        """Return a query's two columns as a mapping."""
        return dict(self.ask(sql, release))  # type: ignore[arg-type]  # two columns a row


def open_home(folder: Path) -> Installation:
    settings = replace(
        read_settings(folder), codelists=DATA / "codelists", contracts=None, ledger_url=f"sqlite:///{folder}/ledger.db"
    )
    folder.mkdir()
    lake.open_lake(settings.lake)
    return Installation(settings, open_ledger(settings.ledger_url))


def delivered(installation: Installation, path: Path, contract: str, period: str | None = None) -> Iterator[Delivery]:
    """Yield what `engang submit PATH` delivers."""
    for name, data in read_files(path, installation.settings):
        yield make_delivery(installation, name, data, contract, sender=None, period=period)


def counts(installation: Installation) -> Iterator[Delivery]:
    for path in COUNTS.values():
        yield from delivered(installation, path, "valg-resultat")


def eiti(installation: Installation, year: str, kind: str) -> Iterator[Delivery]:
    return delivered(installation, EITI[year, kind], f"eiti-{kind}", year)


def others(installation: Installation) -> Iterator[Delivery]:
    """Yield everything but the counts and the file that comes late."""
    for year, kind in EITI:
        if (year, kind) != LATE:
            yield from eiti(installation, year, kind)
    yield from delivered(installation, DATA / "valg" / "nrk_stortingsvalg2013.tsv", "nrk-stortingsvalg", "2013")
    for year, path in TABLES.items():
        yield from delivered(installation, path, "valg-fylke-csv", year)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Give the home in which all has come, in three nights."""
    home = Home(open_home(tmp_path_factory.mktemp("real") / "home"))
    for comes in (counts, others, lambda i: eiti(i, *LATE)):
        home.submit(comes(home.installation))
        assert home.nightly().published
    return home


def test_every_row_ends_somewhere(home: Home) -> None:
    assert len(EITI) == 11
    assert Counter(r.status for r in home.receipts[: 448 + 4289 + 16]) == {"registered": 448 + 4289 + 16}
    assert home.ask("SELECT count(*), sum(CAST(agreement = 'conflict' AS INT)) FROM observations") == [(17336, 168)]
    release = ledger_releases.current_release(home.installation.engine)
    assert release is not None
    buckets = {name: n for name, n in release["counts"].items() if name.startswith("rows_")}
    assert sum(buckets.values()) == home.ask("SELECT sum(delivered) FROM submissions")[0][0]
    assert buckets["rows_rejected"] == 19
    assert lake_digest(home.installation, release) == release["digest"]


OF_EITI = "concept = 'petroleum_payment' AND reporters = 2"
SHARED = "period_start = '2009-01-01' AND breakdown LIKE '%overskuddsandel%'"


def test_eiti_has_328_items_with_two_reporters_151_in_conflict(home: Home) -> None:
    tally = "SELECT agreement, count(*) FROM observations WHERE {} AND {} GROUP BY ALL"
    assert home.count(tally.format(OF_EITI, f"NOT ({SHARED})")) == {"complete": 177, "conflict": 151}
    assert home.count(tally.format(OF_EITI, SHARED)) == {"complete": 2, "conflict": 3}
    withheld = "SELECT count(value), list(DISTINCT obs_status) FROM observations WHERE {} AND agreement = 'conflict'"
    assert home.ask(withheld.format(OF_EITI)) == [(0, ["Q"])]
    sql = "SELECT outcome, count(*), count(DISTINCT item_id) FROM conflicts WHERE unit_measure != 'votes' GROUP BY ALL"
    assert home.ask(sql) == [("withheld", 2 * 154, 154)]


def test_sums_are_ignored_and_the_broken_quote_is_repaired(home: Home) -> None:
    files = "SELECT period || '/' || contract, ignored FROM submissions WHERE contract LIKE 'eiti-%' AND ignored > 0"
    # The two sums, and in 2009 three companies for which neither side gives a figure.
    assert home.count(files) == {
        "2009/eiti-nox-avgift": 1, "2011/eiti-nox-avgift": 1, "2009/eiti-skatt": 2, "2009/eiti-totalt": 1,
    }  # fmt: skip
    assert home.ask("SELECT * FROM observations WHERE unit_name IN ('Subtotal', 'Delsum')") == []
    shell = "unit_name = 'AS Norske Shell' AND period_start = '2009-01-01' AND breakdown LIKE '%\"skatt\"%'"
    ((item, value),) = home.ask(f"SELECT item_id, value FROM observations WHERE {shell}")  # noqa: S608  our own text
    assert value == Decimal(6966186000)
    story = explain_observation(home.installation, str(item))
    assert [(c["original"], c["row"]) for c in story.claims] == [("6966186", story.claims[0]["row"])] * 2


def undeclared(home: Home) -> SeriesFigures:
    """Return the series of the release with the concept and the party codes of the broadcaster's figures taken away."""
    found = statements_of(home.installation, find_release(home.installation, 3))
    alien = pl.col("obligation") == "nrk-stortingsvalg"
    renamed = pl.col("breakdown").replace_strict(PARTIES, default=pl.col("breakdown"))
    return series_of(
        found.with_columns(
            pl.when(alien).then(pl.lit("broadcast")).otherwise("concept").alias("concept"),
            pl.when(alien).then(renamed).otherwise("breakdown").alias("breakdown"),
        )
    )


PARTIES = {
    f'{{"party":"{code}"}}': f'{{"name":"{number}"}}' for number, code in enumerate(("A", "H", "FRP", "SP", "SV"))
}


def test_double_reporting_that_no_contract_declares_is_found(home: Home) -> None:
    found = suspected_overlap(undeclared(home))
    same = found.filter(kind="same")
    back = {renamed: code for code, renamed in PARTIES.items()}
    assert set(same["obligation_a"]) == {"nrk-stortingsvalg"}
    assert set(same["obligation_b"]) == {"valg-resultat"}
    pairs = same.select("breakdown_a", "breakdown_b").rows()
    assert len(pairs) == 22
    assert all(back.get(one, one) == other for one, other in pairs), "no false pair"
    assert same["z"].min() > 3.5  # type: ignore[operator]
    sums = found.filter(pl.col("kind") == "sum", pl.col("parts").str.contains('"over": ""', literal=True))
    companies = sums.filter(obligation_a="eiti-totalt", reporter_a="unit").row(0, named=True)
    assert (companies["common"], companies["agreeing"]) == (121, 105)
    obligations = [part["obligation"] for part in json.loads(companies["parts"])]
    assert obligations == ["eiti-skatt", "eiti-arealavgift", "eiti-co2-avgift", "eiti-nox-avgift"]
    exceptions = differing_places(undeclared(home), companies)
    assert exceptions.height == 121 - 105
    assert exceptions["unit_id"].str.ends_with("petoro as").sum() == 2, "one of them without any part"
    counties = found.filter(pl.col("kind") == "sum", pl.col("parts").str.contains('"over": "units"', literal=True))
    assert set(counties["obligation_a"]) == {"valg-fylke-csv", "valg-resultat"}
    assert counties.filter(pl.col("share") == 1.0).height > 20


@pytest.mark.parametrize("shuffles", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_shuffled_figures_give_no_pair(home: Home, shuffles: int) -> None:
    known = undeclared(home)
    reported = known._replace(figures=known.reported(), names=known.names.filter(over=""))
    for seed in range(shuffles):
        assert suspected_overlap(shuffled(reported, seed)).is_empty(), seed


def test_the_dossiers_of_the_real_obligations(home: Home) -> None:
    nrk = draw_up_dossier(home.installation, "nrk-stortingsvalg")
    assert (nrk.items, nrk.covered, nrk.agreeing) == (6927, 6927, 6913)
    assert (nrk.verdict, nrk.columns_known, nrk.columns_all) == ("droppable_in_part", 11, 22)
    assert (len(nrk.differing_items), nrk.second_opinions, nrk.earlier) == (14, 6927, 0)
    assert nrk.bound_items == pytest.approx(0.99684, abs=1e-5)
    assert nrk.bound_units == pytest.approx(0.98533, abs=1e-5)
    eiti = {kind: draw_up_dossier(home.installation, f"eiti-{kind}") for kind in {kind for _, kind in EITI}}
    assert {found.verdict for found in eiti.values()} == {"not_droppable"}
    several = [found for kind, found in eiti.items() if kind != "overskuddsandel"]
    assert sum(found.own_checks for found in several) == 328
    assert sum(found.own_checks_agreeing for found in several) == 177
    assert draw_up_dossier(home.installation, "valg-resultat").verdict == "not_droppable"


def test_explain_shows_the_company_s_and_the_authority_s_figure(home: Home) -> None:
    conflicts = "SELECT item_id, unit_name FROM observations WHERE {} AND value IS NULL LIMIT 9"
    for item, unit in home.ask(conflicts.format(OF_EITI)):
        story: ObservationStory = explain_observation(home.installation, str(item))
        company, authority = sorted(story.claims, key=lambda c: c["reported_by"] != unit)
        assert company["reported_by"] == unit
        assert authority["reported_by"] != unit
        assert company["value"] != authority["value"]
        assert {c["relation"] for c in story.claims} == {"conflict"}
        assert not any(c["chosen"] for c in story.claims)
        assert company["row"] == authority["row"]
        assert "withheld" in story.why


def test_the_elections_hold_8174_and_8243_items(home: Home) -> None:
    items = "SELECT year(period_start), count(*) FROM observations WHERE concept = 'votes' GROUP BY ALL"
    assert home.count(items, 1) == {2013: 8174, 2021: 8243}
    # The county tables share every item of 2013, and in 2021 all but one, whose party they call by another name.
    assert home.count(items) == {2009: 259, 2013: 8174, 2017: 315, 2021: 8244}
    of_a = """
        SELECT year(period_start), unit_kind, sum(value)::BIGINT FROM observations
        WHERE breakdown = '{"party":"A"}' AND year(period_start) IN (2013, 2021) GROUP BY ALL ORDER BY ALL
    """
    for release in (1, 3):
        assert home.ask(of_a, release) == [
            (year, kind, votes)
            for year, votes in ((2013, 874769), (2021, 783394))
            for kind in ("electoral_district", "municipality", "nation")
        ]


def test_nrk_agrees_in_6913_rows_and_is_outranked_in_14(home: Home) -> None:
    relations = "SELECT relation, count(*) FROM sources WHERE contract = 'nrk-stortingsvalg' GROUP BY ALL"
    assert home.count(relations) == {"complete": 6913, "conflict": 14}
    ((submission, *counted),) = home.ask(
        "SELECT submission_id, delivered, rejected FROM submissions WHERE contract = 'nrk-stortingsvalg'"
    )
    assert counted == [6946, 19]
    buckets = ledger_releases.read_row_counts(home.installation.engine, 3, [str(submission)])
    assert dict(buckets.select("bucket", "rows").iter_rows()) == {"duplicate": 6913, "conflict": 14, "rejected": 19}
    rejects = list_rejects(home.installation, str(submission)).filter(severity="critical")
    assert Counter(rejects.select("column", "reason").iter_rows()) == {("Votes", "missing-value"): 19}
    outcomes = "SELECT contract || ' ' || outcome, count(*) FROM conflicts WHERE concept = 'votes' GROUP BY ALL"
    assert home.count(outcomes) == {"valg-resultat published": 14, "nrk-stortingsvalg outranked": 14}
    names = """
        SELECT DISTINCT unit_name FROM sources JOIN observations USING (item_id) WHERE contract = 'nrk-stortingsvalg'
    """
    found = [str(name) for (name,) in home.ask(names)]
    assert sum(" (" in name for name in found) == 12  # homonyms, each with its county
    assert sum(" - " in name for name in found) == 9  # Sámi and Norwegian, of which NRK has a half or the whole


@pytest.mark.slow
def test_the_order_of_the_counts_does_not_matter(home: Home, tmp_path: Path) -> None:
    other = Home(open_home(tmp_path / "other"))
    every = list(counts(other.installation))
    random.Random(7).shuffle(every)
    for part in (every[:1500], every[1500:]):
        other.submit(part)
        other.nightly()
    assert other.digests[2] == home.digests[1]
    months = ledger_submissions.read_submission_partitions(other.installation.engine).select(
        "submission_id", "partition"
    )
    buckets = ledger_releases.read_row_counts(other.installation.engine, 2).join(months, on="submission_id")
    totals = buckets.group_by("partition", "bucket").agg(pl.col("rows").sum())
    assert {(month, bucket): rows for month, bucket, rows in totals.iter_rows()} == {
        ("2013-01", "published"): 8174,
        ("2021-01", "published"): 8243,
        ("2021-01", "superseded"): 94877 - 8243,
    }


def test_everything_again_changes_nothing(home: Home) -> None:
    installation = home.installation
    again = [*home.submit(others(installation)), *home.submit(eiti(installation, *LATE))]
    again += home.submit(counts(installation))
    assert Counter(r.status for r in again) == {"redelivered": 448 + 4289 + 16}
    before = home.digests[3]
    done = home.nightly()
    assert (done.release, done.published, done.digest) == (3, False, before)


@pytest.mark.slow
def test_incremental_is_a_rebuild(home: Home) -> None:
    verdict = verify(home.installation)
    assert verdict.same
    assert verdict.submissions == home.ask("SELECT count(*) FROM submissions WHERE in_release")[0][0]


def test_withdrawing_a_file_is_as_if_it_had_not_come(home: Home) -> None:
    late = next(r.submission_id for r in home.receipts if r.contract == "eiti-skatt" and r.period == LATE[0])
    assert withdraw(home.installation, late)
    assert home.nightly().digest == home.digests[2]
    assert home.digests[2] != home.digests[3]
    assert [r.status for r in home.submit(eiti(home.installation, *LATE))] == ["restored"]
    assert home.nightly().digest == home.digests[3]


def test_drafts_from_the_count_for_those_who_published_it_later(home: Home) -> None:
    """NRK's table and the counties' tables were received after the count: what drafts of them would have been."""
    names = ("cells", "filled", "exact")
    nrk, counties = (backtest_drafts(home.installation, name) for name in ("nrk-stortingsvalg", "valg-fylke-csv"))
    assert [nrk[name] for name in names] == [6927, 6927, 6913]
    assert (nrk["bound_items"], nrk["bound_units"]) == (
        pytest.approx(0.99684, abs=1e-5),
        pytest.approx(0.98533, abs=1e-5),
    )
    assert [counties[name] for name in names] == [1245, 670, 670], "the count has two of the four years"
    draft = draw_up_draft(home.installation, "nrk-stortingsvalg", "1120", "2013")
    assert (draft.passes, draft.filled, draft.period) == (True, 18, "2013")
    assert draft.data.startswith(b"Municipality\tParty\tPercentage\tVotes\r\nKlepp\tAp\t\t1522\r\n")
