"""The process killed in the middle of `engang train`: nothing is half there, and the next training is as good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.matching.training import train
from tests.support.killing import KILLED, Do, started
from tests.support.matching_installation import send, small
from transforms.training import sessions

pytestmark = pytest.mark.usefixtures("unchecked")

ENOUGH = 50
"""More deaths than keeping a model has boundaries."""


@pytest.fixture(scope="module")
def do() -> Iterator[Do]:
    with started("killable_training") as ask:
        yield ask


def delivered(home: Path) -> Path:
    """Deliver what a model can be trained on."""
    made = small(home, mishaps=60)
    send(made.home, *made.files.values())
    made.home.engine.dispose()
    return home


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the file of a model as an undisturbed training leaves it."""
    made = small(tmp_path_factory.mktemp("undisturbed") / "home", mishaps=60)
    send(made.home, *made.files.values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "MAX_SESSION_ROUNDS", 1)
        first, again = (train(made.home, made.home.kind("mishap")) for _ in range(2))
    assert (first.new, again.new) == (True, False)  # the same reports give the same model
    assert (first.before, again.before) == (None, first.model.digest)
    return first.file


def test_killed_at_every_boundary_of_keeping_a_model(do: Do, trained: Path, tmp_path: Path) -> None:
    home = delivered(tmp_path / "home")
    for kill_at in range(1, ENOUGH):
        ended = do(home, "train", model=str(trained), kill_at=kill_at)
        seen = do(home, "look")["done"]
        assert all(name == digest for name, digest in seen["files"])  # each is whole
        assert set(seen["pins"].values()) <= set(seen["models"]) <= {name for name, _ in seen["files"]}
        if ended["ended"] == 0:
            break
        assert ended["ended"] == KILLED
    assert kill_at > 4
    assert seen == {
        "files": [[trained.stem, trained.stem]],
        "models": [trained.stem],
        "pins": {"mishap": trained.stem},
        "why": seen["why"],
    }
    assert do(home, "train", model=str(trained))["done"] == {
        "digest": trained.stem, "new": False, "pinned": False, "before": trained.stem,
    }  # fmt: skip


def test_killed_in_the_middle_of_estimating(do: Do, trained: Path, tmp_path: Path) -> None:
    home = delivered(tmp_path / "home")
    assert do(home, "train_until_killed", rounds=2)["ended"] == KILLED
    assert do(home, "look")["done"] == {"files": [], "models": [], "pins": {}, "why": []}
    assert not (home / "models").exists()
    assert do(home, "train", model=str(trained))["done"]["pinned"] is True
