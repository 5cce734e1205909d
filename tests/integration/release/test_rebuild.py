"""A lost lake made again from ledger and landing zone: the same release, whatever interrupts it."""

import shutil
from pathlib import Path

import pytest

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import withdraw
from flows.release import rebuild
from flows.release.rebuild import plan_rebuild, rebuild_lake
from flows.release.verify import lake_digest, verify
from flows.releases import find_release, read_table
from infra.ledger import releases as ledger_releases
from infra.ledger import submissions as ledger_submissions
from schemas.errors import StoreError, UsageError
from tests.support.killing import KILLED, started
from tests.support.small_installation import HEADER, open_small

pytestmark = pytest.mark.usefixtures("unchecked")


def send(home: Installation, day: int) -> str:
    text = f"{HEADER}0301;{day:02}.01.2024;alle;{700_000 + day};\n1120;{day:02}.02.2024;alle;{20_000 + day};\n"
    sent = make_delivery(home, f"{day}.csv", text.encode(), "folketall", sender="kommunen", period=None)
    return next(receipt.submission_id for receipts in steps.receive(home, [sent]) for receipt in receipts)


@pytest.fixture
def home(tmp_path: Path) -> Installation:
    """Return a home with two releases, a submission that is withdrawn and one that waits, whose lake is lost."""
    home = open_small(tmp_path / "home")
    first = send(home, 1)
    send(home, 2)
    steps.nightly(home, export="never")
    withdraw(home, first)
    send(home, 3)
    steps.nightly(home, export="never")
    send(home, 4)
    lose(home)
    return home


def lose(home: Installation) -> None:
    assert isinstance(home.settings.lake, Path)
    shutil.rmtree(home.settings.lake)


def assert_whole(home: Installation, digest: str) -> None:
    release = find_release(home)
    assert (release["release"], release["digest"]) == (2, digest)
    assert lake_digest(home, release) == digest
    assert set(read_table(home, "observations", release).collect()["release"]) == {2}
    assert verify(home).same
    with pytest.raises(UsageError, match="cannot be read any more: a submission was erased, or the lake rebuilt"):
        find_release(home, 1)
    assert not (home.settings.home / rebuild.FOLDER).exists()
    again = steps.nightly(home, export="never")
    assert again.published
    assert again.counts["added"] == 2
    assert verify(home).same


def test_the_release_and_all_claims_are_there_again(home: Installation) -> None:
    digest = find_release(home)["digest"]
    plan = plan_rebuild(home)
    assert (plan.release, plan.submissions, plan.read) == (2, 4, 0)
    with pytest.raises(StoreError):
        steps.nightly(home, export="never")
    done = rebuild_lake(home)
    assert done.tables
    first = ledger_submissions.read_submissions(home.engine).filter(status="withdrawn")["submission_id"][0]
    assert_whole(home, digest)
    with pytest.raises(UsageError, match="a rebuild needs an empty place"):
        plan_rebuild(home)
    send(home, 1)  # what was withdrawn counts again, with the claims that were read again
    assert steps.nightly(home, export="never").counts["added"] == 2
    assert first in ledger_submissions.read_submissions(home.engine, in_release=True)["submission_id"]
    assert verify(home).same


def test_killed_anywhere_it_goes_on(home: Installation) -> None:
    digest = find_release(home)["digest"]
    with started("killable_process") as do:
        deaths = 0
        for kill_at in (3, 12, 25, 40, 60):
            if do(home.settings.home, "rebuild", kill_at=kill_at)["ended"] != KILLED:
                break
            deaths += 1
            assert ledger_releases.current_release(home.engine)["rebuilt_at"] is None  # type: ignore[index]
            assert plan_rebuild(home).submissions == 4
        assert deaths
    if (home.settings.home / rebuild.FOLDER).exists():
        rebuild_lake(home)
    assert_whole(home, digest)


def test_cut_off_before_the_ledger_names_it_and_after(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = find_release(home)["digest"]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ledger_releases, "name_rebuilt", stop)
        with pytest.raises(KeyboardInterrupt):
            rebuild_lake(home)
    assert plan_rebuild(home).read == 4
    with monkeypatch.context() as patch:
        patch.setattr(rebuild.shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            rebuild_lake(home)
    rebuild_lake(home)
    assert_whole(home, digest)


def test_another_digest_changes_nothing(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    before = find_release(home)
    monkeypatch.setattr(rebuild, "_submissions", lambda home: ledger_submissions.read_submissions(home.engine).head(1))
    with pytest.raises(StoreError, match="nothing was changed"):
        rebuild_lake(home)
    assert find_release(home) == before
