"""Real records matched: accidents, persons and power plants, compared with known truth that matching does not see.

The releases' own checks are left out (they take seconds a night and are tested on their own), but for the accidents.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import receive
from flows.matching.evaluation import Evaluation, EvaluationRequest, evaluate
from flows.matching.review_queue import review
from flows.matching.training import PinRequest, train
from flows.release import build as nights
from flows.release.verify import verify
from flows.releases import find_release, read_table
from infra.checks import engine as checks
from schemas.contract import CONTRACT_FOLDER
from tests.support.real_records import CROSSWALK, DATA, RAIL, TIME_THIEVES, febrl, power_plants, rail_files
from tests.support.small_installation import open_small

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not RAIL.is_dir(), reason=f"real input is absent: {DATA} (fra, tidstyv, camd_eia, er)"),
]


@pytest.fixture
def unchecked() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nights, "check_staged", lambda *_: [])
        patch.setattr(checks, "preload", lambda: None)
        yield


def home(folder: Path) -> Installation:
    return open_small(folder, CONTRACT_FOLDER)


def submit(installation: Installation, contract: str, *files: Path) -> None:
    deliveries = (
        make_delivery(installation, f.name, f.read_bytes(), contract, sender=None, period=None) for f in files
    )
    assert all(r.status == "registered" for receipts in receive(installation, deliveries) for r in receipts)


def trained(installation: Installation, kind: str) -> None:
    assert train(
        installation, installation.kind(kind), PinRequest(wanted=True, who="test", why="first"), lambda _: None
    )


def assert_at_least(found: Evaluation, precision: float, recall: float, f1: float) -> None:
    items = found.as_dict()["clusters"]
    print(items, "components", found.as_dict()["components"])
    assert items["precision"] >= precision
    assert items["recall"] >= recall
    assert items["f1"] >= f1


def ids(installation: Installation) -> dict[str, str]:
    found = read_table(installation, "rail_accident_sources", find_release(installation)).select("report_id", "item_id")
    return dict(found.collect().unique().iter_rows())


def test_accidents_of_ten_years_in_one_night(tmp_path: Path) -> None:
    installation = home(tmp_path / "one")
    submit(installation, "rail-form54", *rail_files())
    done = nights.night(installation)
    assert done.counts["rows_published"] + done.counts["rows_duplicate"] == 32_297
    assert done.counts["rows_additive"] == 37_079 - 32_297
    found = evaluate(installation, installation.kind("rail_accident"), EvaluationRequest(RAIL / "truth.parquet"))
    assert_at_least(found, 0.97, 0.97, 0.98)
    scores = found.as_dict()
    assert scores["clusters"]["f1"] > scores["components"]["f1"]  # what plain connected components would give


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("years", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_a_night_a_year_is_one_night_and_no_id_moves(tmp_path: Path, years: int) -> None:
    by_year, at_once, files = home(tmp_path / "by-year"), home(tmp_path / "one"), rail_files()[:years]
    assert len(files) == years
    before: dict[str, str] = {}
    for year in files:
        submit(by_year, "rail-form54", year)
        done = nights.night(by_year)
        now = ids(by_year)
        assert before.items() <= now.items()
        before = now
    submit(at_once, "rail-form54", *reversed(files))
    assert done.digest == nights.night(at_once).digest
    assert verify(by_year).same


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_persons_of_one_register(tmp_path: Path) -> None:
    assert_at_least(persons(3, tmp_path), 0.999, 0.999, 0.999)


@pytest.mark.slow
@pytest.mark.usefixtures("unchecked")
def test_persons_of_two_registers(tmp_path: Path) -> None:
    assert_at_least(persons(4, tmp_path), 0.999, 0.999, 0.999)


def persons(n: int, folder: Path) -> Evaluation:
    installation = home(folder / "home")
    delivery, truth = febrl(n, folder)
    submit(installation, "person-febrl", delivery)
    trained(installation, "person")
    nights.night(installation)
    return evaluate(installation, installation.kind("person"), EvaluationRequest(truth))


@pytest.mark.slow
@pytest.mark.skipif(not CROSSWALK.exists(), reason=f"real input is absent: {CROSSWALK}")
@pytest.mark.usefixtures("unchecked")
def test_power_plants(tmp_path: Path) -> None:
    installation = home(tmp_path / "home")
    camd, eia, truth = power_plants(tmp_path)
    submit(installation, "power-plant-camd", camd)
    submit(installation, "power-plant-eia", eia)
    trained(installation, "power_plant")
    nights.night(installation)
    found = evaluate(installation, installation.kind("power_plant"), EvaluationRequest(truth))
    assert_at_least(found, 0.9, 0.8, 0.85)  # no demand: what it gave when it was written, and a little less


@pytest.mark.slow
@pytest.mark.skipif(not TIME_THIEVES.exists(), reason=f"real input is absent: {TIME_THIEVES}")
@pytest.mark.usefixtures("unchecked")
def test_time_thieves_that_are_nearly_the_same_come_up_in_review(tmp_path: Path) -> None:
    installation = home(tmp_path / "home")
    submit(installation, "time-thief", TIME_THIEVES)
    trained(installation, "time_thief")
    nights.night(installation)
    kind = installation.kind("time_thief")
    items = read_table(installation, "time_thief", find_release(installation)).select(pl.col("reports").sum()).collect()
    assert items.item() == 1_355
    found = review(installation, kind, limit=20)
    print(f"{found.open} pairs to review")
    assert found.questions
    assert all(q.item_a != q.item_b for q in found.questions)
