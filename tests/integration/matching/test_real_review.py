"""Real time thieves: similar reports of two agencies come up in review, and every pair kept separate has its reason."""

from pathlib import Path

import pytest

from flows.installation import Installation, open_installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.matching.review_queue import ReviewQueue, review
from flows.matching.training import train
from flows.queries.record_story import explain_record
from flows.queries.why_not import why_not
from flows.release.build import night
from tests.support.real_records import DATA, TIME_THIEVES

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.skipif(not TIME_THIEVES.exists(), reason=f"real input is absent: {DATA} (tidstyv)"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Give a release of what 1,355 reports of public bodies make by a model trained on them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ENGANG_LEDGER", "ENGANG_KINDS", "ENGANG_CONTRACTS", "ENGANG_CODELISTS"):
            patch.delenv(name, raising=False)
        installation = open_installation(tmp_path_factory.mktemp("thieves") / "home")
    delivery = Delivery("dataset.csv", TIME_THIEVES.read_bytes(), "time-thief", "difi")
    assert [r.claims for receipts in receive(installation, [delivery]) for r in receipts] == [1_355]
    train(installation, installation.kind("time_thief"))
    assert night(installation).published
    return installation


@pytest.fixture(scope="module")
def found(home: Installation) -> ReviewQueue:
    return review(home, home.kinds["time_thief"], 200)


def test_near_repeats_across_agencies_come_up(found: ReviewQueue) -> None:
    assert found.open >= len(found.questions) == 200
    assert all(q.pair.a["reported_by"] != q.pair.b["reported_by"] for q in found.questions)
    alike = [q for q in found.questions if {f["field"]: f["mark"] for f in q.pair.fields}["title"] in {"same", "alike"}]
    assert len(alike) > 100
    assert any("anskaffelse" in q.pair.a["title"] and "anskaffelse" in q.pair.b["title"] for q in alike)
    weights = [q.pair.weight for q in found.questions]
    assert all(weight is not None for weight in weights)
    sure = [abs(weight - found.automatic) for weight in weights if weight is not None]
    assert sure == sorted(sure)


def test_each_pair_in_question_has_its_reason(home: Installation, found: ReviewQueue) -> None:
    for question in found.questions[:8]:
        answer = why_not(home, *question.pair.ends)
        assert answer.pair is not None
        assert answer.pair.weight == pytest.approx(question.pair.weight)
        assert answer.separation is not None
        heavy = (question.pair.weight or 0) >= found.automatic
        assert answer.verdict == (
            "kept separate" if heavy or answer.separation.decisions or answer.separation.reporters else "too little"
        )


def test_an_item_of_many_reports_is_reported(home: Installation, found: ReviewQueue) -> None:
    items = found.release.live("").sort("reports", "item_id", descending=[True, False]).head(1).collect()
    story = explain_record(home, home.kinds["time_thief"], items["item_id"].item())
    assert story.item is not None
    count = story.item["reports"]
    assert count == len(story.reports) == len({row["reported_by"] for row in story.reports})
    assert len(story.pairs) + story.left_out == count * (count - 1) // 2
    assert Path(story.reports[0]["filename"]).name == "dataset.csv"
