"""What only old releases have goes, night by night; what a release that is kept needs stays."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from flows import pipeline as steps
from flows.installation import Installation
from flows.intake.deliveries import make_delivery
from flows.intake.registration import withdraw
from flows.monitoring.storage import check_storage
from flows.receipts.receipt import tree_extension
from flows.release.retention import plan_removal, remove_old_releases
from flows.release.verify import verify
from flows.releases import find_release, list_releases, read_table
from infra.lake import delta as lake
from infra.lake import retention as lake_retention
from schemas.errors import StoreError, UsageError
from tests.support.small_installation import HEADER, open_small

KEPT = 2
pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Return a home of which nothing old is spared for who may be reading it."""
    monkeypatch.setattr(lake_retention, "GRACE", timedelta(0))
    monkeypatch.setattr(lake_retention, "COMMITS_KEPT", 0)
    monkeypatch.setenv("ENGANG_KEEP_RELEASES", str(KEPT))
    return open_small(tmp_path / "home")


def send(home: Installation, count: int) -> str:
    text = "".join(f"0301;{day:02}.01.2024;alle;{700_000 + count};\n" for day in range(1, 20))
    sent = make_delivery(home, "a.csv", f"{HEADER}{text}".encode(), "folketall", sender="kommunen", period=None)
    return next(receipt.submission_id for receipts in steps.receive(home, [sent]) for receipt in receipts)


def nights(home: Installation) -> Callable[[], dict[int, pl.DataFrame]]:
    """Return what makes two nights: a submission is withdrawn, then counts again. It returns what they publish."""
    send(home, 0)
    first = send(home, 1)

    def two() -> dict[int, pl.DataFrame]:
        published = {}
        for change in (lambda: withdraw(home, first), lambda: send(home, 1)):
            change()
            done = steps.nightly(home, export="always")
            assert done.published
            assert done.release is not None
            published[done.release] = observations(home, done.release)
        return published

    return two


def observations(home: Installation, release: int) -> pl.DataFrame:
    return read_table(home, "observations", find_release(home, release)).sort("item_id").collect()


def disk(home: Installation) -> int:
    """Return the bytes of lake and exports, without what each release changed, which is published for good.

    Nor are checkpoints counted: for a week they name what was replaced, and these nights take seconds.
    """
    folders = (home.settings.lake, home.settings.exports)
    files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]  # type: ignore[union-attr]
    history = home.settings.lake / "changes"
    return sum(f.stat().st_size for f in files if ".checkpoint." not in f.name and history not in f.parents)


def grow(home: Installation, count: int) -> list[int]:
    two = nights(home)
    return [disk(home) for _ in range(count // 2) if two()]


def test_the_newest_releases_stay_whole_and_all_else_of_the_past_goes(home: Installation) -> None:
    two, published, sizes = nights(home), {}, []
    for _ in range(3):
        published |= two()
        sizes.append(disk(home))
    assert 0.9 * sizes[1] <= sizes[2] <= 1.1 * sizes[1]
    kept = list(published)[-KEPT:]
    for release in kept:
        assert observations(home, release).equals(published[release])
    for release in set(published) - set(kept):
        with pytest.raises(UsageError, match=f"release {release} was removed .*: the oldest that is kept is {kept[0]}"):
            find_release(home, release)
    assert len(list_releases(home)) == len(published)
    assert sorted(int(folder.name) for folder in home.settings.exports.iterdir()) == kept
    for name, version in find_release(home, kept[0])["tables"].items():
        log = (home.settings.lake / name / "_delta_log").glob("*.json")  # type: ignore[operator]
        assert min(int(file.stem) for file in log) <= version
    assert check_storage(home) == []
    assert tree_extension(home, min(published), None)["earlier"]
    assert verify(home).same
    assert two()


def test_disk_after_a_hundred_nights_is_that_of_twenty(home: Installation) -> None:
    sizes = grow(home, 100)
    assert 0.9 * sizes[9] <= sizes[-1] <= 1.1 * sizes[9]
    assert verify(home).same


def test_a_look_removes_nothing_and_who_reads_has_a_day(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    two = nights(home)
    monkeypatch.setattr(lake_retention, "GRACE", timedelta(hours=24))
    two()
    published = two()
    before = disk(home)
    assert plan_removal(home, 2).releases == [1, 2]
    assert disk(home) == before
    assert observations(home, min(published)).equals(published[min(published)])
    assert remove_old_releases(home, 2).files == 0
    with pytest.raises(UsageError, match="was removed"):
        find_release(home, 2)
    monkeypatch.setattr(lake_retention, "GRACE", timedelta(0))
    assert plan_removal(home).files == remove_old_releases(home).files > 0


def test_a_removal_that_is_cut_off_is_completed(home: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENGANG_KEEP_RELEASES", "0")
    everything = open_small(home.settings.home)
    two = nights(everything)
    two()
    published = two()
    remove = lake_retention.remove_superseded

    def stop(root: Path, name: str, *rest: object) -> object:
        if name == "sources":
            raise StoreError("the disk is away")
        return remove(root, name, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(lake_retention, "remove_superseded", stop)
        with pytest.raises(StoreError):
            remove_old_releases(everything, 2)
    assert remove_old_releases(everything, 2).files
    assert remove_old_releases(everything, 2).files == 0
    for release, rows in published.items():
        assert observations(everything, release).equals(rows)


def test_commits_of_a_month_ago_are_not_deleted_by_a_commit(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Delta's own default: after 30 days the log forgets, and with it every older release could not be read."""
    import os
    import time

    monkeypatch.setenv("ENGANG_KEEP_RELEASES", "0")
    everything = open_small(home.settings.home)
    published = nights(everything)()
    old = time.time() - 60 * 24 * 3600
    root = everything.settings.lake
    assert isinstance(root, Path)
    for file in (root / "retired" / "_delta_log").iterdir():
        os.utime(file, (old, old))
    for _ in range(110):  # a checkpoint each hundred commits
        lake.append(
            root,
            "retired",
            pl.DataFrame({"item_id": ["x"], "release": [9], "partition": ["2024-01"]}).cast({"release": pl.Int32}),
        )
    for release, rows in published.items():
        assert observations(everything, release).equals(rows)
