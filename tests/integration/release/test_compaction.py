"""What day after day of small deliveries leaves in the lake: small files, put together by the night."""

import threading
from pathlib import Path

import polars as pl
import pytest

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.release.verify import verify
from infra.lake import delta as lake
from tests.support.small_installation import HEADER, kept_claims, open_small

DAYS = 6
pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return open_small(tmp_path / "home")


def send(home: Installation, days: range) -> list[str]:
    """Deliver a file a day, each on its own, and return the submissions."""
    submissions = []
    for day in days:
        text = f"{HEADER}0301;{day:02}.01.2024;alle;{700_000 + day};\n"
        sent = make_delivery(home, f"{day}.csv", text.encode(), "folketall", sender="kommunen", period=None)
        submissions += [receipt.submission_id for receipts in steps.receive(home, [sent]) for receipt in receipts]
    return submissions


def files(home: Installation) -> list[str]:
    table = lake.open_table(home.settings.lake, "claims")
    return table.file_uris()


def test_a_night_puts_many_small_files_together_and_no_claim_changes(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake, "MANY_FILES", DAYS)
    sent = send(home, range(1, DAYS))
    assert steps.nightly(home, export="never").published
    before = [kept_claims(home, submission) for submission in sent]
    old = files(home)
    assert len(old) == DAYS - 1
    sent += send(home, range(DAYS, DAYS + 1))
    submissions: list[str] = []
    steps.nightly(home, submissions.append, export="never")
    assert f"merged {DAYS} small files of claims" in submissions
    assert len(files(home)) == 1
    for submission, claims in zip(sent, before, strict=False):
        assert kept_claims(home, submission).equals(claims)
    assert all(Path(file).exists() for file in old), "who reads them now must go on"
    assert verify(home).same


def test_few_small_files_and_large_ones_stay_as_they_are(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    send(home, range(1, DAYS))
    assert lake.merge_small_files(home.settings.lake, "claims") == 0
    monkeypatch.setattr(lake, "MANY_FILES", 2)
    monkeypatch.setattr(lake, "SMALL_FILE", 1)
    assert lake.merge_small_files(home.settings.lake, "claims") == 0
    assert lake.merge_small_files(home.settings.lake, "nothing_records") == 0
    assert len(files(home)) == DAYS - 1


def test_what_is_delivered_while_files_are_put_together_is_kept(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lake, "MANY_FILES", 2)
    sent = send(home, range(1, 4))
    for start in range(4, 13, 3):
        writer = threading.Thread(target=lambda start=start: sent.extend(send(home, range(start, start + 3))))
        writer.start()
        while writer.is_alive():
            steps.compact_small_files(home)
        writer.join()
    claims = lake.scan(home.settings.lake, "claims").select("submission_id").collect()["submission_id"]
    assert sorted(claims) == sorted(sent)
    assert len(sent) == 12
    assert steps.nightly(home, export="never").counts["items"] == 12
    assert verify(home).same


def test_a_store_that_refuses_leaves_it_to_another_night(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "MANY_FILES", 2)
    send(home, range(1, 4))
    (commits := home.settings.lake / "claims" / "_delta_log").rename(aside := commits.with_name("aside"))
    commits.write_text("a file where the log should be")
    submissions: list[str] = []
    steps.compact_small_files(home, submissions.append)
    assert [text.partition(":")[0] for text in submissions] == ["the small files of claims are merged another night"]
    commits.unlink()
    aside.rename(commits)
    steps.compact_small_files(home, submissions.append)
    assert submissions[1:] == ["merged 3 small files of claims"]
    assert lake.scan(home.settings.lake, "claims").select(pl.len()).collect().item() == 3
