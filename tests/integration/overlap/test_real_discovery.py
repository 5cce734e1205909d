"""The broadcaster's and the official count with nothing shared declared: found, accepted, and published as declared."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from flows import pipeline as steps
from flows.backfill.contract_change import draft_change, try_change, write_change
from flows.backfill.publish import finish_backfill
from flows.backfill.reread import BackfillRequest, start_backfill
from flows.installation import Installation
from flows.intake.archives import read_files
from flows.intake.deliveries import make_delivery
from flows.overlap.verdicts import give_verdict, open_suspected
from infra.lake import delta as lake
from infra.ledger.open import open_ledger
from infra.settings import read_settings
from schemas.contract import CONTRACT_FOLDER
from tests.support.paths import DATA

VALG = DATA / "valg"
NRK = "nrk-stortingsvalg"
pytestmark = [
    pytest.mark.usefixtures("unchecked"),
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not VALG.is_dir(), reason=f"real input is absent: {VALG}"),
]
OWN_TERMS = """
concepts:
  broadcast_votes:
    title: {nb: stemmer, nn: røyster, en: votes}
    definition: Votes, as the broadcaster shows them.
    measures: [votes]
    dimensions: [short_name]
dimensions:
  short_name: {title: {nb: kortnavn, nn: kortnamn, en: short name}, open: true}
"""


def undeclared(text: str) -> str:
    """Return the broadcaster's contract with a concept of its own, and the parties as it writes them."""
    text = re.sub(
        r"      party:\n        column: Party\n        map:\n( {10}.*\n)+", "      short_name: {column: Party}\n", text
    )
    text = text.replace("concept: votes", "concept: broadcast_votes")
    for code, name in (("A", "Ap"), ("RØDT", "R"), ("KRISTNE", "Krist")):
        text = text.replace(f'{{"party":"{code}"}}', json.dumps({"short_name": name}, separators=(",", ":")))
    return re.sub(r"  - name: Not a number.*\Z", "", text, flags=re.DOTALL) + OWN_TERMS


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give a home in which both counts of 2013 are published."""
    folder = tmp_path_factory.mktemp("accepted") / "home"
    contracts = folder / "contracts"
    contracts.mkdir(parents=True)
    shipped = {name: (CONTRACT_FOLDER / f"{name}.yml").read_text(encoding="utf-8") for name in (NRK, "valg-resultat")}
    (contracts / f"{NRK}.yml").write_text(undeclared(shipped[NRK]), encoding="utf-8")
    (contracts / "valg-resultat.yml").write_text(shipped["valg-resultat"], encoding="utf-8")
    home = opened(folder)
    lake.open_lake(home.settings.lake)
    for path, contract, period in (
        (VALG / "deliveries-2013.tar.xz", "valg-resultat", None),
        (VALG / "nrk_stortingsvalg2013.tsv", NRK, "2013"),
    ):
        given = read_files(path, home.settings)
        deliveries = (make_delivery(home, name, data, contract, sender=None, period=period) for name, data in given)
        receipts = [receipt for batch in steps.receive(home, deliveries) for receipt in batch]
        assert {receipt.status for receipt in receipts} == {"registered"}
    assert steps.nightly(home, export="never").published
    return home


def opened(folder: Path) -> Installation:
    """Open a home as a new process does."""
    settings = replace(
        read_settings(folder),
        codelists=DATA / "codelists",
        contracts=folder / "contracts",
        ledger_url=f"sqlite:///{folder}/ledger.db",
    )
    return Installation(settings, open_ledger(settings.ledger_url))


def test_accepting_what_is_found_gives_the_release_of_the_declared_contracts(
    home: Installation, tmp_path: Path
) -> None:
    queue = open_suspected(home)
    same = queue.suspected.filter(kind="same")
    assert set(same["obligation_a"]) == {NRK}
    assert same.height == 22
    for row in same.to_dicts():
        give_verdict(home, row, "same", why="the same count", who="kari")
    change = draft_change(home, NRK)
    assert (change.problems, change.undecided, change.contract.version) == ([], [], 2)
    (claim,) = change.contract.claims
    declared = Installation(replace(home.settings, contracts=CONTRACT_FOLDER), home.engine).contracts[NRK].claims[0]
    assert (claim.concept, claim.breakdown["party"].map) == (declared.concept, declared.breakdown["party"].map)
    trial = try_change(home, change, tmp_path)
    assert trial is not None
    assert trial.night is None, "nothing is published by looking"
    write_change(home, change)
    accepted = backfilled(opened(home.settings.home))
    assert accepted.published
    shipped = (CONTRACT_FOLDER / f"{NRK}.yml").read_text(encoding="utf-8").replace("version: 1", "version: 3")
    (home.settings.home / "contracts" / f"{NRK}.yml").write_text(shipped, encoding="utf-8")
    assert backfilled(opened(home.settings.home)).digest == accepted.digest


def backfilled(home: Installation) -> steps.Night:
    """Publish what the contract in force reads otherwise."""
    started = start_backfill(home, BackfillRequest(NRK))
    assert started.number is not None
    night = finish_backfill(home, started.number).night
    assert night is not None
    return night
