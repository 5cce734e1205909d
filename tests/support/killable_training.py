"""A process that trains a small kind on command and can be killed in the middle of it; run by test_train_evaluate.py.

As `killable_process` does, it imports once and forks for every step.
"""

import json
from pathlib import Path
from typing import Any

from flows.installation import Installation
from flows.matching import training
from infra.ledger import models as ledger_models
from tests.support import killable_process
from tests.support.matching_installation import open_matching
from transforms.linkage.model import parse_model
from transforms.training import estimate, sessions


def train(home: Installation, command: dict[str, Any]) -> dict[str, Any]:
    """Train; with `model`, the estimating is done already and only the keeping is left."""
    if "model" in command:
        text = Path(command["model"]).read_text(encoding="utf-8")
        estimate.estimate_model = lambda *_: estimate.TrainedModel(parse_model(text), [], [])
    done = training.train(home, home.kind("mishap"))
    return {"digest": done.model.digest, "new": done.new, "pinned": done.pinned, "before": done.before}


def train_until_killed(home: Installation, command: dict[str, Any]) -> None:
    """Train for real, and be killed in the middle of estimating: before the n-th round."""
    clock = killable_process.Clock(command["rounds"])
    clock.before(sessions, "bounded")
    training.train(home, home.kind("mishap"))


def look(home: Installation, _: dict[str, Any]) -> dict[str, Any]:
    """Return what is there: each file of a model and the digest of what it holds, the ledger's models, its pins."""
    files = sorted((home.settings.home / "models").rglob("*.json"))
    return {
        "files": [[f.stem, parse_model(f.read_text(encoding="utf-8")).digest] for f in files],
        "models": ledger_models.read_models(home.engine)["digest"].to_list(),
        "pins": {kind: pin["digest"] for kind, pin in ledger_models.pins_in_force(home.engine).items()},
        "why": [json.loads(about) for about in ledger_models.read_models(home.engine)["about"]],
    }


if __name__ == "__main__":
    killable_process.open_small = open_matching  # type: ignore[assignment]
    killable_process.STEPS = {"train": train, "train_until_killed": train_until_killed, "look": look}
    killable_process.main()
