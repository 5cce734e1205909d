"""The lake lost, or restored older than the ledger: reported at once, nothing published; and what can be restored."""

import shutil
from pathlib import Path

import pytest

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.monitoring.status import status
from flows.release.verify import verify
from infra.ledger import releases as ledger_releases
from schemas.errors import StoreError
from tests.support import ledger_rows
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    return open_small(tmp_path / "home")


def released(home: Installation, day: int) -> str:
    """Deliver one file and publish; return the release's digest."""
    text = f"{HEADER}0301;{day:02}.01.2024;alle;{700_000 + day};\n"
    sent = make_delivery(home, f"{day}.csv", text.encode(), "folketall", sender="kommunen", period=None)
    assert [len(receipts) for receipts in steps.receive(home, [sent])] == [1]
    night = steps.nightly(home, export="never")
    assert night.published
    return str(night.digest)


def test_a_lost_lake_is_reported_by_every_night_until_it_is_back(home: Installation, tmp_path: Path) -> None:
    digest = released(home, 1)
    lake_folder = home.settings.home / "lake"
    lake_folder.rename(tmp_path / "backup")
    for _ in range(2):
        again = open_small(home.settings.home)  # makes the tables that every installation has, empty
        with pytest.raises(
            StoreError, match=r"found version 0 in .*, expected version 1 of the last release: the lake"
        ):
            steps.nightly(again, export="never")
    assert ledger_rows.read_runs(home.engine)["status"].to_list()[-2:] == ["failed", "failed"]
    assert any("nightl" in problem for problem in status(home).problems)
    shutil.rmtree(lake_folder)
    (tmp_path / "backup").rename(lake_folder)
    night = steps.nightly(home, export="never")
    assert (night.published, night.digest) == (False, digest)
    assert verify(home).same


def test_a_lake_older_than_the_ledger_is_refused_and_a_newer_one_is_put_back(
    home: Installation, tmp_path: Path
) -> None:
    first = released(home, 1)
    lake_folder, old = home.settings.home / "lake", tmp_path / "old"
    shutil.copytree(lake_folder, old)
    home.engine.dispose()  # its last session writes all into the one file
    shutil.copy(home.settings.home / "ledger.db", tmp_path / "ledger.db")
    second = released(home, 2)
    lake_folder.rename(tmp_path / "new")
    shutil.copytree(old, lake_folder)
    with pytest.raises(StoreError, match="older than the ledger"):
        steps.nightly(home, export="never")
    home.engine.dispose()
    shutil.rmtree(lake_folder)
    (tmp_path / "new").rename(lake_folder)
    shutil.copy(tmp_path / "ledger.db", home.settings.home / "ledger.db")
    earlier = open_small(home.settings.home)
    release = ledger_releases.current_release(earlier.engine)
    assert release is not None
    assert release["digest"] == first
    assert steps.nightly(earlier, export="never").digest == second, "the landing zone has what came since"
    assert verify(earlier).same


def test_of_a_landing_zone_alone_the_same_release_is_rebuilt(home: Installation, tmp_path: Path) -> None:
    released(home, 1)
    digest = released(home, 2)
    shutil.copytree(home.settings.home / "landing", tmp_path / "rebuilt" / "landing")
    rebuilt = open_small(tmp_path / "rebuilt")
    assert steps.nightly(rebuilt, export="never").digest == digest
