"""The process killed in the middle of `engang train`: nothing is half there, and the next training is as good."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_matching import send, small

from flows.training import train
from transforms import match

Told = dict[str, Any]
Do = Callable[..., Told]
KILLED = -signal.SIGKILL
ENOUGH = 50
"""More deaths than keeping a model has boundaries."""


@pytest.fixture(scope="module")
def do() -> Iterator[Do]:
    """Give what does a step in a child of its own and returns what it gave and how it ended."""
    command = [sys.executable, str(Path(__file__).parent / "dying_training.py")]
    calm = os.environ | {"POLARS_MAX_THREADS": "1", "TOKIO_WORKER_THREADS": "1"}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=calm) as process:
        assert process.stdin
        assert process.stdout

        def ask(home: Path, step: str, **told: Any) -> Told:
            print(json.dumps({"home": str(home), "step": step, **told}), file=process.stdin, flush=True)
            answer: Told = json.loads(process.stdout.readline())
            return answer

        yield ask
        process.stdin.close()


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
        patch.setattr(match, "ITERATIONS", 2)
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
