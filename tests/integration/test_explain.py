"""Explain of an observation says where it stands: in this release, in a later one, or in none any more."""

from pathlib import Path

import pytest
from small_home import HEADER, open_small

from flows.explaining import explain
from flows.installation import Installation
from flows.night import night
from flows.receiving import Delivery, receive
from flows.record_kind import kind_of
from infra import lake, ledger

LATER = "Delivered, but not in this release: it is in a later one, or waits for `engang nightly`."


def deliver(home: Installation, day: str) -> tuple[str, str]:
    """Deliver one figure; return its item and its submission."""
    text = f"{HEADER}0301;{day};alle;709 037;\n".encode()
    (receipt,) = next(iter(receive(home, [Delivery(f"{day}.csv", text, "folketall", "kommunen")])))
    claims = lake.scan(home.settings.lake, "claims").filter(submission_id=receipt.submission_id).collect()
    return claims["item_id"].item(), receipt.submission_id


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    """Give an installation with one release."""
    installation = open_small(tmp_path / "home")
    deliver(installation, "01.01.2024")
    night(installation)
    return installation


def test_an_observation_not_yet_released_says_so_until_it_is_withdrawn(home: Installation) -> None:
    item, submission = deliver(home, "01.04.2024")
    told = explain(home, item)
    assert (told.observation, told.why, told.claims[0]["relation"]) == (None, LATER, "not in this release")
    night(home)
    assert explain(home, item).why == "One claim, so its value stands."
    assert (explain(home, item, 1).observation, explain(home, item, 1).why) == (None, LATER)
    ledger.set_status(home.engine, submission, "withdrawn")
    night(home)
    gone = explain(home, item)
    assert gone.why == "No claim counts any more: all were withdrawn or superseded, so no release holds the item."
    assert gone.claims[0]["relation"] == "withdrawn"


def test_an_observation_is_of_no_record_kind(home: Installation) -> None:
    item, _ = deliver(home, "01.07.2024")
    assert kind_of(home, item) is None
