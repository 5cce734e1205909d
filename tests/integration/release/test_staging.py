"""What a night writes before it publishes: a write that failed is seen, a submission without any bucket is too."""

from pathlib import Path
from typing import Any

import pytest

from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.release import build
from flows.release.build import night, stage_observations, summarise_staged
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from tests.support.small_installation import HEADER, open_small
from transforms.submissions import mark_counting

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    """Give an installation with figures of three months, not released."""
    installation = open_small(tmp_path / "home")
    lines = "".join(f"0301;01.0{month}.2024;alle;{month};\n" for month in (1, 2, 3))
    list(receive(installation, [Delivery("three.csv", f"{HEADER}{lines}".encode(), "folketall", "kommunen")]))
    return installation


def test_a_group_of_months_that_cannot_be_written_ends_the_night(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = build.lane_sums, []

    def failing_once(*arguments: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 1:
            raise OSError("the disk is full")
        return real(*arguments)

    monkeypatch.setattr(build, "CHUNK_CLAIMS", 1)
    monkeypatch.setattr(build, "lane_sums", failing_once)
    with pytest.raises(OSError, match="the disk is full"):
        night(home)
    assert len(calls) == 1, "what comes after a failed write is not written"
    assert ledger_releases.current_release(home.engine) is None
    assert night(home).counts["items"] == 3


def test_a_submission_whose_rows_are_in_no_bucket_is_unbalanced(home: Installation) -> None:
    submissions = mark_counting(ledger_submissions.read_submissions(home.engine))
    staged = stage_observations(home, submissions, None, lambda _: None)
    assert summarise_staged(home, submissions, staged, None).unbalanced == 0
    staged.buckets = staged.buckets.clear()
    assert summarise_staged(home, submissions, staged, None).unbalanced == 1
