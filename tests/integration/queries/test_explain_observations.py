"""Explain of an observation says where it stands: in this release, in a later one, or in none any more."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from flows.backfill.publish import finish_backfill, try_backfill
from flows.backfill.reread import BackfillRequest, start_backfill
from flows.installation import Installation
from flows.intake.deliveries import Delivery
from flows.intake.registration import receive
from flows.queries.known_ids import kind_of
from flows.queries.observation_story import explain_observation
from flows.release.build import night
from flows.releases import find_release, read_table
from infra.lake import delta as lake
from infra.ledger import submissions as ledger_submissions
from tests.support.backfill_installation import FILES, changed, nightly, opened, submit
from tests.support.paths import CONTRACTS
from tests.support.small_installation import HEADER, open_small

NO_GROUP = (
    ("version: 1", "version: 2"),
    ("ignore: [merknad]", "ignore: [merknad, gruppe]"),
    ("breakdown:\n  group: {column: gruppe}\n", ""),
)
"""A version that knows no groups: other items."""
TEN = ("measure: {value: persons}\n", "measure: {value: persons}\n    scale: 10\n")
pytestmark = pytest.mark.usefixtures("unchecked")
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
    story = explain_observation(home, item)
    assert (story.observation, story.why, story.claims[0]["relation"]) == (None, LATER, "not in this release")
    night(home)
    assert explain_observation(home, item).why == "One claim, so its value stands."
    assert (explain_observation(home, item, 1).observation, explain_observation(home, item, 1).why) == (None, LATER)
    ledger_submissions.set_status(home.engine, submission, "withdrawn")
    night(home)
    withdrawn = explain_observation(home, item)
    assert withdrawn.why == (
        "No claim counts any more: all were withdrawn or superseded, so this release does not hold the item."
    )
    assert withdrawn.claims[0]["relation"] == "withdrawn"


def test_a_copy_is_a_source_of_the_release_and_no_second_opinion(tmp_path: Path) -> None:
    folder = tmp_path / "contracts"
    folder.mkdir()
    text = (CONTRACTS / "folketall.yml").read_text(encoding="utf-8")
    tolerant = text.replace("    unit_measure:", "    tolerance: 1%\n    unit_measure:")
    (folder / "folketall.yml").write_text(tolerant, encoding="utf-8")
    for name, more in (("kopi", "copy_of: folketall\n"), ("andre", "")):
        own = text.replace("folketall", name)
        (folder / f"{name}.yml").write_text(f"{own}\n{more}", encoding="utf-8")
    home = open_small(tmp_path / "home", contracts=folder)
    figures = {"folketall": 700, "kopi": 900, "andre": 705}
    for name, figure in figures.items():
        content = f"{HEADER}0301;01.01.2024;alle;{figure};\n".encode()
        assert [r.status for each in receive(home, [Delivery("f.csv", content, name, name)]) for r in each]
    night(home)
    fact = read_table(home, "observations", find_release(home)).collect().row(0, named=True)
    assert (fact["value"], fact["agreement"], fact["reports"]) == (705, "consistent", 2)
    story = explain_observation(home, fact["item_id"])
    assert {c["contract"]: c["relation"] for c in story.claims} == {
        "folketall": "consistent", "andre": "consistent", "kopi": "copy",
    }  # fmt: skip
    assert story.why == (
        "2 claims by 2 reporters agree within their accuracy or tolerance: the most accurate is published. "
        "1 claim of a copy: a source, and no second opinion."
    )


def item_of(home: Installation, unit: str, release: int) -> str:
    of_unit = pl.col("unit_name") == unit
    (item,) = read_table(home, "observations", find_release(home, release)).filter(of_unit).collect()["item_id"]
    return str(item)


def sources_of(home: Installation, item: str, release: int | None = None) -> list[tuple[Any, ...]]:
    story = explain_observation(home, item, release)
    assert story.observation is None or story.observation["value"] in {c["value"] for c in story.claims}
    return [(c["relation"], c["chosen"], int(c["value"]), c["original"]) for c in story.claims]


def test_a_release_before_a_backfill_is_reported_as_it_was_read_then(tmp_path: Path, ledger_url: str) -> None:
    home = opened(tmp_path / "home", ledger_url)
    submit(home, FILES)
    nightly(home)
    item = item_of(home, "Klepp", 1)
    started = start_backfill(home, BackfillRequest("folketall", rules=changed(home)))
    assert started.number is not None
    try_backfill(home, started.number)
    assert sources_of(home, item) == [("single", True, 20, "20")]
    finish_backfill(home, started.number)
    again = start_backfill(home, BackfillRequest("folketall", rules=changed(home, ("version: 1", "version: 3"), TEN)))
    assert again.number is not None
    finish_backfill(home, again.number)
    for release, value in ((1, 20), (2, 20_000), (3, 200), (None, 200)):
        assert sources_of(home, item, release) == [("single", True, value, "20")], release


def test_an_item_that_a_backfill_made_or_ended_says_so(tmp_path: Path, ledger_url: str) -> None:
    home = opened(tmp_path / "home", ledger_url)
    submit(home, FILES)
    nightly(home)
    started = start_backfill(home, BackfillRequest("folketall", rules=changed(home, *NO_GROUP)))
    assert started.number is not None
    finish_backfill(home, started.number)
    old, new = item_of(home, "Klepp", 1), item_of(home, "Klepp", 2)
    assert sources_of(home, old, 1) == sources_of(home, new, 2) == [("single", True, 20, "20")]
    assert explain_observation(home, old).why.startswith("No delivery that counts has this reading")
    assert (explain_observation(home, new, 1).why, sources_of(home, new, 1)[0][0]) == (LATER, "not in this release")


def test_an_observation_is_of_no_record_kind(home: Installation) -> None:
    item, _ = deliver(home, "01.07.2024")
    assert kind_of(home, item) is None
