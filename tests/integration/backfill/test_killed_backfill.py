"""The process killed in the middle of a backfill: nothing is half there, and `backfill` goes on where it was."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.backfill_installation import FILES, changed, opened
from tests.support.killing import KILLED, Do, Message, look, started

ENOUGH = 300
"""More deaths than any step has boundaries."""


@pytest.fixture(scope="module")
def do() -> Iterator[Do]:
    with started("killable_backfill") as ask:
        yield ask


@pytest.fixture(scope="module")
def stages(do: Do, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give homes as they stand, undisturbed: released, tried out, and in the end."""
    folder = tmp_path_factory.mktemp("stages")
    home = opened(folder / "released")
    rules = changed(home).rename(folder / "rules.yml")
    home.engine.dispose()
    assert do(folder / "released", "submit", files=FILES)["ended"] == 0
    assert do(folder / "released", "nightly")["done"] == 1
    for name, dry_run in (("tried", True), ("end", False)):
        before = folder / ("released" if dry_run else "tried")
        shutil.copytree(before, folder / name)
        assert do(folder / name, "backfill", rules=str(rules), dry_run=dry_run)["ended"] == 0
    return {name: folder / name for name in ("released", "tried", "end", "rules.yml")}


def copy(home: Path, to: Path) -> Path:
    shutil.copytree(home, to)
    return to


def readable(do: Do, home: Path, before: Message, end: Message) -> None:
    """Check that the current release is the one that stood or the one in the end, whole, whatever was cut off."""
    seen = look(do, home)
    assert seen["digest"] == seen["lake"]
    expected = before if seen["release"] == 1 else end
    names = ("digest", "items", "rows", "counts", "submissions")
    assert {name: seen[name] for name in names} == {name: expected[name] for name in names}


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["released", "tried"])
def test_killed_at_every_boundary_one_after_another(
    do: Do, stages: dict[str, Path], tmp_path: Path, stage: str
) -> None:
    home = copy(stages[stage], tmp_path / "home")
    before, end = look(do, home), look(do, stages["end"])
    assert (before["release"], end["release"]) == (1, 2)
    for kill_at in range(1, ENOUGH):
        ended = do(home, "backfill", rules=str(stages["rules.yml"]), kill_at=kill_at)["ended"]
        readable(do, home, before, end)
        if ended == 0:
            break
        assert ended == KILLED
    assert kill_at > 10
    print(f"{stage}: killed {kill_at - 1} times, at every boundary")
    assert look(do, home)["backfills"] == [[1, "published", 2]]
    assert do(home, "nightly")["done"] == 2  # nothing new


@pytest.mark.slow
def test_a_dry_run_killed_at_every_boundary_changes_nothing(do: Do, stages: dict[str, Path], tmp_path: Path) -> None:
    home = copy(stages["released"], tmp_path / "home")
    before = look(do, home)
    for kill_at in range(1, ENOUGH):
        done = do(home, "backfill", rules=str(stages["rules.yml"]), dry_run=True, kill_at=kill_at)
        readable(do, home, before, before)
        if done["ended"] == 0:
            break
    assert kill_at > 10
    assert do(home, "nightly")["done"] == 1
    real = do(home, "backfill", rules=str(stages["rules.yml"]))["done"]
    assert (real["diff"], real["as_tried"], real["again"]) == (done["done"]["diff"], True, True)


def test_killed_once_and_a_night_comes_first(do: Do, stages: dict[str, Path], tmp_path: Path) -> None:
    rules = str(stages["rules.yml"])
    ticks = len(do(copy(stages["released"], tmp_path / "whole"), "backfill", rules=rules)["ticks"])
    end = look(do, stages["end"])
    for kill_at in range(2, ticks + 1, max(1, ticks // 3)):
        home = copy(stages["released"], tmp_path / f"home-{kill_at}")
        assert do(home, "backfill", rules=rules, kill_at=kill_at)["ended"] == KILLED
        assert do(home, "nightly")["done"] == look(do, home)["release"]
        assert do(home, "backfill", rules=rules)["ended"] == 0
        readable(do, home, end, end)
