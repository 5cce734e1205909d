"""The process killed in the middle of `submit` and of `nightly`: start again, and nothing is lost, nothing twice."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.killing import KILLED, Do, Message, look, started
from tests.support.small_installation import HEADER, open_small

ENOUGH = 200
"""More deaths than any step has boundaries."""

FIRST = {
    "a.csv": HEADER + "0301;01.01.2024;alle;700 000;\n1120;01.01.2024;alle;20 000;\n9998;01.01.2024;alle;1;\n",
    "b.csv": HEADER + "0301;01.02.2024;alle;700 100;\nSum;01.02.2024;alle;700 100;\n",
    "empty.csv": "",
}
SECOND = {
    "c.csv": HEADER + "0301;01.01.2024;alle;700 001;\n1121;01.01.2024;alle;18 000;\n",
    "a again.csv": FIRST["a.csv"],
    "d.csv": HEADER + "1121;01.03.2024;alle;18 100;\n",
}


@pytest.fixture(scope="module")
def do() -> Iterator[Do]:
    with started("killable_process") as ask:
        yield ask


@pytest.fixture(scope="module")
def stages(do: Do, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give homes as they stand, undisturbed: new, then after each of two submits and their nights."""
    folder = tmp_path_factory.mktemp("stages")
    open_small(folder / "0-new").engine.dispose()
    made = {"new": folder / "0-new"}
    todo = [
        ("first", "submit", FIRST),
        ("released", "nightly", {}),
        ("second", "submit", SECOND),
        ("end", "nightly", {}),
    ]
    for name, step, files in todo:
        made[name] = copy(list(made.values())[-1], folder / name)
        assert do(made[name], step, files=files)["ended"] == 0
    return made


@pytest.fixture(scope="module")
def end(do: Do, stages: dict[str, Path]) -> Message:
    """Give what a reader sees in the end of an undisturbed life."""
    seen = look(do, stages["end"])
    assert (seen["release"], seen["digest"], seen["exported"]) == (2, seen["lake"], ["1", "2"])
    assert [status for status in seen["runs"] if status != "done"] == []
    return seen


STEPS = [("new", "submit", FIRST), ("first", "nightly", {}), ("released", "submit", SECOND), ("second", "nightly", {})]
STRIDES = [8, pytest.param(1, marks=pytest.mark.slow)]


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize(("stage", "step", "files"), STEPS, ids=[f"{s} from {f}" for f, s, _ in STEPS])
def test_killed_at_every_boundary_one_after_another(
    do: Do, stages: dict[str, Path], end: Message, tmp_path: Path, stage: str, step: str, files: Message, stride: int
) -> None:
    """Every eighth boundary, but under `-m slow`; where a night takes up what the one before left, others come."""
    home = copy(stages[stage], tmp_path / "home")
    before = look(do, home)
    for kill_at in range(1, ENOUGH, stride):
        ended = do(home, step, files=files, kill_at=kill_at, batch_files=1)["ended"]
        readable(do, home, before)
        if ended == 0:
            break
        assert ended == KILLED
    assert kill_at > 5
    same(finished(do, home), end)


@pytest.mark.parametrize("points", [2, pytest.param(5, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("stage", "step", "files"), STEPS, ids=[f"{s} from {f}" for f, s, _ in STEPS])
def test_killed_once_and_started_again(
    do: Do, stages: dict[str, Path], end: Message, tmp_path: Path, stage: str, step: str, files: Message, points: int
) -> None:
    ticks = do(copy(stages[stage], tmp_path / "whole"), step, files=files)["ticks"]
    for kill_at in range(1, len(ticks) + 1, max(1, len(ticks) // points)):
        home = copy(stages[stage], tmp_path / f"home-{kill_at}")
        assert do(home, step, files=files, kill_at=kill_at)["ended"] == KILLED
        same(finished(do, home), end)


@pytest.mark.parametrize("deaths", [2, pytest.param(5, marks=pytest.mark.slow)])
def test_killed_at_any_moment(do: Do, stages: dict[str, Path], end: Message, tmp_path: Path, deaths: int) -> None:
    chance = random.Random(20241122)
    home = copy(stages["new"], tmp_path / "home")
    for step, files in (("submit", FIRST), ("nightly", {}), ("submit", SECOND), ("nightly", {})):
        before = look(do, home)
        for _ in range(deaths):
            do(home, step, files=files, kill_after=chance.uniform(0.001, 0.3), batch_files=2)
            readable(do, home, before)
        assert do(home, step, files=files)["ended"] == 0
    same(look(do, home), end)


def test_a_submit_that_was_killed_after_landing_needs_no_second_one(
    do: Do, stages: dict[str, Path], end: Message, tmp_path: Path
) -> None:
    home = copy(stages["released"], tmp_path / "home")
    ticks = do(copy(home, tmp_path / "whole"), "submit", files=SECOND)["ticks"]
    landed = len(ticks) - ticks[::-1].index("link") + 1
    assert do(home, "submit", files=SECOND, kill_at=landed)["ended"] == KILLED
    assert do(home, "nightly")["ended"] == 0
    same(look(do, home), end)


def finished(do: Do, home: Path) -> Message:
    """Do what the undisturbed life did, all over again, and return what a reader sees then."""
    before = look(do, home)
    for files in (FIRST, SECOND):
        if files is SECOND and not before.get("exported"):
            assert do(home, "nightly")["ended"] == 0
        assert do(home, "submit", files=files)["ended"] == 0
    assert do(home, "nightly")["ended"] == 0
    return look(do, home)


def readable(do: Do, home: Path, before: Message) -> None:
    """See that the last release, or the next one, is there whole."""
    seen = look(do, home)
    if seen["release"] == before["release"]:
        assert seen.get("items") == before.get("items")
        assert seen.get("digest") == before.get("digest")
    else:
        assert seen["release"] == (before["release"] or 0) + 1
    assert seen.get("lake") == seen.get("digest")


def same(seen: Message, end: Message) -> None:
    """See that nothing was lost and nothing is there twice, and that no run seems to go on."""
    assert seen["lake"] == seen["digest"]
    assert "running" not in seen["runs"]
    assert {k: v for k, v in seen.items() if k != "runs"} == {k: v for k, v in end.items() if k != "runs"}


def copy(source: Path, to: Path) -> Path:
    return Path(shutil.copytree(source, to))
