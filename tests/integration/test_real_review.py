"""Real time thieves: what agencies told alike comes up in review, and every pair that is kept apart has its reason."""

from pathlib import Path

import pytest
from real_records import DATA, TIME_THIEVES

from flows.installation import Installation, open_installation
from flows.intake.registration import Delivery, receive
from flows.matching.review_queue import Review, review
from flows.matching.training import train
from flows.queries.record_story import explain_record
from flows.queries.why_not import why_not
from flows.release.build import night

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
    told = Delivery("dataset.csv", TIME_THIEVES.read_bytes(), "time-thief", "difi")
    assert [r.claims for receipts in receive(installation, [told]) for r in receipts] == [1_355]
    train(installation, installation.kind("time_thief"))
    assert night(installation).published
    return installation


@pytest.fixture(scope="module")
def found(home: Installation) -> Review:
    return review(home, home.kinds["time_thief"], 200)


def test_near_repeats_across_agencies_come_up(found: Review) -> None:
    assert found.open >= len(found.questions) == 200
    assert all(q.pair.a["reported_by"] != q.pair.b["reported_by"] for q in found.questions)
    alike = [q for q in found.questions if {f["field"]: f["mark"] for f in q.pair.fields}["title"] in {"same", "alike"}]
    assert len(alike) > 100
    assert any("anskaffelse" in q.pair.a["title"] and "anskaffelse" in q.pair.b["title"] for q in alike)
    weights = [q.pair.weight for q in found.questions]
    assert all(weight is not None for weight in weights)
    sure = [abs(weight - found.automatic) for weight in weights if weight is not None]
    assert sure == sorted(sure)


def test_each_pair_in_question_has_its_reason(home: Installation, found: Review) -> None:
    for question in found.questions[:8]:
        told = why_not(home, *question.pair.ends)
        assert told.pair is not None
        assert told.pair.weight == pytest.approx(question.pair.weight)
        assert told.between is not None
        heavy = (question.pair.weight or 0) >= found.automatic
        assert told.verdict == ("kept apart" if heavy or told.between.constrained else "too little")


def test_an_item_of_many_reports_is_told(home: Installation, found: Review) -> None:
    items = found.read.live("").sort("reports", "item_id", descending=[True, False]).head(1).collect()
    story = explain_record(home, home.kinds["time_thief"], items["item_id"].item())
    assert story.item is not None
    count = story.item["reports"]
    assert count == len(story.reports) == len({row["reported_by"] for row in story.reports})
    assert len(story.pairs) + story.left_out == count * (count - 1) // 2
    assert Path(story.reports[0]["filename"]).name == "dataset.csv"
